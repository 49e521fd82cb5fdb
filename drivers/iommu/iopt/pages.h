/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iopt_pages: a slice of a process' memory that can be pinned.
 */
#ifndef __IOPT_PAGES_H
#define __IOPT_PAGES_H

#include <linux/kref.h>
#include <linux/mutex.h>

#include "account.h"
#include "runs.h"

/**
 * struct iopt_pages - user memory behind mappings
 * @kref: the mappings that show it
 * @mutex: protects all below @gfp; held while pages are pinned and unpinned,
 *         so it may be held for long
 * @uaddr: first byte, page aligned
 * @npages: its length
 * @payer: whose memory it is and who pays
 * @writable: pins are for writing
 * @gfp: for the record
 * @nr_holders: how many need the pages pinned; they are as long as it is not 0
 * @nr_safe: pages from the start that no device reaches once the last holder
 *           is gone; all of them, unless an IOMMU driver failed to unmap
 * @nr_charged: pages charged to @payer
 * @runs: what is pinned; empty without holders
 */
struct iopt_pages {
	struct kref kref;
	struct mutex mutex;	/* what is below @gfp */
	unsigned long uaddr;
	unsigned long npages;
	struct iopt_payer payer;
	bool writable;
	gfp_t gfp;
	unsigned int nr_holders;
	unsigned long nr_safe;
	unsigned long nr_charged;
	struct iopt_runs runs;
};

struct iopt_pages *iopt_pages_alloc(void __user *uptr, unsigned long length,
				    bool writable, enum iopt_account account,
				    gfp_t gfp);
void iopt_pages_put(struct iopt_pages *pages);
int iopt_pages_hold(struct iopt_pages *pages);
unsigned long iopt_pages_drop(struct iopt_pages *pages);
void iopt_pages_lose(struct iopt_pages *pages, unsigned long nr_safe);

#endif /* __IOPT_PAGES_H */
