// SPDX-License-Identifier: GPL-2.0-only
/* Queries of front ends about mappings, and the limit on their number. */
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

static void expect_found(struct kunit *test, unsigned long start,
			 unsigned long last, unsigned long iova,
			 unsigned long npages)
{
	struct test_space *space = test->priv;
	struct iopt_range range = {};
	bool found = iopt_find_mapping(space->iopt, start, last, &range);

	KUNIT_EXPECT_EQ(test, npages != 0, found);
	KUNIT_EXPECT_EQ(test, iova, range.start);
	KUNIT_EXPECT_EQ(test, npages, (range.last + found - range.start) >>
				      PAGE_SHIFT);
}

/*
 * iopt_find_mapping() returns the lowest mapping that overlaps the interval,
 * even by a single byte.
 */
static void find_mapping(struct kunit *test)
{
	struct test_space *space = test->priv;

	expect_found(test, 0, ULONG_MAX, 0, 0);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, 0, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(6), 0, 2));
	expect_found(test, 0, ULONG_MAX, IOVA, 4);
	expect_found(test, IOVA - 1, IOVA, IOVA, 4);
	expect_found(test, IOVA + 5, IOVA + 5, IOVA, 4);
	expect_found(test, IOVA + PAGES(4) - 1, ULONG_MAX, IOVA, 4);
	expect_found(test, IOVA + PAGES(4), ULONG_MAX, IOVA + PAGES(6), 2);
	expect_found(test, IOVA + PAGES(4), IOVA + PAGES(6) - 1, 0, 0);
	expect_found(test, 0, IOVA - 1, 0, 0);
	expect_found(test, IOVA + PAGES(8), ULONG_MAX, 0, 0);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGES(1), 0, 1));
	expect_found(test, ULONG_MAX, ULONG_MAX, -PAGES(1), 1);
}

static long call_map(struct test_thread *thread)
{
	return test_map(thread->space->iopt, IOVA, thread->space->uaddr, 4);
}

/* A mapping that is being built is found without a wait. */
static void find_mapping_in_flight(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	struct test_thread map;

	space->uaddr = test_touched(test, 4);
	test_attach(test, mock);
	mock->block_iova = IOVA;
	mock->fail_map = 1;
	test_thread_start(test, &map, call_map, NULL, current->mm);
	wait_for_completion(&mock->blocked);
	expect_found(test, 0, ULONG_MAX, IOVA, 4);
	KUNIT_EXPECT_EQ(test, UINT_MAX - 1, iopt_mappings_left(space->iopt));
	complete(&mock->go_on);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_thread_join(&map));
	expect_found(test, 0, ULONG_MAX, 0, 0);
	KUNIT_EXPECT_EQ(test, UINT_MAX, iopt_mappings_left(space->iopt));
}

/* There may be as many mappings as the policy allows. */
static void map_ENOSPC(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = 3,
	};
	struct test_space *space = test->priv;
	unsigned long iova = COPY;

	test_space_replace(test, &policy);
	KUNIT_EXPECT_EQ(test, 3, iopt_mappings_left(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, 0, 100));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(100), 0,
					  1));
	KUNIT_EXPECT_EQ(test, 1, iopt_mappings_left(space->iopt));
	/* A copy of two mappings counts as two. */
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			iopt_copy(space->iopt, &iova, space->iopt, IOVA +
				  PAGES(99), PAGES(2), TEST_RW,
				  IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 1, iopt_mappings_left(space->iopt));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(space->iopt, &iova, space->iopt, IOVA +
				  PAGES(99), PAGES(1), TEST_RW,
				  IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 0, iopt_mappings_left(space->iopt));
	/* -EEXIST takes precedence over the limit. */
	KUNIT_EXPECT_EQ(test, -EEXIST, test_map(space->iopt, IOVA, 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC, test_map(space->iopt, 0, 0, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			iopt_map_user(space->iopt, &iova, NULL, PAGES(1),
				      TEST_RW, IOPT_ACCOUNT_USER, 0));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 0, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_mappings_left(space->iopt));
}

static struct kunit_case limits_cases[] = {
	KUNIT_CASE(find_mapping),
	KUNIT_CASE(find_mapping_in_flight),
	KUNIT_CASE(map_ENOSPC),
	{}
};

static struct kunit_suite limits_suite = {
	.name = "iopt-limits",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = limits_cases,
};

kunit_test_suite(limits_suite);
