// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the engine chooses IOVAs between mappings and in allowed ranges (iova.c).
 */
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "../iova.h"
#include "../reserve.h"
#include "space.h"

/*
 * Map at an IOVA that the engine chooses. The engine must ignore the initial
 * value of *@iova, which is not a valid IOVA for a mapping. Nothing is pinned
 * without a domain, so any user address will do.
 */
static int map_anywhere(struct io_pagetable *iopt, unsigned long *iova,
			unsigned long uaddr, unsigned long length)
{
	*iova = ULONG_MAX;
	return iopt_map_user(iopt, iova, (void __user *)uaddr, length, TEST_RW,
			     IOPT_ACCOUNT_USER, 0);
}

static int map_fixed(struct io_pagetable *iopt, unsigned long iova,
		     unsigned long length)
{
	return test_map(iopt, iova, SZ_4G, length >> PAGE_SHIFT);
}

/*
 * For a mapping of one page, the engine chooses the lowest free IOVA except
 * page 0, and reuses holes.
 */
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

/*
 * A chosen IOVA is congruent to the user address modulo the alignment, so that
 * contiguous pages can be mapped with the largest I/O pages.
 */
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
	/*
	 * Up to 1 GiB, the alignment is the largest power of two that is not
	 * longer than the mapping.
	 */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M -
					      PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 5 * SZ_1M, iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(1),
					      PAGES(7)));
	KUNIT_EXPECT_EQ(test, PAGES(1029), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGES(2), iova);
	test_validate(test);
}

/* If no aligned IOVAs are free, the engine chooses unaligned ones. */
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

/* The engine never chooses the first or the last page of the address space. */
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
	/* The first and the last page can be mapped at a fixed IOVA. */
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, 0, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, -PAGES(1), PAGE_SIZE));
	test_validate(test);
}

/* The engine chooses IOVAs in allowed ranges only, lowest range first. */
static void choose_allowed(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const struct iopt_range allowed[] = {
		{ SZ_1G, SZ_1G + PAGES(2) - 1 },
		{ SZ_1M, SZ_1M + PAGES(2) - 1 },
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
	/* A fixed IOVA need not be in an allowed range. */
	KUNIT_EXPECT_EQ(test, 0, map_fixed(iopt, SZ_4G, PAGE_SIZE));
	/* Without a list of allowed ranges, any free IOVA can be chosen. */
	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(iopt, NULL, 0));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iova);
}

/*
 * The engine uses the holes between a mapping and reserved IOVAs, and fails if
 * no hole is large enough.
 */
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

/*
 * iopt_allow_iova() is all-or-nothing. It fails if a range ends before it
 * starts, overlaps another range or contains a reserved IOVA.
 * iopt_attach_domain() fails if it would reserve an IOVA of an allowed range.
 */
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

/* The engine finds holes deep in a large tree, and keeps the tree sorted. */
static void choose_among_many(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	const unsigned long n = 1000;
	unsigned long iova, bytes, i, at;

	/*
	 * Insert in scattered order: 617 and 1000 are coprime, so that each
	 * position comes up once.
	 */
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
	/*
	 * The remaining holes have one page each, so the next choice is above
	 * the last area.
	 */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, PAGES(2 * n), iova);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(n - 10 + 3 * 10 + 2), bytes);
}

/*
 * The engine finds IOVAs at the end of allowed ranges, next to existing
 * mappings.
 */
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
	/* Create one mapping in the first range and one above both ranges. */
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_1M, PAGES(2)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_4M, PAGE_SIZE));
	/*
	 * The hole between the two mappings is large, but only two pages of it
	 * are in the first range.
	 */
	KUNIT_EXPECT_EQ(test, -ENOSPC, map_anywhere(iopt, &iova, SZ_4G,
						    PAGES(3)));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGES(2)));
	KUNIT_EXPECT_EQ(test, SZ_1M + PAGES(2), iova);
	/*
	 * The first range is full, and the IOVAs between the ranges are not
	 * allowed.
	 */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_2M + PAGES(3), iova);
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, SZ_2M + PAGES(4), iova);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			map_anywhere(iopt, &iova, SZ_4G, PAGE_SIZE));
	test_validate(test);
}

/* A hole that is large enough but misaligned does not end the search. */
static void choose_aligned_behind_holes(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, i;

	/*
	 * Create three holes of 2 MiB plus one page, which have no room for
	 * IOVAs that are aligned like the memory, and a larger hole above them.
	 */
	for (i = 0; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, i * (SZ_2M + PAGES(2)),
						   PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_64M, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(7),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, 3 * SZ_2M + PAGES(7), iova);
	test_validate(test);
}

/*
 * A hole of exactly the requested length is used if its alignment matches that
 * of the memory.
 */
static void choose_exact_hole(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova, i;

	/* Create two holes of 2 MiB: a misaligned one, then an aligned one. */
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, PAGES(1), PAGES(2)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, SZ_2M + PAGES(3),
					   SZ_2M - PAGES(3)));
	KUNIT_ASSERT_EQ(test, 0, map_fixed(iopt, 3 * SZ_2M, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G, SZ_2M));
	KUNIT_EXPECT_EQ(test, 2 * SZ_2M, iova);
	/* The misaligned hole fits memory with the same offset modulo 2 MiB. */
	KUNIT_EXPECT_EQ(test, 0, map_anywhere(iopt, &iova, SZ_4G + PAGES(3),
					      SZ_2M));
	KUNIT_EXPECT_EQ(test, PAGES(3), iova);
	test_validate(test);

	/* The engine finds an aligned IOVA even after many misaligned holes. */
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
 * Create @nr misaligned holes of 2 MiB above 1 GiB, and an aligned one above
 * them. Return the start of the aligned hole.
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
 * The engine checks a limited number of misaligned holes of the exact length.
 * After that it considers only holes that fit at any alignment.
 */
static void choose_limits_search_for_exact_hole(struct kunit *test)
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

/*
 * If the I/O pages of a domain are larger than PAGE_SIZE, a chosen IOVA is
 * aligned to them even if the user address is not.
 */
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
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_choose_iova(iopt, SZ_4G, SZ_64K + PAGE_SIZE,
					 &iova));
	mutex_unlock(&iopt->lock);
}

/*
 * The IOVA chosen for a copied slice is congruent to the user address of the
 * slice, not to that of the source mapping.
 */
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

/* Aligning an IOVA does not move it beyond the end of an allowed range. */
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

/* The engine skips reserved IOVAs in the middle of a hole. */
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
	KUNIT_CASE(choose_at_ends),
	KUNIT_CASE(choose_aligned_behind_holes),
	KUNIT_CASE(choose_exact_hole),
	KUNIT_CASE(choose_limits_search_for_exact_hole),
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
