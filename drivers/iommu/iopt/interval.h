/* SPDX-License-Identifier: GPL-2.0-only */
/* Closed intervals of IOVAs. */
#ifndef __IOPT_INTERVAL_H
#define __IOPT_INTERVAL_H

#include <linux/interval_tree.h>
#include <linux/iopt.h>
#include <linux/types.h>

/*
 * Compute the first byte after a closed interval. Returns false if the interval
 * ends at the last byte of the address space, so that no such byte exists. Use
 * this helper in all walks over intervals, to prevent wraparound.
 */
static inline bool iopt_next_start(unsigned long last, unsigned long *start)
{
	*start = last + 1;
	return *start != 0;
}

/* Length of a closed interval in bytes; 0 means the whole address space. */
static inline unsigned long iopt_length(unsigned long start, unsigned long last)
{
	return last - start + 1;
}

/**
 * struct iopt_interval - an interval of reserved or allowed IOVAs
 * @iova: the interval, a node in io_pagetable.reserved or io_pagetable.allowed
 * @owner: owner of the reservation, or NULL for an allowed interval
 */
struct iopt_interval {
	struct interval_tree_node iova;
	const void *owner;
};

struct iopt_interval *iopt_interval_first(struct rb_root_cached *tree,
					  unsigned long start,
					  unsigned long last);
int iopt_interval_add(struct rb_root_cached *tree, unsigned long start,
		      unsigned long last, const void *owner, gfp_t gfp);
void iopt_intervals_drop(struct rb_root_cached *tree, const void *owner);
bool iopt_interval_gap(struct rb_root_cached *tree, unsigned long start,
		       unsigned long last, struct iopt_range *gap);

#endif /* __IOPT_INTERVAL_H */
