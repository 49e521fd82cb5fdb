// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holders: mappings that need a slice of an iopt_pages pinned.
 *
 * A page is pinned and charged for its first holder, and is unpinned and
 * uncharged when its last holder is removed. If an access has pinned the page
 * as well, the pin and the charge are transferred to the pin record of the
 * access instead. The runs and the pin records together list all pinned pages,
 * except for lost pages that no holder or access needs any more.
 *
 * Adding a holder may fail, in which case all changes are rolled back. Removing
 * a holder neither allocates memory nor fails: runs are split at both ends of
 * each slice, so only whole runs need to be unpinned.
 */
#include <linux/interval_tree.h>
#include <linux/sched/signal.h>

#include "access_pins.h"
#include "account.h"
#include "gup.h"
#include "pages.h"
#include "pages_pin.h"
#include "runs_packed.h"
#include "trace.h"

/* Number of pages to unpin, or of runs to visit, before rescheduling. */
#define RELEASE_PAGES	512

/*
 * Return the slice of the only holder, or NULL if there is none or more than
 * one. A single holder is the common case.
 */
static struct interval_tree_node *only_holder(struct iopt_pages *pages)
{
	struct rb_node *root = pages->holders.rb_root.rb_node;

	if (!root || root->rb_left || root->rb_right)
		return NULL;
	return rb_entry(root, struct interval_tree_node, rb);
}

/*
 * True if any holder's slice contains only part of [@first, @last], so that a
 * single run cannot cover the interval.
 */
static bool slice_ends_inside(struct iopt_pages *pages, unsigned long first,
			      unsigned long last)
{
	struct interval_tree_node *slice;

	for (slice = interval_tree_iter_first(&pages->holders, first, last);
	     slice; slice = interval_tree_iter_next(slice, first, last))
		if (slice->start > first || slice->last < last)
			return true;
	return false;
}

/* Record a batch in pages->runs, split at the boundaries of slices. */
static int batch_record(struct iopt_pages *pages, unsigned long first,
			const struct iopt_run_batch *batch)
{
	unsigned long last = first + batch->npages - 1;
	struct interval_tree_node *slice = only_holder(pages);
	bool join;
	int rc;

	if (slice)
		return iopt_runs_fill(&pages->runs, first, batch,
				      first != slice->start, pages->gfp);
	join = first && !slice_ends_inside(pages, first - 1, last);
	rc = iopt_runs_fill(&pages->runs, first, batch, join, pages->gfp);
	if (rc || join)
		return rc;
	/*
	 * The loop is short: a batch fills a hole, and only slices of holders
	 * that are being filled intersect a hole.
	 */
	for (slice = interval_tree_iter_first(&pages->holders, first, last);
	     slice && !rc;
	     slice = interval_tree_iter_next(slice, first, last)) {
		if (slice->start > first)
			rc = iopt_runs_cut(&pages->runs, slice->start,
					   pages->gfp);
		if (!rc && slice->last < last)
			rc = iopt_runs_cut(&pages->runs, slice->last + 1,
					   pages->gfp);
	}
	if (rc)
		iopt_runs_clear(&pages->runs, first, last);
	return rc;
}

/*
 * Pin pages of a hole and record them. Returns the number of pages, 0 if the
 * page at @first must be faulted in, or an errno.
 */
static long hole_pin(struct iopt_pages *pages, unsigned long first,
		     unsigned long last, struct iopt_batch *batch)
{
	long nr = iopt_pages_pin(pages, first, last, batch);
	int rc;

	if (nr <= 0)
		return nr;
	rc = batch_record(pages, first, &batch->runs);
	if (rc) {
		iopt_batch_undo(pages, batch, 0);
		return rc;
	}
	pages->nr_charged += batch->nr_charged;
	return nr;
}

/*
 * Fill one page of a hole. Accesses have pinned the page already, so record it
 * and transfer the pin and the charge to the holders.
 */
static int hole_take_pin(struct iopt_pages *pages, unsigned long index,
			 struct iopt_pin *pin)
{
	const struct iopt_run run = {
		.count = 1,
		.pfn = pin->pfn,
		.kind = pin->kind,
		.lost = pin->lost,
	};
	u64 packed;
	struct iopt_run_batch batch = { .packed = &packed };
	int rc;

	iopt_run_batch_add(&batch, &run);
	rc = batch_record(pages, index, &batch);
	if (rc)
		return rc;
	pin->owns = false;
	pin->lost = false;
	return 0;
}

/*
 * Fill the start of a hole. Returns the number of pages, or an errno. Returns 0
 * after waiting for a claim or faulting in the page at @first: the caller has
 * to retry.
 */
static long hole_fill(struct iopt_pages *pages, unsigned long first,
		      unsigned long last, unsigned int *faults,
		      struct iopt_batch *batch)
{
	struct iopt_pin *pin;
	unsigned long index;
	long nr;

	last = min(last, first + batch->max - 1);
	if (!hlist_empty(&pages->claims) &&
	    !iopt_pages_unclaimed(pages, first, &last)) {
		iopt_pages_wait(pages);
		return 0;
	}
	pin = iopt_pins_first(pages, first, last, &index);
	if (pin && index == first)
		return hole_take_pin(pages, first, pin) ?: 1;
	if (pin)
		last = index - 1;

	nr = hole_pin(pages, first, last, batch);
	return nr ?: iopt_pages_fault_in(pages, first, last, faults, batch);
}

/*
 * Split the run at @index, which is a boundary of a slice. Do not split a hole:
 * another caller may have claimed its indexes, and batch_record() splits the
 * runs that fill the hole.
 */
static int run_cut(struct iopt_pages *pages, unsigned long index)
{
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;

	if (!index || index >= pages->runs.npages)
		return 0;
	iopt_run_iter_start(&iter, &pages->runs, index, index);
	iopt_run_iter_next(&iter, &run);
	if (run.kind == IOPT_RUN_HOLE)
		return 0;
	return iopt_runs_cut(&pages->runs, index, pages->gfp);
}

/*
 * Return the number of consecutive indexes in [@first, *@last], starting at
 * @first, that are not in a hole. Visit at most RELEASE_PAGES runs. If the walk
 * reaches a hole, lower *@last to the end of the hole.
 */
static unsigned long pinned_from(struct iopt_pages *pages, unsigned long first,
				 unsigned long *last)
{
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;
	unsigned long index = first;
	unsigned int runs = 0;

	if (first >= pages->runs.npages)
		return 0;
	iopt_run_iter_start(&iter, &pages->runs, first, *last);
	while (runs++ != RELEASE_PAGES && iopt_run_iter_next(&iter, &run)) {
		if (run.kind == IOPT_RUN_HOLE) {
			*last = run.index + run.count - 1;
			break;
		}
		index += run.count;
	}
	return index - first;
}

/* Let other callers take the mutex, if any can find @pages. */
static void pages_lock_break(struct iopt_pages *pages,
			     const struct iopt_batch *batch)
{
	if (batch->alone) {
		cond_resched();
		return;
	}
	mutex_unlock(&pages->mutex);
	cond_resched();
	mutex_lock(&pages->mutex);
}

/* Pin all pages of [@first, @last] that are not pinned yet. */
static int pages_fill_holes(struct iopt_pages *pages, unsigned long first,
			    unsigned long last, struct iopt_batch *batch)
{
	unsigned int faults = 0;
	unsigned long hole_last;
	long nr;

	if (run_cut(pages, first) || run_cut(pages, last + 1))
		return -ENOMEM;
	for (;;) {
		hole_last = last;
		nr = pinned_from(pages, first, &hole_last) ?:
		     hole_fill(pages, first, hole_last, &faults, batch);
		if (nr < 0)
			return nr;
		first += nr;
		if (first > last)
			return 0;
		if (nr)
			faults = 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		pages_lock_break(pages, batch);
	}
}

/*
 * Unpin a run that no holder needs any more, except for pages that accesses
 * have pinned. The pin and the charge of such a page are transferred to the
 * first record of the page. If @run->lost is set, no page is unpinned. Returns
 * the number of pages transferred.
 *
 * Not inlined, so that run_release() saves no registers for it when no access
 * has pinned a page, which is the usual case.
 */
static noinline unsigned long pins_inherit(struct iopt_pages *pages,
					   const struct iopt_run *run)
{
	unsigned long last = run->index + run->count - 1;
	unsigned long first = run->index, index, nr = 0;
	bool dirty = pages->writable;
	struct iopt_pin *pin;

	while (first <= last &&
	       (pin = iopt_pins_first(pages, first, last, &index))) {
		if (!run->lost)
			iopt_unpin_run(run, first - run->index, index - first,
				       dirty);
		pin->owns = true;
		pin->lost = run->lost;
		first = index + 1;
		nr++;
		cond_resched();
	}
	if (!run->lost)
		iopt_unpin_run(run, first - run->index, last + 1 - first,
			       dirty);
	return nr;
}

/*
 * Unpin a run, except for lost pages and pages that accesses have pinned.
 * Returns the number of pages that were not transferred to accesses.
 */
static unsigned long run_release(struct iopt_pages *pages,
				 const struct iopt_run *run)
{
	if (!xa_empty(&pages->pins))
		return run->count - pins_inherit(pages, run);
	if (!run->lost)
		iopt_unpin_run(run, 0, run->count, pages->writable);
	return run->count;
}

/*
 * Unpin and clear whole runs. Lost pages stay pinned and charged to the payer
 * permanently, because a device may still reach them. Returns the number of
 * lost pages.
 */
static unsigned long runs_release(struct iopt_pages *pages, unsigned long first,
				  unsigned long last)
{
	unsigned long lost = 0, charged = 0, paid = 0, work = 0;
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;

	iopt_run_iter_start(&iter, &pages->runs, first, last);
	while (iopt_run_iter_next(&iter, &run)) {
		unsigned long left;

		if (work >= RELEASE_PAGES) {
			cond_resched();
			work = 0;
		}
		work++;
		if (run.kind == IOPT_RUN_HOLE || run.kind == IOPT_RUN_PFNMAP)
			continue;
		work += run.count;
		left = run_release(pages, &run);
		if (run.kind == IOPT_RUN_RAM)
			charged += left;
		if (iopt_run_is_lost(&run))
			lost += left;
		if (!run.lost && run.kind == IOPT_RUN_RAM)
			paid += left;
	}
	pages->nr_charged -= charged;
	iopt_runs_clear(&pages->runs, first, last);
	iopt_uncharge(pages->payer, paid);
	trace_iopt_unpin(pages, first, last, paid, lost);
	return lost;
}

/*
 * Unpin all runs of [@first, @last] that no holder covers. Returns the number
 * of lost pages.
 */
static unsigned long unheld_release(struct iopt_pages *pages,
				    unsigned long first, unsigned long last)
{
	struct interval_tree_node *slice;
	unsigned long lost = 0;

	for (;;) {
		slice = interval_tree_iter_first(&pages->holders, first, last);
		if (!slice)
			return lost + runs_release(pages, first, last);
		if (slice->start > first)
			lost += runs_release(pages, first, slice->start - 1);
		if (slice->last >= last)
			return lost;
		first = slice->last + 1;
		cond_resched();
	}
}

/**
 * iopt_pages_hold() - add a holder of a slice
 * @pages: the pages
 * @slice: first and last page index; must stay valid until iopt_pages_drop()
 * @alone: no other caller can find @pages until the caller publishes them
 * @lost: on failure, incremented by the number of pages that stay pinned
 *        permanently
 *
 * Pins and charges those pages of the slice that no holder and no access has
 * pinned yet.
 *
 * Context: process context. Takes @pages->mutex killably. May block
 * indefinitely (killable) while a page is faulted in, or on the mmap_lock of
 * the process. Unless @alone is set, the mutex is dropped meanwhile, so that
 * callers that do not need that page can proceed.
 * Return: 0, or an errno of iopt_gup() or iopt_fault_in(). On failure @slice is
 * not a holder, and no page stays pinned or charged for the slice, except for
 * lost pages.
 */
int iopt_pages_hold(struct iopt_pages *pages, struct interval_tree_node *slice,
		    bool alone, unsigned long *lost)
{
	struct iopt_batch batch __uninitialized;
	int rc;

	rc = iopt_batch_init(&batch, slice->last - slice->start + 1,
			     pages->gfp);
	if (rc)
		return rc;
	batch.alone = alone;
	rc = mutex_lock_killable(&pages->mutex);
	if (rc)
		goto out;
	/* From here on, dropping another holder keeps these pages pinned. */
	interval_tree_insert(slice, &pages->holders);
	pages->nr_filling++;
	rc = pages_fill_holes(pages, slice->start, slice->last, &batch);
	pages->nr_filling--;
	if (rc)
		*lost += iopt_pages_drop(pages, slice);
	iopt_pages_unlock(pages);
out:
	iopt_batch_free(&batch);
	return rc;
}

/**
 * iopt_pages_drop() - remove a holder of a slice
 * @pages: the pages
 * @slice: the slice
 *
 * Unpins and uncharges pages that no other holder and no access needs, except
 * for lost pages. If @pages->writable is set, the unpinned pages are marked
 * dirty, because a device may have written to any of them.
 *
 * Context: process context, may sleep. @pages->mutex is held. The caller then
 * releases the mutex with iopt_pages_unlock(), or notes the payer with
 * iopt_payer_sync_later() before it releases the mutex itself.
 * Return: the number of lost pages.
 */
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice)
{
	lockdep_assert_held(&pages->mutex);
	interval_tree_remove(slice, &pages->holders);
	return unheld_release(pages, slice->start, slice->last);
}
