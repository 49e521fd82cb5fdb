// SPDX-License-Identifier: GPL-2.0-only
/* Records of runs (runs_*.c): appending, cutting, clearing and filling. */
#include "../runs_chunks.h"
#include "failing.h"
#include "runs_lib.h"

/* Contiguous pages of the same kind are merged into one run. */
static void runs_merge_contiguous(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	test_runs_append(test, &runs, 100, 5, IOPT_RUN_RAM);
	test_runs_append(test, &runs, 105, 1, IOPT_RUN_RAM);
	test_runs_append(test, &runs, 105, 1, IOPT_RUN_RAM);
	test_runs_append(test, &runs, 106, 2, IOPT_RUN_RESERVED);
	KUNIT_EXPECT_EQ(test, 9, runs.npages);

	iopt_run_iter_start(&iter, &runs, 0, 8);
	test_expect_run(test, &iter, 0, 100, 6, IOPT_RUN_RAM);
	test_expect_run(test, &iter, 6, 105, 1, IOPT_RUN_RAM);
	test_expect_run(test, &iter, 7, 106, 2, IOPT_RUN_RESERVED);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_free(&runs);
	KUNIT_EXPECT_EQ(test, 0, runs.npages);
}

/* The zero page is one run however often it is repeated. */
static void runs_zero_page_has_stride_0(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;

	test_runs_append(test, &runs, 7, 3, IOPT_RUN_ZERO);
	test_runs_append(test, &runs, 7, 2, IOPT_RUN_ZERO);
	test_runs_append(test, &runs, 8, 1, IOPT_RUN_RAM);

	iopt_run_iter_start(&iter, &runs, 0,
			    runs.npages - 1);
	test_expect_run(test, &iter, 0, 7, 5, IOPT_RUN_ZERO);
	test_expect_run(test, &iter, 5, 8, 1, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

/* An empty record is a hole of any length. */
static void runs_empty_is_a_hole(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	iopt_run_iter_start(&iter, &runs, 3, 9);
	test_expect_run(test, &iter, 3, 0, 7, IOPT_RUN_HOLE);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_free(&runs);
}

/* Runs may start further apart than a packed offset can express. */
static void runs_far_apart(struct kunit *test)
{
	unsigned long far = (1UL << 21) + 3, top = (1UL << 40) - 1;
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	unsigned long i;

	for (i = 0; i != 6; i++)
		test_runs_append(test, &runs, i * 2 * far, far, IOPT_RUN_RAM);
	test_runs_append(test, &runs, top, 1, IOPT_RUN_RAM);

	for (i = 0; i != 6; i++) {
		iopt_run_iter_start(&iter, &runs, i * far,
				    runs.npages - 1);
		test_expect_run(test, &iter, i * far, i * 2 * far, far,
				IOPT_RUN_RAM);
		/*
		 * A walk that starts inside a run returns the rest of that run.
		 */
		iopt_run_iter_start(&iter, &runs, i * far + far - 1,
				    runs.npages - 1);
		test_expect_run(test, &iter, i * far + far - 1,
				i * 2 * far + far - 1, 1, IOPT_RUN_RAM);
	}
	test_expect_run(test, &iter, 6 * far, top, 1, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

/* A packed run has room for pfns of 40 bits. */
static void runs_reject_large_pfns(struct kunit *test)
{
	const unsigned long top = (1UL << 40) - 1;

	KUNIT_EXPECT_TRUE(test, iopt_run_pfn_fits(0));
	KUNIT_EXPECT_TRUE(test, iopt_run_pfn_fits(top));
	KUNIT_EXPECT_FALSE(test, iopt_run_pfn_fits(top + 1));
	KUNIT_EXPECT_FALSE(test, iopt_run_pfn_fits(ULONG_MAX));
}

/* A run can be cut into more pieces than fit into a chunk. */
static void runs_cut_everywhere(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	unsigned long i;

	test_runs_append(test, &runs, 1000, 6000, IOPT_RUN_RAM);
	test_runs_append(test, &runs, 7000, 10, IOPT_RUN_RESERVED);
	test_runs_append(test, &runs, 7, 3, IOPT_RUN_ZERO);
	for (i = 5999; i; i--)
		KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, i, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 6012, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 6013, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 6013, runs.npages);
	/* A chunk is split in half only when it is full. */
	KUNIT_EXPECT_LE(test, runs.nr_chunks, 6000 / (CHUNK_EDIT_MAX / 2) + 1);

	iopt_run_iter_start(&iter, &runs, 0, 6012);
	for (i = 0; i != 6000; i++)
		test_expect_run(test, &iter, i, 1000 + i, 1, IOPT_RUN_RAM);
	test_expect_run(test, &iter, 6000, 7000, 10, IOPT_RUN_RESERVED);
	test_expect_run(test, &iter, 6010, 7, 2, IOPT_RUN_ZERO);
	test_expect_run(test, &iter, 6012, 7, 1, IOPT_RUN_ZERO);
	iopt_runs_free(&runs);
}

/* Lost pages stay in the record, and losing one page loses its whole run. */
static void runs_lose_whole_runs(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned long i, lost = 0;

	for (i = 0; i != 600; i++)
		test_runs_append(test, &runs, 10 * i, 2, IOPT_RUN_RAM);
	iopt_runs_lose(&runs, 1021, 1024);
	iopt_run_iter_start(&iter, &runs, 0, 1199);
	while (iopt_run_iter_next(&iter, &run)) {
		lost += run.lost ? run.count : 0;
		KUNIT_EXPECT_EQ(test, run.lost,
				run.index >= 1020 && run.index <= 1025);
	}
	KUNIT_EXPECT_EQ(test, 6, lost);
	iopt_runs_free(&runs);
}

/* Adjacent runs that are cleared one after the other become one hole. */
static void runs_clear_makes_one_hole(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned long i;

	test_runs_append(test, &runs, 100, 8, IOPT_RUN_RAM);
	for (i = 2; i != 8; i += 2)
		KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, i, GFP_KERNEL));
	iopt_runs_clear(&runs, 2, 3);
	iopt_runs_clear(&runs, 4, 5);
	iopt_run_iter_start(&iter, &runs, 0, 7);
	test_expect_run(test, &iter, 0, 100, 2, IOPT_RUN_RAM);
	test_expect_run(test, &iter, 2, 0, 4, IOPT_RUN_HOLE);
	test_expect_run(test, &iter, 6, 106, 2, IOPT_RUN_RAM);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_clear(&runs, 0, 1);
	iopt_run_iter_start(&iter, &runs, 0, 7);
	test_expect_run(test, &iter, 0, 0, 6, IOPT_RUN_HOLE);
	test_expect_run(test, &iter, 6, 106, 2, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

/*
 * Expect that the hole is filled as a whole if @rc is 0, and otherwise that
 * both records are unchanged.
 */
static void expect_filled_or_not(struct kunit *test, struct iopt_runs *runs,
				 struct iopt_runs *fresh, int rc)
{
	struct iopt_run_iter iter;

	KUNIT_EXPECT_EQ(test, rc ? 1 : 43, runs->npages);
	KUNIT_EXPECT_EQ(test, rc ? 40 : 0, fresh->npages);
	iopt_run_iter_start(&iter, runs, 0, 9);
	test_expect_run(test, &iter, 0, 100, 1, IOPT_RUN_RAM);
	test_expect_run(test, &iter, 1, 0, rc ? 9 : 2, IOPT_RUN_HOLE);
}

/*
 * Filling a hole beyond the end of a record is all-or-nothing, whichever
 * allocation fails.
 */
static void runs_fill_is_all_or_nothing(struct kunit *test)
{
	struct iopt_runs runs = {}, fresh = {};
	unsigned int n, nr_failed = 0, repeated = 0;
	bool unused = false;
	unsigned long i;
	int rc;

	test_needs_failing_allocations(test);
	for (n = 1; !unused && n != 100;
	     n = test_fail_next(n, rc, &repeated)) {
		test_runs_append(test, &runs, 100, 1, IOPT_RUN_RAM);
		for (i = 0; i != 40; i++)
			test_runs_append(test, &fresh, 200 + 2 * i, 1,
					 IOPT_RUN_RAM);
		test_fail_allocation(n);
		rc = test_runs_fill(test, &runs, 3, &fresh, GFP_NOWAIT);
		unused = test_fail_end();
		/*
		 * The fill may succeed nevertheless: the slab allocator and
		 * debug code recover from some failed allocations.
		 */
		nr_failed += !!rc;
		if (rc)
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
		expect_filled_or_not(test, &runs, &fresh, rc);
		iopt_runs_free(&runs);
		iopt_runs_free(&fresh);
	}
	/* The fill allocates at least the array of chunks and one chunk. */
	KUNIT_EXPECT_GE(test, nr_failed, 2);
	KUNIT_EXPECT_EQ(test, 0, rc);
}

/* Appending leaves room for cuts, even in a chunk that cuts have enlarged. */
static void runs_append_after_cuts(struct kunit *test)
{
	struct iopt_runs runs = {}, fresh = {};
	unsigned long i;

	test_runs_append(test, &runs, 1, CHUNK_MAX + 8, IOPT_RUN_RAM);
	for (i = 1; i != CHUNK_MAX + 8; i++)
		test_runs_cut(test, &runs, i);
	KUNIT_ASSERT_EQ(test, 1, runs.nr_chunks);
	KUNIT_ASSERT_EQ(test, CHUNK_MAX + 8, runs.chunks[0].nr);

	iopt_runs_clear(&runs, 8, runs.npages - 1);
	for (i = 0; i != 2 * CHUNK_MAX; i++)
		test_runs_append(test, &fresh, 2 * i + 1, 1, IOPT_RUN_RAM);
	KUNIT_ASSERT_EQ(test, 0,
			test_runs_fill(test, &runs, 8, &fresh, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 8 + 2 * CHUNK_MAX, runs.npages);
	for (i = 0; i != runs.nr_chunks; i++)
		KUNIT_EXPECT_LE(test, runs.chunks[i].nr, CHUNK_MAX);
	iopt_runs_free(&runs);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE(runs_merge_contiguous),
	KUNIT_CASE(runs_zero_page_has_stride_0),
	KUNIT_CASE(runs_empty_is_a_hole),
	KUNIT_CASE(runs_far_apart),
	KUNIT_CASE(runs_reject_large_pfns),
	KUNIT_CASE(runs_cut_everywhere),
	KUNIT_CASE(runs_append_after_cuts),
	KUNIT_CASE(runs_lose_whole_runs),
	KUNIT_CASE(runs_clear_makes_one_hole),
	KUNIT_CASE(runs_fill_is_all_or_nothing),
	{}
};

static struct kunit_suite runs_suite = {
	.name = "iopt-runs",
	.test_cases = runs_cases,
};

kunit_test_suite(runs_suite);
