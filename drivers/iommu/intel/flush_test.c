// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of VT-d IOTLB flushes, and of the page table format that the IOMMU
 * units of a domain share.
 *
 * The tests add a fake IOMMU unit to a domain, without a device or hardware.
 * The flush op of the unit records IOTLB flushes, and a trace probe records the
 * descriptors that are queued for invalidation. The fake registers report every
 * descriptor as invalid, so that the driver does not wait for its completion.
 *
 * A flush must cover the whole range that was unmapped. A page table must not
 * be freed before its range is flushed. The format of a domain's page table
 * must not change once a unit uses it.
 */
#include <kunit/test.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "iommu.h"
#include "trace.h"

#define MAX_FLUSHES	16
/* Page-selective invalidation of up to 2^18 pages */
#define CAP_PSI		(BIT_ULL(39) | 18ULL << 48)
#define CAP_CACHING	BIT_ULL(7)
/* 2 MiB and 1 GiB pages, and page tables of 3, 4 and 5 levels */
#define CAP_SUPER	(3ULL << 34)
#define CAP_3_LEVELS	BIT_ULL(9)
#define CAP_4_LEVELS	BIT_ULL(10)
#define CAP_5_LEVELS	BIT_ULL(11)
#define CAP_WIDTH(bits)	((u64)((bits) - 1) << 16)
#define ECAP_COHERENT	1ULL

/*
 * has_iotlb_device is read without a lock, so a store to one of the other two
 * flags must not rewrite its byte.
 */
static_assert(offsetof(struct dmar_domain, iommu_coherency) !=
	      offsetof(struct dmar_domain, has_iotlb_device));
static_assert(offsetof(struct dmar_domain, set_pte_snp) !=
	      offsetof(struct dmar_domain, has_iotlb_device));

/**
 * struct flush - one invalidation
 * @type: QI_IOTLB_TYPE, QI_DIOTLB_TYPE or QI_EIOTLB_TYPE
 * @start: first IOVA
 * @last: last IOVA
 * @table_refs: refcount of bed.table at the time of the invalidation
 */
struct flush {
	u8 type;
	u64 start;
	u64 last;
	int table_refs;
};

/**
 * struct testbed - fixture of a test
 * @iommu: the fake unit
 * @info: entry of the unit in the domain's array
 * @domain: the domain
 * @flushes: recorded invalidations
 * @nr: number of recorded invalidations, at most MAX_FLUSHES
 * @table: page table to record the refcount of in flush.table_refs, or NULL
 */
struct testbed {
	struct intel_iommu iommu;
	struct iommu_domain_info info;
	struct iommu_domain *domain;
	struct flush flushes[MAX_FLUSHES];
	unsigned int nr;
	struct page *table;
};

static struct testbed *bed;

/*
 * Record a flush of 2^@order pages, or of all addresses if @order is over 51.
 */
static void record(u8 type, u64 addr, unsigned int order)
{
	struct flush *flush = &bed->flushes[bed->nr];
	u64 mask = order > 51 ? U64_MAX :
		   (1ULL << (VTD_PAGE_SHIFT + order)) - 1;

	if (bed->nr == MAX_FLUSHES)
		return;
	flush->type = type;
	flush->start = addr & ~mask;
	flush->last = addr | mask;
	flush->table_refs = bed->table ? page_count(bed->table) : 0;
	bed->nr++;
}

static void record_iotlb(struct intel_iommu *iommu, u16 did, u64 addr,
			 unsigned int size_order, u64 type)
{
	addr &= VTD_PAGE_MASK;
	record(QI_IOTLB_TYPE, addr,
	       type == DMA_TLB_PSI_FLUSH ? size_order : 52);
}

/*
 * Decode the order of a device TLB invalidation: 0 without the size bit,
 * otherwise the number of consecutive ones from bit 12 on, plus one.
 */
static unsigned int dev_iotlb_order(u64 qw1)
{
	return qw1 & QI_DEV_IOTLB_SIZE ?
	       ffz(qw1 >> VTD_PAGE_SHIFT) + 1 : 0;
}

static void record_queued(void *data, struct intel_iommu *iommu, u64 qw0,
			  u64 qw1, u64 qw2, u64 qw3)
{
	u8 type = qw0 & 0xf;

	if (iommu != &bed->iommu)
		return;
	/* Report the descriptor that is being queued as the invalid one. */
	writel(iommu->qi->free_head << DMAR_IQ_SHIFT, iommu->reg + DMAR_IQH_REG);
	if (type == QI_DIOTLB_TYPE)
		record(type, qw1 & VTD_PAGE_MASK, dev_iotlb_order(qw1));
	else if ((qw0 >> 4 & 3) == QI_GRAN_PSI_PASID)
		record(type, qw1 & VTD_PAGE_MASK, qw1 & 0x3f);
	else
		record(type, 0, 52);
}

/* Check whether a single flush of a type covers a range. */
static bool flushed(u8 type, u64 start, u64 last)
{
	unsigned int i;

	for (i = 0; i != bed->nr; i++) {
		const struct flush *flush = &bed->flushes[i];

		if (flush->type == type && flush->start <= start &&
		    flush->last >= last)
			return true;
	}
	return false;
}

static int setup(struct kunit *test)
{
	struct dmar_domain *domain;

	bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed->domain = intel_iommu_ops.domain_alloc(IOMMU_DOMAIN_UNMANAGED);
	KUNIT_ASSERT_NOT_NULL(test, bed->domain);
	bed->domain->type = IOMMU_DOMAIN_UNMANAGED;
	bed->domain->ops = intel_iommu_ops.default_domain_ops;
	bed->domain->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	domain = to_dmar_domain(bed->domain);
	domain->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	domain->iommu_superpage = 2;

	bed->iommu.cap = CAP_PSI | CAP_SUPER | CAP_4_LEVELS | CAP_WIDTH(48);
	bed->iommu.ecap = ECAP_COHERENT;
	bed->iommu.agaw = 2;
	bed->iommu.flush.flush_iotlb = record_iotlb;
	bed->info.iommu = &bed->iommu;
	bed->info.did = 1;
	bed->info.refcnt = 1;
	KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(&domain->iommu_array, 0,
						    &bed->info, GFP_KERNEL)));
	return 0;
}

static void teardown(struct kunit *test)
{
	xa_erase(&to_dmar_domain(bed->domain)->iommu_array, 0);
	iommu_domain_free(bed->domain);
}

/* Set up an invalidation queue that rejects all descriptors. */
static void start_queue(struct kunit *test)
{
	struct q_inval *qi = kunit_kzalloc(test, sizeof(*qi), GFP_KERNEL);
	void *registers = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, qi);
	KUNIT_ASSERT_NOT_NULL(test, registers);
	qi->desc = kunit_kzalloc(test, QI_LENGTH << DMAR_IQ_SHIFT, GFP_KERNEL);
	qi->desc_status = kunit_kcalloc(test, QI_LENGTH, sizeof(int), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, qi->desc);
	KUNIT_ASSERT_NOT_NULL(test, qi->desc_status);
	raw_spin_lock_init(&qi->q_lock);
	qi->free_cnt = QI_LENGTH;

	bed->iommu.reg = (void __iomem *)registers;
	bed->iommu.qi = qi;
	bed->iommu.gcmd = DMA_GCMD_TE;
	writel(DMA_FSTS_IQE, bed->iommu.reg + DMAR_FSTS_REG);
	KUNIT_ASSERT_EQ(test, 0, register_trace_qi_submit(record_queued, NULL));
}

static void stop_queue(void)
{
	unregister_trace_qi_submit(record_queued, NULL);
	tracepoint_synchronize_unregister();
	bed->iommu.qi = NULL;
}

/*
 * Unmap a range in which only the first page is mapped. If that page were not
 * mapped either, the driver would extend a short range to the whole range of
 * the missing page table.
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
 * If the range is an aligned block within the limit of page-selective
 * invalidation, no other pages are flushed.
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

	start_queue(test);
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
	stop_queue();
}

/*
 * First-level flushes cover ranges that are not aligned to their size. An
 * aligned block of any size is flushed alone: the limit of page-selective
 * invalidation does not apply to flushes with a PASID.
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
	start_queue(test);
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
	stop_queue();
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
 * caches. A thread that finds such an entry must flush the entry itself before
 * it maps a page below.
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

/**
 * struct unit - a second IOMMU unit to attach to a domain
 * @name: difference from the first unit, which is coherent, and supports 48-bit
 *        addresses and 1 GiB pages
 * @cap: capability register
 * @ecap: extended capability register
 * @agaw: number of levels of the unit's largest page table, minus 2
 * @ret: expected result of attaching the unit to the domain of the first unit
 */
struct unit {
	const char *name;
	u64 cap;
	u64 ecap;
	int agaw;
	int ret;
};

static const struct unit units[] = {
	{ "alike", CAP_SUPER | CAP_4_LEVELS | CAP_WIDTH(48), ECAP_COHERENT, 2, 0 },
	{ "wider, 4 levels too",
	  CAP_SUPER | CAP_4_LEVELS | CAP_5_LEVELS | CAP_WIDTH(57),
	  ECAP_COHERENT, 3, 0 },
	{ "wider, 5 levels only", CAP_SUPER | CAP_5_LEVELS | CAP_WIDTH(57),
	  ECAP_COHERENT, 3, -EINVAL },
	{ "narrower", CAP_SUPER | CAP_3_LEVELS | CAP_WIDTH(39), ECAP_COHERENT, 1,
	  -EINVAL },
	{ "narrower, same levels", CAP_SUPER | CAP_4_LEVELS | CAP_WIDTH(46),
	  ECAP_COHERENT, 2, -EINVAL },
	{ "no super pages", CAP_4_LEVELS | CAP_WIDTH(48), ECAP_COHERENT, 2,
	  -EINVAL },
	{ "not coherent", CAP_SUPER | CAP_4_LEVELS | CAP_WIDTH(48), 0, 2,
	  -EINVAL },
};

static void unit_name(const struct unit *unit, char *name)
{
	strscpy(name, unit->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(units, units, unit_name);

/*
 * A unit that does not support the format of the page table is rejected with
 * -EINVAL, and the domain does not change.
 */
static void unlike_units(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);
	const struct unit *unit = test->param_value;
	struct intel_iommu *other = kunit_kzalloc(test, sizeof(*other),
						  GFP_KERNEL);
	struct dma_pte *pgd;

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->cap = unit->cap;
	other->ecap = unit->ecap;
	other->agaw = unit->agaw;

	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_EQ(test, 48, domain->gaw);
	KUNIT_EXPECT_EQ(test, 2, domain->agaw);
	KUNIT_EXPECT_TRUE(test, domain->iommu_coherency);
	domain->iommu_superpage = 2;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, 0, 0, SZ_4K, IOMMU_READ));
	pgd = domain->pgd;

	KUNIT_EXPECT_EQ(test, unit->ret, domain_adopt_iommu(domain, other));
	KUNIT_EXPECT_PTR_EQ(test, pgd, domain->pgd);
	KUNIT_EXPECT_EQ(test, 48, domain->gaw);
	KUNIT_EXPECT_EQ(test, 2, domain->agaw);
	KUNIT_EXPECT_EQ(test, 2, domain->iommu_superpage);
	KUNIT_EXPECT_TRUE(test, domain->iommu_coherency);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(bed->domain, 0, SZ_4K));
}

/*
 * Once a non-coherent unit has joined a domain, entries must be flushed from
 * CPU caches even if the units that join later snoop.
 */
static void coherency_never_rises(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);

	bed->iommu.ecap = 0;
	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_FALSE(test, domain->iommu_coherency);
	bed->iommu.ecap = ECAP_COHERENT;
	KUNIT_EXPECT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_FALSE(test, domain->iommu_coherency);
}

/*
 * A first unit that cannot translate the IOVAs of all existing mappings is
 * rejected with -EFAULT.
 */
static void first_unit_reaches_mappings(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);

	KUNIT_ASSERT_EQ(test, 0,
			iommu_map(bed->domain, BIT(48), 0, SZ_4K, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, -EFAULT, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_FALSE(test, domain->adopted);
	bed->iommu.cap = CAP_PSI | CAP_SUPER | CAP_5_LEVELS | CAP_WIDTH(57);
	bed->iommu.agaw = 3;
	KUNIT_EXPECT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(bed->domain, BIT(48), SZ_4K));
}

/* Map a page, and then attach a unit that is narrower than a new domain. */
static void adopt_narrow_unit(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);

	KUNIT_ASSERT_EQ(test, 0, iommu_map(bed->domain, SZ_1G, SZ_4K, SZ_4K,
					   IOMMU_READ));
	bed->iommu.cap = CAP_PSI | CAP_SUPER | CAP_3_LEVELS | CAP_WIDTH(39);
	bed->iommu.agaw = 1;
	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	KUNIT_EXPECT_EQ(test, 39, domain->gaw);
}

/*
 * A first attach that fails after the format has been chosen leaves the domain
 * as it was: mappings remain, and the next unit determines the format.
 */
static void failed_first_attach_is_undone(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);
	struct dma_pte *pgd = domain->pgd;

	adopt_narrow_unit(test);
	KUNIT_EXPECT_PTR_NE(test, pgd, domain->pgd);
	KUNIT_EXPECT_TRUE(test, domain->iommu_coherency);
	domain_attach_done(domain, -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, pgd, domain->pgd);
	KUNIT_EXPECT_FALSE(test, domain->iommu_coherency);

	bed->iommu.cap = CAP_PSI | CAP_SUPER | CAP_5_LEVELS | CAP_WIDTH(57);
	bed->iommu.ecap = 0;
	bed->iommu.agaw = 3;
	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	domain_attach_done(domain, 0);
	KUNIT_EXPECT_EQ(test, 57, domain->gaw);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_iova_to_phys(bed->domain, SZ_1G));
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(bed->domain, SZ_1G, SZ_4K));
}

/* A failed attach does not change the format that another attach relies on. */
static void failed_attach_beside_another(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);

	adopt_narrow_unit(test);
	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	domain_attach_done(domain, -ENOMEM);
	KUNIT_EXPECT_EQ(test, 39, domain->gaw);
	domain_attach_done(domain, 0);
	KUNIT_EXPECT_EQ(test, 39, domain->gaw);

	KUNIT_ASSERT_EQ(test, 0, domain_adopt_iommu(domain, &bed->iommu));
	domain_attach_done(domain, -ENOMEM);
	KUNIT_EXPECT_EQ(test, 39, domain->gaw);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(bed->domain, SZ_1G, SZ_4K));
}

/* The first attach frees the tables of levels that its unit does not support. */
static void unused_levels_are_freed(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(bed->domain);
	struct page *top = virt_to_page(domain->pgd);

	get_page(top);
	adopt_narrow_unit(test);
	KUNIT_EXPECT_EQ(test, 2, page_count(top));
	domain_attach_done(domain, 0);
	KUNIT_EXPECT_EQ(test, 1, page_count(top));
	put_page(top);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_iova_to_phys(bed->domain, SZ_1G));
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(bed->domain, SZ_1G, SZ_4K));
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
	KUNIT_CASE_PARAM(unlike_units, units_gen_params),
	KUNIT_CASE(coherency_never_rises),
	KUNIT_CASE(first_unit_reaches_mappings),
	KUNIT_CASE(failed_first_attach_is_undone),
	KUNIT_CASE(failed_attach_beside_another),
	KUNIT_CASE(unused_levels_are_freed),
	{}
};

static struct kunit_suite flush_suite = {
	.name = "vtd-flush",
	.init = setup,
	.exit = teardown,
	.test_cases = flush_cases,
};

kunit_test_suite(flush_suite);
