// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starting and stopping dirty page tracking.
 *
 * Vocabulary:
 *  tracking   between start and stop, each area has a bitmap with one bit per
 *             page
 *  untracked  a device is untracked if it can write by DMA without the engine's
 *             knowledge. A device that writes only to pages that an access pins
 *             for it is tracked
 *
 * A page is dirty if an access has written to it or pinned it since the page
 * was last reported, or currently has it pinned. While the space has an
 * untracked device, all pages that a domain translates are dirty too, and they
 * stay dirty when the device leaves the space or their last domain is detached.
 * A report without IOPT_DIRTY_KEEP makes a page clean, unless an access has the
 * page pinned, or a domain translates it while the space has an untracked
 * device.
 */
#include <linux/bitops.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "area.h"
#include "dirty_bitmap.h"
#include "interval.h"
#include "io_pagetable.h"
#include "pages.h"

static void areas_untrack(struct io_pagetable *iopt)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps)
		iopt_area_untrack(area);
}

/* Return the area that starts at @start and has @npages pages, or NULL. */
static struct iopt_area *area_at(struct io_pagetable *iopt, unsigned long start,
				 unsigned long npages)
{
	struct iopt_area *area = iopt_area_first(iopt, start, start);

	if (area && area->start == start && iopt_area_npages(area) == npages)
		return area;
	return NULL;
}

/*
 * In the new bitmap of an area, set the bits of pages that accesses have pinned
 * already. iopt_access_pin() sets the bits of pages that are pinned from now
 * on. May drop and retake iopt->lock.
 */
static void area_mark_all_pinned(struct io_pagetable *iopt,
				 struct iopt_area *area)
{
	unsigned long start = area->start, npages = iopt_area_npages(area);
	unsigned long index, next = 0;
	unsigned int steps = 0;

	while (area && area->dirty && next != npages) {
		index = area->slice.start + next;
		if (!xa_find(&area->pages->pins, &index, area->slice.last,
			     XA_PRESENT))
			return;
		next = index - area->slice.start;
		__set_bit(next++, area->dirty);
		if (iopt_lock_break(iopt, &steps))
			area = area_at(iopt, start, npages);
	}
}

/*
 * Add a bitmap to the area with @npages pages at @start. Drops and retakes
 * iopt->lock to allocate the bitmap, and frees the bitmap if there is no such
 * area any more or if the area has a bitmap by then.
 */
static int area_track_at(struct io_pagetable *iopt, unsigned long start,
			 unsigned long npages)
{
	struct iopt_area *area, new = { .slice.last = npages - 1 };
	int rc;

	mutex_unlock(&iopt->lock);
	rc = iopt_area_track(&new, iopt->policy.gfp);
	cond_resched();
	mutex_lock(&iopt->lock);
	if (rc)
		return rc;
	area = area_at(iopt, start, npages);
	if (area && !area->dirty) {
		swap(area->dirty, new.dirty);
		area_mark_all_pinned(iopt, area);
	}
	iopt_area_untrack(&new);
	return 0;
}

static int areas_track(struct io_pagetable *iopt)
{
	unsigned long next = 0;
	struct iopt_area *area;
	unsigned int steps = 0;
	bool more = true;
	int rc = 0;

	while (!rc && more &&
	       (area = iopt_area_first(iopt, next, ULONG_MAX))) {
		/* iopt->lock may be dropped: look up each area by IOVA. */
		if (area->dirty)
			more = iopt_next_start(area->last, &next);
		else
			rc = area_track_at(iopt, area->start,
					   iopt_area_npages(area));
		iopt_lock_break(iopt, &steps);
	}
	return rc;
}

/*
 * Make future maps create areas with a bitmap if @track is set, and without one
 * otherwise. A map that inserts many areas drops iopt->lock in between, and may
 * have created its areas in the old mode. Wait until all such areas are in the
 * tree. The wait is short, because no other map can start to insert areas in
 * the old mode.
 */
static void track_new_areas(struct io_pagetable *iopt, bool track)
{
	lockdep_assert_held(&iopt->lock);
	iopt->track_new = track;
	while (iopt->nr_inserting[!track])
		iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
}

/**
 * iopt_dirty_start() - start tracking dirty pages
 * @iopt: the space
 *
 * Initially, the only dirty pages are those that accesses have pinned and, if
 * the space has an untracked device, those that a domain translates. If dirty
 * pages are tracked already, nothing changes.
 *
 * Context: process context, may sleep.
 * Return: 0, or
 * * %-EINVAL - A mapping has more than INT_MAX pages.
 * * %-ENOMEM - Out of memory.
 *
 * On failure, dirty pages are not tracked.
 */
int iopt_dirty_start(struct io_pagetable *iopt)
{
	int rc = 0;

	mutex_lock(&iopt->track_mutex);
	mutex_lock(&iopt->lock);
	if (!iopt->tracking) {
		track_new_areas(iopt, true);
		rc = areas_track(iopt);
		WRITE_ONCE(iopt->tracking, !rc);
		if (rc) {
			track_new_areas(iopt, false);
			areas_untrack(iopt);
		}
	}
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->track_mutex);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_start, IOPT);

/**
 * iopt_dirty_stop() - stop tracking dirty pages
 * @iopt: the space; tracking need not be on
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_stop(struct io_pagetable *iopt)
{
	mutex_lock(&iopt->track_mutex);
	mutex_lock(&iopt->lock);
	WRITE_ONCE(iopt->tracking, false);
	track_new_areas(iopt, false);
	areas_untrack(iopt);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->track_mutex);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_stop, IOPT);

/**
 * iopt_dirty_add_untracked() - add an untracked device to a space
 * @iopt: the space
 *
 * All pages that a domain translates are reported as dirty until the matching
 * iopt_dirty_remove_untracked().
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_add_untracked(struct io_pagetable *iopt)
{
	mutex_lock(&iopt->lock);
	iopt->nr_untracked++;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_add_untracked, IOPT);

/**
 * iopt_dirty_remove_untracked() - remove an untracked device from a space
 * @iopt: the space
 * @tracked: true if the device stays and from now on writes only to pages that
 *           an access pins for it; false if the device leaves the space, in
 *           which case all mapped pages are marked dirty
 *
 * A device that leaves may have written to any mapped page. If the device
 * stays, the pins of its driver mark pages dirty, and no other page is marked.
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_remove_untracked(struct io_pagetable *iopt, bool tracked)
{
	struct iopt_area *area;
	unsigned int steps = 0;

	mutex_lock(&iopt->lock);
	if (!tracked) {
		iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps)
			iopt_area_mark_dirty(area, area->start, area->last);
	}
	/* Up to here, reports include all pages that a domain translates. */
	iopt->nr_untracked--;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_remove_untracked, IOPT);

/**
 * iopt_dirty_tracking() - check whether dirty pages are tracked
 * @iopt: the space
 *
 * Context: any context; the result may be outdated when it is returned.
 * Return: true between iopt_dirty_start() and iopt_dirty_stop().
 */
bool iopt_dirty_tracking(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->tracking);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_tracking, IOPT);
