// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_pages: user memory, and the slices of it that areas hold.
 *
 * A page is pinned and charged for its first holder, and is unpinned and
 * uncharged when its last holder is removed. If an access has pinned the page
 * as well, the pin and the charge are transferred to the record of the access
 * instead. The runs and these records together list all pinned pages.
 *
 * Adding a holder may fail, in which case all changes are rolled back. Removing
 * a holder neither allocates memory nor fails: runs are cut at both ends of
 * each slice, so that only whole runs are unpinned.
 *
 * The mutex is dropped while pages are pinned or faulted in, unless no other
 * caller can find the iopt_pages yet. To keep other callers from pinning the
 * same pages, a caller claims the indexes of a batch first.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>

#include "account.h"
#include "pages.h"
#include "runs_packed.h"
#include "trace.h"

/* Number of pages to unpin, or of runs to skip, before rescheduling. */
#define RELEASE_PAGES	512

struct kmem_cache *iopt_pages_cache;

/**
 * iopt_pages_alloc() - allocate the description of memory of a process
 * @uptr: user address of the first byte, page aligned
 * @length: length in bytes, a nonzero multiple of the page size
 * @writable: devices may write to the memory
 * @pfnmap: allow memory without struct page
 * @payer: the process that the memory belongs to and that is charged for it; a
 *         reference is taken
 * @gfp: flags for this and for later allocations
 *
 * The memory is not accessed before the first holder or access needs it.
 *
 * Context: may sleep if @gfp allows it.
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
 * iopt_pages_put() - drop a reference
 * @pages: the pages, which have no holders and no pins if this is the last
 *         reference
 *
 * Context: process context, may sleep.
 */
void iopt_pages_put(struct iopt_pages *pages)
{
	kref_put(&pages->kref, pages_release);
}

/**
 * iopt_pages_unlock() - release the mutex and lower VmLck
 * @pages: the pages
 *
 * Pages that were uncharged under the mutex are subtracted from VmLck here. If
 * the mmap_lock is contended a worker does that later: the caller may be a
 * driver that holds locks of its own, or a callback that other threads wait for
 * uninterruptibly.
 *
 * Context: process context, may sleep. Releases @pages->mutex.
 */
void iopt_pages_unlock(struct iopt_pages *pages)
{
	struct iopt_payer *payer = NULL;

	/* iopt_pages_adopt() may change the payer after the unlock. */
	if (iopt_payer_is_unsynced(pages->payer))
		payer = iopt_payer_get(pages->payer);
	mutex_unlock(&pages->mutex);
	if (payer) {
		iopt_payer_try_sync(payer);
		iopt_payer_put(payer);
	}
}

/* Claim indexes, none of which is claimed yet. */
static void claim_start(struct iopt_pages *pages, struct iopt_page_claim *claim)
{
	lockdep_assert_held(&pages->mutex);
	hlist_add_head(&claim->node, &pages->claims);
}

static void claim_end(struct iopt_pages *pages, struct iopt_page_claim *claim)
{
	lockdep_assert_held(&pages->mutex);
	hlist_del(&claim->node);
	if (pages->nr_waiting) {
		WRITE_ONCE(pages->nr_ended, pages->nr_ended + 1);
		/* Pairs with set_current_state() in the waiter. */
		smp_mb();
		wake_up_var(&pages->nr_ended);
	}
}

/**
 * iopt_pages_unclaimed() - find indexes that no other caller has claimed
 * @pages: the pages
 * @first: first index
 * @last: last index; lowered to the index before the next claim
 *
 * Context: @pages->mutex is held.
 * Return: true if @first is not claimed, otherwise false.
 */
bool iopt_pages_unclaimed(struct iopt_pages *pages, unsigned long first,
			  unsigned long *last)
{
	struct iopt_page_claim *claim;

	lockdep_assert_held(&pages->mutex);
	hlist_for_each_entry(claim, &pages->claims, node) {
		if (claim->last < first || claim->first > *last)
			continue;
		if (claim->first <= first)
			return false;
		*last = claim->first - 1;
	}
	return true;
}

/**
 * iopt_pages_wait() - wait until a claim ends
 * @pages: the pages
 *
 * The wait is short, because no claim is held while a page is faulted in.
 *
 * Context: @pages->mutex is held, and dropped while waiting; killable.
 * Return: 0 if a claim has ended, or -EINTR if killed. The mutex is held in
 * both cases.
 */
int iopt_pages_wait(struct iopt_pages *pages)
{
	unsigned int seen = pages->nr_ended;
	int rc;

	lockdep_assert_held(&pages->mutex);
	pages->nr_waiting++;
	mutex_unlock(&pages->mutex);
	rc = wait_var_event_killable(&pages->nr_ended,
				     READ_ONCE(pages->nr_ended) != seen);
	mutex_lock(&pages->mutex);
	pages->nr_waiting--;
	return rc ? -EINTR : 0;
}

/**
 * iopt_pages_pin() - pin pages that no other caller has claimed
 * @pages: the pages
 * @first: first index
 * @last: last index, see iopt_pages_unclaimed()
 * @batch: receives the pages, which the caller must record before it drops the
 *         mutex
 *
 * Context: process context. @pages->mutex is held, and dropped while pinning
 * unless @batch->alone is set.
 * Return: see iopt_gup().
 */
long iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		    unsigned long last, struct iopt_batch *batch)
{
	struct iopt_page_claim claim = { .first = first, .last = last };
	long nr;

	if (batch->alone)
		return iopt_gup(pages, first, last + 1 - first, batch);
	claim_start(pages, &claim);
	mutex_unlock(&pages->mutex);
	nr = iopt_gup(pages, first, last + 1 - first, batch);
	mutex_lock(&pages->mutex);
	claim_end(pages, &claim);
	return nr;
}

/**
 * iopt_pages_fault_in() - fault in pages that iopt_pages_pin() could not pin
 * @pages: the pages
 * @first: first index
 * @last: last index
 * @faults: number of calls in a row after which the page was still not present
 * @batch: the batch that was passed to iopt_pages_pin()
 *
 * Context: see iopt_fault_in(). @pages->mutex is held, and dropped while
 * faulting unless @batch->alone is set.
 * Return: see iopt_fault_in(); also -EFAULT after %IOPT_FAULTS_MAX calls in a
 * row.
 */
int iopt_pages_fault_in(struct iopt_pages *pages, unsigned long first,
			unsigned long last, unsigned int *faults,
			const struct iopt_batch *batch)
{
	int rc;

	if ((*faults)++ == IOPT_FAULTS_MAX)
		return -EFAULT;
	if (batch->alone)
		return iopt_fault_in(pages, first, last + 1 - first);
	mutex_unlock(&pages->mutex);
	rc = iopt_fault_in(pages, first, last + 1 - first);
	mutex_lock(&pages->mutex);
	return rc;
}

/*
 * Return the slice of the only holder, or NULL if there are more or none. A
 * single holder is the common case.
 */
static struct interval_tree_node *only_holder(struct iopt_pages *pages)
{
	struct rb_node *root = pages->holders.rb_root.rb_node;

	if (!root || root->rb_left || root->rb_right)
		return NULL;
	return rb_entry(root, struct interval_tree_node, rb);
}

/* True if the slice of a holder starts or ends between @first and @last. */
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

/* Record the pages of a batch. Runs are cut where slices start or end. */
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
	/* Only holders that are being filled cover a hole: they are few. */
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
 * first one must be faulted in, or an errno.
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

/* Transfer a page that accesses have pinned, and its charge, to the holder. */
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
 * Fill the start of a hole. Returns the number of pages, or 0 if the caller has
 * to retry because this function waited for a claim or faulted in the page at
 * @first.
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
	    !iopt_pages_unclaimed(pages, first, &last))
		return iopt_pages_wait(pages);
	pin = iopt_pins_first(pages, first, last, &index);
	if (pin && index == first)
		return hole_take_pin(pages, first, pin) ?: 1;
	if (pin)
		last = index - 1;

	nr = hole_pin(pages, first, last, batch);
	return nr ?: iopt_pages_fault_in(pages, first, last, faults, batch);
}

/*
 * Cut the run at the start of a slice, or after its end. Holes are not cut:
 * another caller may have claimed the indexes, and batch_record() cuts the runs
 * that fill the hole.
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
 * Return the number of pinned pages from @first on, within RELEASE_PAGES runs
 * at most. If the page at @first is not pinned return 0 and lower @last to the
 * end of the hole.
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

/* Give other callers a chance to take the mutex, if any can find @pages. */
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

/* Unpin a run. Returns the number of pages not transferred to accesses. */
static unsigned long run_release(struct iopt_pages *pages,
				 const struct iopt_run *run)
{
	if (!xa_empty(&pages->pins))
		return run->count - iopt_pins_inherit(pages, run);
	if (!run->lost)
		iopt_unpin_run(run, 0, run->count, pages->writable);
	return run->count;
}

/*
 * Unpin and clear whole runs. Lost pages stay pinned and charged to the process
 * permanently, because a device may still reach them. Returns their number.
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

		if (run.kind == IOPT_RUN_HOLE || run.kind == IOPT_RUN_PFNMAP)
			continue;
		if (work >= RELEASE_PAGES) {
			cond_resched();
			work = 0;
		}
		work += run.count;
		left = run_release(pages, &run);
		if (run.kind == IOPT_RUN_RAM)
			charged += left;
		if (run.lost && run.kind != IOPT_RUN_ZERO)
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

/* Unpin all runs of [@first, @last] that no slice of a holder covers. */
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
 * Pages of the slice that no holder and no access has pinned are pinned and
 * charged.
 *
 * Context: process context; takes @pages->mutex, killable. May sleep
 * indefinitely, killable, until a page is faulted in. The mutex is dropped
 * meanwhile unless @alone is set, so that callers that do not need that page
 * can proceed.
 * Return: 0, or an errno of iopt_gup() or iopt_fault_in(). On failure nothing
 * is pinned or charged by this call.
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
	/* From here on pages that other holders drop stay pinned. */
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
 * Pages that no other holder and no access needs are unpinned and uncharged,
 * with the exception of lost pages. If @pages are writable the unpinned pages
 * are marked dirty, because a device may have written to any of them.
 *
 * Context: process context, may sleep. @pages->mutex is held; the caller
 * releases it with iopt_pages_unlock().
 * Return: the number of lost pages.
 */
unsigned long iopt_pages_drop(struct iopt_pages *pages,
			      struct interval_tree_node *slice)
{
	lockdep_assert_held(&pages->mutex);
	interval_tree_remove(slice, &pages->holders);
	return unheld_release(pages, slice->start, slice->last);
}

/**
 * iopt_pages_adopt() - transfer pages to another process or address
 * @pages: pages that only one mapping uses. The caller keeps the mapping busy:
 *         other callers may unpin pages meanwhile, but cannot pin any
 * @uptr: new user address of the same memory, page aligned
 * @payer: the process that the memory belongs to now, and that is charged for
 *         it from now on; a reference is taken
 *
 * Pinned pages stay pinned. Pages that are pinned later are looked up at @uptr.
 *
 * Context: process context, may sleep indefinitely, killable. Takes the
 * mmap_lock to charge @payer, without holding @pages->mutex.
 * Return: 0, or
 * * %-ENOMEM - the limit of @payer does not allow the charge
 * * %-EINTR - killed
 *
 * On failure the old payer is charged as before.
 */
int iopt_pages_adopt(struct iopt_pages *pages, void __user *uptr,
		     struct iopt_payer *payer)
{
	struct iopt_payer *old;
	unsigned long npages;
	int rc;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	old = pages->payer;
	npages = pages->nr_charged;
	if (payer != old) {
		/* Uninterruptible callers such as detach wait for the mutex. */
		mutex_unlock(&pages->mutex);
		rc = iopt_move_charge_begin(old, payer, npages);
		if (rc)
			return rc;
		mutex_lock(&pages->mutex);
		iopt_move_charge_end(old, payer, npages, pages->nr_charged);
		pages->payer = iopt_payer_get(payer);
	}
	pages->uaddr = (unsigned long)untagged_addr(uptr);
	mutex_unlock(&pages->mutex);
	if (payer != old) {
		iopt_payer_sync(payer);
		iopt_payer_sync(old);
		iopt_payer_put(old);
	}
	return 0;
}
