// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: intervals in which an operation walks areas in batches.
 *
 * A map of many areas, and an unmap that cannot take all of its areas at once,
 * drop io_pagetable.lock between batches. The map holds a claim until it has
 * inserted its areas, the unmap until it has removed its areas or failed. A
 * claim keeps other unmaps out of the interval. The claim of a map also keeps
 * other maps out. The claim of an unmap delays maps that need a claim
 * themselves, and other maps only while the claim is being ended.
 *
 * An area that a map inserts into an interval claimed by an unmap is late: the
 * unmap skips the area, as if it had been mapped after the unmap. An unmap
 * therefore terminates, no matter how often other threads map in the interval.
 *
 * An area that extends beyond a claim may intersect several claims and be late
 * for only some of them. For such areas, each claim has one flag for its lower
 * end and one for its upper end. One flag per end is sufficient: areas do not
 * overlap, so once an area across an end is late, every later area across that
 * end is late too.
 *
 * Claims do not overlap. A caller waits for claims before it owns any area in
 * the tree, because the owner of a claim may be waiting for areas.
 */
#include "area.h"
#include "claim.h"
#include "io_pagetable.h"

/**
 * iopt_claim_first() - find the lowest claim that intersects an interval
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte of the interval
 *
 * Context: @iopt->lock is held.
 * Return: the claim, or NULL if there is none.
 */
struct iopt_claim *iopt_claim_first(struct io_pagetable *iopt,
				    unsigned long start, unsigned long last)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&iopt->lock);
	if (!iopt_has_claims(iopt))
		return NULL;
	node = interval_tree_iter_first(&iopt->claims, start, last);
	return node ? container_of(node, struct iopt_claim, iova) : NULL;
}

/**
 * iopt_map_is_claimed() - check whether a claim blocks maps in an interval
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte of the interval
 *
 * Context: @iopt->lock is held.
 * Return: true if a map must wait until a claim ends. The wait is short.
 */
bool iopt_map_is_claimed(struct io_pagetable *iopt, unsigned long start,
			 unsigned long last)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&iopt->lock);
	if (!iopt_has_claims(iopt))
		return false;
	for (node = interval_tree_iter_first(&iopt->claims, start, last); node;
	     node = interval_tree_iter_next(node, start, last))
		if (container_of(node, struct iopt_claim, iova)->map)
			return true;
	return false;
}

/**
 * iopt_claims_note_area() - mark an area as late for unmaps of its IOVAs
 * @iopt: the space
 * @area: an area that the caller is about to insert
 *
 * Context: @iopt->lock is held.
 */
void iopt_claims_note_area(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&iopt->lock);
	if (!iopt_has_claims(iopt))
		return;
	for (node = interval_tree_iter_first(&iopt->claims, area->start,
					     area->last);
	     node;
	     node = interval_tree_iter_next(node, area->start, area->last)) {
		struct iopt_claim *claim = container_of(node, struct iopt_claim,
							iova);
		bool below = area->start < node->start;
		bool above = area->last > node->last;

		if (claim->map)
			continue;
		claim->late_below |= below;
		claim->late_above |= above;
		if (!below && !above) {
			area->late = true;
			claim->nr_late++;
		}
	}
}

/**
 * iopt_area_is_late() - check whether an unmap skips an area
 * @claim: the claim of the unmap
 * @area: an area that intersects the claim
 *
 * Context: io_pagetable.lock is held.
 * Return: true if @area was inserted after the interval was claimed.
 */
bool iopt_area_is_late(const struct iopt_claim *claim,
		       const struct iopt_area *area)
{
	if (area->start < claim->iova.start)
		return claim->late_below;
	if (area->last > claim->iova.last)
		return claim->late_above;
	return area->late;
}

/**
 * iopt_claim_add() - claim an interval
 * @iopt: the space
 * @claim: the claim, zeroed by the caller except for @claim->map
 * @start: first byte of the interval
 * @last: last byte of the interval
 *
 * Context: @iopt->lock is held, and dropped while the function waits killably
 * for overlapping claims.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending. Nothing is claimed.
 */
int iopt_claim_add(struct io_pagetable *iopt, struct iopt_claim *claim,
		   unsigned long start, unsigned long last)
{
	int rc = 0;

	while (!rc && iopt_claim_first(iopt, start, last))
		rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	if (rc)
		return rc;
	claim->iova.start = start;
	claim->iova.last = last;
	interval_tree_insert(&claim->iova, &iopt->claims);
	return 0;
}

/**
 * iopt_claim_end() - end a claim
 * @iopt: the space
 * @claim: the claim
 *
 * Context: @iopt->lock is held, and may be dropped and retaken.
 */
void iopt_claim_end(struct io_pagetable *iopt, struct iopt_claim *claim)
{
	unsigned long start = claim->iova.start, last = claim->iova.last;
	struct iopt_area *area;
	unsigned int steps = 0;

	/* Block maps from here on: the walk must find all late areas. */
	claim->map = true;
	if (claim->nr_late) {
		iopt_for_each_area_break(iopt, area, start, last, &steps)
			area->late = false;
	}
	interval_tree_remove(&claim->iova, &iopt->claims);
	iopt_wake_idle(iopt);
}
