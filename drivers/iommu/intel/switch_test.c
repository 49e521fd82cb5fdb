// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of moving a device from one VT-d domain to another.
 *
 * The entry of the device is switched from the old page table to the new one in
 * one step. After that, and before the old page table may change, each cache is
 * flushed, in the order in which the caches are filled.
 */
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "fake_unit.h"
#include "pasid.h"

#define BUS		3
#define DEVFN		0x28
#define SID		(BUS << 8 | DEVFN)
#define DID_OLD		1
#define DID_NEW		2	/* the lowest ID that is not in use */
#define DIDS		256
#define CAP_256_DIDS	2
#define ECAP_SCALABLE	(BIT_ULL(43) | BIT_ULL(46))

static struct vtd_bed *bed;

/**
 * struct moving - fixture of a device and the domain to move it to
 * @dev: a device that is on no bus
 * @iommu: the IOMMU data of @dev, which points to @info
 * @info: the driver's data of @dev
 * @table: PASID table of @dev, for scalable mode
 * @context: context entry of @dev
 * @domain: the domain to move to
 */
struct moving {
	struct device dev;
	struct dev_iommu iommu;
	struct device_domain_info info;
	struct pasid_table table;
	struct context_entry *context;
	struct iommu_domain *domain;
};

static struct moving *moving;

/* Give a domain the format that the unit supports. */
static void format(struct iommu_domain *domain)
{
	domain_adopt_iommu(to_dmar_domain(domain), &bed->iommu);
	domain_attach_done(to_dmar_domain(domain), 0);
}

static int setup(struct kunit *test)
{
	struct dmar_domain *domain;
	struct intel_iommu *iommu;

	bed = vtd_bed_create(test);
	format(bed->domain);
	domain = to_dmar_domain(bed->domain);
	iommu = &bed->iommu;
	iommu->cap |= CAP_256_DIDS;
	iommu->domain_ids = kunit_kzalloc(test, DIDS / BITS_PER_BYTE,
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu->domain_ids);
	iommu->domain_ids[0] = BIT(0) | BIT(DID_OLD);
	iommu->root_entry = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, iommu->root_entry);

	moving = kunit_kzalloc(test, sizeof(*moving), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, moving);
	moving->domain = vtd_bed_domain(test);
	device_initialize(&moving->dev);
	moving->dev.iommu = &moving->iommu;
	moving->iommu.priv = &moving->info;
	moving->info.dev = &moving->dev;
	moving->info.iommu = iommu;
	moving->info.bus = BUS;
	moving->info.devfn = DEVFN;
	moving->context = iommu_context_addr(iommu, BUS, DEVFN, 1);
	KUNIT_ASSERT_NOT_NULL(test, moving->context);

	/* The fixture holds a reference, so that bed->info is not freed. */
	bed->info.refcnt = 2;
	moving->info.domain = domain;
	list_add(&moving->info.link, &domain->devices);
	moving->context->lo = virt_to_phys(domain->pgd) | 1;
	moving->context->hi = domain->agaw | DID_OLD << 8;
	bed->entry = &moving->context->hi;
	return 0;
}

static void teardown(struct kunit *test)
{
	list_del(&moving->info.link);
	kfree(xa_erase(&to_dmar_domain(moving->domain)->iommu_array, 0));
	iommu_domain_free(moving->domain);
	free_page((unsigned long)iommu_context_addr(&bed->iommu, BUS, 0, 0));
	free_page((unsigned long)bed->iommu.root_entry);
	vtd_bed_destroy(bed);
}

static int move(void)
{
	return domain_switch_device(to_dmar_domain(moving->domain),
				    &moving->info);
}

static void expect_flush(struct kunit *test, unsigned int nr, u8 type, u16 did,
			 u16 sid)
{
	const struct vtd_flush *flush = &bed->flushes[nr];

	KUNIT_EXPECT_EQ(test, type, flush->type);
	KUNIT_EXPECT_EQ(test, did, flush->did);
	KUNIT_EXPECT_EQ(test, sid, flush->sid);
	KUNIT_EXPECT_EQ(test, 0, flush->start);
	if (type == QI_IOTLB_TYPE || type == QI_DIOTLB_TYPE)
		KUNIT_EXPECT_EQ(test, U64_MAX, flush->last);
	/* At the time of the flush, the entry refers to the new domain. */
	KUNIT_EXPECT_EQ(test, DID_NEW, flush->entry >> 8 & 0xffff);
}

static void expect_device_in(struct kunit *test, struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	KUNIT_EXPECT_PTR_EQ(test, dmar_domain, moving->info.domain);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&dmar_domain->devices));
	KUNIT_EXPECT_PTR_EQ(test, &moving->info.link,
			    dmar_domain->devices.next);
}

/*
 * First, the context entry gets the page table and the ID of the new domain.
 * Then the context cache and the IOTLB are flushed for the old domain, in this
 * order.
 */
static void entry_changes_before_flushes(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(moving->domain);

	format(moving->domain);
	KUNIT_EXPECT_TRUE(test, domain_can_switch(domain, &moving->info));
	KUNIT_ASSERT_EQ(test, 0, move());
	KUNIT_EXPECT_EQ(test, virt_to_phys(domain->pgd) | 1,
			moving->context->lo);
	KUNIT_EXPECT_EQ(test, domain->agaw | DID_NEW << 8, moving->context->hi);
	KUNIT_ASSERT_EQ(test, 2, bed->nr);
	expect_flush(test, 0, QI_CC_TYPE, DID_OLD, SID);
	expect_flush(test, 1, QI_IOTLB_TYPE, DID_OLD, 0);
	expect_device_in(test, moving->domain);
	KUNIT_EXPECT_EQ(test, 1, bed->info.refcnt);
	KUNIT_EXPECT_TRUE(test, list_empty(&to_dmar_domain(bed->domain)->devices));
}

/*
 * The device TLB is flushed last, because it is filled from the IOTLB. From
 * then on, unmaps in the new domain flush the device TLB, and unmaps in the old
 * domain do not.
 */
static void device_tlb_is_flushed_last(struct kunit *test)
{
	struct dmar_domain *old = to_dmar_domain(bed->domain);

	format(moving->domain);
	moving->info.ats_enabled = 1;
	old->has_iotlb_device = true;
	vtd_bed_start_queue(test, bed);
	KUNIT_EXPECT_EQ(test, 0, move());
	vtd_bed_stop_queue(bed);
	KUNIT_ASSERT_EQ(test, 3, bed->nr);
	expect_flush(test, 1, QI_IOTLB_TYPE, DID_OLD, 0);
	expect_flush(test, 2, QI_DIOTLB_TYPE, 0, SID);
	KUNIT_EXPECT_TRUE(test, to_dmar_domain(moving->domain)->has_iotlb_device);
	KUNIT_EXPECT_FALSE(test, old->has_iotlb_device);
}

/* If the unit has no domain ID left, the move fails and changes nothing. */
static void failed_switch_changes_nothing(struct kunit *test)
{
	struct context_entry before = *moving->context;

	format(moving->domain);
	bitmap_fill(bed->iommu.domain_ids, DIDS);
	KUNIT_EXPECT_EQ(test, -ENOSPC, move());
	KUNIT_EXPECT_EQ(test, before.lo, moving->context->lo);
	KUNIT_EXPECT_EQ(test, before.hi, moving->context->hi);
	KUNIT_EXPECT_EQ(test, 0, bed->nr);
	expect_device_in(test, bed->domain);
	KUNIT_EXPECT_EQ(test, 2, bed->info.refcnt);
	KUNIT_EXPECT_TRUE(test, list_empty(&to_dmar_domain(moving->domain)->devices));
}

/*
 * Entries are exchanged only between two domains with second-level page tables,
 * and only if the device has a context entry.
 */
static void other_entries_are_not_exchanged(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(moving->domain);
	struct dmar_domain *old = to_dmar_domain(bed->domain);
	struct device_domain_info *info = &moving->info;

	KUNIT_EXPECT_TRUE(test, domain_can_switch(domain, info));
	KUNIT_EXPECT_FALSE(test, domain_can_switch(old, info));
	domain->flags |= DOMAIN_FLAG_USE_FIRST_LEVEL;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
	domain->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	old->flags |= DOMAIN_FLAG_USE_FIRST_LEVEL;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
	old->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	old->domain.type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
	old->domain.type = IOMMU_DOMAIN_UNMANAGED;
	bed->iommu.cap |= CAP_CACHING;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
	bed->iommu.cap &= ~CAP_CACHING;
	info->domain = NULL;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
	info->domain = old;
	moving->context->lo &= ~1ULL;
	KUNIT_EXPECT_FALSE(test, domain_can_switch(domain, info));
}

/*
 * Set up the PASID entry for requests of the device that carry no PASID. Return
 * the entry, which is the first one of its page.
 */
static struct pasid_entry *set_up_pasid(struct kunit *test)
{
	struct pasid_table *table = &moving->table;
	struct pasid_dir_entry *dir;

	table->table = (void *)get_zeroed_page(GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, table->table);
	table->max_pasid = 1;
	moving->info.pasid_table = table;
	KUNIT_ASSERT_EQ(test, 0,
			intel_pasid_setup_second_level(&bed->iommu,
						       moving->info.domain,
						       &moving->dev,
						       PASID_RID2PASID));
	dir = table->table;
	return phys_to_virt(dir->val & VTD_PAGE_MASK);
}

/*
 * In scalable mode, the PASID entry gets the page table and the ID of the new
 * domain, before the PASID cache and then the IOTLB are flushed.
 */
static void scalable_mode(struct kunit *test)
{
	struct dmar_domain *domain = to_dmar_domain(moving->domain);
	struct intel_iommu *iommu = &bed->iommu;
	struct pasid_entry *entry, before;

	if (!intel_iommu_sm)
		kunit_skip(test, "scalable mode is disabled");
	iommu->ecap |= ECAP_SCALABLE;
	entry = set_up_pasid(test);
	before = *entry;
	format(moving->domain);
	bed->entry = NULL;
	bed->nr = 0;
	vtd_bed_start_queue(test, bed);
	KUNIT_EXPECT_EQ(test, 0, move());
	vtd_bed_stop_queue(bed);

	KUNIT_EXPECT_EQ(test,
			(before.val[0] & ~VTD_PAGE_MASK) |
			virt_to_phys(domain->pgd), entry->val[0]);
	KUNIT_EXPECT_EQ(test, (before.val[1] & ~0xffffULL) | DID_NEW,
			entry->val[1]);
	KUNIT_ASSERT_EQ(test, 2, bed->nr);
	KUNIT_EXPECT_EQ(test, QI_PC_TYPE, bed->flushes[0].type);
	KUNIT_EXPECT_EQ(test, QI_IOTLB_TYPE, bed->flushes[1].type);
	KUNIT_EXPECT_EQ(test, DID_OLD, bed->flushes[1].did);
	expect_device_in(test, moving->domain);
	free_page((unsigned long)entry);
	free_page((unsigned long)moving->table.table);
	iommu->ecap &= ~ECAP_SCALABLE;
}

static struct kunit_case switch_cases[] = {
	KUNIT_CASE(entry_changes_before_flushes),
	KUNIT_CASE(device_tlb_is_flushed_last),
	KUNIT_CASE(failed_switch_changes_nothing),
	KUNIT_CASE(other_entries_are_not_exchanged),
	KUNIT_CASE(scalable_mode),
	{}
};

static struct kunit_suite switch_suite = {
	.name = "vtd-switch",
	.init = setup,
	.exit = teardown,
	.test_cases = switch_cases,
};

kunit_test_suite(switch_suite);
