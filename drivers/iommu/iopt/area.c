// SPDX-License-Identifier: GPL-2.0-only
/*
 * Areas: allocation, lookup, and waiting for busy ones.
 *
 * Rule: lookups need iopt->lock. Whoever meets an area that is busy in a way
 * that matters to him waits and then looks again from scratch: nothing that he
 * saw before the wait is still true.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "pages.h"

/**
 * iopt_area_alloc - make an area that is not in any space yet
 * @start: first IOVA
 * @last: last IOVA
 * @pages: the memory; the area takes over the caller's reference
 * @prot: IOMMU_READ and so on
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp does.
 * Return: the area, busy and being built, or NULL; the reference stays the
 * caller's then.
 */
struct iopt_area *iopt_area_alloc(unsigned long start, unsigned long last,
				  struct iopt_pages *pages, int prot, gfp_t gfp)
{
	struct iopt_area *area;

	area = kzalloc(sizeof(*area), gfp);
	if (!area)
		return NULL;
	area->iova.start = start;
	area->iova.last = last;
	area->pages = pages;
	area->prot = prot;
	area->state = IOPT_AREA_BUILDING;
	area->busy = true;
	INIT_LIST_HEAD(&area->node);
	return area;
}

/**
 * iopt_area_free - free an area that is in no space and in no domain
 * @area: the area; its reference to the pages is dropped
 *
 * Context: process context, may sleep.
 */
void iopt_area_free(struct iopt_area *area)
{
	WARN_ON(area->domains);
	iopt_pages_put(area->pages);
	kfree(area);
}

/**
 * iopt_area_first - the lowest area that intersects an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held.
 * Return: the area or NULL.
 */
struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
				  unsigned long start, unsigned long last)
{
	lockdep_assert_held(&iopt->lock);
	return iova_to_area(interval_tree_iter_first(&iopt->areas, start,
						     last));
}

/**
 * iopt_area_next - the area after another one
 * @area: where to go on from
 * @last: last byte of the interval that is walked
 *
 * Context: the space's lock has been held since @area was found.
 * Return: the area or NULL.
 */
struct iopt_area *iopt_area_next(struct iopt_area *area, unsigned long last)
{
	unsigned long start;

	if (!iopt_next_start(area->iova.last, &start) || start > last)
		return NULL;
	return iova_to_area(interval_tree_iter_next(&area->iova, start, last));
}

/**
 * iopt_wait_settled - wait until some area is no longer busy, killably
 * @iopt: the space
 *
 * Context: @iopt->lock is held, and dropped while waiting.
 * Return: 0, or -EINTR if a fatal signal came; the lock is held either way.
 */
int iopt_wait_settled(struct io_pagetable *iopt)
{
	unsigned long seen = iopt->nr_settled;
	int rc;

	lockdep_assert_held(&iopt->lock);
	mutex_unlock(&iopt->lock);
	rc = wait_event_killable(iopt->settled,
				 READ_ONCE(iopt->nr_settled) != seen);
	mutex_lock(&iopt->lock);
	return rc ? -EINTR : 0;
}

/**
 * iopt_wait_settled_always - wait until some area is no longer busy
 * @iopt: the space
 *
 * For callers that must not fail. What they wait for is a map or an attach
 * that has an end.
 *
 * Context: @iopt->lock is held, and dropped while waiting.
 */
void iopt_wait_settled_always(struct io_pagetable *iopt)
{
	unsigned long seen = iopt->nr_settled;

	lockdep_assert_held(&iopt->lock);
	mutex_unlock(&iopt->lock);
	wait_event(iopt->settled, READ_ONCE(iopt->nr_settled) != seen);
	mutex_lock(&iopt->lock);
}

/**
 * iopt_wake_settled - tell that areas are no longer busy, or gone
 * @iopt: the space
 *
 * Context: @iopt->lock is held, as it was when the areas changed.
 */
void iopt_wake_settled(struct io_pagetable *iopt)
{
	lockdep_assert_held(&iopt->lock);
	WRITE_ONCE(iopt->nr_settled, iopt->nr_settled + 1);
	if (wq_has_sleeper(&iopt->settled))
		wake_up_all(&iopt->settled);
}
