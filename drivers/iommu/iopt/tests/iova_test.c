// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVAs: those the engine chooses, allowed ranges, and limits on mappings.
 */
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "space.h"

/* Map at an IOVA of the engine's choice; nothing is pinned, so any memory. */
static int map_anywhere(struct io_pagetable *iopt, unsigned long *iova,
			unsigned long uaddr, unsigned long length)
{
	*iova = 0xbad;
	return iopt_map_user(iopt, iova, (void __user *)uaddr, length, TEST_RW,
			     IOPT_ACCOUNT_USER, 0);
}

static int map_fixed(struct io_pagetable *iopt, unsigned long iova,
		     unsigned long length)
{
	return test_map(iopt, iova, SZ_4G, length >> PAGE_SHIFT);
}

/* The lowest IOVA, but never 0; holes are used again. */
static void choose_lowest(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, i;

	for (i = 1; i != 6; i++) {
		KUNIT_ASSERT_EQ(test, 0,
				map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, PAGES(i), iova);
	}
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, PAGES(4), 1));
	KUNIT_EXPECT_EQ(test, 0,
			map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, PAGES(6), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGES(2), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGES(4), iova);
	test_validate(test);
}

/* C9: a chosen IOVA lets the memory's large pages be large I/O pages. */
static void choose_aligned(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(1), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(3),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, PAGES(3), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(3),
					      SZ_2M + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGES(512 + 3), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + SZ_2M,
					      SZ_1G));
	KUNIT_EXPECT_EQ(test, PAGES(513 * 512), iova);
	/* Too small for one. */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M -
					      PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 2 * SZ_2M + PAGES(4), iova);
	test_validate(test);
}

/* With no aligned place left an unaligned one will do. */
static void choose_unaligned_if_full(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const struct iopt_range allowed = { PAGES(1), SZ_2M + PAGES(1) - 1 };
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, &allowed, 1));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, PAGES(1), iova);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
}

static void choose_ENOSPC(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, all = -PAGES(2);

	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, PAGE_SIZE, all + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0,
			map_anywhere(iopt, &iova, PAGE_SIZE, all));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iova);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, map_anywhere(iopt, &iova, SZ_4G, 1));
	/* Who asks for them gets the first and the last page. */
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, -PAGES(1), PAGE_SIZE));
	test_validate(test);
}

/* Around what is mapped and what is reserved, inside of what is allowed. */
static void choose_allowed(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const struct iopt_range allowed[] = {
		{ SZ_1G, SZ_1G + PAGES(2) - 1 }, { SZ_1M, SZ_1M + PAGES(2) - 1 },
		{ -PAGES(2), ULONG_MAX },
	};
	const unsigned long expect[] = {
		SZ_1M, SZ_1M + PAGES(1), SZ_1G, SZ_1G + PAGES(1), -PAGES(2),
	};
	unsigned long iova, i;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, allowed, 3));
	for (i = 0; i != ARRAY_SIZE(expect); i++) {
		KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G,
						      PAGE_SIZE));
		KUNIT_EXPECT_EQ(test, expect[i], iova);
	}
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	/* A fixed IOVA need not be allowed. */
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, SZ_4G, PAGE_SIZE));
	/* No ranges at all: anywhere. */
	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, NULL, 0));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iova);
}

static void choose_beside_reserved(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long iova, uaddr = test_touched(test, 3);

	mock->domain.geometry.aperture_start = SZ_1M;
	mock->domain.geometry.aperture_end = SZ_1M + PAGES(3) - 1;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, SZ_1M + PAGES(1), uaddr, 1));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, uaddr, PAGES(2)));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, uaddr + PAGES(1),
					      PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_1M, iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, uaddr + PAGES(2),
					      PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_1M + PAGES(2), iova);
	mock_expect_maps(mock, SZ_1M + PAGES(1), uaddr, 1);
	mock_expect_maps(mock, SZ_1M, uaddr + PAGES(1), 1);
	mock_expect_maps(mock, SZ_1M + PAGES(2), uaddr + PAGES(2), 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, uaddr, PAGE_SIZE));
}

/* Allowed ranges are all or nothing, and nothing can take them away. */
static void allow_EINVAL_EADDRINUSE(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	const struct iopt_range backwards = { PAGES(2), PAGES(1) };
	const struct iopt_range overlap[] = {
		{ 0, SZ_1M }, { SZ_1M, SZ_2M - 1 }
	};
	const struct iopt_range high = { SZ_4G, SZ_4G + SZ_1M - 1 };
	const struct iopt_range low = { SZ_1M, SZ_2M - 1 };
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, &high, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_allow_iova(iopt, &backwards, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_allow_iova(iopt, overlap, 2));

	mock->domain.geometry.aperture_end = SZ_4G - 1;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_4G, iova);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, iova, 1));

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, &low, 1));
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, iopt_allow_iova(iopt, &high, 1));
	test_validate(test);
}

/* A hole deep in the tree is found, and many areas keep their order. */
static void choose_among_many(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const unsigned long n = 1000;
	unsigned long iova, bytes, i, at;

	/* In an order that makes no sense: 617 has no divisor of 1000. */
	for (i = 0, at = 0; i != n; i++, at = (at + 617) % n)
		KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(2 * at + 1),
						   PAGE_SIZE));
	test_validate(test);
	for (i = 0; i != n; i += 100) {
		at = 2 * (n - 50 - i) + 1;
		KUNIT_ASSERT_EQ(test, 0, test_unmap(iopt, PAGES(at), 1));
		KUNIT_EXPECT_EQ(test, 0,
				map_anywhere(iopt, &iova, SZ_4G, PAGES(3)));
		KUNIT_EXPECT_EQ(test, PAGES(at - 1), iova);
	}
	/* Now that all these are taken: above the last one. */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, PAGES(2 * n), iova);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(n - 10 + 3 * 10 + 2), bytes);
}

/* T1-36: overlap beats the limit; an unmap makes room. T1-05: 0 is a limit. */
static void map_limit_ENOSPC(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = 3,
	};
	const struct iopt_policy none = { .gfp = GFP_KERNEL };
	struct io_pagetable *iopt = iopt_alloc(&policy);
	unsigned long i;

	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	for (i = 0; i != 3; i++)
		KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, PAGES(i), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -ENOSPC, map_fixed(iopt, PAGES(3), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EEXIST, map_fixed(iopt, PAGES(2), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, PAGES(3), PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -ENOSPC, map_fixed(iopt, PAGES(1), PAGE_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(iopt));
	iopt_free(iopt);

	iopt = iopt_alloc(&none);
	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	KUNIT_EXPECT_EQ(test, -ENOSPC, map_fixed(iopt, 0, PAGE_SIZE));
	iopt_free(iopt);
}

/* No I/O page is larger than the limit. */
static void limit_iopte(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 8);

	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_limit_iopte(iopt, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_limit_iopte(iopt, PAGE_SIZE / 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_limit_iopte(iopt, 3 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, iopt_limit_iopte(iopt, PAGE_SIZE));
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_2M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 8, mock->nr_maps);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_large);
	KUNIT_EXPECT_EQ(test, 0, iopt_limit_iopte(iopt, SZ_2M));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_limit_iopte(iopt, PAGE_SIZE));
	/* An empty domain has no page that is too large. */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, SZ_2M, 8));
	KUNIT_EXPECT_EQ(test, 0, iopt_limit_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_2M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 16, mock->nr_maps);

	/* T1-04: unless I/O pages may be of all sizes. */
	KUNIT_EXPECT_EQ(test, 0, iopt_limit_iopte(iopt, SZ_2M));
	iopt->policy.mixed_iopte = true;
	KUNIT_EXPECT_EQ(test, 0, iopt_limit_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_4M, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 24, mock->nr_maps);
}

/* Near the end of what is allowed, and beside what is mapped there. */
static void choose_at_ends(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const struct iopt_range allowed[] = {
		{ SZ_1M, SZ_1M + PAGES(4) - 1 },
		{ SZ_2M + PAGES(3), SZ_2M + PAGES(5) - 1 },
	};
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, allowed, 2));
	/* Mapped in the first range, and far behind it. */
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_1M, PAGES(2)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_4M, PAGE_SIZE));
	/* The hole between them is large, its part in the range is not. */
	KUNIT_EXPECT_EQ(test, -ENOSPC, map_anywhere(iopt, &iova, SZ_4G,
						    PAGES(3)));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, SZ_1M + PAGES(2), iova);
	/* The first range is full, the hole behind it is of no use. */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_2M + PAGES(3), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_2M + PAGES(4), iova);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	test_validate(test);
}

/* C9: a hole that is large, but not where the large pages are, is no end. */
static void choose_aligned_behind_holes(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, i;

	/* Holes of 2 MiB and a page that cut the aligned 2 MiB. */
	for (i = 0; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, i * (SZ_2M + PAGES(2)),
						   PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_64M, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(7),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, 3 * SZ_2M + PAGES(7), iova);
	test_validate(test);
}

/* A hole that fits exactly is found, where large I/O pages are to be too. */
static void choose_exact_hole(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, i;

	/* Holes of 2 MiB: one that is misaligned, then an aligned one. */
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(1), PAGES(2)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_2M + PAGES(3),
					   SZ_2M - PAGES(3)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, 3 * SZ_2M, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, 2 * SZ_2M, iova);
	/* The other one fits exactly too, where it need not be aligned. */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(3),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, PAGES(3), iova);
	test_validate(test);

	/* After many that are misaligned a larger one is taken. */
	for (i = 0; i != 200; i++)
		KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_1G + i *
						   (SZ_2M + 2 * PAGE_SIZE),
						   PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(1) + 4 * SZ_2M,
					   SZ_1G - 4 * SZ_2M - PAGES(1)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, 3 * SZ_2M + PAGE_SIZE,
					   SZ_2M));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(300),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, PAGES(300), iova & (SZ_2M - 1));
	test_validate(test);
}

/*
 * Make holes of 2 MiB above 1 GiB that are misaligned and an aligned one above
 * them, and return where that one starts.
 */
static unsigned long make_holes(struct kunit *test, unsigned long nr)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long next = SZ_1G + PAGE_SIZE, aligned;

	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, 0, next));
	for (; nr != 1; nr--) {
		next += SZ_2M;
		KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, next, PAGE_SIZE));
		next += PAGE_SIZE;
	}
	next += SZ_2M;
	aligned = ALIGN(next, SZ_2M);
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, next, aligned - next));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, aligned + SZ_2M, PAGE_SIZE));
	return aligned;
}

/*
 * The search for a hole that fits exactly ends after some that are misaligned:
 * from there on only a hole counts that fits whatever its alignment.
 */
static void choose_ends_search_for_exact_hole(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long aligned, iova, bytes;

	aligned = make_holes(test, 100);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, aligned, iova);
	KUNIT_ASSERT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));

	aligned = make_holes(test, 200);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, aligned + 2 * SZ_2M, iova);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
}

/* A coarse domain: memory that starts inside of its pages. */
static void choose_for_coarse_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[0];
	unsigned long iova;

	mock->domain.pgsize_bitmap = SZ_64K;
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, -EINVAL, map_anywhere(iopt, &iova, SZ_4G,
						    PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, map_fixed(iopt, SZ_64K, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			map_fixed(iopt, SZ_64K + PAGE_SIZE, SZ_64K));
	mutex_lock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, iopt_choose_iova(iopt, SZ_4G + PAGES(3),
						  SZ_64K, &iova));
	KUNIT_EXPECT_EQ(test, SZ_64K, iova);
	KUNIT_EXPECT_EQ(test, 0, iopt_choose_iova(iopt, SZ_4G + SZ_2M - SZ_64K,
						  SZ_2M, &iova));
	KUNIT_EXPECT_EQ(test, SZ_2M - SZ_64K, iova);
	mutex_unlock(&iopt->lock);
}

/* A copy is aligned to the memory that it shows, not to where that starts. */
static void choose_for_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova = 0;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, SZ_1G, SZ_4G + PAGES(5),
					  1024));
	KUNIT_EXPECT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, SZ_1G + PAGES(2),
					   SZ_2M, TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, PAGES(7), iova);
}

/* Aligned memory does not fit where only its start would be beyond the end. */
static void choose_not_beyond_allowed(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const struct iopt_range allowed[] = {
		{ PAGE_SIZE, SZ_1M - 1 }, { SZ_16M, SZ_32M - 1 },
	};
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, allowed, 2));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, SZ_16M, iova);
}

/* What is reserved in the middle is stepped over. */
static void choose_behind_reserved(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova;

	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(1), PAGES(7)));
	mutex_lock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, iopt_reserve_iova(iopt, PAGES(8),
						   PAGES(16) - 1, test));
	KUNIT_EXPECT_EQ(test, 0, iopt_reserve_iova(iopt, PAGES(17),
						   PAGES(18) - 1, test));
	mutex_unlock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, PAGES(18), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGES(16), iova);
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, test);
	mutex_unlock(&iopt->lock);
}

static struct kunit_case iova_cases[] = {
	KUNIT_CASE(choose_lowest),
	KUNIT_CASE(choose_aligned),
	KUNIT_CASE(choose_unaligned_if_full),
	KUNIT_CASE(choose_ENOSPC),
	KUNIT_CASE(choose_allowed),
	KUNIT_CASE(choose_beside_reserved),
	KUNIT_CASE(allow_EINVAL_EADDRINUSE),
	KUNIT_CASE(choose_among_many),
	KUNIT_CASE(map_limit_ENOSPC),
	KUNIT_CASE(limit_iopte),
	KUNIT_CASE(choose_at_ends),
	KUNIT_CASE(choose_aligned_behind_holes),
	KUNIT_CASE(choose_exact_hole),
	KUNIT_CASE(choose_ends_search_for_exact_hole),
	KUNIT_CASE(choose_for_coarse_domain),
	KUNIT_CASE(choose_for_copy),
	KUNIT_CASE(choose_not_beyond_allowed),
	KUNIT_CASE(choose_behind_reserved),
	{}
};

static struct kunit_suite iova_suite = {
	.name = "iopt-iova",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = iova_cases,
};

kunit_test_suite(iova_suite);
