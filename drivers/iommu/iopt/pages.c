// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_pages: a slice of a process' memory, and its pins.
 *
 * A holder is someone who needs the pages to stay: a mapping that a domain
 * translates. The first holder pins the pages and charges them, the last one
 * unpins and uncharges. What is pinned stands in the runs; nobody else knows.
 *
 * Rule: the memory is the process' that made the mapping, whoever causes the
 * pinning, and it is worked in batches, each of which is pinned, charged and
 * recorded before the next one. Dropping never allocates and never fails.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pages.h"

#define BATCH_MAX	(PAGE_SIZE / sizeof(struct page *))
#define BATCH_STACK	16

/**
 * iopt_pages_alloc - describe memory of the current process
 * @uptr: first byte, page aligned
 * @length: in bytes, a multiple of the page size, not 0
 * @writable: devices may write to it
 * @account: whom pins are charged to
 * @gfp: allocation flags, now and for the record of pins
 *
 * Nothing is looked up and nothing pinned before the first holder comes.
 *
 * Context: process context with an mm, may sleep.
 * Return: the pages with one reference, or -ENOMEM.
 */
struct iopt_pages *iopt_pages_alloc(void __user *uptr, unsigned long length,
				    bool writable, enum iopt_account account,
				    gfp_t gfp)
{
	struct iopt_pages *pages;

	pages = kzalloc(sizeof(*pages), gfp);
	if (!pages)
		return ERR_PTR(-ENOMEM);

	kref_init(&pages->kref);
	mutex_init(&pages->mutex);
	pages->uaddr = (unsigned long)untagged_addr(uptr);
	pages->npages = length >> PAGE_SHIFT;
	pages->nr_safe = pages->npages;
	pages->writable = writable;
	pages->gfp = gfp;
	iopt_payer_init_current(&pages->payer, account);
	return pages;
}

static void pages_release(struct kref *kref)
{
	struct iopt_pages *pages = container_of(kref, struct iopt_pages, kref);

	WARN_ON(pages->nr_holders);
	iopt_payer_destroy(&pages->payer);
	mutex_destroy(&pages->mutex);
	kfree(pages);
}

/**
 * iopt_pages_put - drop a reference
 * @pages: the pages; without holders if this is the last reference
 *
 * Context: process context, may sleep.
 */
void iopt_pages_put(struct iopt_pages *pages)
{
	kref_put(&pages->kref, pages_release);
}

/*
 * The fast GUP looks at page tables alone, and a page table that can be
 * written can be read. So for a read-only pin make sure first that the process
 * itself may read the memory, and leave all else to the slow way, which finds
 * the right errno.
 */
static bool pages_may_read(struct iopt_pages *pages)
{
	unsigned long end = pages->uaddr + (pages->npages << PAGE_SHIFT);
	struct mm_struct *mm = pages->payer.mm;
	unsigned long addr = pages->uaddr;
	struct vm_area_struct *vma;

	mmap_read_lock(mm);
	while (addr < end) {
		vma = vma_lookup(mm, addr);
		if (!vma || !(vma->vm_flags & VM_READ))
			break;
		addr = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return addr >= end;
}

static long pages_gup_slow(struct iopt_pages *pages, unsigned long addr,
			   unsigned long npages, struct page **batch,
			   unsigned int flags)
{
	struct mm_struct *mm = pages->payer.mm;
	long rc;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	rc = mmap_read_lock_killable(mm);
	if (!rc) {
		rc = pin_user_pages_remote(mm, addr, npages, flags, batch,
					   NULL, NULL);
		mmap_read_unlock(mm);
		/* It found nothing and no reason either. */
		if (!rc)
			rc = -EFAULT;
	}
	mmput(mm);
	return rc;
}

/* Pin up to @npages from @index on. Returns how many, or why none. */
static long pages_gup(struct iopt_pages *pages, unsigned long index,
		      unsigned long npages, struct page **batch, bool fast)
{
	unsigned long addr = pages->uaddr + (index << PAGE_SHIFT);
	unsigned int flags = FOLL_LONGTERM;
	int nr;

	if (pages->writable)
		flags |= FOLL_WRITE;
	if (fast) {
		nr = pin_user_pages_fast_only(addr, npages, flags, batch);
		if (nr > 0)
			return nr;
	}
	return pages_gup_slow(pages, addr, npages, batch, flags);
}

static enum iopt_run_kind folio_run_kind(struct folio *folio)
{
	if (is_zero_folio(folio))
		return IOPT_RUN_ZERO;
	if (folio_test_reserved(folio))
		return IOPT_RUN_RESERVED;
	return IOPT_RUN_RAM;
}

/*
 * How many pages at the start of the batch make one run. Each page's place is
 * looked at, for the ends of a folio may be where they should while something
 * else was moved in between; what a page is, once per folio.
 */
static void batch_first_run(struct page **batch, unsigned long npages,
			    struct iopt_run *run)
{
	struct folio *folio = page_folio(batch[0]);
	unsigned long i, folio_end;

	run->pfn = page_to_pfn(batch[0]);
	run->kind = folio_run_kind(folio);
	folio_end = folio_nr_pages(folio) - folio_page_idx(folio, batch[0]);

	for (i = 1; i != npages; i++) {
		unsigned long distance = run->kind == IOPT_RUN_ZERO ? 0 : i;

		if (page_to_pfn(batch[i]) != run->pfn + distance)
			break;
		if (i < folio_end)
			continue;
		folio = page_folio(batch[i]);
		if (folio_run_kind(folio) != run->kind)
			break;
		folio_end = i + folio_nr_pages(folio) -
			    folio_page_idx(folio, batch[i]);
	}
	run->count = i;
}

static void batch_unpin(struct page **batch, unsigned long npages, bool dirty)
{
	struct iopt_run run;
	unsigned long i;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch + i, npages - i, &run);
		if (run.kind != IOPT_RUN_ZERO)
			unpin_user_page_range_dirty_lock(batch[i], run.count,
							 dirty);
	}
}

/*
 * Take over a batch of pinned pages: record and charge them. A failure leaves
 * what was recorded so far to pages_unpin(), and the rest is unpinned.
 */
static int pages_record_batch(struct iopt_pages *pages, struct page **batch,
			      unsigned long npages)
{
	unsigned long i, nr_ram = 0;
	struct iopt_run run;
	int rc;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch + i, npages - i, &run);
		run.index = pages->runs.npages;
		rc = iopt_runs_append(&pages->runs, &run, pages->gfp);
		if (rc) {
			batch_unpin(batch + i, npages - i, false);
			return rc;
		}
		if (run.kind == IOPT_RUN_RAM)
			nr_ram += run.count;
	}

	rc = iopt_charge(&pages->payer, nr_ram);
	if (!rc)
		pages->nr_charged += nr_ram;
	return rc;
}

static void run_unpin(const struct iopt_run *run, unsigned long npages,
		      bool dirty)
{
	if (run->kind != IOPT_RUN_ZERO)
		unpin_user_page_range_dirty_lock(pfn_to_page(run->pfn), npages,
						 dirty);
}

/*
 * Unpin and forget the record. Pages from @nr_safe on stay pinned and charged
 * for ever: a device may still reach them. Returns their number.
 */
static unsigned long pages_unpin(struct iopt_pages *pages,
				 unsigned long nr_safe, bool dirty)
{
	unsigned long lost = 0, lost_ram = 0;
	struct iopt_run_iter iter;
	struct iopt_run run;

	iopt_run_iter_start(&iter, &pages->runs, 0);
	while (iopt_run_iter_next(&iter, &run)) {
		unsigned long nr = 0;

		if (run.index < nr_safe)
			nr = min(run.count, nr_safe - run.index);
		if (nr)
			run_unpin(&run, nr, dirty);
		if (run.kind != IOPT_RUN_ZERO)
			lost += run.count - nr;
		if (run.kind == IOPT_RUN_RAM)
			lost_ram += run.count - nr;
		cond_resched();
	}
	iopt_uncharge(&pages->payer, pages->nr_charged - lost_ram);
	pages->nr_charged = 0;
	iopt_runs_free(&pages->runs);
	return lost;
}

static int pages_pin(struct iopt_pages *pages)
{
	struct page *few[BATCH_STACK];
	unsigned long max = BATCH_STACK;
	struct page **batch = few;
	bool fast;
	int rc = 0;

	if (pages->npages > BATCH_STACK) {
		batch = (struct page **)__get_free_page(pages->gfp);
		if (!batch)
			return -ENOMEM;
		max = BATCH_MAX;
	}

	fast = pages->payer.mm == current->mm &&
	       (pages->writable || pages_may_read(pages));
	while (pages->runs.npages != pages->npages) {
		unsigned long index = pages->runs.npages;
		unsigned long npages = min(pages->npages - index, max);
		long nr;

		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		cond_resched();

		nr = pages_gup(pages, index, npages, batch, fast);
		rc = nr < 0 ? nr : pages_record_batch(pages, batch, nr);
		if (rc)
			break;
	}

	if (rc)
		pages_unpin(pages, pages->npages, false);
	if (batch != few)
		free_page((unsigned long)batch);
	return rc;
}

/**
 * iopt_pages_hold - become a holder of pages
 * @pages: the pages
 *
 * The first holder pins and charges them.
 *
 * Context: process context, may sleep for long: pages are faulted in.
 * Takes @pages->mutex.
 * Return: 0, or -ENOMEM (memory, or the payer's limit), -EFAULT (memory that
 * is not there, may not be accessed so, or whose process is gone), -EINTR
 * (killed), -EOPNOTSUPP (memory that cannot be pinned for long) or what else
 * GUP finds. Nothing is pinned or charged by this call then.
 */
int iopt_pages_hold(struct iopt_pages *pages)
{
	int rc = 0;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	if (!pages->nr_holders)
		rc = pages_pin(pages);
	if (!rc)
		pages->nr_holders++;
	mutex_unlock(&pages->mutex);
	return rc;
}

/**
 * iopt_pages_lose - an IOMMU driver failed to unmap pages
 * @pages: the pages, with at least one holder
 * @nr_safe: how many pages from the start the domain no longer reaches
 *
 * The other pages will not be unpinned ever: better lost than overwritten.
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 */
void iopt_pages_lose(struct iopt_pages *pages, unsigned long nr_safe)
{
	mutex_lock(&pages->mutex);
	pages->nr_safe = min(pages->nr_safe, nr_safe);
	mutex_unlock(&pages->mutex);
}

/**
 * iopt_pages_drop - stop being a holder of pages
 * @pages: the pages
 *
 * The last holder unpins and uncharges them, except for lost ones.
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 * Return: the number of lost pages.
 */
unsigned long iopt_pages_drop(struct iopt_pages *pages)
{
	unsigned long lost = 0;

	mutex_lock(&pages->mutex);
	if (!--pages->nr_holders)
		lost = pages_unpin(pages, pages->nr_safe, pages->writable);
	mutex_unlock(&pages->mutex);
	return lost;
}
