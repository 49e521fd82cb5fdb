// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of VT-d IOTLB flushes.
 *
 * A flush must cover the whole range that was unmapped. A page table must not
 * be freed before its range is flushed.
 */
#include <linux/build_bug.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/stddef.h>

#include "fake_unit.h"

/*
 * A store to another flag must not rewrite the byte of has_iotlb_device. Such a
 * store could undo a concurrent update, and device TLBs would not be flushed.
 */
static_assert(offsetof(struct dmar_domain, iommu_coherency) !=
	      offsetof(struct dmar_domain, has_iotlb_device));
static_assert(offsetof(struct dmar_domain, set_pte_snp) !=
	      offsetof(struct dmar_domain, has_iotlb_device));

static struct vtd_bed *bed;

static int setup(struct kunit *test)
{
	bed = vtd_bed_create(test);
	return 0;
}

static void teardown(struct kunit *test)
{
	vtd_bed_destroy(bed);
}

static bool flushed(u8 type, u64 start, u64 last)
{
	return vtd_bed_flushed(bed, type, start, last);
}

/*
 * Map the first page of a range, discard the flushes recorded so far, and unmap
 * the range. If no page were mapped, the driver would extend a short range to
 * the whole range of the missing page table.
 */
static void unmap(struct kunit *test, u64 iova, u64 length)
{
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, iova, 0, SZ_4K, IOMMU_READ));
	bed->nr = 0;
	KUNIT_EXPECT_EQ(test, length, iommu_unmap(bed->domain, iova, length));
}

/*
 * The order of a flush is that of the smallest aligned block that contains the
 * range.
 */
static void order_of_range(struct kunit *test)
{
	unsigned long pfn, pages;

	for (pfn = 0; pfn != 40; pfn++) {
		for (pages = 1; pages != 70; pages++) {
			unsigned int order = iotlb_flush_order(pfn, pages);
			unsigned long last = pfn + pages - 1;

			KUNIT_EXPECT_EQ(test, pfn >> order, last >> order);
			if (order)
				KUNIT_EXPECT_NE(test, pfn >> (order - 1),
						last >> (order - 1));
		}
	}
	KUNIT_EXPECT_EQ(test, 32, iotlb_flush_order(1UL << 32, 1UL << 32));
	KUNIT_EXPECT_EQ(test, 52, iotlb_flush_order(5, 0));
	KUNIT_EXPECT_EQ(test, 52, iotlb_flush_order(0, 1UL << 52));
}

/* An unmap of any length flushes its whole range from the IOTLB. */
static void long_unmaps(struct kunit *test)
{
	static const u64 lengths[] = {
		SZ_4K, SZ_1G, SZ_1T, 8 * SZ_1T, 8 * SZ_1T + SZ_1G, 16 * SZ_1T,
		16 * SZ_1T + SZ_1G, 32 * SZ_1T, 1ULL << 52,
	};
	unsigned int i, start;

	for (start = 0; start != 2; start++) {
		for (i = 0; i != ARRAY_SIZE(lengths); i++) {
			u64 iova = 64 * SZ_1T * start;

			unmap(test, iova, lengths[i]);
			KUNIT_EXPECT_GT(test, bed->nr, 0);
			KUNIT_EXPECT_TRUE_MSG(test,
					      flushed(QI_IOTLB_TYPE, iova,
						      iova + lengths[i] - 1),
					      "%llx bytes at %llx",
					      lengths[i], iova);
		}
	}
}

/*
 * If the range of an unmap is an aligned block within the limit of
 * page-selective invalidation, no other pages are flushed.
 */
static void short_unmaps_flush_no_more(struct kunit *test)
{
	unmap(test, SZ_1G, SZ_8K);
	KUNIT_ASSERT_EQ(test, 1, bed->nr);
	KUNIT_EXPECT_EQ(test, SZ_1G, bed->flushes[0].start);
	KUNIT_EXPECT_EQ(test, SZ_1G + SZ_8K - 1, bed->flushes[0].last);
}

/* A map flushes its whole range if the unit caches non-present entries. */
static void long_maps_in_caching_mode(struct kunit *test)
{
	bed->iommu.cap |= CAP_CACHING;
	bed->domain->ops->iotlb_sync_map(bed->domain, 0, 16 * SZ_1T);
	KUNIT_EXPECT_TRUE(test, flushed(QI_IOTLB_TYPE, 0, 16 * SZ_1T - 1));
	bed->nr = 0;
	bed->domain->ops->iotlb_sync_map(bed->domain, 0, 16 * SZ_1T + SZ_1G);
	KUNIT_EXPECT_TRUE(test,
			  flushed(QI_IOTLB_TYPE, 0, 16 * SZ_1T + SZ_1G - 1));
}

/* An unmap flushes its whole range from device TLBs. */
static void long_unmaps_flush_device_tlbs(struct kunit *test)
{
	static const u64 lengths[] = {
		SZ_4K, SZ_1G, 8 * SZ_1T, 8 * SZ_1T + SZ_1G, 16 * SZ_1T,
		16 * SZ_1T + SZ_1G, 1ULL << 52,
	};
	struct dmar_domain *domain = to_dmar_domain(bed->domain);
	struct device_domain_info device = {
		.iommu = &bed->iommu,
		.domain = domain,
		.ats_enabled = 1,
	};
	unsigned int i;

	vtd_bed_start_queue(test, bed);
	list_add(&device.link, &domain->devices);
	domain->has_iotlb_device = true;
	for (i = 0; i != ARRAY_SIZE(lengths); i++) {
		unmap(test, 0, lengths[i]);
		KUNIT_EXPECT_TRUE_MSG(test,
				      flushed(QI_DIOTLB_TYPE, 0,
					      lengths[i] - 1),
				      "%llx bytes", lengths[i]);
	}
	unmap(test, SZ_4K, SZ_4K);
	KUNIT_EXPECT_TRUE(test, flushed(QI_DIOTLB_TYPE, SZ_4K, SZ_8K - 1));
	KUNIT_EXPECT_FALSE(test, flushed(QI_DIOTLB_TYPE, 0, SZ_4K - 1));
	list_del(&device.link);
	vtd_bed_stop_queue(bed);
}

/*
 * With first-level page tables, an unmap flushes its whole range even if the
 * range is not aligned to its size. An unmap of an aligned block of any size
 * flushes nothing else: the limit of page-selective invalidation does not apply
 * to flushes with a PASID.
 */
static void first_level_ranges(struct kunit *test)
{
	static const struct {
		u64 iova;
		u64 bytes;
	} ranges[] = {
		{ SZ_4K, SZ_8K }, { 3 * SZ_4K, 3 * SZ_4K }, { SZ_2M - SZ_4K, SZ_8K },
		{ SZ_1G, SZ_2M }, { 0, 16 * SZ_1T }, { 0, 16 * SZ_1T + SZ_1G },
	};
	unsigned int i;

	to_dmar_domain(bed->domain)->flags |= DOMAIN_FLAG_USE_FIRST_LEVEL;
	vtd_bed_start_queue(test, bed);
	for (i = 0; i != ARRAY_SIZE(ranges); i++) {
		u64 iova = ranges[i].iova;

		unmap(test, iova, ranges[i].bytes);
		KUNIT_EXPECT_TRUE_MSG(test,
				      flushed(QI_EIOTLB_TYPE, iova,
					      iova + ranges[i].bytes - 1),
				      "%llx bytes at %llx", ranges[i].bytes,
				      iova);
	}

	unmap(test, 0, 16 * SZ_1T);
	KUNIT_ASSERT_EQ(test, 1, bed->nr);
	KUNIT_EXPECT_EQ(test, 0, bed->flushes[0].start);
	KUNIT_EXPECT_EQ(test, 16 * SZ_1T - 1, bed->flushes[0].last);
	vtd_bed_stop_queue(bed);
	to_dmar_domain(bed->domain)->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
}

/*
 * Take a reference to the table that contains the entry of an IOVA, and record
 * the refcount of the table at each later flush.
 */
static void watch_table(struct kunit *test, unsigned long iova)
{
	int level = 1;
	struct dma_pte *pte = pfn_to_dma_pte(to_dmar_domain(bed->domain),
					     iova >> VTD_PAGE_SHIFT, &level,
					     GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pte);
	bed->table = virt_to_page(pte);
	get_page(bed->table);
	bed->nr = 0;
}

static void unwatch_table(struct kunit *test)
{
	/* The driver has freed the table, so only this reference is left. */
	KUNIT_EXPECT_EQ(test, 1, page_count(bed->table));
	put_page(bed->table);
	bed->table = NULL;
}

/*
 * Adding a range that is not adjacent to the gathered range flushes the
 * gathered range. The tables of the new range must survive this flush and be
 * freed only after the flush of the new range.
 */
static void tables_outlive_earlier_flushes(struct kunit *test)
{
	struct iommu_iotlb_gather gather;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, SZ_1G, 0, SZ_4K, IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, 4UL * SZ_1G, SZ_4K, SZ_2M,
				  IOMMU_READ));
	watch_table(test, 4UL * SZ_1G);

	iommu_iotlb_gather_init(&gather);
	KUNIT_EXPECT_EQ(test, SZ_4K,
			iommu_unmap_fast(bed->domain, SZ_1G, SZ_4K, &gather));
	KUNIT_EXPECT_EQ(test, SZ_2M,
			iommu_unmap_fast(bed->domain, 4UL * SZ_1G, SZ_2M,
					 &gather));
	iommu_iotlb_sync(bed->domain, &gather);
	KUNIT_EXPECT_EQ(test, 2, bed->nr);
	KUNIT_EXPECT_TRUE(test, flushed(QI_IOTLB_TYPE, SZ_1G,
					SZ_1G + SZ_4K - 1));
	KUNIT_EXPECT_TRUE(test, flushed(QI_IOTLB_TYPE, 4UL * SZ_1G,
					4UL * SZ_1G + SZ_2M - 1));
	for (i = 0; i != bed->nr; i++)
		KUNIT_EXPECT_EQ(test, 2, bed->flushes[i].table_refs);
	unwatch_table(test);
}

/* A table that is replaced by a large page is freed only after the flush. */
static void replaced_table_outlives_flush(struct kunit *test)
{
	const struct iommu_phys_run run = { SZ_2M, SZ_2M };
	unsigned int by_runs;
	size_t mapped;

	for (by_runs = 0; by_runs != 2; by_runs++) {
		KUNIT_ASSERT_EQ(test, 0,
				iommu_map(bed->domain, SZ_1G, SZ_4K, SZ_4K,
					  IOMMU_READ));
		KUNIT_ASSERT_EQ(test, SZ_4K,
				iommu_unmap(bed->domain, SZ_1G, SZ_4K));
		watch_table(test, SZ_1G);
		if (by_runs)
			KUNIT_EXPECT_EQ(test, 0,
					iommu_map_runs(bed->domain, SZ_1G, &run,
						       1, IOMMU_READ,
						       GFP_KERNEL, &mapped));
		else
			KUNIT_EXPECT_EQ(test, 0,
					iommu_map(bed->domain, SZ_1G, SZ_2M,
						  SZ_2M, IOMMU_READ));
		KUNIT_EXPECT_EQ(test, 1, bed->nr);
		KUNIT_EXPECT_TRUE(test, flushed(QI_IOTLB_TYPE, SZ_1G,
						SZ_1G + SZ_2M - 1));
		KUNIT_EXPECT_EQ(test, 2, bed->flushes[0].table_refs);
		unwatch_table(test);
		KUNIT_EXPECT_EQ(test, SZ_2M,
				iommu_unmap(bed->domain, SZ_1G, SZ_2M));
	}
}

/*
 * A parent entry may be visible before its creator has flushed it from the CPU
 * caches. A thread that finds such an entry must flush the entry, too, before
 * it maps a page below the entry.
 */
static void parent_is_flushed_by_all(struct kunit *test)
{
	const struct iommu_phys_run run = { SZ_4K, SZ_4K };
	struct dmar_domain *domain = to_dmar_domain(bed->domain);
	int level = 2;
	struct dma_pte *parent;
	size_t mapped;

	domain->iommu_coherency = false;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, SZ_1G, SZ_4K, SZ_4K,
				  IOMMU_READ));
	parent = pfn_to_dma_pte(domain, SZ_1G >> VTD_PAGE_SHIFT, &level,
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, parent);
	KUNIT_EXPECT_TRUE(test, parent->val & DMA_PTE_FLUSHED);

	/* Restore the state between the creator's cmpxchg() and its flush. */
	parent->val &= ~DMA_PTE_FLUSHED;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, SZ_1G + SZ_4K, SZ_4K, SZ_4K,
				  IOMMU_READ));
	KUNIT_EXPECT_TRUE(test, parent->val & DMA_PTE_FLUSHED);

	parent->val &= ~DMA_PTE_FLUSHED;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map_runs(bed->domain, SZ_1G + SZ_8K, &run, 1,
				       IOMMU_READ, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_TRUE(test, parent->val & DMA_PTE_FLUSHED);
	KUNIT_EXPECT_EQ(test, 3 * SZ_4K,
			iommu_unmap(bed->domain, SZ_1G, 3 * SZ_4K));
}

static struct kunit_case flush_cases[] = {
	KUNIT_CASE(order_of_range),
	KUNIT_CASE(long_unmaps),
	KUNIT_CASE(short_unmaps_flush_no_more),
	KUNIT_CASE(long_maps_in_caching_mode),
	KUNIT_CASE(long_unmaps_flush_device_tlbs),
	KUNIT_CASE(first_level_ranges),
	KUNIT_CASE(tables_outlive_earlier_flushes),
	KUNIT_CASE(replaced_table_outlives_flush),
	KUNIT_CASE(parent_is_flushed_by_all),
	{}
};

static struct kunit_suite flush_suite = {
	.name = "vtd-flush",
	.init = setup,
	.exit = teardown,
	.test_cases = flush_cases,
};

kunit_test_suite(flush_suite);
