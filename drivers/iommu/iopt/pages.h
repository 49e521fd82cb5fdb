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

/*
 * A page that was faulted in may be gone before it is pinned. So often in a row
 * this is not bad luck.
 */
#define IOPT_FAULTS_MAX	64

/* Batches of so few pages need no allocation. */
#define IOPT_BATCH_FEW	16

/**
 * struct iopt_batch - pages that are pinned, charged and recorded together
 * @pages: the pages, unless they have no struct page
 * @runs: what they are
 * @nr_charged: number of pages charged
 * @max: number of pages that there is room for
 * @alone: nobody else knows the pages, so that their mutex stays held
 * @few_pages: @pages of a small batch
 * @few_packed: runs of a small batch
 */
struct iopt_batch {
	struct page **pages;
	struct iopt_run_batch runs;
	unsigned long nr_charged;
	unsigned long max;
	bool alone;
	struct page *few_pages[IOPT_BATCH_FEW];
	u64 few_packed[IOPT_BATCH_FEW];
};

/**
 * struct iopt_page_claim - indexes that a caller is pinning without the mutex
 * @node: in iopt_pages.claims
 * @first: the first index
 * @last: the last index
 */
struct iopt_page_claim {
	struct hlist_node node;
	unsigned long first;
	unsigned long last;
};

/**
 * struct iopt_pages - user memory behind mappings
 * @kref: the mappings that show it
 * @writable: pages are pinned for writing
 * @pfnmap: memory without struct page is fine
 * @mutex: protects all below but @gfp; held while pages are unpinned and while domains
 *         are programmed from the record, but not while pages are pinned that
 *         others know: their indexes are claimed first
 * @gfp: for the record
 * @nr_waiting: callers that wait for a claim to end
 * @nr_ended: counts claims that ended while there were such
 * @nr_filling: holders that do not have all of their pages yet
 * @claims: &struct iopt_page_claim of each caller that is pinning; each excludes
 *          other claims of its indexes
 * @uaddr: first byte, page aligned
 * @npages: its length
 * @payer: whose memory it is and who pays
 * @nr_charged: pages charged to @payer
 * @holders: slices that are held or being filled, by page index
 * @runs: what the holders need pinned: a hole where no holder is, and no hole
 *        where one is that has been filled; runs are cut where a slice starts or
 *        ends
 * @pins: the first &struct iopt_pin of each page, by page index
 */
struct iopt_pages {
	struct kref kref;
	bool writable;
	bool pfnmap;
	struct mutex mutex;	/* all below but gfp */
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
int iopt_pages_hold(struct iopt_pages *pages, struct interval_tree_node *slice,
		    bool alone, unsigned long *lost);
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice);
bool iopt_pages_unclaimed(struct iopt_pages *pages, unsigned long first,
			  unsigned long *last);
int iopt_pages_wait(struct iopt_pages *pages);
long iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		    unsigned long last, struct iopt_batch *batch);
int iopt_pages_fault_in(struct iopt_pages *pages, unsigned long first,
			unsigned long last, unsigned int *faults,
			const struct iopt_batch *batch);
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer);

/* pins.c */
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
unsigned long iopt_pins_inherit(struct iopt_pages *pages,
				const struct iopt_run *run);

/* gup.c */
int iopt_batch_init(struct iopt_batch *batch, unsigned long npages, gfp_t gfp);
void iopt_batch_free(struct iopt_batch *batch);
void iopt_batch_undo(struct iopt_pages *pages, struct iopt_batch *batch,
		     unsigned long first);
long iopt_gup(struct iopt_pages *pages, unsigned long first,
	      unsigned long npages, struct iopt_batch *batch);
int iopt_fault_in(struct iopt_pages *pages, unsigned long first,
		  unsigned long npages);

/* The tests check that no domain reaches pages that are about to be unpinned. */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
void iopt_test_unpin(struct page *first, unsigned long npages);
#else
static inline void iopt_test_unpin(struct page *first, unsigned long npages)
{
}
#endif

/* The pages of a run that are unpinned before other threads may run. */
#define IOPT_UNPIN_MAX	32768UL

/*
 * Unpin @npages of a run from page @first of it on, which may have been written
 * to if @dirty. May sleep. The charge is the caller's.
 */
static inline void iopt_unpin_run(const struct iopt_run *run,
				  unsigned long first, unsigned long npages,
				  bool dirty)
{
	unsigned long nr;
	struct page *page;

	/* Other kinds may have no struct page to look at. */
	if (run->kind != IOPT_RUN_RAM && run->kind != IOPT_RUN_RESERVED)
		return;
	page = pfn_to_page(run->pfn + first);
	iopt_test_unpin(page, npages);
	for (; npages > 1; page += nr, npages -= nr) {
		nr = min(npages, IOPT_UNPIN_MAX);
		unpin_user_page_range_dirty_lock(page, nr, dirty);
		if (nr != npages)
			cond_resched();
	}
	if (npages) {
		/* Scattered memory is many such: as quick as it can be. */
		if (dirty && !PageDirty(page))
			set_page_dirty_lock(page);
		unpin_user_page(page);
	}
}

#endif /* __IOPT_PAGES_H */
