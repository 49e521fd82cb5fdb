// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD implementation of the map_runs op, for v1 page tables.
 *
 * Vocabulary: a table is one page of the I/O page table. The level of a table
 * is 0 if an entry of it maps 4 KiB, 1 for 2 MiB and 2 for 1 GiB. An I/O page
 * is one such entry, or a power of two of adjacent entries, which are equal. A
 * stretch is a sequence of adjacent I/O pages in one table.
 *
 * Callers ensure that the range of a call contains no mapping and that no other
 * thread maps in this range. Tables that the range shares with other ranges are
 * added with cmpxchg64(), so no lock is needed. If a caller breaks this rule,
 * only an I/O page of the same level is detected. An I/O page may replace
 * tables, which are empty then. The hardware may have cached the entries that
 * refer to them, so the IOTLB is flushed before the tables are freed.
 */
#include <linux/align.h>
#include <linux/bits.h>
#include <linux/bug.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/spinlock.h>

#include "../run-cursor.h"
#include "amd_iommu.h"

/* Even the smallest page table has tables of level 2. Use no larger entries. */
#define MAX_PGSIZE	(PTE_LEVEL_PAGE_SIZE(3) / 2)

/**
 * struct filling - data of a call
 * @domain: the domain
 * @pgsizes: sizes of I/O pages that may be used
 * @bits: flags of each entry
 * @gfp: allocation flags for tables
 * @removed: tables to be freed after the flush
 * @flush: true if the hardware may have cached an entry that was changed
 */
struct filling {
	struct protection_domain *domain;
	unsigned long pgsizes;
	u64 bits;
	gfp_t gfp;
	struct list_head removed;
	bool flush;
};

static u64 entry_bits(int prot)
{
	u64 bits = IOMMU_PTE_PR | IOMMU_PTE_FC;

	if (prot & IOMMU_READ)
		bits |= IOMMU_PTE_IR;
	if (prot & IOMMU_WRITE)
		bits |= IOMMU_PTE_IW;
	return bits;
}

/* Compute the value of the @nr equal entries of an I/O page. */
static u64 entry_value(phys_addr_t phys, size_t size, unsigned int nr, u64 bits)
{
	u64 address = __sme_set(phys);

	if (nr == 1)
		return address | bits;
	return PAGE_SIZE_PTE(address, size) | PM_LEVEL_ENC(PAGE_MODE_7_LEVEL) |
	       bits;
}

/* Remove an empty table. Fail if the entry @pte maps memory. */
static int remove_table(struct filling *fill, u64 *pte, u64 val)
{
	int mode = IOMMU_PTE_MODE(val);

	if (WARN_ON_ONCE(mode == PAGE_MODE_NONE || mode == PAGE_MODE_7_LEVEL))
		return -EEXIST;
	v1_clear_pte(pte, val, &fill->removed);
	fill->flush = true;
	return 0;
}

static int map_page(struct filling *fill, u64 *pte, unsigned int nr, u64 entry)
{
	unsigned int i;
	int rc;

	for (i = 0; i != nr; i++) {
		u64 val = READ_ONCE(pte[i]);

		if (unlikely(IOMMU_PTE_PRESENT(val))) {
			rc = remove_table(fill, &pte[i], val);
			if (rc)
				return rc;
		}
	}
	for (i = 0; i != nr; i++)
		WRITE_ONCE(pte[i], entry);
	return 0;
}

/* Map I/O pages until the table ends, the runs end, or the level changes. */
static int map_stretch(struct filling *fill, struct run_cursor *at)
{
	size_t size = run_cursor_pgsize(at, fill->pgsizes), next;
	unsigned int nr = PAGE_SIZE_PTE_COUNT(size);
	u64 *pte;
	int rc;

	pte = v1_alloc_pte(fill->domain, at->iova, size, NULL, fill->gfp,
			   &fill->flush);
	if (!pte)
		return -ENOMEM;
	for (;;) {
		rc = map_page(fill, pte, nr,
			      entry_value(at->phys, size, nr, fill->bits));
		if (rc)
			return rc;
		pte += nr;
		run_cursor_advance(at, size);
		if (!at->left || IS_ALIGNED((unsigned long)pte, PAGE_SIZE))
			return 0;
		next = run_cursor_pgsize(at, fill->pgsizes);
		if (next == size)
			continue;
		if (PAGE_SIZE_LEVEL(next) != PAGE_SIZE_LEVEL(size))
			return 0;
		size = next;
		nr = PAGE_SIZE_PTE_COUNT(size);
	}
}

static void flush_and_free(struct filling *fill)
{
	struct protection_domain *domain = fill->domain;
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	amd_iommu_domain_flush_tlb_pde(domain);
	amd_iommu_domain_flush_complete(domain);
	spin_unlock_irqrestore(&domain->lock, flags);
	put_pages_list(&fill->removed);
}

/**
 * amd_iommu_map_runs() - implement the map_runs op
 * @domain: the domain
 * @iova: IOVA of the first run
 * @runs: array of runs
 * @nr: number of runs
 * @bytes: total length of the runs in bytes, not 0
 * @prot: IOMMU_READ etc.
 * @gfp: allocation flags for tables
 * @mapped: incremented by the number of bytes mapped
 *
 * Context: As for iommu_map_runs().
 * Return: 0, or
 * * %-EOPNOTSUPP - @domain has a v2 page table.
 * * %-EINVAL - @domain has no page table, or @prot allows neither reading nor
 *   writing.
 * * %-ENOMEM - Out of memory.
 * * %-EEXIST - An entry of the range is present, which is a bug in the caller.
 *   A present I/O page is not detected where smaller entries are to be written.
 */
int amd_iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
		       const struct iommu_phys_run *runs, unsigned int nr,
		       size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct run_cursor at = { .run = runs, .end = runs + nr, .iova = iova };
	struct filling fill = {
		.domain = container_of(domain, struct protection_domain,
				       domain),
		.pgsizes = domain->pgsize_bitmap & (2 * MAX_PGSIZE - 1),
		.bits = entry_bits(prot),
		.gfp = gfp,
		.removed = LIST_HEAD_INIT(fill.removed),
	};
	int rc = 0;

	if (fill.domain->iop.iop.fmt != AMD_IOMMU_V1)
		return -EOPNOTSUPP;
	if (fill.domain->iop.mode == PAGE_MODE_NONE)
		return -EINVAL;
	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;

	run_cursor_load(&at);
	while (!rc && at.left)
		rc = map_stretch(&fill, &at);
	if (fill.flush)
		flush_and_free(&fill);
	*mapped += at.iova - iova;
	return rc;
}
