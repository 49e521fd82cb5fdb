// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping.
 *
 * All areas of the range become busy at once, and accesses are told to let go of
 * them. Then they are taken out of the domains and the tree, and are freed.
 * Rule: it decides before it touches the first area; and then nothing can fail.
 *
 * No mapping is ever split. A front end whose rules say what becomes of one that
 * sticks out, as those of type1's first version do, asks iopt_find_mapping() and
 * unmaps whole ones (H5).
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "io_pagetable.h"
#include "trace.h"

/**
 * iopt_areas_destroy - undo and free areas
 * @iopt: the space
 * @areas: list by iopt_area.node, in the tree and busy for the caller
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas)
{
	struct iopt_area *area;

	iopt_areas_clear(iopt, areas, NULL);

	mutex_lock(&iopt->lock);
	list_for_each_entry(area, areas, node)
		iopt_area_remove(iopt, area);
	iopt_wake_settled(iopt);
	mutex_unlock(&iopt->lock);
	iopt_areas_free(areas);
}

static void areas_unclaim(struct list_head *areas)
{
	struct iopt_area *area, *next;

	list_for_each_entry_safe(area, next, areas, node) {
		list_del_init(&area->node);
		area->busy = false;
		area->state = IOPT_AREA_LIVE;
	}
}

/*
 * Make every area of an interval busy and dying. If one of them must not be
 * unmapped or is busy, none is. Accesses may be @in_use of some.
 */
static int areas_claim(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct list_head *areas,
		       unsigned long *bytes, bool *in_use)
{
	struct iopt_area *area;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	*bytes = 0;
	*in_use = false;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = area->last < last ? iopt_area_next(area, last) : NULL) {
		if (area->busy) {
			rc = -EAGAIN;
			break;
		}
		if (area->start < start || area->last > last) {
			rc = -ENOENT;
			break;
		}
		area->busy = true;
		area->state = IOPT_AREA_DYING;
		list_add_tail(&area->node, areas);
		*bytes += iopt_area_length(area);
		if (area->nr_users || READ_ONCE(area->nr_pins))
			*in_use = true;
	}
	if (rc)
		areas_unclaim(areas);
	return rc;
}

/*
 * Get everybody out of areas that were claimed, and tell what is dirty: of what
 * domains translate that is all, so that it does not matter that they still do.
 */
static int areas_prepare(struct io_pagetable *iopt, struct list_head *areas,
			 const struct iopt_dirty_query *query,
			 unsigned long start)
{
	struct iopt_area *area;
	int rc;

	rc = iopt_areas_quiesce(iopt, areas);
	if (!rc && query) {
		mutex_unlock(&iopt->lock);
		/* They stay dirty in case that not all can be told. */
		list_for_each_entry(area, areas, node)
			rc = rc ?: iopt_area_report(iopt, area, query, start,
						    IOPT_DIRTY_KEEP);
		mutex_lock(&iopt->lock);
	}
	if (rc) {
		areas_unclaim(areas);
		iopt_wake_settled(iopt);
	}
	return rc;
}

static int unmap_dirty(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, const struct iopt_dirty_query *query,
		       unsigned long *unmapped)
{
	unsigned long bytes;
	LIST_HEAD(areas);
	bool in_use;
	int rc = 0;

	*unmapped = 0;
	if (last < start)
		return -EINVAL;

	mutex_lock(&iopt->lock);
	do {
		if (query)
			rc = iopt_dirty_check(iopt, start, last, query);
		rc = rc ?: areas_claim(iopt, start, last, &areas, &bytes,
				       &in_use);
		if (rc != -EAGAIN)
			break;
		rc = iopt_wait_settled(iopt, TASK_KILLABLE);
	} while (!rc);
	if (!rc && (in_use || query))
		rc = areas_prepare(iopt, &areas, query, start);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	if (list_empty(&areas))
		return start == 0 && last == ULONG_MAX ? 0 : -ENOENT;

	iopt_areas_destroy(iopt, &areas);
	iopt_debug_validate(iopt);
	*unmapped = bytes;
	return 0;
}

/**
 * iopt_unmap_dirty - unmap, and tell which pages were written to
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @query: where to tell, see iopt_dirty_read(), or NULL
 * @unmapped: receives the bytes unmapped, 0 on failure
 *
 * Mappings are not split: each one must lie in the interval as a whole. Who
 * accesses pages of them is told to let go. When it returns nobody reaches the
 * memory and it is unpinned.
 *
 * Context: process context, may sleep. Waits, killably, for a mapping in the
 * interval that is being built, filled or torn down, and for accesses to unpin.
 * Callers hold no lock that the unmap callback of an access takes.
 * Return: 0, -ENOENT if a mapping sticks out of the interval, or if there is
 * none and the interval is not the whole address space, -EINVAL if @last is
 * before @start, -EINTR if killed while waiting, or for @query an errno of
 * iopt_dirty_read(). Nothing is unmapped then.
 */
int iopt_unmap_dirty(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     unsigned long *unmapped)
{
	int rc = unmap_dirty(iopt, start, last, query, unmapped);

	trace_iopt_unmap(iopt, start, last, *unmapped, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_unmap_dirty, IOPT);

/**
 * iopt_unmap - unmap every mapping in an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @unmapped: receives the bytes unmapped, 0 on failure
 *
 * Context: as iopt_unmap_dirty().
 * Return: as iopt_unmap_dirty(); nothing is unmapped on failure.
 */
int iopt_unmap(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, unsigned long *unmapped)
{
	return iopt_unmap_dirty(iopt, start, last, NULL, unmapped);
}
EXPORT_SYMBOL_NS_GPL(iopt_unmap, IOPT);
