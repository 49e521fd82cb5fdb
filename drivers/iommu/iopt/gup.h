/* SPDX-License-Identifier: GPL-2.0-only */
/* Pinning user memory in batches. */
#ifndef __IOPT_GUP_H
#define __IOPT_GUP_H

#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "runs.h"

struct iopt_pages;

/* Maximum number of pages of a batch that needs no allocation. */
#define IOPT_BATCH_FEW	16

/**
 * struct iopt_batch - pages that are pinned, charged and recorded together
 * @pages: the pages; undefined for memory without struct page
 * @runs: runs of the pages
 * @nr_charged: number of pages charged
 * @max: capacity in pages
 * @alone: no other caller can find the iopt_pages, so iopt_pages.mutex need not
 *         be dropped to pin pages
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

/* Limit every batch to IOPT_BATCH_FEW pages. Only set by tests. */
extern bool iopt_small_batches;

int iopt_batch_init(struct iopt_batch *batch, unsigned long npages, gfp_t gfp);
void iopt_batch_free(struct iopt_batch *batch);
void iopt_batch_undo(struct iopt_pages *pages, struct iopt_batch *batch,
		     unsigned long first);
long iopt_gup(struct iopt_pages *pages, unsigned long first,
	      unsigned long npages, struct iopt_batch *batch);
int iopt_fault_in(struct iopt_pages *pages, unsigned long first,
		  unsigned long npages);

/* Test hook: check that no domain translates pages that are being unpinned. */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
void iopt_test_unpin(struct page *first, unsigned long npages);
#else
static inline void iopt_test_unpin(struct page *first, unsigned long npages)
{
}
#endif

/* Maximum number of pages to unpin between calls to cond_resched(). */
#define IOPT_UNPIN_MAX	32768UL

/*
 * Unpin @npages pages of a run, starting at page @first of the run. Mark them
 * dirty if @dirty is set. The caller is responsible for uncharging the pages.
 *
 * May sleep. With @dirty, takes the lock of each folio that is not dirty, and
 * the wait for this lock is not killable. A filesystem that invalidates a page
 * of a file writes the page back first, with the folio locked and not dirty. If
 * the write ends only when a server responds, as in FUSE and NFS, the wait is
 * unbounded.
 */
static inline void iopt_unpin_run(const struct iopt_run *run,
				  unsigned long first, unsigned long npages,
				  bool dirty)
{
	unsigned long nr;
	struct page *page;

	/* Pages of other kinds are not pinned, and may lack a struct page. */
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

#endif /* __IOPT_GUP_H */
