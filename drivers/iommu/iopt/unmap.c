// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping.
 *
 * All areas of the range become busy, and accesses are notified to unpin. Then
 * the areas are taken out of the domains and the tree, and are freed. A claim
 * makes a range with many areas, or with areas that others work on or use, look
 * as if that was done at once: see claim.c.
 * Rule: it decides before it changes the first area; after that nothing can fail.
 *
 * No mapping is ever split. A front end whose rules say what becomes of one that
 * sticks out, as those of type1's first version do, asks iopt_find_mapping() and
 * unmaps whole ones.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "account.h"
#include "io_pagetable.h"
#include "trace.h"

/**
 * iopt_areas_destroy() - undo and free areas
 * @iopt: the space
 * @areas: list by iopt_area.node, in the tree and busy for the caller; those
 *         that are in a domain are working
 * @unsettled: notes a payer for iopt_settle_noted()
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsettled)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	iopt_areas_clear(iopt, areas, unsettled);

	mutex_lock(&iopt->lock);
	list_for_each_entry(area, areas, node) {
		iopt_area_remove(iopt, area);
		iopt_lock_break(iopt, &steps);
	}
	iopt_wake_settled(iopt);
	mutex_unlock(&iopt->lock);
	iopt_areas_free(areas);
}

/**
 * struct unmap - an unmap
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @query: where to report what is dirty, or NULL
 * @areas: what it unmaps, by iopt_area.node
 * @bytes: in them
 * @claim: made unless the unmap is done with in one hold of the lock
 * @unsettled: the payer of what it unpinned, or NULL
 */
struct unmap {
	struct io_pagetable *iopt;
	unsigned long start;
	unsigned long last;
	const struct iopt_dirty_query *query;
	struct list_head areas;
	unsigned long bytes;
	struct iopt_claim claim;
	struct iopt_payer *unsettled;
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
 * Most often there are few areas that nobody else works on or uses: take them in
 * one hold of the lock. Otherwise take none.
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
 * Wait until no area is mapped, unmapped, filled or emptied, and see whether all
 * of them may be unmapped. The claim keeps their number from growing.
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
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
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
				     IOPT_AREA_LEAVING : IOPT_AREA_DYING;
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc = 0;

	area = iopt_area_first(iopt, unmap->start, unmap->last);
	while (!rc && area) {
		unsigned long next = max(area->start, unmap->start);

		if (area->late || area_sticks_out(unmap, area)) {
			area = iopt_area_walk(iopt, area, unmap->last, &steps);
		} else if (area->busy || READ_ONCE(area->working)) {
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
			area = iopt_area_first(iopt, next, unmap->last);
		} else {
			unmap_add(unmap, area, state);
			area = iopt_area_walk(iopt, area, unmap->last, &steps);
		}
	}
	return rc;
}

/* Areas stay dirty in case that not all can be reported. */
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
 * The point of no return: attach no longer touches the areas. What domains
 * translate is reported as dirty if a device writes unseen, so that it does not
 * matter that they still do; but what attach has put into a domain since the
 * report has to be reported again.
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
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
	} while (!rc && unmap->query && unmap->claim.refilled);
	unmap->claim.committed = !rc;
	return rc;
}

/* Detach may be taking some of the areas out of its domain. */
static void unmap_start_work(struct unmap *unmap)
{
	struct io_pagetable *iopt = unmap->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, &unmap->areas, node) {
		while (READ_ONCE(area->working))
			iopt_wait_settled(iopt, TASK_UNINTERRUPTIBLE);
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

static int unmap_dirty(struct io_pagetable *iopt, unsigned long start,
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
	bool claimed = false;
	int rc;

	*unmapped = 0;
	if (last < start)
		return -EINVAL;

	mutex_lock(&iopt->lock);
	rc = unmap_take_few(&unmap);
	if (rc == -EAGAIN) {
		rc = iopt_claim_add(iopt, &unmap.claim, start, last);
		claimed = !rc;
		rc = rc ?: unmap_take(&unmap);
	}
	if (rc && claimed)
		iopt_claim_end(iopt, &unmap.claim);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	if (list_empty(&unmap.areas))
		rc = start == 0 && last == ULONG_MAX ? 0 : -ENOENT;
	else
		iopt_areas_destroy(iopt, &unmap.areas, &unmap.unsettled);
	if (claimed) {
		mutex_lock(&iopt->lock);
		iopt_claim_end(iopt, &unmap.claim);
		mutex_unlock(&iopt->lock);
	}
	iopt_settle_noted(unmap.unsettled);
	iopt_debug_validate(iopt);
	*unmapped = unmap.bytes;
	return rc;
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
 * What other threads map in the interval meanwhile may stay.
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
