/* SPDX-License-Identifier: GPL-2.0-only */
/* Claims: intervals in which an operation walks areas in batches. */
#ifndef __IOPT_CLAIM_H
#define __IOPT_CLAIM_H

#include <linux/interval_tree.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "io_pagetable.h"

struct iopt_area;

/**
 * struct iopt_claim - an IOVA interval in which areas are walked in batches
 * @iova: the interval, a node in io_pagetable.claims
 * @map: other maps have to wait: the claim belongs to a map that is inserting
 *       areas, or to an unmap that is ending its claim. If false, the claim
 *       belongs to an unmap, which ignores areas that are inserted after the
 *       interval was claimed
 * @committed: the unmap can no longer fail
 * @refilled: attach may have added an area of the interval to a domain since
 *            the unmap started its latest report of dirty pages
 * @late_below: an area that extends below the interval was inserted after the
 *              interval was claimed
 * @late_above: an area that extends above the interval was inserted after the
 *              interval was claimed
 * @nr_late: number of areas inside the interval that were inserted after it was
 *           claimed
 */
struct iopt_claim {
	struct interval_tree_node iova;
	bool map;
	bool committed;
	bool refilled;
	bool late_below;
	bool late_above;
	unsigned int nr_late;
};

static inline bool iopt_has_claims(const struct io_pagetable *iopt)
{
	return !RB_EMPTY_ROOT(&iopt->claims.rb_root);
}

struct iopt_claim *iopt_claim_first(struct io_pagetable *iopt,
				    unsigned long start, unsigned long last);
bool iopt_map_is_claimed(struct io_pagetable *iopt, unsigned long start,
			 unsigned long last);
void iopt_claims_note_area(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_late(const struct iopt_claim *claim,
		       const struct iopt_area *area);
int iopt_claim_add(struct io_pagetable *iopt, struct iopt_claim *claim,
		   unsigned long start, unsigned long last);
void iopt_claim_end(struct io_pagetable *iopt, struct iopt_claim *claim);

#endif /* __IOPT_CLAIM_H */
