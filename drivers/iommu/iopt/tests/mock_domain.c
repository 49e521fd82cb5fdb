// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mock IOMMU domain.
 *
 * It is strict where hardware drivers are not: mapping what is mapped and
 * unmapping what is not fail the test, as does a page that is unpinned while
 * the page table or the IOTLB may still reach it.
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/sizes.h>

#include "failing.h"
#include "mock_domain.h"
#include "user_mm.h"

#define PTE_PROT	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

static struct mock_domain *to_mock(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static void *pte_pack(unsigned long pfn, int prot)
{
	return xa_mk_value(pfn << 3 | (prot & PTE_PROT));
}

static void mock_maybe_block(struct mock_domain *mock, unsigned long iova,
			     size_t size)
{
	if (!mock->block_iova || mock->block_iova < iova ||
	    mock->block_iova - iova >= size)
		return;
	mock->block_iova = 0;
	complete(&mock->blocked);
	wait_for_completion(&mock->go_on);
}

/*
 * One step of mapping. An allocation that fails leaves what is mapped by then,
 * as it may with IOMMU drivers.
 */
static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned long i, npages = pgsize * pgcount >> PAGE_SHIFT;
	unsigned long index = iova >> PAGE_SHIFT;
	unsigned long pfn = PHYS_PFN(paddr);
	int rc = 0;

	mock_maybe_block(mock, iova, pgsize * pgcount);
	if (mock->lazy && mock->nr_maps % 4 == 0)
		usleep_range(5, 50);
	if (mock->fail_map && !--mock->fail_map)
		return -ENOMEM;

	for (i = 0; i != npages; i++) {
		void *old = xa_store(&mock->ptes, index + i,
				     pte_pack(pfn + i, prot), gfp);

		rc = xa_err(old);
		if (rc)
			break;
		KUNIT_EXPECT_PTR_EQ(mock->test, old, NULL);
		*mapped += PAGE_SIZE;
	}

	spin_lock(&mock->lock);
	mock->nr_maps++;
	if (!rc && pgsize > mock->largest)
		mock->largest = pgsize;
	if (pgsize > PAGE_SIZE)
		mock->nr_large += pgcount;
	mock->nr_ptes += i;
	spin_unlock(&mock->lock);
	return rc;
}

/* The largest I/O page that fits. */
static size_t mock_pgsize(struct iommu_domain *domain, u64 merged, size_t left)
{
	unsigned long sizes = domain->pgsize_bitmap;

	while (!IS_ALIGNED(merged, 1ULL << __fls(sizes)) ||
	       left < 1UL << __fls(sizes))
		sizes &= ~(1UL << __fls(sizes));
	return 1UL << __fls(sizes);
}

static int mock_map_runs(struct iommu_domain *domain, unsigned long iova,
			 const struct iommu_phys_run *runs, unsigned int nr,
			 size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mock = to_mock(domain);
	size_t sum = 0;
	unsigned int i;

	spin_lock(&mock->lock);
	mock->nr_run_calls++;
	mock->nr_runs += nr;
	spin_unlock(&mock->lock);

	for (i = 0; i != nr; i++) {
		size_t end = sum + runs[i].bytes;

		while (sum != end) {
			phys_addr_t phys = runs[i].phys + runs[i].bytes -
					   (end - sum);
			size_t pgsize = mock_pgsize(domain, phys | (iova + sum),
						    end - sum);
			int rc = mock_map_pages(domain, iova + sum, phys,
						pgsize, 1, prot, gfp, mapped);

			if (rc)
				return rc;
			sum += pgsize;
		}
	}
	KUNIT_EXPECT_EQ(mock->test, bytes, sum);
	return 0;
}

/* What was mapped is not valid before this. */
static void mock_iotlb_sync_map(struct iommu_domain *domain, unsigned long iova,
				size_t size)
{
	struct mock_domain *mock = to_mock(domain);

	spin_lock(&mock->lock);
	mock->nr_sync_maps++;
	mock->synced += size >> PAGE_SHIFT;
	spin_unlock(&mock->lock);
}

/* The failures that a test orders are for the engine, not for the mock. */
static void mock_note_unflushed(struct mock_domain *mock, unsigned long pfn)
{
	unsigned int pending = test_fail_suspend();

	xa_store(&mock->unflushed, pfn, xa_mk_value(1), GFP_KERNEL);
	test_fail_allocation(pending);
}

static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned long index = iova >> PAGE_SHIFT;
	unsigned long i, npages = pgsize * pgcount >> PAGE_SHIFT;

	mock_maybe_block(mock, iova, pgsize * pgcount);
	if (mock->lazy && mock->nr_maps % 4 == 0)
		usleep_range(5, 50);
	if (mock->fail_unmap && !--mock->fail_unmap)
		return 0;
	if (mock->short_unmap && npages > mock->short_unmap)
		npages = mock->short_unmap;
	for (i = 0; i != npages; i++) {
		void *old = xa_erase(&mock->ptes, index + i);
		unsigned long pfn = xa_to_value(old) >> 3;

		KUNIT_EXPECT_NOT_NULL(mock->test, old);
		if (!old)
			break;
		mock_note_unflushed(mock, pfn);
	}

	spin_lock(&mock->lock);
	mock->nr_unmaps++;
	mock->nr_ptes -= i;
	spin_unlock(&mock->lock);
	return i << PAGE_SHIFT;
}

static void mock_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned long pfn;
	void *entry;

	spin_lock(&mock->lock);
	mock->nr_flushes++;
	xa_for_each(&mock->unflushed, pfn, entry) {
		KUNIT_EXPECT_TRUE(mock->test, mock->pfnmap ||
				  !pfn_valid(pfn) ||
				  is_zero_page(pfn_to_page(pfn)) ||
				  page_maybe_dma_pinned(pfn_to_page(pfn)));
		xa_erase(&mock->unflushed, pfn);
	}
	spin_unlock(&mock->lock);
}

static const struct iommu_domain_ops mock_ops = {
	.map_pages = mock_map_pages,
	.iotlb_sync_map = mock_iotlb_sync_map,
	.unmap_pages = mock_unmap_pages,
	.iotlb_sync = mock_iotlb_sync,
};

static const struct iommu_domain_ops mock_runs_ops = {
	.map_pages = mock_map_pages,
	.map_runs = mock_map_runs,
	.iotlb_sync_map = mock_iotlb_sync_map,
	.unmap_pages = mock_unmap_pages,
	.iotlb_sync = mock_iotlb_sync,
};

static void mock_domain_free(struct kunit_resource *res)
{
	struct mock_domain *mock = res->data;

	xa_destroy(&mock->ptes);
	xa_destroy(&mock->unflushed);
	kfree(mock);
}

/* A domain of 4K, 2M and 1G pages and 48 bits; it goes with the test case. */
struct mock_domain *mock_domain_alloc(struct kunit *test)
{
	struct mock_domain *mock = kzalloc(sizeof(*mock), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mock);
	mock->test = test;
	mock->domain.type = IOMMU_DOMAIN_UNMANAGED;
	mock->domain.ops = &mock_ops;
	mock->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M | SZ_1G;
	mock->domain.geometry.aperture_end = (1ULL << 48) - 1;
	mock->domain.geometry.force_aperture = true;
	spin_lock_init(&mock->lock);
	xa_init(&mock->ptes);
	xa_init(&mock->unflushed);
	init_completion(&mock->blocked);
	init_completion(&mock->go_on);
	kunit_alloc_resource(test, NULL, mock_domain_free, GFP_KERNEL, mock);
	return mock;
}

/* Give a domain that nothing uses yet the map_runs op. */
void mock_domain_take_runs(struct mock_domain *mock)
{
	mock->domain.ops = &mock_runs_ops;
}

/* The page frame an IOVA translates to, or 0. */
unsigned long mock_domain_pfn(struct mock_domain *mock, unsigned long iova)
{
	void *pte = xa_load(&mock->ptes, iova >> PAGE_SHIFT);

	return pte ? xa_to_value(pte) >> 3 : 0;
}

/* What a device may do at an IOVA. */
int mock_domain_prot(struct mock_domain *mock, unsigned long iova)
{
	void *pte = xa_load(&mock->ptes, iova >> PAGE_SHIFT);

	return pte ? xa_to_value(pte) & PTE_PROT : 0;
}

/* Each IOVA page translates to the user's page, which is pinned once. */
void mock_expect_maps(struct mock_domain *mock, unsigned long iova,
		      unsigned long uaddr, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i != npages; i++) {
		unsigned long offset = i << PAGE_SHIFT;
		unsigned long pfn = test_user_pfn(mock->test, uaddr + offset);

		KUNIT_EXPECT_EQ(mock->test, pfn,
				mock_domain_pfn(mock, iova + offset));
		KUNIT_EXPECT_EQ(mock->test, 1, test_pins(pfn));
	}
}

/* Nothing is mapped in a range. */
void mock_expect_empty(struct mock_domain *mock, unsigned long iova,
		       unsigned long npages)
{
	unsigned long index = iova >> PAGE_SHIFT;

	KUNIT_EXPECT_PTR_EQ(mock->test, NULL,
			    xa_find(&mock->ptes, &index, index + npages - 1,
				    XA_PRESENT));
}
