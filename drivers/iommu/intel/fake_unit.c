// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fake IOMMU unit for KUnit tests.
 *
 * The unit is added to a domain, without a device or hardware. Its flush ops
 * record context cache and IOTLB invalidations, and a trace probe records the
 * descriptors that are queued. The fake registers report every descriptor as
 * invalid, so that the driver does not wait for its completion.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/xarray.h>

#include "fake_unit.h"
#include "trace.h"

/* The fixture of the test that runs. */
static struct vtd_bed *current_bed;

static struct vtd_flush *record(u8 type)
{
	struct vtd_bed *bed = current_bed;
	struct vtd_flush *flush = &bed->flushes[bed->nr];

	if (bed->nr == MAX_FLUSHES)
		return NULL;
	memset(flush, 0, sizeof(*flush));
	flush->type = type;
	flush->table_refs = bed->table ? page_count(bed->table) : 0;
	flush->entry = bed->entry ? *bed->entry : 0;
	bed->nr++;
	return flush;
}

/*
 * Record a flush of 2^@order pages, or of all addresses if @order is over 51.
 */
static struct vtd_flush *record_range(u8 type, u64 addr, unsigned int order)
{
	u64 mask = order > 51 ? U64_MAX :
		   (1ULL << (VTD_PAGE_SHIFT + order)) - 1;
	struct vtd_flush *flush = record(type);

	if (flush) {
		flush->start = addr & ~mask;
		flush->last = addr | mask;
	}
	return flush;
}

static void record_context(struct intel_iommu *iommu, u16 did, u16 sid, u8 fm,
			   u64 type)
{
	struct vtd_flush *flush = record(QI_CC_TYPE);

	if (flush) {
		flush->did = did;
		flush->sid = sid;
	}
}

static void record_iotlb(struct intel_iommu *iommu, u16 did, u64 addr,
			 unsigned int size_order, u64 type)
{
	struct vtd_flush *flush;

	addr &= VTD_PAGE_MASK;
	flush = record_range(QI_IOTLB_TYPE, addr,
			     type == DMA_TLB_PSI_FLUSH ? size_order : 52);
	if (flush)
		flush->did = did;
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
	struct vtd_flush *flush;
	u8 type = qw0 & 0xf;

	if (iommu != &current_bed->iommu)
		return;
	/* Report the descriptor that is being queued as the invalid one. */
	writel(iommu->qi->free_head << qi_shift(iommu),
	       iommu->reg + DMAR_IQH_REG);
	if (type == QI_DIOTLB_TYPE) {
		flush = record_range(type, qw1 & VTD_PAGE_MASK,
				     dev_iotlb_order(qw1));
		if (flush)
			flush->sid = qw0 >> 32;
	} else if ((qw0 >> 4 & 3) == QI_GRAN_PSI_PASID) {
		record_range(type, qw1 & VTD_PAGE_MASK, qw1 & 0x3f);
	} else {
		record_range(type, 0, 52);
	}
}

/**
 * vtd_bed_flushed() - check whether a single flush of a type covers a range
 * @bed: the fixture
 * @type: type of the invalidation
 * @start: first IOVA
 * @last: last IOVA
 *
 * Return: true if such a flush was recorded.
 */
bool vtd_bed_flushed(const struct vtd_bed *bed, u8 type, u64 start, u64 last)
{
	unsigned int i;

	for (i = 0; i != bed->nr; i++) {
		const struct vtd_flush *flush = &bed->flushes[i];

		if (flush->type == type && flush->start <= start &&
		    flush->last >= last)
			return true;
	}
	return false;
}

/**
 * vtd_bed_domain() - allocate a domain with a second-level page table
 * @test: the test case
 *
 * Return: the domain, to be freed with iommu_domain_free().
 */
struct iommu_domain *vtd_bed_domain(struct kunit *test)
{
	struct iommu_domain *domain;

	domain = intel_iommu_ops.domain_alloc(IOMMU_DOMAIN_UNMANAGED);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->ops = intel_iommu_ops.default_domain_ops;
	domain->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
	to_dmar_domain(domain)->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	to_dmar_domain(domain)->iommu_superpage = 2;
	return domain;
}

/**
 * vtd_bed_create() - set up a fake unit in a new domain
 * @test: the test case
 *
 * Return: the fixture, to be passed to vtd_bed_destroy().
 */
struct vtd_bed *vtd_bed_create(struct kunit *test)
{
	struct vtd_bed *bed = kunit_kzalloc(test, sizeof(*bed), GFP_KERNEL);
	struct xarray *units;

	KUNIT_ASSERT_NOT_NULL(test, bed);
	bed->domain = vtd_bed_domain(test);
	bed->iommu.cap = CAP_PSI | CAP_SUPER | CAP_4_LEVELS | CAP_WIDTH(48);
	bed->iommu.ecap = ECAP_COHERENT;
	bed->iommu.agaw = 2;
	bed->iommu.flush.flush_context = record_context;
	bed->iommu.flush.flush_iotlb = record_iotlb;
	spin_lock_init(&bed->iommu.lock);
	bed->info.iommu = &bed->iommu;
	bed->info.did = 1;
	bed->info.refcnt = 1;
	units = &to_dmar_domain(bed->domain)->iommu_array;
	KUNIT_ASSERT_FALSE(test, xa_is_err(xa_store(units, 0, &bed->info,
						    GFP_KERNEL)));
	current_bed = bed;
	return bed;
}

/**
 * vtd_bed_destroy() - remove the fake unit from the domain, and free the domain
 * @bed: the fixture
 */
void vtd_bed_destroy(struct vtd_bed *bed)
{
	xa_erase(&to_dmar_domain(bed->domain)->iommu_array, 0);
	iommu_domain_free(bed->domain);
	current_bed = NULL;
}

/**
 * vtd_bed_start_queue() - set up an invalidation queue
 * @test: the test case
 * @bed: the fixture
 *
 * The queue rejects all descriptors. Each descriptor is recorded until
 * vtd_bed_stop_queue(), which must be called before vtd_bed_destroy().
 */
void vtd_bed_start_queue(struct kunit *test, struct vtd_bed *bed)
{
	struct q_inval *qi = kunit_kzalloc(test, sizeof(*qi), GFP_KERNEL);
	void *registers = kunit_kzalloc(test, SZ_4K, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, qi);
	KUNIT_ASSERT_NOT_NULL(test, registers);
	qi->desc = kunit_kzalloc(test, QI_LENGTH << qi_shift(&bed->iommu),
				 GFP_KERNEL);
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

/**
 * vtd_bed_stop_queue() - undo vtd_bed_start_queue()
 * @bed: the fixture
 */
void vtd_bed_stop_queue(struct vtd_bed *bed)
{
	unregister_trace_qi_submit(record_queued, NULL);
	tracepoint_synchronize_unregister();
	bed->iommu.qi = NULL;
}
