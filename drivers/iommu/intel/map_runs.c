// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d implementation of the map_runs op.
 *
 * Vocabulary: a table is one page of the I/O page table. The level of a table
 * is 1 if its entries map 4 KiB each, 2 for 2 MiB and 3 for 1 GiB. A stretch is
 * a sequence of adjacent entries of one size in one table.
 *
 * Callers ensure that the range of a call contains no mapping and that no other
 * thread maps in this range. Tables that the range shares with other ranges are
 * added with cmpxchg64(), so no lock is needed. If a caller breaks this rule,
 * only an entry of the same size is detected. A large entry may replace a
 * table, which is empty then. The hardware may have cached the entry that
 * refers to the table, so the IOTLB is flushed before the table is freed.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/iommu.h>

#include "../run-cursor.h"
#include "iommu.h"

static size_t entry_size(int level)
{
	return VTD_PAGE_SIZE << (level - 1) * VTD_STRIDE_SHIFT;
}

/* Get the level of the largest entry that can be written next. */
static int cursor_level(const struct run_cursor *at, int max_level)
{
	u64 merged = at->iova | at->phys;
	int level = 1;

	while (level < max_level &&
	       IS_ALIGNED(merged, entry_size(level + 1)) &&
	       at->left >= entry_size(level + 1))
		level++;
	return level;
}

/* Compute the flags of an entry, except for DMA_PTE_LARGE_PAGE. */
static u64 entry_bits(const struct dmar_domain *domain, int prot)
{
	/*
	 * Like map_pages, make writable memory readable, too: in a first-level
	 * entry, DMA_PTE_READ is the present bit.
	 */
	u64 bits = DMA_PTE_READ;

	if (prot & IOMMU_WRITE)
		bits |= DMA_PTE_WRITE;
	if (domain->set_pte_snp)
		bits |= DMA_PTE_SNP;
	if (domain->flags & DOMAIN_FLAG_USE_FIRST_LEVEL) {
		bits |= DMA_FL_PTE_PRESENT | DMA_FL_PTE_XD | DMA_FL_PTE_US |
			DMA_FL_PTE_ACCESS;
		if (prot & IOMMU_WRITE)
			bits |= DMA_FL_PTE_DIRTY;
	}
	return bits;
}

/* Remove an empty table of small entries to make room for a large entry. */
static void remove_table(struct dmar_domain *domain, unsigned long iova,
			 size_t size)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	domain_unmap(domain, iova >> VTD_PAGE_SHIFT,
		     (iova + size - 1) >> VTD_PAGE_SHIFT, &gather.freelist);
	iommu_iotlb_gather_add_range(&gather, iova, size);
	iommu_iotlb_sync(&domain->domain, &gather);
}

/*
 * Write entries of one size until the table ends, the runs end, or another size
 * is needed. Because of its alignment, a larger entry can only follow the last
 * entry of a table. There is no size below 4 KiB, so the loop does not check
 * the size after a 4 KiB entry.
 */
static int map_stretch(struct dmar_domain *domain, struct run_cursor *at,
		       u64 bits, int max_level, gfp_t gfp)
{
	int level = cursor_level(at, max_level);
	size_t size = entry_size(level);
	struct dma_pte *first, *pte;
	int rc = 0;

	first = pfn_to_dma_pte(domain, at->iova >> VTD_PAGE_SHIFT, &level, gfp);
	if (!first)
		return -ENOMEM;
	if (level > 1)
		bits |= DMA_PTE_LARGE_PAGE;

	pte = first;
	do {
		if (level > 1 && dma_pte_present(pte) &&
		    !dma_pte_superpage(pte))
			remove_table(domain, at->iova, size);
		if (WARN_ON_ONCE(cmpxchg64_local(&pte->val, 0,
						 at->phys | bits))) {
			rc = -EEXIST;
			break;
		}
		pte++;
		run_cursor_advance(at, size);
	} while (at->left && !first_pte_in_page(pte) &&
		 (level == 1 || cursor_level(at, max_level) == level));
	domain_flush_cache(domain, first, (void *)pte - (void *)first);
	return rc;
}

/**
 * intel_iommu_map_runs() - implement the map_runs op
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
 * * %-EINVAL - @prot allows neither reading nor writing.
 * * %-EFAULT - The range exceeds the address width of @domain.
 * * %-ENOMEM - Out of memory.
 * * %-EEXIST - An entry of the range is present, which is a bug in the caller.
 *   As in the map_pages op, a present large page is not detected where smaller
 *   entries are to be written.
 */
int intel_iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
			 const struct iommu_phys_run *runs, unsigned int nr,
			 size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct run_cursor at = { .run = runs, .end = runs + nr, .iova = iova };
	int max_level = READ_ONCE(dmar_domain->iommu_superpage) + 1;
	u64 last = (u64)iova + bytes - 1;
	int rc = 0;
	u64 bits;

	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (last >> dmar_domain->gaw)
		return -EFAULT;
	domain_raise_max_addr(dmar_domain, last + 1);

	bits = entry_bits(dmar_domain, prot);
	run_cursor_load(&at);
	while (!rc && at.left)
		rc = map_stretch(dmar_domain, &at, bits, max_level, gfp);
	*mapped += at.iova - iova;
	return rc;
}
