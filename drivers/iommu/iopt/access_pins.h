/* SPDX-License-Identifier: GPL-2.0-only */
/* Pins: records of the pages that accesses have pinned. */
#ifndef __IOPT_ACCESS_PINS_H
#define __IOPT_ACCESS_PINS_H

#include <linux/types.h>

#include "runs.h"

struct iopt_pages;
struct kmem_cache;
struct page;

/**
 * struct iopt_pinner - the mapping and the access that pins belong to
 * @nr_pins: pin counter of the mapping, which also identifies the mapping
 * @owner: number of the access if it owns its pins, otherwise 0
 */
struct iopt_pinner {
	unsigned int *nr_pins;
	u16 owner;
};

/**
 * struct iopt_pin - record of the pins of one page by one pinner
 * @pfn: page frame number of the page
 * @by: iopt_pinner.nr_pins
 * @next: record of the same page by another pinner, or NULL. Only the first
 *        record of a page has valid @pfn, @kind, @owns and @lost
 * @count: number of times that the pinner has pinned the page
 * @kind: kind of the page; see &enum iopt_run_kind
 * @owns: the record owns the reference to the page and the charge, because no
 *        holder has the page pinned. Removing the last record unpins the page
 * @lost: @owns is set, but a device may still reach the page, so removing the
 *        last record does not unpin it
 * @owner: iopt_pinner.owner
 */
struct iopt_pin {
	unsigned long pfn;
	unsigned int *by;
	struct iopt_pin *next;
	unsigned int count;
	enum iopt_run_kind kind : 8;
	bool owns : 1;
	bool lost : 1;
	u16 owner;
};

extern struct kmem_cache *iopt_pin_cache;

int iopt_pins_add(struct iopt_pages *pages, struct iopt_pinner pinner,
		  unsigned long first, unsigned long npages,
		  struct page **out, unsigned long *done, unsigned long *lost);
unsigned long iopt_pins_remove(struct iopt_pages *pages,
			       struct iopt_pinner pinner, unsigned long first,
			       unsigned long npages, bool all,
			       unsigned long *lost);
bool iopt_pins_any(struct iopt_pages *pages, struct iopt_pinner pinner,
		   unsigned long first, unsigned long npages);
struct iopt_pin *iopt_pins_first(struct iopt_pages *pages, unsigned long first,
				 unsigned long last, unsigned long *index);

#endif /* __IOPT_ACCESS_PINS_H */
