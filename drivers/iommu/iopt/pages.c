// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_pages: user memory, and who holds which slice of it.
 *
 * A holder is someone who needs a slice to stay: a mapping that a domain
 * translates. The first holder of a page pins and charges it, the last one
 * unpins and uncharges it, unless an access has pinned it too: then the pin and
 * the charge pass to the access' record. What is pinned stands in the runs and
 * these records; nobody else knows.
 *
 * Rule: who comes may fail and leaves all as it was; leaving never allocates
 * and never fails. Runs are cut at the ends of every slice, so that what
 * nobody holds any more is always whole runs.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "pages.h"
#include "trace.h"

/* How many pages are unpinned before others may run. */
#define RELEASE_PAGES	512

struct kmem_cache *iopt_pages_cache;

/**
 * iopt_pages_alloc - describe memory of a process
 * @uptr: first byte, page aligned
 * @length: in bytes, a multiple of the page size, not 0
 * @writable: devices may write to it
 * @pfnmap: it may be memory without struct page
 * @payer: the process and whom pins are charged to; a reference is taken
 * @gfp: allocation flags, now and for the record of pins
 *
 * Nothing is looked up and nothing pinned before the first holder comes.
 *
 * Context: may sleep if @gfp does.
 * Return: the pages with one reference, or NULL.
 */
struct iopt_pages *iopt_pages_alloc(void __user *uptr, unsigned long length,
				    bool writable, bool pfnmap,
				    struct iopt_payer *payer, gfp_t gfp)
{
	struct iopt_pages *pages;

	pages = kmem_cache_alloc(iopt_pages_cache, gfp);
	if (!pages)
		return NULL;

	*pages = (struct iopt_pages){
		.kref = KREF_INIT(1),
		.writable = writable,
		.pfnmap = pfnmap,
		.gfp = gfp,
		.uaddr = (unsigned long)untagged_addr(uptr),
		.npages = length >> PAGE_SHIFT,
		.payer = iopt_payer_get(payer),
		.holders = RB_ROOT_CACHED,
	};
	mutex_init(&pages->mutex);
	xa_init(&pages->pins);
	return pages;
}

static void pages_release(struct kref *kref)
{
	struct iopt_pages *pages = container_of(kref, struct iopt_pages, kref);

	WARN_ON(!RB_EMPTY_ROOT(&pages->holders.rb_root));
	WARN_ON(!xa_empty(&pages->pins));
	iopt_payer_put(pages->payer);
	mutex_destroy(&pages->mutex);
	kmem_cache_free(iopt_pages_cache, pages);
}

/**
 * iopt_pages_put - drop a reference
 * @pages: the pages; without holders and pins if this is the last reference
 *
 * Context: process context, may sleep.
 */
void iopt_pages_put(struct iopt_pages *pages)
{
	kref_put(&pages->kref, pages_release);
}

/* Pin pages of a hole. */
static int hole_pin(struct iopt_pages *pages, unsigned long first,
		    unsigned long npages)
{
	struct iopt_runs fresh = {};
	unsigned long nr_charged;
	int rc;

	rc = iopt_gup(pages, first, npages, &fresh, &nr_charged);
	if (rc)
		return rc;
	rc = iopt_runs_fill(&pages->runs, first, &fresh, pages->gfp);
	if (rc) {
		iopt_unpin_all(&fresh);
		iopt_uncharge(pages->payer, nr_charged);
		return rc;
	}
	pages->nr_charged += nr_charged;
	return 0;
}

/* Take over a page of a hole that accesses have pinned, with its charge. */
static int hole_take_pin(struct iopt_pages *pages, unsigned long index,
			 struct iopt_pin *pin)
{
	const struct iopt_run run = {
		.count = 1,
		.pfn = pin->pfn,
		.kind = pin->kind,
		.lost = pin->lost,
	};
	struct iopt_runs fresh = {};
	int rc;

	rc = iopt_runs_append(&fresh, &run, pages->gfp);
	if (!rc)
		rc = iopt_runs_fill(&pages->runs, index, &fresh, pages->gfp);
	if (rc) {
		iopt_runs_free(&fresh);
		return rc;
	}
	pin->owns = false;
	pin->lost = false;
	return 0;
}

static int hole_fill(struct iopt_pages *pages, unsigned long first,
		     unsigned long last, unsigned long *filled)
{
	unsigned long index = last + 1;
	struct iopt_pin *pin = iopt_pins_first(pages, first, last, &index);

	if (pin && index == first) {
		*filled = 1;
		return hole_take_pin(pages, first, pin);
	}
	*filled = (pin ? index : last + 1) - first;
	return hole_pin(pages, first, *filled);
}

/* Pin what is not pinned of [@first, @last]. */
static int pages_fill_holes(struct iopt_pages *pages, unsigned long first,
			    unsigned long last)
{
	struct iopt_run_iter iter;
	unsigned long filled;
	struct iopt_run run;
	int rc;

	/* Most often nobody has anything pinned yet. */
	if (!pages->runs.npages && xa_empty(&pages->pins))
		return hole_pin(pages, first, last + 1 - first);

	if (iopt_runs_cut(&pages->runs, first, pages->gfp) ||
	    iopt_runs_cut(&pages->runs, last + 1, pages->gfp))
		return -ENOMEM;
	iopt_run_iter_start(&iter, &pages->runs, first, last);
	while (iopt_run_iter_next(&iter, &run)) {
		if (run.kind != IOPT_RUN_HOLE)
			continue;
		rc = hole_fill(pages, run.index, run.index + run.count - 1,
			       &filled);
		if (rc)
			return rc;
		/* The record has changed. */
		first = run.index + filled;
		iopt_run_iter_start(&iter, &pages->runs, first, last);
	}
	return 0;
}

/* Unpin a run. Returns how many of its pages do not pass to accesses. */
static unsigned long run_release(struct iopt_pages *pages,
				 const struct iopt_run *run, bool dirty)
{
	if (!xa_empty(&pages->pins))
		return run->count - iopt_pins_inherit(pages, run, dirty);
	if (!run->lost)
		iopt_unpin_run(run, 0, run->count, dirty);
	return run->count;
}

/*
 * Unpin and forget whole runs. What is lost stays pinned and charged for ever:
 * a device may still reach it. Returns how many pages that are.
 */
static unsigned long runs_release(struct iopt_pages *pages, unsigned long first,
				  unsigned long last, bool dirty)
{
	unsigned long lost = 0, charged = 0, uncharge = 0, work = 0;
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;

	iopt_run_iter_start(&iter, &pages->runs, first, last);
	while (iopt_run_iter_next(&iter, &run)) {
		unsigned long left;

		if (run.kind == IOPT_RUN_HOLE || run.kind == IOPT_RUN_PFNMAP)
			continue;
		if (work >= RELEASE_PAGES) {
			cond_resched();
			work = 0;
		}
		work += run.count;
		left = run_release(pages, &run, dirty);
		if (run.kind == IOPT_RUN_RAM)
			charged += left;
		if (run.lost && run.kind != IOPT_RUN_ZERO)
			lost += left;
		if (!run.lost && run.kind == IOPT_RUN_RAM)
			uncharge += left;
	}
	pages->nr_charged -= charged;
	iopt_runs_clear(&pages->runs, first, last);
	iopt_uncharge(pages->payer, uncharge);
	trace_iopt_unpin(pages, first, last, uncharge, lost);
	return lost;
}

/* Likewise all runs of [@first, @last] that no slice covers. */
static unsigned long unheld_release(struct iopt_pages *pages,
				    unsigned long first, unsigned long last,
				    bool dirty)
{
	struct interval_tree_node *slice;
	unsigned long lost = 0;

	while ((slice = interval_tree_iter_first(&pages->holders, first,
						 last))) {
		if (slice->start > first)
			lost += runs_release(pages, first, slice->start - 1,
					     dirty);
		if (slice->last >= last)
			return lost;
		first = slice->last + 1;
	}
	return lost + runs_release(pages, first, last, dirty);
}

/**
 * iopt_pages_hold - become a holder of a slice
 * @pages: the pages
 * @slice: the first and the last page index; the caller's until it drops it
 *
 * What nobody held is pinned and charged.
 *
 * Context: process context, may sleep for long: pages are faulted in.
 * Takes @pages->mutex, killably.
 * Return: 0, -EINTR, or an errno of iopt_gup(). Nothing is pinned or charged by this
 * call then.
 */
int iopt_pages_hold(struct iopt_pages *pages, struct interval_tree_node *slice)
{
	int rc;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	rc = pages_fill_holes(pages, slice->start, slice->last);
	if (rc)
		unheld_release(pages, slice->start, slice->last, false);
	else
		interval_tree_insert(slice, &pages->holders);
	mutex_unlock(&pages->mutex);
	return rc;
}

/**
 * iopt_pages_drop - stop being a holder of a slice
 * @pages: the pages
 * @slice: the slice
 *
 * What nobody holds any more is unpinned and uncharged, except for lost pages.
 *
 * Context: process context, may sleep. @pages->mutex is held.
 * Return: the number of lost pages.
 */
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice)
{
	lockdep_assert_held(&pages->mutex);
	interval_tree_remove(slice, &pages->holders);
	return unheld_release(pages, slice->start, slice->last,
			      pages->writable);
}

/**
 * iopt_pages_adopt - let pages be memory of another process, or at another place
 * @pages: the pages, which nobody shares
 * @uptr: where the same memory is now, page aligned
 * @payer: the process, who pays from now on; a reference is taken
 *
 * What is pinned stays so. What is pinned later is looked up at @uptr.
 *
 * Context: process context, may sleep. Takes @pages->mutex, killably.
 * Return: 0, or -ENOMEM if the new payer's limit does not allow it, or -EINTR;
 * the old one pays then, as before.
 */
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer)
{
	int rc = 0;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	if (payer != pages->payer) {
		rc = iopt_move_charge(pages->payer, payer, pages->nr_charged);
		if (!rc) {
			iopt_payer_put(pages->payer);
			pages->payer = iopt_payer_get(payer);
		}
	}
	if (!rc)
		pages->uaddr = (unsigned long)untagged_addr(uptr);
	mutex_unlock(&pages->mutex);
	return rc;
}
