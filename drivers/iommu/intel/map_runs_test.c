// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of the VT-d map_runs op.
 *
 * The main test maps the same runs in two domains, with map_runs in one and
 * with map_pages in the other, and compares the I/O page tables entry by entry.
 *
 * No device is attached, so the tests need no IOMMU, and they set the
 * properties of a domain that an attach would determine. The domains are not
 * coherent, so entries are also flushed from CPU caches.
 */
#include <kunit/test.h>
#include <linux/iommu.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include "iommu.h"

#define IOVA	0x40000000UL	/* A multiple of 1 GiB */
/* A multiple of 1 GiB. The memory need not exist. */
#define PHYS	0x8000000000ULL
#define MAX_RUNS	40

/**
 * struct kind - properties of the domains and mappings of a test case
 * @name: name of the test case
 * @prot: IOMMU_READ etc.
 * @first_level: the domain uses the format of CPU page tables
 * @snoop: entries enforce snooping
 * @superpage: number of large page sizes that the domain supports
 */
struct kind {
	const char *name;
	int prot;
	bool first_level;
	bool snoop;
	int superpage;
};

static const struct kind kinds[] = {
	{ "read-write", IOMMU_READ | IOMMU_WRITE, false, false, 2 },
	{ "read", IOMMU_READ | IOMMU_CACHE, false, false, 2 },
	{ "write", IOMMU_WRITE, false, false, 2 },
	{ "snoop", IOMMU_READ | IOMMU_WRITE, false, true, 2 },
	{ "first level", IOMMU_READ | IOMMU_WRITE, true, false, 2 },
	{ "first level, read", IOMMU_READ, true, false, 2 },
	{ "2M", IOMMU_READ | IOMMU_WRITE, false, false, 1 },
	{ "4K", IOMMU_READ | IOMMU_WRITE, false, false, 0 },
};

static void kind_name(const struct kind *kind, char *name)
{
	strscpy(name, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kinds, kinds, kind_name);

static void free_domain(struct kunit_resource *res)
{
	iommu_domain_free(res->data);
}

static struct iommu_domain *new_domain(struct kunit *test)
{
	static const struct kind plain = { .superpage = 2 };
	const struct kind *kind = test->param_value ?: &plain;
	struct dmar_domain *dmar_domain;
	struct iommu_domain *domain;

	domain = intel_iommu_ops.domain_alloc(IOMMU_DOMAIN_UNMANAGED);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->ops = intel_iommu_ops.default_domain_ops;
	domain->pgsize_bitmap = SZ_4K;
	if (kind->superpage > 0)
		domain->pgsize_bitmap |= SZ_2M;
	if (kind->superpage > 1)
		domain->pgsize_bitmap |= SZ_1G;
	kunit_alloc_resource(test, NULL, free_domain, GFP_KERNEL, domain);

	dmar_domain = to_dmar_domain(domain);
	dmar_domain->iommu_superpage = kind->superpage;
	dmar_domain->set_pte_snp = kind->snoop;
	if (kind->first_level)
		dmar_domain->flags |= DOMAIN_FLAG_USE_FIRST_LEVEL;
	else
		dmar_domain->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	return domain;
}

/*
 * Return the entry at which the page table walk for @iova ends, which is 0 if
 * @iova is not mapped. @level is set to the level of the entry.
 */
static u64 entry_at(struct iommu_domain *domain, unsigned long iova, int *level)
{
	struct dma_pte *pte;

	*level = 0;
	pte = pfn_to_dma_pte(to_dmar_domain(domain), iova >> VTD_PAGE_SHIFT,
			     level, GFP_KERNEL);
	return pte ? pte->val : 0;
}

/* Check that all entries of a range are the same in two domains. */
static void expect_equal(struct kunit *test, struct iommu_domain *domain,
			 struct iommu_domain *other, unsigned long iova,
			 size_t bytes)
{
	unsigned long end = iova + bytes;

	while (iova < end) {
		int level, other_level;
		u64 entry = entry_at(domain, iova, &level);
		u64 other_entry = entry_at(other, iova, &other_level);

		if (entry != other_entry || level != other_level) {
			KUNIT_FAIL(test, "%lx: %llx level %d, %llx level %d",
				   iova, entry, level, other_entry,
				   other_level);
			return;
		}
		iova += VTD_PAGE_SIZE << (level - 1) * VTD_STRIDE_SHIFT;
	}
}

/*
 * Map runs with both ops and compare the domains. Returns the total length of
 * the runs in bytes.
 */
static size_t map_both(struct kunit *test, struct iommu_domain *by_runs,
		       struct iommu_domain *by_pages, unsigned long iova,
		       const struct iommu_phys_run *runs, unsigned int nr)
{
	const struct kind *kind = test->param_value;
	int prot = kind ? kind->prot : IOMMU_READ;
	size_t mapped, sum = 0;
	unsigned int i;

	for (i = 0; i != nr; i++) {
		KUNIT_ASSERT_EQ(test, 0, iommu_map(by_pages, iova + sum,
						   runs[i].phys, runs[i].bytes,
						   prot));
		sum += runs[i].bytes;
	}
	KUNIT_ASSERT_EQ(test, 0, iommu_map_runs(by_runs, iova, runs, nr, prot,
						GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, sum, mapped);
	/*
	 * Include the pages before and after the range, which must not be
	 * mapped.
	 */
	expect_equal(test, by_runs, by_pages, iova - SZ_4K, sum + SZ_8K);
	KUNIT_EXPECT_EQ(test, to_dmar_domain(by_pages)->max_addr,
			to_dmar_domain(by_runs)->max_addr);
	return sum;
}

/*
 * Choose a random physical address and length. In a quarter of all cases, the
 * physical address is congruent to @iova modulo 2 MiB or 1 GiB, so that large
 * entries can be used.
 */
static void random_run(struct rnd_state *rnd, unsigned long iova,
		       unsigned int max_pages, struct iommu_phys_run *run)
{
	u32 dice = prandom_u32_state(rnd);

	run->phys = PHYS + (phys_addr_t)(dice >> 8) * SZ_4K;
	run->bytes = SZ_4K;
	switch (dice % 8) {
	case 0 ... 3:
		return;
	case 4:
		run->bytes *= prandom_u32_state(rnd) % 2000 + 1;
		return;
	case 5:
		run->bytes = SZ_2M - iova % SZ_2M;
		return;
	case 6:
		run->phys = PHYS + (dice >> 8) * (phys_addr_t)SZ_2M +
			    iova % SZ_2M;
		run->bytes *= prandom_u32_state(rnd) % 4000 + 1;
		return;
	case 7:
		run->phys = PHYS + (dice >> 20) * (phys_addr_t)SZ_1G +
			    iova % SZ_1G;
		run->bytes *= prandom_u32_state(rnd) % max_pages + 1;
		return;
	}
}

static void same_as_map_pages(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	/* Runs may exceed 2 GiB, unless the domain has no large entries. */
	unsigned int max_pages = kind->superpage ? 600000 : 3000;
	struct iommu_domain *by_pages = new_domain(test);
	struct iommu_domain *by_runs = new_domain(test);
	struct rnd_state rnd;
	unsigned int round;

	prandom_seed_state(&rnd, 1);
	for (round = 0; round != 20; round++) {
		unsigned long iova = IOVA + prandom_u32_state(&rnd) % SZ_1M *
				     (unsigned long)SZ_4K;
		unsigned int i, nr = prandom_u32_state(&rnd) % MAX_RUNS + 1;
		struct iommu_phys_run runs[MAX_RUNS];
		size_t sum = 0;

		for (i = 0; i != nr; i++) {
			random_run(&rnd, iova + sum, max_pages, &runs[i]);
			sum += runs[i].bytes;
		}
		sum = map_both(test, by_runs, by_pages, iova, runs, nr);

		/*
		 * Unmapping frees only tables that the range covers entirely.
		 * The other tables stay, but are empty, so that large entries
		 * of later rounds can replace them.
		 */
		KUNIT_EXPECT_EQ(test, iommu_unmap(by_pages, iova, SZ_4K),
				iommu_unmap(by_runs, iova, SZ_4K));
		KUNIT_EXPECT_EQ(test, iommu_unmap(by_pages, iova, sum),
				iommu_unmap(by_runs, iova, sum));
	}
}

/*
 * A large entry replaces an empty table. Adjacent tables are kept.
 */
static void large_replaces_empty_tables(struct kunit *test)
{
	const struct iommu_phys_run small = { PHYS + SZ_4K, SZ_4K };
	const struct iommu_phys_run large[] = {
		{ PHYS + SZ_4M, SZ_2M }, { PHYS, SZ_2M },
		{ PHYS + SZ_8M, SZ_4K },
	};
	const struct iommu_phys_run giant[] = {
		{ PHYS, SZ_1G }, { PHYS + SZ_8M, SZ_2M },
	};
	struct iommu_domain *domain = new_domain(test);
	unsigned long i;
	size_t mapped;
	int level;

#define MAP(iova, runs, nr) \
	iommu_map_runs(domain, iova, runs, nr, IOMMU_READ, GFP_KERNEL, &mapped)

	/*
	 * Create tables for four 2 MiB ranges, and empty all of them but the
	 * last one.
	 */
	for (i = 0; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0, MAP(IOVA + i * SZ_2M, &small, 1));
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, SZ_4K,
				iommu_unmap(domain, IOVA + i * SZ_2M, SZ_4K));
	entry_at(domain, IOVA, &level);
	KUNIT_ASSERT_EQ(test, 1, level);

	KUNIT_EXPECT_EQ(test, 0, MAP(IOVA, large, 3));
	KUNIT_EXPECT_EQ(test, 2 * SZ_2M + SZ_4K, mapped);
	KUNIT_EXPECT_EQ(test, (PHYS + SZ_4M) | DMA_PTE_READ |
			DMA_PTE_LARGE_PAGE, entry_at(domain, IOVA, &level));
	KUNIT_EXPECT_EQ(test, 2, level);
	KUNIT_EXPECT_EQ(test, PHYS | DMA_PTE_READ | DMA_PTE_LARGE_PAGE,
			entry_at(domain, IOVA + SZ_2M, &level));
	KUNIT_EXPECT_EQ(test, (PHYS + SZ_8M) | DMA_PTE_READ,
			entry_at(domain, IOVA + SZ_4M, &level));
	KUNIT_EXPECT_EQ(test, 1, level);
	KUNIT_EXPECT_EQ(test, (PHYS + SZ_4K) | DMA_PTE_READ,
			entry_at(domain, IOVA + 3 * SZ_2M, &level));
	KUNIT_EXPECT_EQ(test, mapped, iommu_unmap(domain, IOVA, mapped));
	KUNIT_EXPECT_EQ(test, SZ_4K,
			iommu_unmap(domain, IOVA + 3 * SZ_2M, SZ_4K));

	/* Two levels of tables are empty now. */
	entry_at(domain, IOVA + 3 * SZ_2M, &level);
	KUNIT_ASSERT_EQ(test, 1, level);
	KUNIT_EXPECT_EQ(test, 0, MAP(IOVA, giant, 2));
	KUNIT_EXPECT_EQ(test, PHYS | DMA_PTE_READ | DMA_PTE_LARGE_PAGE,
			entry_at(domain, IOVA + 3 * SZ_2M, &level));
	KUNIT_EXPECT_EQ(test, 3, level);
	KUNIT_EXPECT_EQ(test, (PHYS + SZ_8M) | DMA_PTE_READ |
			DMA_PTE_LARGE_PAGE,
			entry_at(domain, IOVA + SZ_1G, &level));
	KUNIT_EXPECT_EQ(test, 2, level);
	KUNIT_EXPECT_EQ(test, mapped, iommu_unmap(domain, IOVA, mapped));
#undef MAP
}

/* An entry never spans two runs, even if they are contiguous. */
static void entries_lie_in_one_run(struct kunit *test)
{
	const struct iommu_phys_run halves[] = {
		{ PHYS, SZ_1M }, { PHYS + SZ_1M, SZ_1M }, { PHYS + SZ_2M, SZ_2M },
	};
	struct iommu_domain *domain = new_domain(test);
	size_t mapped;
	int level;

	KUNIT_EXPECT_EQ(test, 0, iommu_map_runs(domain, IOVA, halves, 3,
						IOMMU_READ, GFP_KERNEL,
						&mapped));
	entry_at(domain, IOVA, &level);
	KUNIT_EXPECT_EQ(test, 1, level);
	entry_at(domain, IOVA + SZ_2M, &level);
	KUNIT_EXPECT_EQ(test, 2, level);
}

/*
 * A range beyond the address width of the domain, and a protection that permits
 * neither reads nor writes, are rejected before anything is mapped. A range can
 * end at the address width.
 */
static void limits(struct kunit *test)
{
	const struct iommu_phys_run run[] = { { PHYS, SZ_4K }, { PHYS, SZ_4K } };
	struct iommu_domain *domain = new_domain(test);
	size_t mapped;

	to_dmar_domain(domain)->gaw = 39;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iommu_map_runs(domain, (1UL << 39) - SZ_4K, run, 2,
				       IOMMU_READ, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iommu_map_runs(domain, -2UL * SZ_4K, run, 2, IOMMU_READ,
				       GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_map_runs(domain, IOVA, run, 2, IOMMU_CACHE,
				       GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, 0, to_dmar_domain(domain)->max_addr);
	KUNIT_EXPECT_EQ(test, 0,
			iommu_map_runs(domain, (1UL << 39) - SZ_8K, run, 2,
				       IOMMU_READ, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 1UL << 39, to_dmar_domain(domain)->max_addr);
	KUNIT_EXPECT_EQ(test, SZ_8K,
			iommu_unmap(domain, (1UL << 39) - SZ_8K, SZ_8K));
}

static struct kunit_case map_runs_cases[] = {
	KUNIT_CASE_PARAM(same_as_map_pages, kinds_gen_params),
	KUNIT_CASE(large_replaces_empty_tables),
	KUNIT_CASE(entries_lie_in_one_run),
	KUNIT_CASE(limits),
	{}
};

static struct kunit_suite map_runs_suite = {
	.name = "vtd-map-runs",
	.test_cases = map_runs_cases,
};

kunit_test_suite(map_runs_suite);
