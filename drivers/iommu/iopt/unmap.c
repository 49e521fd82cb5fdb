// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping the areas of an interval.
 *
 * An unmap first marks all areas of the interval as busy and notifies accesses,
 * so that they unpin their pages. The unmap then removes the areas from the
 * domains and from the tree, and frees them. If the interval has many areas, or
 * areas that other callers are using, a claim makes the unmap appear as a
 * single operation; see claim.c.
 *
 * An unmap cannot fail once it has removed an area from a domain.
 *
 * Mappings are never split. If the uAPI of a front end defines what happens to
 * a mapping that the interval covers only partly, the front end looks up the
 * bounds of the mapping with iopt_find_mapping() and unmaps whole mappings.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "account.h"
#include "area.h"
#include "claim.h"
#include "dirty_report.h"
#include "fill.h"
#include "io_pagetable.h"
#include "notify.h"
#include "trace.h"
#include "validate.h"

/**
 * struct unmap - state of an unmap
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @query: destination of the dirty page report, or NULL
 * @areas: list of areas that the unmap owns, linked by iopt_area.node
 * @bytes: total length of @areas in bytes
 * @claim: claim of the interval
 * @claimed: @claim is in use; see unmap_take_few()
 * @unsynced: payer to pass to iopt_payer_sync_noted(), or NULL
 */
struct unmap {
	struct io_pagetable *iopt;
	unsigned long start;
	unsigned long last;
	const struct iopt_dirty_query *query;
	struct list_head areas;
	unsigned long bytes;
	struct iopt_claim claim;
	bool claimed;
	struct iopt_payer *unsynced;
};

static bool area_sticks_out(const struct unmap *unmap,
			    const struct iopt_area *area)
{
	return area->start < unmap->start || area->last > unmap->last;
}

static void unmap_add(struct unmap *unmap, struct iopt_area *area,
		      enum iopt_area_state state)
{
	area->busy = true;
	area->state = state;
	list_add_tail(&area->node, &unmap->areas);
	unmap->bytes += iopt_area_length(area);
}

static void unmap_undo(struct unmap *unmap)
{
	struct iopt_area *area, *next;
	unsigned int steps = 0;

	list_for_each_entry_safe(area, next, &unmap->areas, node) {
		list_del_init(&area->node);
		area->busy = false;
		area->state = IOPT_AREA_LIVE;
		iopt_lock_break(unmap->iopt, &steps);
	}
	unmap->bytes = 0;
}

/*
 * Fast path for a small number of areas that no other caller is working on or
 * using: take all of them without dropping iopt->lock. Otherwise take none, and
 * return -EAGAIN if the caller has to use a claim.
 */
static int unmap_take_few(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	unsigned long last = unmap->last;
	struct iopt_area *area;
	unsigned int nr = 0;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	if (unmap->query || iopt_claim_first(iopt, unmap->start, last))
		return -EAGAIN;
	for (area = iopt_area_first(iopt, unmap->start, last); area;
	     area = area->last < last ? iopt_area_next(area, last) : NULL) {
		if (area->busy || READ_ONCE(area->working) || area->nr_users ||
		    READ_ONCE(area->nr_pins) || nr++ == IOPT_MAX_STEPS) {
			rc = -EAGAIN;
			break;
		}
		if (area_sticks_out(unmap, area)) {
			rc = -ENOENT;
			break;
		}
		unmap_add(unmap, area, IOPT_AREA_DYING);
	}
	if (rc) {
		unmap_undo(unmap);
		return rc;
	}
	list_for_each_entry(area, &unmap->areas, node)
		area->working = true;
	return 0;
}

/*
 * Wait for each area that is busy or working, and check whether all areas can
 * be unmapped. Late areas are skipped, so that the walk terminates.
 */
static int unmap_check(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc = 0;

	if (unmap->query)
		rc = iopt_dirty_check(iopt, unmap->start, unmap->last,
				      unmap->query, &unmap->claim);
	area = iopt_area_first(iopt, unmap->start, unmap->last);
	while (!rc && area) {
		unsigned long next = max(area->start, unmap->start);
		bool late = iopt_area_is_late(&unmap->claim, area);

		if (!late && (area->busy || READ_ONCE(area->working))) {
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
			area = iopt_area_first(iopt, next, unmap->last);
			continue;
		}
		if (!late && area_sticks_out(unmap, area))
			rc = -ENOENT;
		else
			area = iopt_area_walk(iopt, area, unmap->last, &steps);
	}
	return rc;
}

static int unmap_take_all(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	enum iopt_area_state state = iopt->policy.notices > 1 ?
					     IOPT_AREA_QUIESCING :
					     IOPT_AREA_DYING;
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc = 0;

	area = iopt_area_first(iopt, unmap->start, unmap->last);
	while (!rc && area) {
		unsigned long next = max(area->start, unmap->start);

		if (area->late || area_sticks_out(unmap, area)) {
			area = iopt_area_walk(iopt, area, unmap->last, &steps);
		} else if (area->busy || READ_ONCE(area->working)) {
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
			area = iopt_area_first(iopt, next, unmap->last);
		} else {
			unmap_add(unmap, area, state);
			area = iopt_area_walk(iopt, area, unmap->last, &steps);
		}
	}
	return rc;
}

/* Report dirty pages, but keep their bits: the unmap may still fail. */
static int unmap_report(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	struct iopt_area *area;
	int rc = 0;

	mutex_unlock(&iopt->lock);
	list_for_each_entry(area, &unmap->areas, node) {
		rc = iopt_area_report(iopt, area, unmap->query, unmap->start,
				      IOPT_DIRTY_KEEP);
		if (rc)
			break;
	}
	mutex_lock(&iopt->lock);
	return rc;
}

static bool unmap_is_filled(const struct unmap *unmap)
{
	const struct iopt_area *area = unmap->iopt->filling;

	return area && area->start >= unmap->start &&
	       area->start <= unmap->last &&
	       !iopt_area_is_late(&unmap->claim, area);
}

/*
 * Report dirty pages and reach the point of no return, after which attach skips
 * the areas. Pages can be reported before the areas are removed from their
 * domains: while the space has an untracked device, all pages that a domain
 * translates are reported as dirty. For the same reason, areas that attach has
 * added to a domain since the report must be reported again.
 */
static int unmap_commit(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	int rc = 0;

	do {
		unmap->claim.refilled = false;
		if (unmap->query)
			rc = unmap_report(unmap);
		while (!rc && unmap_is_filled(unmap))
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	} while (!rc && unmap->query && unmap->claim.refilled);
	unmap->claim.committed = !rc;
	return rc;
}

/* Mark the areas as working, once detach has finished its work on them. */
static void unmap_start_work(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, &unmap->areas, node) {
		while (READ_ONCE(area->working))
			iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
		area->working = true;
		iopt_lock_break(iopt, &steps);
	}
}

static int unmap_take(struct unmap *unmap)
{
	int rc = unmap_check(unmap);

	rc = rc ?: unmap_take_all(unmap);
	rc = rc ?: iopt_areas_quiesce(unmap->iopt, &unmap->areas);
	rc = rc ?: unmap_commit(unmap);
	if (rc)
		unmap_undo(unmap);
	else
		unmap_start_work(unmap);
	return rc;
}

/* Take all areas of the interval, or none. */
static int unmap_begin(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	int rc;

	if (unmap->last < unmap->start)
		return -EINVAL;

	mutex_lock(&iopt->lock);
	rc = unmap_take_few(unmap);
	if (rc == -EAGAIN) {
		rc = iopt_claim_add(iopt, &unmap->claim, unmap->start,
				    unmap->last);
		unmap->claimed = !rc;
		rc = rc ?: unmap_take(unmap);
	}
	if (rc && unmap->claimed)
		iopt_claim_end(iopt, &unmap->claim);
	mutex_unlock(&iopt->lock);
	return rc;
}

/*
 * Destroy the areas that were taken. If there are none, return -ENOENT unless
 * the interval is the whole address space.
 */
static int unmap_finish(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	int rc = 0;

	if (!list_empty(&unmap->areas))
		iopt_areas_destroy(iopt, &unmap->areas, &unmap->unsynced);
	else if (unmap->start || unmap->last != ULONG_MAX)
		rc = -ENOENT;
	if (unmap->claimed) {
		mutex_lock(&iopt->lock);
		iopt_claim_end(iopt, &unmap->claim);
		mutex_unlock(&iopt->lock);
	}
	iopt_payer_sync_noted(unmap->unsynced);
	iopt_debug_validate(iopt);
	return rc;
}

/**
 * iopt_unmap_dirty() - unmap an interval and report dirty pages
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @query: destination of the report, or NULL; see iopt_dirty_read()
 * @unmapped: receives the number of bytes unmapped, 0 on failure
 *
 * Mappings are not split: each of them must be entirely inside the interval. If
 * accesses have pinned pages of a mapping, all accesses that have a callback
 * are notified, and must unpin the pages. When this function returns 0, neither
 * devices nor accesses can reach the memory through these mappings, and pages
 * that no other mapping needs are unpinned.
 *
 * Mappings that other threads add to the interval while this function runs may
 * remain.
 *
 * Context: process context, may sleep. Waits killably for mappings in the
 * interval that are being built, added to a domain or torn down, for accesses
 * to unpin pages, and for the mmap_lock of the current process. With @query,
 * may block indefinitely on page faults of the bitmap. Waits uninterruptibly
 * while a detach or a failed attach removes the mappings from its domain.
 * Unpinning may wait uninterruptibly for a filesystem; see iopt_unpin_run().
 * Callers must hold neither the mmap_lock nor a lock that the unmap callback of
 * an access takes.
 * Return: 0, or
 * * %-ENOENT - A mapping extends beyond the interval, or the interval contains
 *   no mapping and is not the whole address space.
 * * %-EINVAL - @last is less than @start. With @query, also for the reasons
 *   that iopt_dirty_read() lists.
 * * %-EINTR - A fatal signal is pending.
 * * %-EFAULT - A word of the bitmap cannot be read or written.
 *
 * On failure nothing is unmapped, but accesses may have been notified, and some
 * words of the bitmap may have been written.
 */
int iopt_unmap_dirty(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     unsigned long *unmapped)
{
	struct unmap unmap = {
		.iopt = iopt,
		.start = start,
		.last = last,
		.query = query,
		.areas = LIST_HEAD_INIT(unmap.areas),
	};
	int rc;

	rc = unmap_begin(&unmap);
	rc = rc ?: unmap_finish(&unmap);
	*unmapped = rc ? 0 : unmap.bytes;
	trace_iopt_unmap(iopt, start, last, *unmapped, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_unmap_dirty, IOPT);

/**
 * iopt_unmap() - unmap all mappings in an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @unmapped: receives the number of bytes unmapped, 0 on failure
 *
 * Context: see iopt_unmap_dirty().
 * Return: see iopt_unmap_dirty(). On failure nothing is unmapped.
 */
int iopt_unmap(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, unsigned long *unmapped)
{
	return iopt_unmap_dirty(iopt, start, last, NULL, unmapped);
}
EXPORT_SYMBOL_NS_GPL(iopt_unmap, IOPT);
