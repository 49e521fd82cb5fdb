/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iopt_pages: user memory that can be pinned, by holders and by accesses.
 *
 * Vocabulary:
 *  holder    a mapping that a domain translates, and the slice of the pages it
 *            shows: these pages are pinned as long as it holds them
 *  pin       a page that an access has pinned, see pins.c
 *  owns      the pin of the page is the access' own; otherwise a holder's
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
 * struct iopt_pinner - who pins
 * @nr_pins: by which mapping: its counter of pins stands for it
 * @owner: by which access, if it owns its pins; 0 for all others
 */
struct iopt_pinner {
	unsigned int *nr_pins;
	u16 owner;
};

/**
 * struct iopt_pin - a page that accesses have pinned, by one pinner
 * @pfn: the page
 * @by: iopt_pinner.nr_pins
 * @next: the same page pinned by another one; of those after the first only
 *        @by, @next, @count and @owner matter
 * @count: how often
 * @kind: of the run it is from
 * @owns: no holder has it pinned
 * @lost: likewise, but a device may still reach it: it is never unpinned
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

/**
 * struct iopt_pages - user memory behind mappings
 * @kref: the mappings that show it
 * @writable: pages are pinned for writing
 * @pfnmap: memory without struct page is fine
 * @gfp: for the record
 * @mutex: protects all below; held while pages are pinned and unpinned and
 *         while domains are programmed from the record, so it may be held for
 *         long
 * @uaddr: first byte, page aligned
 * @npages: its length
 * @payer: whose memory it is and who pays
 * @nr_charged: pages charged to @payer
 * @holders: slices that are held, by page index
 * @runs: what the holders need pinned: no hole where one is, and a hole where
 *        none is; runs are cut where a slice starts or ends
 * @pins: the first &struct iopt_pin of each page, by page index
 */
struct iopt_pages {
	struct kref kref;
	bool writable;
	bool pfnmap;
	gfp_t gfp;
	struct mutex mutex;	/* all below */
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
int iopt_pages_hold(struct iopt_pages *pages,
		    struct interval_tree_node *slice);
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice);
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer);

/* pins.c */
int iopt_pins_add(struct iopt_pages *pages, struct iopt_pinner pinner,
		  unsigned long first, unsigned long npages,
		  struct page **out, unsigned long *done);
unsigned long iopt_pins_remove(struct iopt_pages *pages,
			       struct iopt_pinner pinner, unsigned long first,
			       unsigned long npages, bool all,
			       unsigned long *lost);
bool iopt_pins_any(struct iopt_pages *pages, struct iopt_pinner pinner,
		   unsigned long first, unsigned long npages);
struct iopt_pin *iopt_pins_first(struct iopt_pages *pages, unsigned long first,
				 unsigned long last, unsigned long *index);
unsigned long iopt_pins_inherit(struct iopt_pages *pages,
				const struct iopt_run *run, bool dirty);

/* gup.c */
int iopt_gup(struct iopt_pages *pages, unsigned long first,
	     unsigned long npages, struct iopt_runs *fresh,
	     unsigned long *nr_charged);
void iopt_unpin_all(struct iopt_runs *runs);

/* The tests check that no domain reaches pages that are about to be unpinned. */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
void iopt_test_unpin(struct page *first, unsigned long npages);
#else
static inline void iopt_test_unpin(struct page *first, unsigned long npages)
{
}
#endif

/*
 * Unpin @npages of a run from page @first of it on, which may have been written
 * to if @dirty. May sleep. The charge is the caller's.
 */
static inline void iopt_unpin_run(const struct iopt_run *run,
				  unsigned long first, unsigned long npages,
				  bool dirty)
{
	struct page *page = pfn_to_page(run->pfn + first);

	if (run->kind != IOPT_RUN_RAM && run->kind != IOPT_RUN_RESERVED)
		return;
	iopt_test_unpin(page, npages);
	if (npages > 1) {
		unpin_user_page_range_dirty_lock(page, npages, dirty);
	} else if (npages) {
		/* Scattered memory is many such: as quick as it can be. */
		if (dirty && !PageDirty(page))
			set_page_dirty_lock(page);
		unpin_user_page(page);
	}
}

#endif /* __IOPT_PAGES_H */
