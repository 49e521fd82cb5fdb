// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_unmap(): which mappings it removes, and how often it flushes the IOTLB.
 */
#include <linux/sizes.h>

#include "space.h"

#define IOVA	0x100000000UL

/* An unmap never splits a mapping, and a rejected unmap changes nothing. */
static void unmap_ENOENT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, bytes;

	uaddr = test_touched(test, 12);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(8),
					  uaddr + PAGES(8), 4));

	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA + PAGES(1), 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA, 11));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA + PAGES(3), 9));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA + PAGES(4), 4));
	/* A range that includes just one byte of a mapping is rejected, too. */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_unmap(iopt, IOVA, IOVA + PAGES(8), &bytes));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_unmap(iopt, IOVA + PAGES(4) - 1,
				   IOVA + PAGES(12) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_unmap(iopt, IOVA, IOVA - 1, &bytes));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_unmaps);
	mock_expect_maps(mock, IOVA, uaddr, 4);
	mock_expect_maps(mock, IOVA + PAGES(8), uaddr + PAGES(8), 4);

	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, IOVA - PAGES(1),
					    IOVA + PAGES(20) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(8), bytes);
}

/*
 * Unmapping the whole space takes one flush if the mappings span less than
 * 1 TiB, and succeeds even if nothing is mapped.
 */
static void unmap_all(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, bytes, i;

	uaddr = test_touched(test, 50);
	test_attach(test, mock);

	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);

	for (i = 0; i != 50; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(iopt, IOVA + PAGES(2 * i),
					 uaddr + PAGES(i), 1));
	mock->nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(50), bytes);
	KUNIT_EXPECT_EQ(test, 1, mock->nr_flushes);
	KUNIT_EXPECT_EQ(test, 50, mock->nr_unmaps);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/* Unmapping a mapping of many runs takes one unmap_pages call. */
static void unmap_whole_area_in_one_call(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr;

	mock->domain.pgsize_bitmap = PAGE_SIZE;
	uaddr = test_touched(test, 64);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 64));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 64));
	KUNIT_EXPECT_EQ(test, 1, mock->nr_unmaps);
	KUNIT_EXPECT_EQ(test, 1, mock->nr_flushes);
}

/*
 * An unmap of adjacent mappings flushes each domain once. The mock domains
 * check that pages are unpinned only after the flush.
 */
static void unmap_flushes_every_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	test_map_adjacent(test, IOVA, uaddr, 4, 2);
	space->mock[0]->nr_flushes = 0;
	space->mock[1]->nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 1, space->mock[0]->nr_flushes);
	KUNIT_EXPECT_EQ(test, 1, space->mock[1]->nr_flushes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&space->mock[0]->unflushed));
	KUNIT_EXPECT_TRUE(test, xa_empty(&space->mock[1]->unflushed));
}

/**
 * struct span - IOVAs that were unmapped from a domain between two flushes
 * @ops: domain ops that record the span
 * @mock: original ops of the mock domain
 * @start: lowest IOVA unmapped since the last flush
 * @last: highest IOVA unmapped since the last flush
 * @longest: longest span of a flush so far, in bytes
 */
static struct span {
	struct iommu_domain_ops ops;
	const struct iommu_domain_ops *mock;
	unsigned long start;
	unsigned long last;
	unsigned long longest;
} span;

static size_t span_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	span.start = min(span.start, iova);
	span.last = max(span.last, iova + pgsize * pgcount - 1);
	return span.mock->unmap_pages(domain, iova, pgsize, pgcount, gather);
}

static void span_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	if (span.start <= span.last)
		span.longest = max(span.longest, span.last - span.start + 1);
	span.start = ULONG_MAX;
	span.last = 0;
	span.mock->iotlb_sync(domain, gather);
}

static void span_watch(struct mock_domain *mock)
{
	span.mock = mock->domain.ops;
	span.ops = *mock->domain.ops;
	span.ops.unmap_pages = span_unmap_pages;
	span.ops.iotlb_sync = span_iotlb_sync;
	span.start = ULONG_MAX;
	span.last = 0;
	span.longest = 0;
	mock->domain.ops = &span.ops;
}

/* Map a page every half TiB, so that a flush covers at most two of them. */
static void map_far_apart(struct kunit *test, unsigned int nr)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, nr), i;

	for (i = 0; i != nr; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, i * SZ_1T / 2,
						  uaddr + PAGES(i), 1));
}

/*
 * No flush of an unmap spans more than 1 TiB, because some IOMMU drivers
 * compute the length in a type that is narrower than an IOVA.
 */
static void unmap_flushes_each_TiB(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long bytes;

	test_attach(test, mock);
	map_far_apart(test, 8);
	span_watch(mock);
	mock->nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(8), bytes);
	KUNIT_EXPECT_EQ(test, SZ_1T / 2 + PAGE_SIZE, span.longest);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_flushes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
}

/* An unmap at a high IOVA takes no additional flush. */
static void unmap_at_high_iova_flushes_once(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 1);

	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 4 * SZ_1T, uaddr, 1));
	mock->nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, 4 * SZ_1T, 1));
	KUNIT_EXPECT_EQ(test, 1, mock->nr_flushes);
	KUNIT_EXPECT_EQ(test, 4 * SZ_1T, mock->lowest);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
}

/* No flush of a detach spans more than 1 TiB. */
static void detach_flushes_each_TiB(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];

	test_attach(test, mock);
	map_far_apart(test, 8);
	span_watch(mock);
	mock->nr_flushes = 0;
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, SZ_1T / 2 + PAGE_SIZE, span.longest);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_flushes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
}

static struct kunit_case unmap_cases[] = {
	KUNIT_CASE(unmap_flushes_each_TiB),
	KUNIT_CASE(unmap_at_high_iova_flushes_once),
	KUNIT_CASE(detach_flushes_each_TiB),
	KUNIT_CASE(unmap_ENOENT),
	KUNIT_CASE(unmap_all),
	KUNIT_CASE(unmap_whole_area_in_one_call),
	KUNIT_CASE(unmap_flushes_every_domain),
	{}
};

static struct kunit_suite unmap_suite = {
	.name = "iopt-unmap",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = unmap_cases,
};

kunit_test_suite(unmap_suite);
