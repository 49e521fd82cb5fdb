// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: in-kernel users of the mapped memory.
 *
 * An access pins and unpins pages by IOVA. It is notified when a mapping with
 * pinned pages is unmapped, no matter which access pinned them; see notify.c.
 *
 * A call is a user of an area while it is counted in iopt_area.nr_users. The
 * area then stays in place, and the call needs no lock to use it.
 *
 * Pins belong to the space: an access may unpin pages that another access has
 * pinned. The exception is an access that owns its pins: it removes only its
 * own pins, and other accesses cannot remove them. Its driver can remove all of
 * them with iopt_access_unpin_all() before it destroys the access.
 */
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "access.h"
#include "access_pins.h"
#include "area.h"
#include "dirty_bitmap.h"
#include "interval.h"
#include "io_pagetable.h"
#include "reserve.h"
#include "trace.h"

static void access_free(struct iopt_access *access)
{
	if (access->owner)
		ida_free(&access->iopt->owners, access->owner);
	kfree(access);
}

/**
 * iopt_access_create() - create an access to a space
 * @iopt: the space; it must outlive the access
 * @ops: callbacks, or NULL if iopt_access_pin() is not called for the access
 * @data: argument of the callbacks
 *
 * If @ops is not NULL, all mappings have to be page aligned until the access is
 * destroyed.
 *
 * Context: process context. May wait killably for mappings that are not page
 * aligned and are being built or torn down.
 * Return: the access, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * %-ENOSPC - The space already has 65535 accesses that own their pins.
 * * %-EADDRINUSE - @ops is not NULL, and a mapping is not page aligned.
 * * %-EINTR - A fatal signal is pending.
 */
struct iopt_access *iopt_access_create(struct io_pagetable *iopt,
				       const struct iopt_access_ops *ops,
				       void *data)
{
	struct iopt_access *access = kzalloc(sizeof(*access), iopt->policy.gfp);
	int owner, rc = 0;

	if (!access)
		return ERR_PTR(-ENOMEM);
	if (ops && ops->owns_pins) {
		owner = ida_alloc_range(&iopt->owners, 1, U16_MAX,
					iopt->policy.gfp);
		if (owner < 0) {
			kfree(access);
			return ERR_PTR(owner);
		}
		access->owner = owner;
	}
	access->iopt = iopt;
	access->ops = ops;
	access->data = data;
	mutex_lock(&iopt->lock);
	if (ops)
		rc = iopt_raise_alignment(iopt, PAGE_SIZE);
	if (!rc) {
		list_add(&access->node, &iopt->accesses);
		iopt->nr_pinners += !!ops;
		iopt_update_alignment(iopt);
	}
	mutex_unlock(&iopt->lock);
	if (!rc)
		return access;
	access_free(access);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_create, IOPT);

/**
 * iopt_access_destroy() - destroy an access
 * @access: the access, which must have unpinned all pages it pinned
 *
 * No callback of @access runs once this function has returned.
 *
 * Context: process context, may sleep. Waits uninterruptibly for running
 * callbacks of @access, but not for callbacks of other accesses. Must not be
 * called from a callback of @access, nor with a lock held that a callback of
 * @access takes.
 */
void iopt_access_destroy(struct iopt_access *access)
{
	struct io_pagetable *iopt = access->iopt;

	mutex_lock(&iopt->lock);
	access->closing = true;
	while (access->nr_callbacks)
		iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
	list_del(&access->node);
	iopt->nr_pinners -= !!access->ops;
	iopt_update_alignment(iopt);
	/* Wake up unmaps: if no access is left, they leak remaining pins. */
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
	access_free(access);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_destroy, IOPT);

/**
 * iopt_has_accesses() - check whether a space has accesses
 * @iopt: the space
 *
 * Context: any. Unless the caller holds a lock that excludes
 * iopt_access_create() and iopt_access_destroy(), the result may be outdated.
 * Return: true if at least one access exists.
 */
bool iopt_has_accesses(struct io_pagetable *iopt)
{
	return !list_empty(&iopt->accesses);
}
EXPORT_SYMBOL_NS_GPL(iopt_has_accesses, IOPT);

/*
 * Clamp [@start, @last], which starts in @area, to the end of @area. Returns
 * the number of pages in the clamped range; @first receives the index of the
 * first of these pages in the iopt_pages.
 */
static unsigned long area_slice(const struct iopt_area *area,
				unsigned long start, unsigned long last,
				unsigned long *first)
{
	last = min(last, area->last);
	*first = iopt_area_index(area, start);
	return iopt_area_index(area, last) - *first + 1;
}

static struct iopt_pinner pinner(const struct iopt_access *access,
				 struct iopt_area *area)
{
	return (struct iopt_pinner){ &area->nr_pins, access->owner };
}

/*
 * Pin the part of [@start, @last] that is in the area at @start. Returns the
 * number of pages, or a negative errno. On success, the caller becomes a user
 * of the area.
 */
static long area_pin(struct iopt_access *access, unsigned long start,
		     unsigned long last, struct page **pages,
		     unsigned int flags)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long first, nr, done, lost = 0;
	struct iopt_area *area;
	int rc;

	area = iopt_area_get(iopt, start, flags);
	if (IS_ERR(area))
		return PTR_ERR(area);

	nr = area_slice(area, start, last, &first);
	rc = iopt_pins_add(area->pages, pinner(access, area), first, nr, pages,
			   &done, &lost);
	if (!rc)
		return nr;
	atomic_long_add(lost, &iopt->nr_lost);
	mutex_lock(&iopt->lock);
	/* Pages that were pinned count as dirty, even after the rollback. */
	if (done)
		iopt_area_mark_dirty(area, start,
				     start + (done << PAGE_SHIFT) - 1);
	iopt_area_put(iopt, area);
	mutex_unlock(&iopt->lock);
	return rc;
}

/*
 * Remove pins from the pages of @area that are in [@start, @last]: one pin from
 * each page or, with @all, every pin that @access may remove. Returns the
 * number of pins removed.
 */
static unsigned long area_unpin(struct iopt_access *access,
				struct iopt_area *area, unsigned long start,
				unsigned long last, bool all)
{
	unsigned long first, nr, lost = 0;

	nr = area_slice(area, max(start, area->start), last, &first);
	nr = iopt_pins_remove(area->pages, pinner(access, area), first, nr, all,
			      &lost);
	atomic_long_add(lost, &access->iopt->nr_lost);
	return nr;
}

/*
 * The caller has pinned all of [@start, @last] and is a user of each area in
 * it. Mark the pages dirty, put the areas and leave the pages pinned. If one of
 * the areas is dying, put none and return -ENOENT: iopt_access_pin() has not
 * returned the pages to the driver yet, so the last call of the driver's
 * callback may not have unpinned them.
 */
static int areas_put_pinned(struct io_pagetable *iopt, unsigned long start,
			    unsigned long last)
{
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	/*
	 * Do not drop iopt->lock, however many areas there are: if an unmap
	 * notified the driver in between, the driver's callback would have to
	 * unpin pages that have not been returned yet.
	 */
	iopt_for_each_area(iopt, area, start, last)
		if (!iopt_area_is_accessible(area))
			return -ENOENT;
	iopt_for_each_area(iopt, area, start, last) {
		iopt_area_mark_dirty(area, max(start, area->start),
				     min(last, area->last));
		iopt_area_put(iopt, area);
	}
	return 0;
}

/* Error path: unpin [@start, @last], mark it dirty and put its areas. */
static void areas_put_unpinned(struct iopt_access *access, unsigned long start,
			       unsigned long last)
{
	struct io_pagetable *iopt = access->iopt;
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	iopt_for_each_area(iopt, area, start, last) {
		mutex_unlock(&iopt->lock);
		area_unpin(access, area, start, last, false);
		mutex_lock(&iopt->lock);
		iopt_area_mark_dirty(area, max(start, area->start),
				     min(last, area->last));
		iopt_area_put(iopt, area);
	}
}

/*
 * Pin the pages of all areas in a page-aligned range. Returns 0 or a negative
 * errno. In both cases, the caller becomes a user of the areas of the first
 * @done pages.
 */
static int areas_pin(struct iopt_access *access, unsigned long start,
		     unsigned long last, struct page **pages,
		     unsigned int flags, unsigned long *done)
{
	bool more = true;
	long nr;

	*done = 0;
	while (more && start <= last) {
		nr = area_pin(access, start, last, pages + *done, flags);
		if (nr < 0) {
			pages[*done] = NULL;
			return nr;
		}
		*done += nr;
		more = iopt_next_start(start + ((nr << PAGE_SHIFT) - 1),
				       &start);
	}
	return 0;
}

static bool pin_args_valid(const struct iopt_access *access,
			   unsigned long start, unsigned long last,
			   unsigned int flags)
{
	if (last < start || !access->ops)
		return false;
	return (flags & IOPT_ACCESS_UNALIGNED) ||
	       PAGE_ALIGNED(start | iopt_length(start, last));
}

/**
 * iopt_access_pin() - pin the pages of an IOVA range
 * @access: the access
 * @start: first IOVA
 * @last: last IOVA; the range may span mappings
 * @pages: array that receives the pages, starting with the page of @start. On
 *         failure, the entries up to and including that of the page that could
 *         not be pinned are set to NULL; if the arguments are invalid the array
 *         does not change
 * @flags: %IOPT_ACCESS_READ and %IOPT_ACCESS_WRITE are the rights that the
 *         mappings must grant; with %IOPT_ACCESS_UNALIGNED the range need not
 *         be page aligned
 *
 * Pinning a page again adds another pin, whichever access pinned the page
 * first. Until all pins of an IOVA are removed, pinning that IOVA returns the
 * same page. The protection that was passed to iopt_map_user(), not @flags,
 * decides whether pages are pinned for writing. Pages are charged to the payer
 * of the mapping.
 *
 * Context: process context, may block indefinitely (killable) while pages are
 * faulted in. The caller must not hold an mmap_lock.
 * Return: 0 if all pages were pinned, or
 * * %-EINVAL - The range is empty or misaligned, a page has no struct page, or
 *   @access has no callbacks and so cannot be notified of an unmap.
 * * %-ENOENT - Part of the range is not mapped, or is being unmapped and can no
 *   longer be pinned; see iopt_policy.notices.
 * * %-EPERM - A mapping does not grant the rights in @flags.
 * * %-EBUSY - A mapping is an orphan.
 * * %-EOVERFLOW - The pins of a mapping would exceed UINT_MAX.
 * * %-ESRCH - The process that owns the memory has exited.
 * * Another errno of pinning, such as %-EFAULT, %-ENOMEM or %-EINTR; see
 *   iopt_map_user().
 *
 * On failure, nothing stays pinned. Pages that were pinned temporarily are
 * marked dirty.
 */
int iopt_access_pin(struct iopt_access *access, unsigned long start,
		    unsigned long last, struct page **pages, unsigned int flags)
{
	const unsigned long first = start & PAGE_MASK;
	struct io_pagetable *iopt = access->iopt;
	unsigned long done = 0;
	int rc = -EINVAL;

	if (pin_args_valid(access, start, last, flags))
		rc = areas_pin(access, first, last | ~PAGE_MASK, pages, flags,
			       &done);
	mutex_lock(&iopt->lock);
	if (!rc)
		rc = areas_put_pinned(iopt, first, last | ~PAGE_MASK);
	if (rc && done)
		areas_put_unpinned(access, first,
				   first + (done << PAGE_SHIFT) - 1);
	mutex_unlock(&iopt->lock);
	if (rc)
		memset(pages, 0, done * sizeof(*pages));
	trace_iopt_access_pin(iopt, start, last, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_pin, IOPT);

/**
 * iopt_access_unpin() - unpin the pages of an IOVA range
 * @access: the access
 * @start: first IOVA; need not be page aligned
 * @last: last IOVA, not less than @start
 *
 * Removes from each page one pin that was made through the mapping at its IOVA.
 * Skips IOVAs that are not mapped, and pages without such a pin. An access that
 * owns its pins removes only these, and any other access removes only pins that
 * no access owns. The callback of an access that owns its pins may therefore
 * unpin the whole range that was passed to it.
 *
 * Context: process context, may sleep. May be called from a callback. Unpinning
 * may wait uninterruptibly for a filesystem; see iopt_unpin_run().
 * Return: the number of pins removed.
 */
unsigned long iopt_access_unpin(struct iopt_access *access,
				unsigned long start, unsigned long last)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long unpinned = 0;
	unsigned int steps = 0;
	struct iopt_area *area;

	mutex_lock(&iopt->lock);
	iopt_for_each_area_break(iopt, area, start, last, &steps) {
		if (!READ_ONCE(area->nr_pins))
			continue;
		area->nr_users++;
		mutex_unlock(&iopt->lock);
		unpinned += area_unpin(access, area, start, last, false);
		mutex_lock(&iopt->lock);
		iopt_area_put(iopt, area);
	}
	mutex_unlock(&iopt->lock);
	trace_iopt_access_unpin(iopt, start, last, unpinned);
	return unpinned;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_unpin, IOPT);

/**
 * iopt_access_unpin_all() - remove all pins of an access
 * @access: an access that owns its pins and does not pin concurrently
 *
 * Calls the unmap callback for each mapping in which @access has pages pinned,
 * as if that mapping were being unmapped, and then unpins the pages that the
 * callback left pinned.
 *
 * Context: process context, may sleep. Must not be called from a callback, nor
 * with a lock held that the unmap callback of @access takes.
 */
void iopt_access_unpin_all(struct iopt_access *access)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;
	unsigned long nr;

	mutex_lock(&iopt->lock);
	iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps) {
		if (!READ_ONCE(area->nr_pins))
			continue;
		area->nr_users++;
		mutex_unlock(&iopt->lock);
		if (iopt_pins_any(area->pages, pinner(access, area),
				  area->slice.start, iopt_area_npages(area))) {
			access->ops->unmap(access->data, area->start,
					   area->last);
			nr = area_unpin(access, area, area->start, area->last,
					true);
			trace_iopt_access_unpin(iopt, area->start, area->last,
						nr);
		}
		mutex_lock(&iopt->lock);
		iopt_area_put(iopt, area);
	}
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_unpin_all, IOPT);
