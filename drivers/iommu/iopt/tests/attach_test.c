// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_attach_domain() and iopt_detach_domain(): which mappings a domain
 * translates, when their pages are pinned and charged, and how large their I/O
 * pages are.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "space.h"

#define IOVA	0x100000000UL

/*
 * Attach pins the pages of all existing mappings and adds the mappings to the
 * domain.
 */
static void attach_fills(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 20);
	unsigned long charged = test_charged();

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr + PAGES(4),
					  16));
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	mock_expect_maps(space->mock[0], 0, uaddr + PAGES(4), 16);
	KUNIT_EXPECT_EQ(test, charged + 20, test_charged());

	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * A page is pinned and charged only once for two domains, and stays pinned as
 * long as at least one of the domains translates to it.
 */
static void domains_share_pins(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	unsigned long charged = test_charged();

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());

	test_detach(test, space->mock[0]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/* Detach removes many mappings in batches, with one flush per batch. */
static void detach_in_batches(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long n = 1100, uaddr = test_touched(test, n);

	test_attach(test, space->mock[0]);
	test_map_adjacent(test, IOVA, uaddr, n, 1);
	space->mock[0]->nr_flushes = 0;
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, n, space->mock[0]->nr_unmaps);
	KUNIT_EXPECT_EQ(test, 3, space->mock[0]->nr_flushes);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, n));
}

/* A failed attach leaves neither pins nor translations. */
static void attach_EFAULT_leaves_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 8);
	unsigned long charged = test_charged();

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	test_munmap(test, uaddr + PAGES(6), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_validate(test);

	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(4), 4));
	test_attach(test, mock);
	mock_expect_maps(mock, IOVA, uaddr, 4);
}

/*
 * More than BITS_PER_LONG domains can be attached, and detached in any order.
 */
static void many_domains(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock[70];
	unsigned long uaddr = test_touched(test, 2);
	unsigned int i, at;

	for (i = 0; i != ARRAY_SIZE(mock); i++) {
		mock[i] = mock_domain_alloc(test);
		if (i == 35)
			KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA,
							  uaddr, 1));
		KUNIT_ASSERT_EQ(test, 0,
				iopt_attach_domain(space->iopt,
						   &mock[i]->domain));
	}
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(1),
					  uaddr + PAGES(1), 1));
	for (i = 0, at = 13; i != ARRAY_SIZE(mock);
	     i++, at = (at + 37) % ARRAY_SIZE(mock)) {
		mock_expect_maps(mock[at], IOVA, uaddr, 2);
		iopt_detach_domain(space->iopt, &mock[at]->domain);
		KUNIT_EXPECT_EQ(test, 0, mock[at]->nr_ptes);
		test_validate(test);
		if (i == 50)
			KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA,
							    1));
		if (i == 50)
			KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA,
							  uaddr, 1));
	}
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 2));
}

/* Physically contiguous memory is mapped with large I/O pages. */
static void large_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, pfn;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "no transparent huge pages");
	uaddr = test_mmap(test, 2048, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, uaddr, PAGES(2048),
					    MADV_HUGEPAGE));
	uaddr = ALIGN(uaddr + PAGES(100), SZ_2M);
	test_touch(test, uaddr, 1024);
	pfn = test_user_pfn(test, uaddr);
	if (!PageTransHuge(compound_head(pfn_to_page(pfn))) || pfn % 512)
		kunit_skip(test, "no huge page");

	/*
	 * Offset the mapping so that each batch of pages that is pinned, except
	 * the first, starts in the middle of a huge page.
	 */
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, SZ_1G - PAGES(100),
					  uaddr - PAGES(100), 100 + 1024));
	KUNIT_EXPECT_GE(test, mock->nr_large, 1);
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(mock, SZ_1G));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, SZ_1G - PAGES(100),
					    100 + 1024));
}

/* iopt_set_max_iopte() limits the size of I/O pages that are mapped later. */
static void limit_iopte(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 8);

	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_set_max_iopte(iopt, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_set_max_iopte(iopt, PAGE_SIZE / 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_set_max_iopte(iopt, 3 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, PAGE_SIZE));
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_2M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 8, mock->nr_maps);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_large);
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, SZ_2M));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_set_max_iopte(iopt, PAGE_SIZE));
	/*
	 * Once the domain is empty, the limit can be lowered: no I/O page
	 * exceeds the new limit.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, SZ_2M, 8));
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_2M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 16, mock->nr_maps);

	/* With mixed_iopte, the limit can be lowered at any time. */
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, SZ_2M));
	iopt->policy.mixed_iopte = true;
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_4M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 24, mock->nr_maps);
}

static struct kunit_case attach_cases[] = {
	KUNIT_CASE(attach_fills),
	KUNIT_CASE(domains_share_pins),
	KUNIT_CASE(detach_in_batches),
	KUNIT_CASE(attach_EFAULT_leaves_nothing),
	KUNIT_CASE(many_domains),
	KUNIT_CASE(large_pages),
	KUNIT_CASE(limit_iopte),
	{}
};

static struct kunit_suite attach_suite = {
	.name = "iopt-attach",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = attach_cases,
};

kunit_test_suite(attach_suite);
