// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning user memory in batches.
 *
 * Memory is always pinned in the process that mapped the memory or adopted it,
 * whichever process triggers the pinning. Each batch is pinned, packed into
 * runs and charged before the next one starts, so that pinned pages that are
 * not charged yet never exceed one batch per thread. Batch boundaries do not
 * affect the size of I/O page table entries.
 *
 * Pinning and faulting are two separate steps, so that other callers that are
 * waiting for pages of the batch do not wait for a fault. Except for hugetlb
 * and VM_PFNMAP mappings, pinning handles only pages that are present, and so
 * does not wait for a filesystem unless a page has to be migrated (see
 * page_migration.c) or a page fault of the process holds the mmap_lock.
 * Faulting may block indefinitely on a filesystem that does not respond. A
 * fault that waits for a page to be read is killable and usually drops the
 * mmap_lock.
 *
 * A page that is pinned read-only must remain the page that the process sees.
 * In a private mapping, a write by the process would replace a page that is not
 * anonymous. Faulting therefore replaces such a page with an anonymous page
 * before it is pinned; see vma_breaks_cow() for the exception.
 */
#include <linux/highmem.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "account.h"
#include "gup.h"
#include "page_migration.h"
#include "pages.h"
#include "runs_packed.h"
#include "trace.h"

#define BATCH_MAX	(PAGE_SIZE / sizeof(u64))

bool iopt_small_batches;

/*
 * True if copy-on-write has to be broken before a read-only pin. hugetlb does
 * not support that in a VMA without VM_WRITE.
 */
static bool vma_breaks_cow(const struct vm_area_struct *vma)
{
	return is_cow_mapping(vma->vm_flags) &&
	       (!is_vm_hugetlb_page((struct vm_area_struct *)vma) ||
		(vma->vm_flags & VM_WRITE));
}

/* Look up the pfn mapped at @addr in a VM_PFNMAP VMA. Fault it in if needed. */
static int follow_pfnmap(struct vm_area_struct *vma, unsigned long addr,
			 bool write, unsigned long *pfn)
{
	spinlock_t *ptl;	/* page table lock */
	pte_t *ptep;
	int rc;

	rc = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
	if (rc) {
		bool unlocked = false;

		rc = fixup_user_fault(vma->vm_mm, addr, FAULT_FLAG_REMOTE |
				      (write ? FAULT_FLAG_WRITE : 0),
				      &unlocked);
		if (rc)
			return rc;
		/* The mmap_lock was dropped, so the VMA may be stale. */
		if (unlocked)
			return -EAGAIN;
		rc = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
		if (rc)
			return rc;
	}
	/* follow_pte() takes the lock, but is not annotated for sparse. */
	__acquire(ptl);
	if (write && !pte_write(*ptep))
		rc = -EFAULT;
	else
		*pfn = pte_pfn(*ptep);
	pte_unmap_unlock(ptep, ptl);
	return rc;
}

/*
 * Look up contiguous pages of VM_PFNMAP mappings, starting at @addr. The pages
 * are not pinned, because they belong to the driver that mapped them. The run
 * ends before a page that the kernel manages, i.e. a valid pfn without
 * PG_reserved; if this is the first page, return -EFAULT. For reading, a
 * present page table entry is sufficient even without VM_READ, because only
 * faults check the protection of the VMA.
 */
static long pfnmap_first_run(struct mm_struct *mm, unsigned long addr,
			     unsigned long npages, bool write,
			     struct iopt_run *run)
{
	struct vm_area_struct *vma;
	unsigned long pfn;
	int rc = 0;

	run->count = 0;
	while (run->count != npages) {
		vma = vma_lookup(mm, addr);
		if (!vma || !(vma->vm_flags & VM_PFNMAP) ||
		    (write && !(vma->vm_flags & VM_WRITE)))
			break;
		rc = follow_pfnmap(vma, addr, write, &pfn);
		if (rc == -EAGAIN)
			continue;
		if (rc || !iopt_run_pfn_fits(pfn) ||
		    (pfn_valid(pfn) && !PageReserved(pfn_to_page(pfn))))
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
	if (run->count)
		return 0;
	return rc == -EINTR || rc == -ENOMEM ? rc : -EFAULT;
}

/* Return the number of anonymous pages at the start of a batch. */
static unsigned long batch_first_anon(struct page **batch, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i != npages; i++)
		if (!PageAnon(batch[i]))
			break;
	return i;
}

/*
 * Pin pages that are present, starting at @addr and up to the end of the VMA.
 * Returns the number of pages, 0 if the first page must be faulted in, or an
 * errno.
 */
static long gup_present(struct iopt_pages *pages, struct vm_area_struct *vma,
			unsigned long addr, unsigned long npages,
			struct page **batch)
{
	unsigned int flags = FOLL_LONGTERM | (pages->writable ? FOLL_WRITE : 0);
	struct mm_struct *mm = pages->payer->mm;
	struct iopt_migration migration;
	unsigned long anon;
	long nr = 0;

	npages = min(npages, (vma->vm_end - addr) >> PAGE_SHIFT);
	/* Fast GUP does not look up the VMA, so check VM_READ here. */
	if (!pages->writable && (vma->vm_flags & VM_READ) && mm == current->mm)
		nr = pin_user_pages_fast_only(addr, npages, flags, batch);
	if (nr <= 0) {
		iopt_migration_set(&migration, vma, addr, npages);
		if (iopt_migration_start(&migration))
			return -EINTR;
		nr = pin_user_pages_remote(mm, addr, npages,
					   flags | FOLL_NOFAULT, batch, NULL,
					   NULL);
		iopt_migration_end(&migration);
	}
	/* On -EFAULT, let iopt_fault_in() check whether memory is mapped. */
	if (nr <= 0)
		return nr == -EFAULT ? 0 : nr;

	if (!pages->writable && vma_breaks_cow(vma)) {
		anon = batch_first_anon(batch, nr);
		unpin_user_pages(batch + anon, nr - anon);
		nr = anon;
	}
	return nr;
}

/*
 * Pin up to @npages pages that are present, starting at @addr. Returns the
 * number of pages, 0 if the first page must be faulted in, or an errno. If the
 * memory has no struct page, @run describes it; otherwise @run->count is 0 on
 * return.
 */
static long gup_pages(struct iopt_pages *pages, unsigned long addr,
		      unsigned long npages, struct page **batch,
		      struct iopt_run *run)
{
	struct mm_struct *mm = pages->payer->mm;
	struct vm_area_struct *vma;
	long nr;

	run->count = 0;
	if (pages->writable && mm == current->mm) {
		nr = pin_user_pages_fast_only(addr, npages, FOLL_LONGTERM |
					      FOLL_WRITE, batch);
		if (nr > 0)
			return nr;
	}

	if (!mmget_not_zero(mm))
		return -ESRCH;
	nr = mmap_read_lock_killable(mm);
	if (nr)
		goto out;
	vma = vma_lookup(mm, addr);
	if (vma && (vma->vm_flags & VM_PFNMAP) && pages->pfnmap)
		nr = pfnmap_first_run(mm, addr, npages, pages->writable, run) ?:
		     run->count;
	else if (vma)
		nr = gup_present(pages, vma, addr, npages, batch);
	mmap_read_unlock(mm);
out:
	mmput(mm);
	return nr;
}

/**
 * iopt_fault_in() - make pages present so that iopt_gup() can pin them
 * @pages: the pages
 * @first: index of the first page
 * @npages: number of pages. Fewer pages may be faulted in if a fault has to
 *          wait or the VMA ends
 *
 * If vma_breaks_cow() returns true, pages that are to be pinned read-only are
 * replaced by anonymous pages of the process. The function does not wait for a
 * userfaultfd monitor: it fails with %-EFAULT for pages that only a monitor can
 * provide.
 *
 * Context: process context, may block indefinitely (killable). @pages->mutex is
 * not held, unless no other caller can find @pages.
 * Return: 0, or
 * * %-EFAULT - Nothing is mapped at the address, the protection of the mapping
 *   forbids the access, or the page cannot be faulted in, e.g. because it is
 *   beyond the end of the file.
 * * %-ESRCH - The process has exited.
 * * %-EINTR - A fatal signal is pending.
 * * %-ENOMEM - Out of memory.
 * * Another errno of get_user_pages_remote().
 */
int iopt_fault_in(struct iopt_pages *pages, unsigned long first,
		  unsigned long npages)
{
	unsigned long addr = pages->uaddr + (first << PAGE_SHIFT);
	struct mm_struct *mm = pages->payer->mm;
	int locked = 1, *may_wait;
	struct vm_area_struct *vma;
	unsigned int flags = 0;
	long rc;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	rc = mmap_read_lock_killable(mm);
	if (rc)
		goto out;
	vma = vma_lookup(mm, addr);
	rc = -EFAULT;
	if (!vma || !(vma->vm_flags & (pages->writable ? VM_WRITE : VM_READ)))
		goto out_unlock;
	npages = min(npages, (vma->vm_end - addr) >> PAGE_SHIFT);
	if (pages->writable || vma_breaks_cow(vma))
		flags = FOLL_WRITE;
	may_wait = userfaultfd_armed(vma) ? NULL : &locked;
	rc = 0;
	if (flags && !(vma->vm_flags & VM_WRITE)) {
		/*
		 * Break copy-on-write even though the VMA is not writable.
		 * Linux 6.2 does so for any read-only longterm pin. With
		 * FOLL_FORCE, GUP does not fault in pages that are PROT_NONE
		 * for NUMA balancing. Fault them in for reading first.
		 */
		rc = get_user_pages_remote(mm, addr, npages, 0, NULL, NULL,
					   may_wait);
		flags |= FOLL_FORCE;
	}
	if (rc >= 0 && locked)
		rc = get_user_pages_remote(mm, addr, npages, flags, NULL, NULL,
					   may_wait);
out_unlock:
	if (locked)
		mmap_read_unlock(mm);
out:
	mmput(mm);
	return min(rc, 0L);
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
 * Find the run at the start of a batch. Compare the pfn of each page, because
 * some pages in a mapping of a folio may have been replaced by pages of other
 * folios. The kind is the same for all pages of a folio.
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

static void pages_unpin(struct page **batch, unsigned long npages)
{
	struct iopt_run run;
	unsigned long i;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch + i, npages - i, &run);
		iopt_unpin_run(&run, 0, run.count, false);
	}
}

/* Pack pinned pages into runs. Returns the number of pages to charge. */
static unsigned long batch_pack(struct iopt_batch *batch, unsigned long npages)
{
	unsigned long i, nr_ram = 0;
	struct iopt_run run;

	for (i = 0; i != npages; i += run.count) {
		batch_first_run(batch->pages + i, npages - i, &run);
		iopt_run_batch_add(&batch->runs, &run);
		if (run.kind == IOPT_RUN_RAM)
			nr_ram += run.count;
	}
	return nr_ram;
}

/**
 * iopt_batch_init() - initialise a batch and allocate its arrays
 * @batch: the batch
 * @npages: total number of pages that the caller is going to pin
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM.
 */
int iopt_batch_init(struct iopt_batch *batch, unsigned long npages, gfp_t gfp)
{
	batch->alone = false;
	batch->max = IOPT_BATCH_FEW;
	batch->pages = batch->few_pages;
	batch->runs.packed = batch->few_packed;
	if (npages <= IOPT_BATCH_FEW ||
	    (IS_ENABLED(CONFIG_IOPT_DEBUG) && READ_ONCE(iopt_small_batches)))
		return 0;

	batch->max = BATCH_MAX;
	batch->pages = kmalloc_array(BATCH_MAX, sizeof(*batch->pages), gfp);
	batch->runs.packed = kmalloc_array(BATCH_MAX, sizeof(u64), gfp);
	if (batch->pages && batch->runs.packed)
		return 0;
	kfree(batch->pages);
	kfree(batch->runs.packed);
	return -ENOMEM;
}

/**
 * iopt_batch_free() - free the arrays of a batch
 * @batch: the batch; its pages stay pinned
 *
 * Context: any context that may call kfree().
 */
void iopt_batch_free(struct iopt_batch *batch)
{
	if (batch->max == IOPT_BATCH_FEW)
		return;
	kfree(batch->pages);
	kfree(batch->runs.packed);
}

/**
 * iopt_batch_undo() - unpin and uncharge pages of a batch
 * @pages: the pages that the batch was pinned for
 * @batch: the batch, filled by iopt_gup()
 * @first: position in the batch of the first page to unpin; all later pages are
 *         unpinned too
 *
 * Context: process context, may sleep. @pages->mutex is held; the caller
 * releases it with iopt_pages_unlock().
 */
void iopt_batch_undo(struct iopt_pages *pages, struct iopt_batch *batch,
		     unsigned long first)
{
	unsigned long i;
	struct iopt_run run;

	lockdep_assert_held(&pages->mutex);
	/*
	 * Memory without struct page is not pinned, and is alone in its batch.
	 */
	if (packed_kind(batch->runs.packed[0]) == IOPT_RUN_PFNMAP)
		return;
	for (i = first; i != batch->runs.npages; i += run.count) {
		batch_first_run(batch->pages + i, batch->runs.npages - i, &run);
		if (run.kind == IOPT_RUN_RAM)
			iopt_uncharge(pages->payer, run.count);
		iopt_unpin_run(&run, 0, run.count, false);
	}
}

/**
 * iopt_gup() - pin and charge one batch of pages that are present
 * @pages: the pages. The caller keeps other callers from pinning the same
 *         indexes
 * @first: index of the first page to pin
 * @npages: maximum number of pages to pin, at least 1
 * @batch: receives the pages, their runs and the number of pages charged
 *
 * Context: process context, may block indefinitely on the mmap_lock of the
 * process (killable), and while a page is migrated. Does not fault in pages,
 * except in hugetlb and VM_PFNMAP mappings. @pages->mutex is not held, unless
 * no other caller can find @pages.
 * Return: the number of pages pinned, starting at @first, or 0 if the first
 * page must be faulted in with iopt_fault_in(), or
 * * %-ENOMEM - Out of memory, a page cannot be migrated out of movable memory,
 *   or RLIMIT_MEMLOCK of the payer would be exceeded.
 * * %-EFAULT - In a VM_PFNMAP mapping, the first page cannot be faulted in, its
 *   protection forbids the access, or the kernel manages the page.
 * * %-ESRCH - The process has exited.
 * * %-EINTR - A fatal signal is pending.
 * * %-EOPNOTSUPP - The memory does not support longterm pins.
 * * Another errno of GUP.
 *
 * Nothing is pinned or charged unless the return value is positive.
 */
long iopt_gup(struct iopt_pages *pages, unsigned long first,
	      unsigned long npages, struct iopt_batch *batch)
{
	unsigned long addr = pages->uaddr + (first << PAGE_SHIFT);
	struct iopt_run run;
	int rc = 0;
	long nr;

	batch->runs.nr = 0;
	batch->runs.npages = 0;
	batch->nr_charged = 0;
	if (fatal_signal_pending(current))
		return -EINTR;

	nr = gup_pages(pages, addr, min(npages, batch->max), batch->pages,
		       &run);
	if (nr > 0 && run.count) {
		iopt_run_batch_add(&batch->runs, &run);
	} else if (nr > 0) {
		batch->nr_charged = batch_pack(batch, nr);
		rc = iopt_charge(pages->payer, batch->nr_charged);
	}
	if (rc) {
		pages_unpin(batch->pages, nr);
		nr = rc;
	}
	if (nr)
		trace_iopt_pin(pages, first, max(nr, 1L),
			       nr > 0 ? batch->nr_charged : 0, min(nr, 0L));
	return nr;
}
