/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iopt_pages: user memory that holders and accesses can pin.
 *
 * Vocabulary:
 *   holder    an area that needs its slice of the pages pinned because a domain
 *             translates it. The pages of the slice stay pinned as long as the
 *             area is a holder
 *   pin       the record of a page that an access has pinned, see pins.c
 *   owns      a pin owns its page if no holder has it pinned: the last unpin of
 *             the accesses then unpins the page
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
 * struct iopt_pinner - mapping and access that a pin belongs to
 * @nr_pins: pin counter of the mapping, which also identifies the mapping
 * @owner: number of the access if it owns its pins, 0 for all other accesses
 */
struct iopt_pinner {
	unsigned int *nr_pins;
	u16 owner;
};

/**
 * struct iopt_pin - a page that accesses have pinned, for one pinner
 * @pfn: page frame number of the page
 * @by: iopt_pinner.nr_pins
 * @next: pin of the same page by another pinner. Only @by, @next, @count and
 *        @owner are valid in pins other than the first one of a page
 * @count: number of times that the pinner has pinned the page
 * @kind: kind of the run that the page belongs to
 * @owns: no holder has the page pinned
 * @lost: no holder has the page pinned, but a device may still reach it, so
 *        that it is never unpinned
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
 * A page may be reclaimed between being faulted in and being pinned. Fail after
 * so many unsuccessful faults in a row.
 */
#define IOPT_FAULTS_MAX	64

/* Batches of at most so many pages need no allocation. */
#define IOPT_BATCH_FEW	16

/**
 * struct iopt_batch - pages that are pinned, charged and recorded together
 * @pages: the pages; not valid for memory without struct page
 * @runs: runs of the pages
 * @nr_charged: number of pages charged
 * @max: capacity in pages
 * @alone: no other caller can find the iopt_pages, so that its mutex is not
 *         dropped while pages are pinned
 * @few_pages: storage for @pages of a small batch
 * @few_packed: storage for @runs of a small batch
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
 * @node: entry in iopt_pages.claims
 * @first: first index
 * @last: last index
 */
struct iopt_page_claim {
	struct hlist_node node;
	unsigned long first;
	unsigned long last;
};

/**
 * struct iopt_pages - user memory behind mappings
 * @kref: references of the areas that map the pages
 * @writable: pages are pinned for writing
 * @pfnmap: memory without struct page is allowed
 * @mutex: protects all members below except @gfp. Held while pages are unpinned
 *         and while domains are programmed from @runs. Dropped while pages are
 *         pinned, unless no other caller can find the iopt_pages: the caller
 *         claims the indexes first
 * @gfp: allocation flags for @runs and @pins
 * @nr_waiting: number of callers that are waiting for a claim to end
 * @nr_ended: incremented when a claim ends while @nr_waiting is not 0
 * @nr_filling: number of holders with pages that are not pinned yet
 * @claims: list of the &struct iopt_page_claim of all callers that are pinning
 *          pages. Claims do not overlap
 * @uaddr: user address of the first byte, page aligned
 * @npages: length in pages
 * @payer: process that the memory belongs to and that is charged for it
 * @nr_charged: number of pages charged to @payer
 * @holders: slices of all holders, including those that are being filled, by
 *           page index
 * @runs: the pages that are pinned for holders. An index is in a hole if no
 *        holder covers it, and is not if a holder covers it that has been
 *        filled. Runs are cut where the slice of a holder starts or ends
 * @pins: the first &struct iopt_pin of each page, by page index
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

/* The tests check that no domain translates pages that are being unpinned. */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
void iopt_test_unpin(struct page *first, unsigned long npages);
#else
static inline void iopt_test_unpin(struct page *first, unsigned long npages)
{
}
#endif

/* Number of pages of a run to unpin between calls of cond_resched(). */
#define IOPT_UNPIN_MAX	32768UL

/*
 * Unpin @npages pages of a run, starting at page @first of the run. @dirty says
 * whether the pages may have been written to. May sleep. The caller is
 * responsible for uncharging the pages.
 */
static inline void iopt_unpin_run(const struct iopt_run *run,
				  unsigned long first, unsigned long npages,
				  bool dirty)
{
	unsigned long nr;
	struct page *page;

	/* Other kinds are not pinned, and may have no struct page. */
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
		/* Fast path: scattered memory consists of runs of one page. */
		if (dirty && !PageDirty(page))
			set_page_dirty_lock(page);
		unpin_user_page(page);
	}
}

#endif /* __IOPT_PAGES_H */
