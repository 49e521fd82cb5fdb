// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trees of IOVA intervals with owners, used for reserved and allowed IOVAs.
 *
 * Intervals in a tree may overlap, and may end at the last byte of the address
 * space. Callers hold the lock that protects the tree; a tree that no other
 * thread can find needs none.
 */
#include <linux/slab.h>

#include "interval.h"
#include "io_pagetable.h"

/**
 * iopt_interval_first() - find the lowest interval that intersects a range
 * @tree: the tree
 * @start: first byte of the range
 * @last: last byte of the range
 *
 * Context: the lock of @tree is held.
 * Return: the intersecting interval with the lowest start, or NULL.
 */
struct iopt_interval *iopt_interval_first(struct rb_root_cached *tree,
					  unsigned long start,
					  unsigned long last)
{
	struct interval_tree_node *node;

	node = interval_tree_iter_first(tree, start, last);
	return node ? container_of(node, struct iopt_interval, iova) : NULL;
}

/**
 * iopt_interval_add() - add an interval to a tree
 * @tree: the tree
 * @start: first byte
 * @last: last byte
 * @owner: owner of the interval
 * @gfp: allocation flags
 *
 * Context: the lock of @tree is held; may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM.
 */
int iopt_interval_add(struct rb_root_cached *tree, unsigned long start,
		      unsigned long last, const void *owner, gfp_t gfp)
{
	struct iopt_interval *interval = kzalloc(sizeof(*interval), gfp);

	if (!interval)
		return -ENOMEM;
	interval->iova.start = start;
	interval->iova.last = last;
	interval->owner = owner;
	interval_tree_insert(&interval->iova, tree);
	return 0;
}

/**
 * iopt_intervals_drop() - remove and free all intervals of an owner
 * @tree: the tree
 * @owner: the owner
 *
 * Context: process context, may sleep; the lock of @tree is held.
 */
void iopt_intervals_drop(struct rb_root_cached *tree, const void *owner)
{
	struct interval_tree_node *node, *next;
	unsigned int steps = 0;

	for (node = interval_tree_iter_first(tree, 0, ULONG_MAX); node;
	     node = next) {
		struct iopt_interval *interval =
			container_of(node, struct iopt_interval, iova);

		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		if (interval->owner == owner) {
			interval_tree_remove(node, tree);
			kfree(interval);
		}
		iopt_step(&steps);
	}
}

/**
 * iopt_interval_gap() - find the lowest gap between intervals
 * @tree: the tree
 * @start: first byte of the range to search
 * @last: last byte of the range to search
 * @gap: receives the gap, clamped to [@start, @last]
 *
 * Context: the lock of @tree is held.
 * Return: false if intervals cover all of [@start, @last], otherwise true.
 */
bool iopt_interval_gap(struct rb_root_cached *tree, unsigned long start,
		       unsigned long last, struct iopt_range *gap)
{
	struct iopt_interval *interval;

	while ((interval = iopt_interval_first(tree, start, last))) {
		if (interval->iova.start > start) {
			last = interval->iova.start - 1;
			break;
		}
		if (!iopt_next_start(interval->iova.last, &start) ||
		    start > last)
			return false;
	}
	*gap = (struct iopt_range){ start, last };
	return true;
}
