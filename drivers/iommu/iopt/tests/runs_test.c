// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record of pages: every page appended is found again, in as few runs and
 * bytes as it can be.
 */
#include <kunit/test.h>
#include <linux/random.h>

#include "../runs.h"

static void append(struct kunit *test, struct iopt_runs *runs,
		   unsigned long pfn, unsigned long count,
		   enum iopt_run_kind kind)
{
	struct iopt_run run = {
		.index = runs->npages,
		.count = count,
		.pfn = pfn,
		.kind = kind,
	};

	KUNIT_ASSERT_EQ(test, 0, iopt_runs_append(runs, &run, GFP_KERNEL));
}

static void expect_run(struct kunit *test, struct iopt_run_iter *iter,
		       unsigned long index, unsigned long pfn,
		       unsigned long count, enum iopt_run_kind kind)
{
	struct iopt_run run = {};

	KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(iter, &run));
	KUNIT_EXPECT_EQ(test, index, run.index);
	KUNIT_EXPECT_EQ(test, pfn, run.pfn);
	KUNIT_EXPECT_EQ(test, count, run.count);
	KUNIT_EXPECT_EQ(test, (int)kind, (int)run.kind);
}

static void runs_merge_contiguous(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	append(test, &runs, 100, 5, IOPT_RUN_RAM);
	append(test, &runs, 105, 1, IOPT_RUN_RAM);
	append(test, &runs, 105, 1, IOPT_RUN_RAM);
	append(test, &runs, 106, 2, IOPT_RUN_RESERVED);
	KUNIT_EXPECT_EQ(test, 9, runs.npages);

	iopt_run_iter_start(&iter, &runs, 0);
	expect_run(test, &iter, 0, 100, 6, IOPT_RUN_RAM);
	expect_run(test, &iter, 6, 105, 1, IOPT_RUN_RAM);
	expect_run(test, &iter, 7, 106, 2, IOPT_RUN_RESERVED);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_free(&runs);
	KUNIT_EXPECT_EQ(test, 0, runs.npages);
}

static void runs_zero_page_has_stride_0(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;

	append(test, &runs, 7, 3, IOPT_RUN_ZERO);
	append(test, &runs, 7, 2, IOPT_RUN_ZERO);
	append(test, &runs, 8, 1, IOPT_RUN_RAM);

	iopt_run_iter_start(&iter, &runs, 0);
	expect_run(test, &iter, 0, 7, 5, IOPT_RUN_ZERO);
	expect_run(test, &iter, 5, 8, 1, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

static void runs_empty_has_none(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	iopt_run_iter_start(&iter, &runs, 0);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_free(&runs);
}

/* Starts further apart than a packed offset can tell, and the largest pfn. */
static void runs_far_apart(struct kunit *test)
{
	unsigned long far = (1UL << 21) + 3, top = (1UL << 40) - 1;
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	unsigned long i;

	for (i = 0; i != 6; i++)
		append(test, &runs, i * 2 * far, far, IOPT_RUN_RAM);
	append(test, &runs, top, 1, IOPT_RUN_RAM);

	for (i = 0; i != 6; i++) {
		iopt_run_iter_start(&iter, &runs, i * far);
		expect_run(test, &iter, i * far, i * 2 * far, far,
			   IOPT_RUN_RAM);
		iopt_run_iter_start(&iter, &runs, i * far + far - 1);
		expect_run(test, &iter, i * far, i * 2 * far, far,
			   IOPT_RUN_RAM);
	}
	expect_run(test, &iter, 6 * far, top, 1, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

/* Pages that all are runs of their own: 8 bytes each and 2% more. */
static void runs_take_8_bytes(struct kunit *test)
{
	unsigned long i, n = 200000, bytes = 0;
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;

	for (i = 0; i != n; i++)
		append(test, &runs, 2 * i, 1, IOPT_RUN_RAM);

	for (i = 0; i != runs.nr_chunks; i++)
		bytes += runs.chunks[i].capacity * sizeof(u64);
	bytes += runs.max_chunks * sizeof(*runs.chunks);
	KUNIT_EXPECT_LE(test, bytes, n * 8 * 102 / 100);

	for (i = 0; i < n; i += 997) {
		iopt_run_iter_start(&iter, &runs, i);
		expect_run(test, &iter, i, 2 * i, 1, IOPT_RUN_RAM);
	}
	iopt_runs_free(&runs);
}

#define MODEL_PAGES	4096

static void runs_against_model(struct kunit *test)
{
	unsigned long *pfns, i, npages = 0;
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct rnd_state rnd;
	struct iopt_run run;

	pfns = kunit_kcalloc(test, MODEL_PAGES, sizeof(*pfns), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pfns);
	prandom_seed_state(&rnd, 20221111);

	while (npages < MODEL_PAGES) {
		unsigned long pfn = prandom_u32_state(&rnd) % 8 * 3;
		unsigned long count = prandom_u32_state(&rnd) % 3 + 1;

		count = min(count, MODEL_PAGES - npages);
		append(test, &runs, pfn, count, IOPT_RUN_RAM);
		for (i = 0; i != count; i++)
			pfns[npages++] = pfn + i;
	}

	for (i = 0; i != MODEL_PAGES; i++) {
		iopt_run_iter_start(&iter, &runs, i);
		KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
		KUNIT_ASSERT_LE(test, run.index, i);
		KUNIT_ASSERT_LT(test, i, run.index + run.count);
		KUNIT_ASSERT_EQ(test, pfns[i], run.pfn + (i - run.index));
		/* It is as long as it can be. */
		if (run.index + run.count < MODEL_PAGES)
			KUNIT_ASSERT_NE(test, run.pfn + run.count,
					pfns[run.index + run.count]);
	}
	iopt_runs_free(&runs);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE(runs_merge_contiguous),
	KUNIT_CASE(runs_zero_page_has_stride_0),
	KUNIT_CASE(runs_empty_has_none),
	KUNIT_CASE(runs_far_apart),
	KUNIT_CASE(runs_take_8_bytes),
	KUNIT_CASE(runs_against_model),
	{}
};

static struct kunit_suite runs_suite = {
	.name = "iopt-runs",
	.test_cases = runs_cases,
};

kunit_test_suite(runs_suite);
