// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queries that front ends make (iova.c): the mapping at an IOVA, the usable
 * IOVA ranges and the required alignment.
 */
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "thread.h"

#define IOVA	0x100000000UL

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

/*
 * iopt_find_mapping() returns a mapping that is still being created, and does
 * not wait for the map to finish.
 */
static void find_mapping_in_flight(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	struct test_thread map;

	test_attach(test, mock);
	mock->block_iova = IOVA;
	mock->fail_map = 1;
	test_thread_map(test, &map, IOVA, test_touched(test, 4), 4);
	wait_for_completion(&mock->blocked);
	expect_found(test, 0, ULONG_MAX, IOVA, 4);
	KUNIT_EXPECT_EQ(test, UINT_MAX - 1, iopt_mappings_left(space->iopt));
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_thread_join(&map));
	expect_found(test, 0, ULONG_MAX, 0, 0);
	KUNIT_EXPECT_EQ(test, UINT_MAX, iopt_mappings_left(space->iopt));
}

/* While a domain is attached, its aperture limits the usable IOVAs. */
static void aperture_limits_iovas(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 1);
	struct iopt_range range[2] = {};

	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range[0].last);

	mock->domain.geometry.aperture_start = SZ_1M;
	mock->domain.geometry.aperture_end = SZ_4G - 1;
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, SZ_1M, range[0].start);
	KUNIT_EXPECT_EQ(test, SZ_4G - 1, range[0].last);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			test_map(space->iopt, SZ_1M - PAGE_SIZE, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, SZ_4G, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, SZ_4G - PAGE_SIZE,
					  uaddr, 1));
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);

	/* A domain cannot be attached if its aperture excludes a mapping. */
	mock->domain.geometry.aperture_end = SZ_4G - PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range[0].last);
}

static int reserve(struct io_pagetable *iopt, unsigned long start,
		   unsigned long last, const void *owner)
{
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_reserve_iova(iopt, start, last, owner);
	mutex_unlock(&iopt->lock);
	return rc;
}

static void unreserve(struct io_pagetable *iopt, const void *owner)
{
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, owner);
	mutex_unlock(&iopt->lock);
}

/*
 * Reservations of different owners may overlap, and the usable ranges exclude
 * all of them.
 */
static void ranges_exclude_all_reservations(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct iopt_range range[4] = {};
	unsigned long uaddr = test_touched(test, 1);
	int a, b;

	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, PAGES(2), PAGES(5) - 1, &a));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, PAGES(4), PAGES(7) - 1, &b));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, -PAGE_SIZE, ULONG_MAX, &b));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, PAGES(9), PAGES(10) - 1, &a));

	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, NULL, 0));
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, range, 1));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);
	KUNIT_EXPECT_EQ(test, PAGES(2) - 1, range[0].last);
	KUNIT_EXPECT_EQ(test, 0, range[1].last);
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, range, 4));
	KUNIT_EXPECT_EQ(test, PAGES(7), range[1].start);
	KUNIT_EXPECT_EQ(test, PAGES(9) - 1, range[1].last);
	KUNIT_EXPECT_EQ(test, PAGES(10), range[2].start);
	KUNIT_EXPECT_EQ(test, -PAGE_SIZE - 1, range[2].last);

	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, PAGES(6), uaddr, 1));
	unreserve(iopt, &b);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, PAGES(6), uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			reserve(iopt, PAGES(7) - 1, PAGES(7), &b));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, PAGES(4), uaddr, 1));
	unreserve(iopt, &a);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, range, 4));
}

/*
 * If the smallest I/O page of a domain is larger than PAGE_SIZE, IOVAs must be
 * aligned to the size of that I/O page, and the domain cannot be attached to a
 * space with unaligned mappings.
 */
static void alignment_of_coarse_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 64);

	mock->domain.pgsize_bitmap = SZ_64K;
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));

	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, IOVA, uaddr, 1));
	/* The map fails, because scattered pages do not form an I/O page. */
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, IOVA, uaddr, 16));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
}

/* IOVAs must be aligned to the smallest I/O page of every attached domain. */
static void alignment_of_several_domains(struct kunit *test)
{
	struct test_space *space = test->priv;

	space->mock[0]->domain.pgsize_bitmap = SZ_64K;
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
}

/*
 * iopt_pgsizes() reports the sizes that all domains support. It reports common
 * sizes below PAGE_SIZE as PAGE_SIZE.
 */
static void pgsizes_of_several_domains(struct kunit *test)
{
	struct test_space *space = test->priv;

	KUNIT_EXPECT_EQ(test, PAGE_MASK, iopt_pgsizes(space->iopt));
	space->mock[0]->domain.pgsize_bitmap = SZ_512 | SZ_2M | SZ_1G;
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE | SZ_2M | SZ_1G,
			iopt_pgsizes(space->iopt));
	space->mock[1]->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M;
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, SZ_2M, iopt_pgsizes(space->iopt));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE | SZ_2M, iopt_pgsizes(space->iopt));
	test_detach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, PAGE_MASK, iopt_pgsizes(space->iopt));
}

/*
 * If the domains have no size in common, iopt_pgsizes() reports only the
 * alignment of IOVAs.
 */
static void pgsizes_without_common_size(struct kunit *test)
{
	struct test_space *space = test->priv;

	space->mock[0]->domain.pgsize_bitmap = SZ_64K;
	space->mock[1]->domain.pgsize_bitmap = PAGE_SIZE;
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_pgsizes(space->iopt));
}

static struct kunit_case iova_query_cases[] = {
	KUNIT_CASE(find_mapping),
	KUNIT_CASE(find_mapping_in_flight),
	KUNIT_CASE(aperture_limits_iovas),
	KUNIT_CASE(ranges_exclude_all_reservations),
	KUNIT_CASE(alignment_of_coarse_domain),
	KUNIT_CASE(alignment_of_several_domains),
	KUNIT_CASE(pgsizes_of_several_domains),
	KUNIT_CASE(pgsizes_without_common_size),
	{}
};

static struct kunit_suite iova_query_suite = {
	.name = "iopt-iova-query",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = iova_query_cases,
};

kunit_test_suite(iova_query_suite);
