// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas of a space, kept in an rbtree keyed by IOVA.
 *
 * Areas do not overlap, so no interval tree is needed. The rbtree is augmented
 * with the holes between areas, so that a hole of a given size can be found in
 * logarithmic time. Areas are never split or merged.
 *
 * Lookups need iopt->lock. Between iopt_area_get() and iopt_area_put(), an area
 * stays in place without the lock.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/rbtree_augmented.h>
#include <linux/slab.h>

#include "area.h"
#include "dirty_bitmap.h"
#include "interval.h"
#include "io_pagetable.h"
#include "pages.h"

struct kmem_cache *iopt_area_cache;

static struct iopt_area *rb_to_area(struct rb_node *rb)
{
	return rb_entry(rb, struct iopt_area, rb);
}

static struct iopt_area *rb_to_area_or_null(struct rb_node *rb)
{
	return rb_entry_safe(rb, struct iopt_area, rb);
}

static struct rb_node *rb_or_null(struct iopt_area *area)
{
	return area ? &area->rb : NULL;
}

static unsigned long area_hole(struct iopt_area *area)
{
	return area->hole;
}

RB_DECLARE_CALLBACKS_MAX(static, area_holes, struct iopt_area, rb,
			 unsigned long, max_hole, area_hole);

/**
 * iopt_area_alloc() - allocate an area
 * @start: first IOVA
 * @last: last IOVA
 * @pages: the memory; the area takes its own reference
 * @first: index of the first page in @pages
 * @offset: offset of the first byte in that page
 * @prot: protection for iommu_map(): %IOMMU_READ, %IOMMU_WRITE etc.
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it.
 * Return: a busy area in the state %IOPT_AREA_BUILDING that is in no space, or
 * NULL if out of memory.
 */
struct iopt_area *iopt_area_alloc(unsigned long start, unsigned long last,
				  struct iopt_pages *pages, unsigned long first,
				  unsigned int offset, int prot, gfp_t gfp)
{
	struct iopt_area *area;

	area = kmem_cache_alloc(iopt_area_cache, gfp);
	if (!area)
		return NULL;
	kref_get(&pages->kref);
	*area = (struct iopt_area){
		.start = start,
		.last = last,
		.pages = pages,
		.slice.start = first,
		.slice.last = first + ((last - start + offset) >> PAGE_SHIFT),
		.offset = offset,
		.prot = prot,
		.state = IOPT_AREA_BUILDING,
		.busy = true,
		.node = LIST_HEAD_INIT(area->node),
	};
	RB_CLEAR_NODE(&area->slice.rb);
	return area;
}

/**
 * iopt_areas_free() - free areas that are in no space and in no domain
 * @areas: areas, linked by iopt_area.node; empty afterwards
 *
 * Context: process context, may sleep.
 */
void iopt_areas_free(struct list_head *areas)
{
	struct iopt_area *area, *next;
	unsigned int steps = 0;

	list_for_each_entry_safe(area, next, areas, node) {
		iopt_step(&steps);
		list_del(&area->node);
		WARN_ON(iopt_area_is_held(area) || area->nr_pins ||
			area->nr_users);
		iopt_area_untrack(area);
		iopt_pages_put(area->pages);
		kmem_cache_free(iopt_area_cache, area);
	}
}

static void area_set_hole(struct iopt_area *area, unsigned long bytes)
{
	area->hole = bytes;
	area_holes.propagate(&area->rb, NULL);
}

/*
 * Same as area_set_hole(), for a hole that becomes larger: stop at the first
 * ancestor with a hole of at least this size in its subtree.
 */
static void area_grow_hole(struct iopt_area *area, unsigned long bytes)
{
	struct rb_node *rb;

	area->hole = bytes;
	for (rb = &area->rb; rb && rb_to_area(rb)->max_hole < bytes;
	     rb = rb_parent(rb))
		rb_to_area(rb)->max_hole = bytes;
}

/**
 * iopt_area_insert() - insert an area into the tree of a space
 * @iopt: the space
 * @area: the area, which must not overlap any other area of @iopt
 * @above: the next area above @area, or NULL
 *
 * Context: @iopt->lock is held.
 */
void iopt_area_insert(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iopt_area *above)
{
	struct rb_node *below, *parent = NULL;
	struct rb_node **link = &iopt->areas.rb_root.rb_node;

	lockdep_assert_held(&iopt->lock);
	below = above ? rb_prev(&above->rb) : rb_or_null(iopt->highest);
	if (below) {
		parent = below;
		link = &below->rb_right;
	}
	if (above && !above->rb.rb_left) {
		parent = &above->rb;
		link = &above->rb.rb_left;
	}
	rb_link_node(&area->rb, parent, link);

	area->max_hole = 0;
	if (below)
		area_grow_hole(area, area->start - rb_to_area(below)->last - 1);
	rb_insert_augmented_cached(&area->rb, &iopt->areas, !below,
				   &area_holes);
	if (above)
		area_set_hole(above, above->start - area->last - 1);
	else
		iopt->highest = area;
	iopt->nr_areas++;
}

/**
 * iopt_area_remove() - remove an area from the tree of a space
 * @iopt: the space
 * @area: the area
 *
 * Context: @iopt->lock is held.
 */
void iopt_area_remove(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct rb_node *above = rb_next(&area->rb);

	lockdep_assert_held(&iopt->lock);
	if (!above)
		iopt->highest = rb_to_area_or_null(rb_prev(&area->rb));
	else if (rb_first_cached(&iopt->areas) == &area->rb)
		area_set_hole(rb_to_area(above), 0);
	else
		/*
		 * Grow the hole above before the erase, so that max_hole of the
		 * ancestors need not shrink and grow again.
		 */
		area_grow_hole(rb_to_area(above),
			       rb_to_area(above)->start - area->start +
			       area->hole);
	rb_erase_augmented_cached(&area->rb, &iopt->areas, &area_holes);
	iopt->nr_areas--;
	iopt->nr_orphans -= area->orphan;
}

/**
 * iopt_area_first() - find the lowest area that intersects an interval
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte of the interval
 *
 * Context: @iopt->lock is held.
 * Return: the area, or NULL if there is none.
 */
struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
				  unsigned long start, unsigned long last)
{
	struct rb_node *lowest = rb_first_cached(&iopt->areas);
	struct rb_node *rb = iopt->areas.rb_root.rb_node;
	struct iopt_area *found = NULL;

	lockdep_assert_held(&iopt->lock);
	/*
	 * Users tend to map at ascending IOVAs and to unmap the lowest area
	 * first, so try both ends of the tree before searching it.
	 */
	if (!lowest || iopt->highest->last < start)
		return NULL;
	if (rb_to_area(lowest)->last >= start) {
		found = rb_to_area(lowest);
		rb = NULL;
	}
	while (rb) {
		struct iopt_area *area = rb_to_area(rb);

		if (area->last < start) {
			rb = rb->rb_right;
		} else {
			found = area;
			rb = rb->rb_left;
		}
	}
	return found && found->start <= last ? found : NULL;
}

/**
 * iopt_area_next() - find the next area of an interval
 * @area: the current area
 * @last: last byte of the interval
 *
 * Context: io_pagetable.lock is held, and @area is in the tree.
 * Return: the area, or NULL if there is none.
 */
struct iopt_area *iopt_area_next(struct iopt_area *area, unsigned long last)
{
	struct iopt_area *next = rb_to_area_or_null(rb_next(&area->rb));

	return next && next->start <= last ? next : NULL;
}

/**
 * iopt_area_walk() - find the next area of an interval, with lock breaks
 * @iopt: the space
 * @area: the current area
 * @last: last byte of the interval
 * @steps: step counter of the walk, 0 at its start
 *
 * Context: @iopt->lock is held, and dropped and retaken every %IOPT_MAX_STEPS
 * steps. Other threads may then insert areas, and remove areas that the caller
 * neither owns nor uses.
 * Return: the area, or NULL if there is none.
 */
struct iopt_area *iopt_area_walk(struct io_pagetable *iopt,
				 struct iopt_area *area, unsigned long last,
				 unsigned int *steps)
{
	unsigned long next;

	if ((*steps + 1) % IOPT_MAX_STEPS) {
		++*steps;
		return iopt_area_next(area, last);
	}
	if (!iopt_next_start(area->last, &next) || next > last)
		return NULL;
	iopt_lock_break(iopt, steps);
	return iopt_area_first(iopt, next, last);
}

static bool subtree_has_hole(struct rb_node *rb, unsigned long bytes)
{
	return rb && rb_to_area(rb)->max_hole >= bytes;
}

/* Find the lowest hole of at least @bytes in a subtree that has one. */
static struct iopt_area *subtree_first_hole(struct rb_node *rb,
					    unsigned long bytes)
{
	for (;;) {
		if (subtree_has_hole(rb->rb_left, bytes)) {
			rb = rb->rb_left;
			continue;
		}
		if (rb_to_area(rb)->hole >= bytes)
			return rb_to_area(rb);
		rb = rb->rb_right;
	}
}

/**
 * iopt_area_next_hole() - find the next area with a large hole below it
 * @area: the area after which the search starts; the hole below it is not
 *        considered
 * @bytes: minimum size of the hole in bytes
 *
 * Takes time logarithmic in the number of areas.
 *
 * Context: io_pagetable.lock is held, and has been since @area was found.
 * Return: the area, or NULL if there is none.
 */
struct iopt_area *iopt_area_next_hole(struct iopt_area *area,
				      unsigned long bytes)
{
	struct rb_node *rb = &area->rb, *parent;

	if (subtree_has_hole(rb->rb_right, bytes))
		return subtree_first_hole(rb->rb_right, bytes);
	for (; (parent = rb_parent(rb)); rb = parent) {
		if (rb != parent->rb_left)
			continue;
		if (rb_to_area(parent)->hole >= bytes)
			return rb_to_area(parent);
		if (subtree_has_hole(parent->rb_right, bytes))
			return subtree_first_hole(parent->rb_right, bytes);
	}
	return NULL;
}

static bool area_permits(const struct iopt_area *area, unsigned int flags)
{
	if ((flags & IOPT_ACCESS_READ) && !(area->prot & IOMMU_READ))
		return false;
	return !(flags & IOPT_ACCESS_WRITE) || (area->prot & IOMMU_WRITE);
}

/**
 * iopt_area_get() - find an area that an access may use, and keep it in place
 * @iopt: the space
 * @iova: an IOVA of the area
 * @flags: rights that the mapping must grant, %IOPT_ACCESS_READ and
 *         %IOPT_ACCESS_WRITE
 *
 * An unmap of the area waits until iopt_area_put().
 *
 * Context: process context, may sleep; no lock of the space is held.
 * Return: the area, or an ERR_PTR():
 * * %-ENOENT - The IOVA is not mapped, or its area is being built or is dying.
 * * %-EBUSY - The area is an orphan.
 * * %-EPERM - The mapping does not grant the rights in @flags.
 */
struct iopt_area *iopt_area_get(struct io_pagetable *iopt, unsigned long iova,
				unsigned int flags)
{
	struct iopt_area *area;

	mutex_lock(&iopt->lock);
	area = iopt_area_first(iopt, iova, iova);
	if (!area || !iopt_area_is_accessible(area))
		area = ERR_PTR(-ENOENT);
	else if (area->orphan)
		area = ERR_PTR(-EBUSY);
	else if (!area_permits(area, flags))
		area = ERR_PTR(-EPERM);
	else
		area->nr_users++;
	mutex_unlock(&iopt->lock);
	return area;
}

/**
 * iopt_area_put() - stop using an area
 * @iopt: the space
 * @area: an area that the caller is a user of. Another thread may free the area
 *        once the lock is dropped
 *
 * Context: @iopt->lock is held.
 */
void iopt_area_put(struct io_pagetable *iopt, struct iopt_area *area)
{
	lockdep_assert_held(&iopt->lock);
	area->nr_users--;
	/* Only unmap and iopt_adopt() wait for users. */
	if (area->state != IOPT_AREA_LIVE || area->orphan)
		iopt_wake_idle(iopt);
}
