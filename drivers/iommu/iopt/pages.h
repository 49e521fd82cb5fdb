/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iopt_pages: user memory that mappings can share.
 *
 * Vocabulary:
 *   holder    a mapping that needs its slice of the pages pinned because a
 *             domain translates the mapping. The pages of the slice stay pinned
 *             as long as the mapping is a holder
 *   access    an in-kernel user that pins single pages of the memory
 *   pin       the record of a page that an access has pinned; see access_pins.h
 *   owns      a pin owns its page if no holder has the page pinned. The page is
 *             then unpinned when accesses have removed all pins of the page
 */
#ifndef __IOPT_PAGES_H
#define __IOPT_PAGES_H

#include <linux/interval_tree.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/xarray.h>

#include "account.h"
#include "runs.h"

struct kmem_cache;

/**
 * struct iopt_pages - user memory behind mappings
 * @kref: reference count; each mapping of the pages holds a reference
 * @writable: pages are pinned for writing
 * @pfnmap: memory without struct page is allowed
 * @mutex: protects all members below except @gfp. Held to unpin pages and to
 *         program domains from @runs. Dropped to pin pages, after their indexes
 *         have been claimed in @claims. If no other caller can find the
 *         iopt_pages, pages are pinned with the mutex held and without a claim
 * @gfp: allocation flags for @runs and @pins
 * @nr_waiting: number of callers that are waiting for a claim to end
 * @nr_ended: incremented when a claim ends while @nr_waiting is not 0
 * @nr_filling: number of holders that are being filled, i.e. some of their
 *              pages are not pinned yet
 * @claims: list of the &struct iopt_page_claim of all callers that are pinning
 *          pages. Claims do not overlap
 * @uaddr: user address of the first byte, page aligned. A caller that keeps
 *         iopt_adopt() from changing @uaddr and @payer may read both without
 *         @mutex
 * @npages: length in pages
 * @payer: process that the memory belongs to and that is charged for it
 * @nr_charged: number of pages in @runs and @pins that are charged to @payer
 * @holders: slices of all holders, including those that are being filled, keyed
 *           by page index
 * @runs: the pages that are pinned for holders. Indexes that no holder covers
 *        are holes, and the slice of a filled holder contains no hole. Runs are
 *        split at the boundaries of holders' slices
 * @pins: the first &struct iopt_pin of each page, keyed by page index
 */
struct iopt_pages {
	struct kref kref;
	bool writable;
	bool pfnmap;
	struct mutex mutex;	/* protects all below but gfp */
	gfp_t gfp;
	unsigned int nr_waiting;
	unsigned int nr_ended;
	unsigned int nr_filling;
	struct hlist_head claims;
	unsigned long uaddr;
	unsigned long npages;
	struct iopt_payer *payer;
	unsigned long nr_charged;
	struct rb_root_cached holders;
	struct iopt_runs runs;
	struct xarray pins;
};

extern struct kmem_cache *iopt_pages_cache;

/* pages.c */
struct iopt_pages *iopt_pages_alloc(void __user *uptr, unsigned long length,
				    bool writable, bool pfnmap,
				    struct iopt_payer *payer, gfp_t gfp);
void iopt_pages_put(struct iopt_pages *pages);
void iopt_pages_unlock(struct iopt_pages *pages);
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer);

/* pages_hold.c */
int iopt_pages_hold(struct iopt_pages *pages, struct interval_tree_node *slice,
		    bool alone, unsigned long *lost);
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice);

#endif /* __IOPT_PAGES_H */
