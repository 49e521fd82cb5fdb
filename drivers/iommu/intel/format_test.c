// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the page table format that the IOMMU units of a VT-d domain share:
 * the format must not change once a unit uses the page table.
 */
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "fake_unit.h"

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

/*
 * Map a page, and then begin to attach a unit that supports fewer levels than
 * the page table of a new domain has. The caller ends the attach with
 * domain_attach_done().
 */
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

/* The first attach frees tables of levels that its unit does not support. */
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

static struct kunit_case format_cases[] = {
	KUNIT_CASE_PARAM(unlike_units, units_gen_params),
	KUNIT_CASE(coherency_never_rises),
	KUNIT_CASE(first_unit_reaches_mappings),
	KUNIT_CASE(failed_first_attach_is_undone),
	KUNIT_CASE(failed_attach_beside_another),
	KUNIT_CASE(unused_levels_are_freed),
	{}
};

static struct kunit_suite format_suite = {
	.name = "vtd-format",
	.init = setup,
	.exit = teardown,
	.test_cases = format_cases,
};

kunit_test_suite(format_suite);
