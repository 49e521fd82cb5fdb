// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: intervals in which an operation walks many areas in batches.
 *
 * An unmap or a map of many areas drops the lock of the space between batches. A
 * claim keeps other unmaps, and during a map other maps, out of its interval
 * until it ends. An unmap does not delay maps: what they insert into its interval
 * meanwhile is marked as late, and the unmap leaves it alone, as if it was mapped
 * after the unmap. So an unmap ends however often other threads map there.
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

	/* From now on maps wait, so that this walk meets every late area. */
	claim->map = true;
	if (claim->nr_late)
		area = iopt_area_first(iopt, start, last);
	for (; area; area = iopt_area_walk(iopt, area, last, &steps))
		area->late = false;
	interval_tree_remove(&claim->iova, &iopt->claims);
	iopt_wake_settled(iopt);
}
