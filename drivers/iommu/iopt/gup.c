// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning user memory, and unpinning it.
 *
 * Rule: the memory is the process' that made the mapping, whoever causes the
 * pinning, and it is worked in batches, each of which is pinned and recorded
 * before the next one. Where a batch ends does not show in the record, nor then
 * in the I/O pages (H19).
 *
 * The fast GUP serves the memory of the current process, as far as it gets. The
 * slow one keeps the mmap_lock over all faults, so that memory for which a
 * userfaultfd monitor would have to be asked is an error instead of a wait
 * (H12). Where both find nothing there may be memory without struct page, which
 * is a run of its own kind beside the others (H4).
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "pages.h"
#include "trace.h"

#define BATCH_MAX	(PAGE_SIZE / sizeof(struct page *))
#define BATCH_STACK	16

/*
 * The fast GUP looks at page tables alone, and a page table that can be
 * written can be read. So for a read-only pin make sure first that the process
 * itself may read the memory, and leave all else to the slow way, which finds
 * the right errno.
 */
static bool pages_may_read(struct iopt_pages *pages, unsigned long first,
			   unsigned long npages)
{
	unsigned long addr = pages->uaddr + (first << PAGE_SHIFT);
	unsigned long end = addr + (npages << PAGE_SHIFT);
	struct mm_struct *mm = pages->payer->mm;
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

/* The pfn in a page table entry that user space has no struct page of. */
static int follow_pfnmap(struct vm_area_struct *vma, unsigned long addr,
			 bool write, unsigned long *pfn)
{
	spinlock_t *ptl;	/* of the page table */
	pte_t *ptep;
	int rc;

	rc = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
	if (rc) {
		bool unlocked = false;

		rc = fixup_user_fault(vma->vm_mm, addr, FAULT_FLAG_REMOTE |
				      (write ? FAULT_FLAG_WRITE : 0),
				      &unlocked);
		/* The vma may be gone: look again. */
		if (unlocked)
			return -EAGAIN;
		if (!rc)
			rc = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
		if (rc)
			return rc;
	}
	/* sparse does not know what follow_pte() takes. */
	__acquire(ptl);
	if (write && !pte_write(*ptep))
		rc = -EFAULT;
	else
		*pfn = pte_pfn(*ptep);
	pte_unmap_unlock(ptep, ptl);
	return rc;
}

/*
 * Pages of a VM_PFNMAP mapping from @addr on, which are not pinned: who owns
 * that memory keeps it. Memory that the kernel manages is never taken so.
 */
static long pfnmap_first_run(struct mm_struct *mm, unsigned long addr,
			     unsigned long npages, bool write,
			     struct iopt_run *run)
{
	vm_flags_t need = VM_PFNMAP | (write ? VM_WRITE : VM_READ);
	struct vm_area_struct *vma;
	unsigned long pfn;
	int rc;

	run->count = 0;
	while (run->count != npages) {
		vma = vma_lookup(mm, addr);
		if (!vma || (vma->vm_flags & need) != need)
			break;
		rc = follow_pfnmap(vma, addr, write, &pfn);
		if (rc == -EAGAIN)
			continue;
		if (rc || (pfn_valid(pfn) && !PageReserved(pfn_to_page(pfn))))
			break;
		if (run->count && pfn != run->pfn + run->count)
			break;
		if (!run->count)
			run->pfn = pfn;
		run->count++;
		addr += PAGE_SIZE;
	}
	run->kind = IOPT_RUN_PFNMAP;
	run->lost = false;
	return run->count ? 0 : -EFAULT;
}

/*
 * Pin up to @npages at @addr the slow way. Returns how many, or why none; or 0
 * with @run filled in if the memory has no struct pages.
 */
static long gup_slow(struct iopt_pages *pages, unsigned long addr,
		     unsigned long npages, struct page **batch,
		     unsigned int flags, struct iopt_run *run)
{
	struct mm_struct *mm = pages->payer->mm;
	long rc;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	rc = mmap_read_lock_killable(mm);
	if (!rc) {
		rc = pin_user_pages_remote(mm, addr, npages, flags, batch,
					   NULL, NULL);
		/* It found nothing and no reason either. */
		if (!rc)
			rc = -EFAULT;
		if (rc == -EFAULT && pages->pfnmap)
			rc = pfnmap_first_run(mm, addr, npages,
					      flags & FOLL_WRITE, run);
		mmap_read_unlock(mm);
	}
	mmput(mm);
	return rc;
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

	run->lost = false;
	run->pfn = page_to_pfn(batch[0]);
	run->kind = folio_run_kind(folio);
	folio_end = folio_nr_pages(folio) - folio_page_idx(folio, batch[0]);

	for (i = 1; i != npages; i++) {
		unsigned long distance = i * iopt_run_stride(run->kind);

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

static void batch_unpin(struct page **batch, unsigned long npages)
{
	struct iopt_run run;
	unsigned long i;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch + i, npages - i, &run);
		iopt_unpin_run(&run, 0, run.count, false);
	}
}

/*
 * Take over a batch of pinned pages. A failure leaves what was recorded so far
 * to iopt_unpin_all(), and the rest is unpinned.
 */
static int batch_record(struct page **batch, unsigned long npages,
			struct iopt_runs *fresh, unsigned long *nr_ram,
			gfp_t gfp)
{
	struct iopt_run run;
	unsigned long i;
	int rc;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch + i, npages - i, &run);
		run.index = fresh->npages;
		rc = iopt_runs_append(fresh, &run, gfp);
		if (rc) {
			batch_unpin(batch + i, npages - i);
			return rc;
		}
		if (run.kind == IOPT_RUN_RAM)
			*nr_ram += run.count;
	}
	return 0;
}

/* Pin and record one batch. */
static int gup_batch(struct iopt_pages *pages, unsigned long index,
		     unsigned long npages, struct page **batch, bool fast,
		     struct iopt_runs *fresh, unsigned long *nr_ram)
{
	unsigned long addr = pages->uaddr + (index << PAGE_SHIFT);
	unsigned int flags = FOLL_LONGTERM;
	struct iopt_run run;
	long nr = 0;

	if (pages->writable)
		flags |= FOLL_WRITE;
	if (fast)
		nr = pin_user_pages_fast_only(addr, npages, flags, batch);
	if (nr <= 0)
		nr = gup_slow(pages, addr, npages, batch, flags, &run);
	if (nr < 0)
		return nr;
	if (nr)
		return batch_record(batch, nr, fresh, nr_ram, pages->gfp);
	run.index = fresh->npages;
	return iopt_runs_append(fresh, &run, pages->gfp);
}

/**
 * iopt_gup - pin pages, record and charge them
 * @pages: the pages
 * @first: index of the first one to pin
 * @npages: how many
 * @fresh: an empty record, which receives them by index from 0 on
 * @nr_charged: receives how many were charged
 *
 * Context: process context, may sleep for long: pages are faulted in.
 * @pages->mutex is held.
 * Return: 0, or -ENOMEM (memory, or the payer's limit), -EFAULT (memory that
 * is not there or may not be accessed so), -ESRCH (its process is gone), -EINTR
 * (killed), -EOPNOTSUPP (memory that cannot be pinned for long) or what else
 * GUP finds. Nothing is pinned, recorded or charged then.
 */
int iopt_gup(struct iopt_pages *pages, unsigned long first,
	     unsigned long npages, struct iopt_runs *fresh,
	     unsigned long *nr_charged)
{
	struct page *few[BATCH_STACK] __uninitialized;
	unsigned long max = BATCH_STACK, nr_ram = 0;
	struct page **batch = few;
	bool fast;
	int rc = 0;

	if (npages > BATCH_STACK) {
		batch = (struct page **)__get_free_page(pages->gfp);
		if (!batch)
			return -ENOMEM;
		max = BATCH_MAX;
	}

	fast = pages->payer->mm == current->mm &&
	       (pages->writable || pages_may_read(pages, first, npages));
	while (!rc && fresh->npages != npages) {
		unsigned long left = npages - fresh->npages;

		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		if (fresh->npages)
			cond_resched();
		rc = gup_batch(pages, first + fresh->npages, min(left, max),
			       batch, fast, fresh, &nr_ram);
		if (!rc && nr_ram && !iopt_charge_fits(pages->payer, nr_ram))
			rc = -ENOMEM;
	}
	if (!rc)
		rc = iopt_charge(pages->payer, nr_ram);
	if (rc)
		iopt_unpin_all(fresh);
	else
		*nr_charged = nr_ram;
	if (batch != few)
		free_page((unsigned long)batch);
	trace_iopt_pin(pages, first, npages, rc ? 0 : nr_ram, rc);
	return rc;
}

/**
 * iopt_unpin_all - unpin a record that nobody wrote to
 * @runs: the record; empty afterwards
 *
 * Context: process context, may sleep. The charge is the caller's.
 */
void iopt_unpin_all(struct iopt_runs *runs)
{
	struct iopt_run_iter iter;
	struct iopt_run run;

	if (!runs->npages)
		return;
	iopt_run_iter_start(&iter, runs, 0, runs->npages - 1);
	while (iopt_run_iter_next(&iter, &run)) {
		iopt_unpin_run(&run, 0, run.count, false);
		cond_resched();
	}
	iopt_runs_free(runs);
}
