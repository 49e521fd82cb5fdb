// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: intervals in which an operation walks many areas in batches.
 *
 * An unmap or a map of many areas drops the lock of the space between batches. A
 * claim keeps other unmaps, and during a map other maps, out of its interval
 * until it ends. An unmap does not delay maps: an area that they insert into its
 * interval meanwhile is late, and the unmap leaves it alone, as if it was mapped
 * after the unmap. So an unmap ends however often other threads map there.
 *
 * An area that sticks out of an interval may touch several claims, and be late for
 * some of them only. So each claim itself notes that an area across its lower or
 * its upper end is late. If one is, then so is every later one across that end.
 *
 * Rule: claims do not overlap, and a caller waits for one before it owns an area.
 */
#include "io_pagetable.h"

/**
 * iopt_claim_first() - find the lowest claim that intersects an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held.
 * Return: the claim or NULL.
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
 * iopt_map_is_claimed() - check whether others must not map in an interval now
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held.
 * Return: true if a claim there ends soon, for which a map has to wait.
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
 * iopt_claims_note_area() - note that an area is late for each unmap of its IOVAs
 * @iopt: the space
 * @area: an area that is being inserted
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
 * iopt_area_is_late() - check whether an unmap leaves an area alone
 * @claim: the claim of the unmap
 * @area: an area in its interval, or that sticks out of it
 *
 * Context: io_pagetable.lock is held.
 * Return: true if the area was inserted after the interval was claimed.
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
 * @claim: the claim, on the caller's stack
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held, and dropped while another claim is in the way.
 * Return: 0, or -EINTR if killed while waiting.
 */
int iopt_claim_add(struct io_pagetable *iopt, struct iopt_claim *claim,
		   unsigned long start, unsigned long last)
{
	int rc = 0;

	while (!rc && iopt_claim_first(iopt, start, last))
		rc = iopt_wait_settled(iopt, TASK_KILLABLE);
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
 * Context: @iopt->lock is held, and may be dropped in between.
 */
void iopt_claim_end(struct io_pagetable *iopt, struct iopt_claim *claim)
{
	unsigned long start = claim->iova.start, last = claim->iova.last;
	struct iopt_area *area = NULL;
	unsigned int steps = 0;

	/* From now on maps wait, so that this walk finds every marked area. */
	claim->map = true;
	if (claim->nr_late)
		area = iopt_area_first(iopt, start, last);
	for (; area; area = iopt_area_walk(iopt, area, last, &steps))
		area->late = false;
	interval_tree_remove(&claim->iova, &iopt->claims);
	iopt_wake_settled(iopt);
}
