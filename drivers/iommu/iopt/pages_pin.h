/* SPDX-License-Identifier: GPL-2.0-only */
/* Claims of callers that pin pages without holding iopt_pages.mutex. */
#ifndef __IOPT_PAGES_PIN_H
#define __IOPT_PAGES_PIN_H

#include <linux/types.h>

struct iopt_batch;
struct iopt_pages;

/*
 * Number of consecutive faults without progress after which pinning fails.
 * Retries are needed because a page that was faulted in may be reclaimed before
 * it is pinned.
 */
#define IOPT_FAULTS_MAX	64

/**
 * struct iopt_page_claim - indexes that a caller is pinning
 * @node: entry in iopt_pages.claims
 * @first: first index
 * @last: last index
 */
struct iopt_page_claim {
	struct hlist_node node;
	unsigned long first;
	unsigned long last;
};

bool iopt_pages_unclaimed(struct iopt_pages *pages, unsigned long first,
			  unsigned long *last);
void iopt_pages_wait(struct iopt_pages *pages);
long iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		    unsigned long last, struct iopt_batch *batch);
int iopt_pages_fault_in(struct iopt_pages *pages, unsigned long first,
			unsigned long last, unsigned int *faults,
			const struct iopt_batch *batch);

#endif /* __IOPT_PAGES_PIN_H */
