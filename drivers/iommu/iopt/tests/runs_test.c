// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record of pages: every page appended is found again, in as few runs and
 * bytes as it can be.
 */
#include <kunit/test.h>
#include <linux/random.h>

#include "../runs_packed.h"
#include "failing.h"

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

	iopt_run_iter_start(&iter, &runs, 0, 8);
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

	iopt_run_iter_start(&iter, &runs, 0,
			    runs.npages - 1);
	expect_run(test, &iter, 0, 7, 5, IOPT_RUN_ZERO);
	expect_run(test, &iter, 5, 8, 1, IOPT_RUN_RAM);
	iopt_runs_free(&runs);
}

static void runs_empty_is_a_hole(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	iopt_run_iter_start(&iter, &runs, 3, 9);
	expect_run(test, &iter, 3, 0, 7, IOPT_RUN_HOLE);
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
		iopt_run_iter_start(&iter, &runs, i * far,
				    runs.npages - 1);
		expect_run(test, &iter, i * far, i * 2 * far, far,
			   IOPT_RUN_RAM);
		/* A walk that starts inside of a run gets the rest of it. */
		iopt_run_iter_start(&iter, &runs, i * far + far - 1,
				    runs.npages - 1);
		expect_run(test, &iter, i * far + far - 1,
			   i * 2 * far + far - 1, 1, IOPT_RUN_RAM);
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
		iopt_run_iter_start(&iter, &runs, i,
				    runs.npages - 1);
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
		iopt_run_iter_start(&iter, &runs, i,
				    runs.npages - 1);
		KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
		KUNIT_ASSERT_EQ(test, i, run.index);
		KUNIT_ASSERT_EQ(test, pfns[i], run.pfn);
		/* It is as long as it can be. */
		if (run.index + run.count < MODEL_PAGES)
			KUNIT_ASSERT_NE(test, run.pfn + run.count,
					pfns[run.index + run.count]);
	}
	iopt_runs_free(&runs);
}

/* More cuts than a chunk has room for, and what each piece is then. */
static void runs_cut_everywhere(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	unsigned long i;

	append(test, &runs, 1000, 600, IOPT_RUN_RAM);
	append(test, &runs, 1600, 10, IOPT_RUN_RESERVED);
	append(test, &runs, 7, 3, IOPT_RUN_ZERO);
	for (i = 599; i; i--)
		KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, i, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 612, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 613, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 613, runs.npages);

	iopt_run_iter_start(&iter, &runs, 0, 612);
	for (i = 0; i != 600; i++)
		expect_run(test, &iter, i, 1000 + i, 1, IOPT_RUN_RAM);
	expect_run(test, &iter, 600, 1600, 10, IOPT_RUN_RESERVED);
	expect_run(test, &iter, 610, 7, 2, IOPT_RUN_ZERO);
	expect_run(test, &iter, 612, 7, 1, IOPT_RUN_ZERO);
	iopt_runs_free(&runs);
}

/* What is lost stays noted, whole runs of it. */
static void runs_lose_whole_runs(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned long i, lost = 0;

	for (i = 0; i != 600; i++)
		append(test, &runs, 10 * i, 2, IOPT_RUN_RAM);
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

/* Neighbours that are cleared one after the other make one hole. */
static void runs_clear_makes_one_hole(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned long i;

	append(test, &runs, 100, 8, IOPT_RUN_RAM);
	for (i = 2; i != 8; i += 2)
		KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, i, GFP_KERNEL));
	iopt_runs_clear(&runs, 2, 3);
	iopt_runs_clear(&runs, 4, 5);
	iopt_run_iter_start(&iter, &runs, 0, 7);
	expect_run(test, &iter, 0, 100, 2, IOPT_RUN_RAM);
	expect_run(test, &iter, 2, 0, 4, IOPT_RUN_HOLE);
	expect_run(test, &iter, 6, 106, 2, IOPT_RUN_RAM);
	KUNIT_EXPECT_FALSE(test, iopt_run_iter_next(&iter, &run));
	iopt_runs_free(&runs);
}

/* All of it is there, or as before. */
static void expect_filled_or_not(struct kunit *test, struct iopt_runs *runs,
				 struct iopt_runs *fresh, int rc)
{
	struct iopt_run_iter iter;

	KUNIT_EXPECT_EQ(test, rc ? 1 : 43, runs->npages);
	KUNIT_EXPECT_EQ(test, rc ? 40 : 0, fresh->npages);
	iopt_run_iter_start(&iter, runs, 0, 9);
	expect_run(test, &iter, 0, 100, 1, IOPT_RUN_RAM);
	expect_run(test, &iter, 1, 0, rc ? 9 : 2, IOPT_RUN_HOLE);
}

/* Move the pages of one record into a hole of another one. */
static int fill(struct kunit *test, struct iopt_runs *runs, unsigned long first,
		struct iopt_runs *fresh, gfp_t gfp)
{
	struct iopt_run_batch batch = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned int pending = test_fail_suspend();
	int rc;

	batch.packed = kvmalloc_array(fresh->npages, sizeof(u64), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, batch.packed);
	iopt_run_iter_start(&iter, fresh, 0, fresh->npages - 1);
	while (iopt_run_iter_next(&iter, &run))
		iopt_run_batch_add(&batch, &run);
	test_fail_allocation(pending);
	rc = iopt_runs_fill(runs, first, &batch, false, gfp);
	pending = test_fail_suspend();
	kvfree(batch.packed);
	if (!rc)
		iopt_runs_free(fresh);
	test_fail_allocation(pending);
	return rc;
}

/* Pages behind a hole behind the end, with every allocation failing once. */
static void runs_fill_behind_fails_whole(struct kunit *test)
{
	struct iopt_runs runs = {}, fresh = {};
	unsigned int n, nr_failed = 0;
	bool unused = false;
	unsigned long i;
	int rc;

	test_needs_failing_allocations(test);
	for (n = 1; !unused && n != 100; n++) {
		append(test, &runs, 100, 1, IOPT_RUN_RAM);
		for (i = 0; i != 40; i++)
			append(test, &fresh, 200 + 2 * i, 1, IOPT_RUN_RAM);
		test_fail_allocation(n);
		rc = fill(test, &runs, 3, &fresh, GFP_NOWAIT);
		unused = test_fail_end();
		/* Some failures do not matter. */
		nr_failed += !!rc;
		if (rc)
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
		expect_filled_or_not(test, &runs, &fresh, rc);
		iopt_runs_free(&runs);
		iopt_runs_free(&fresh);
	}
	/* Out of the record itself, and larger at least once. */
	KUNIT_EXPECT_GE(test, nr_failed, 2);
	KUNIT_EXPECT_EQ(test, 0, rc);
}

#define EDIT_PAGES	3000U

/* A page by index: a hole is 0; runs never go across a holder's ends. */
struct edit_model {
	unsigned long pfn[EDIT_PAGES];
	bool cut[EDIT_PAGES + 1];
};

static void edit_expect(struct kunit *test, struct iopt_runs *runs,
			struct edit_model *model)
{
	struct iopt_run_iter iter;
	unsigned long i = 0, end = 0, j;
	struct iopt_run run;

	iopt_run_iter_start(&iter, runs, 0, EDIT_PAGES - 1);
	while (iopt_run_iter_next(&iter, &run)) {
		KUNIT_ASSERT_EQ(test, i, run.index);
		KUNIT_ASSERT_NE(test, 0, run.count);
		for (j = 0; j != run.count; j++, i++) {
			unsigned long pfn = 0;

			if (run.kind == IOPT_RUN_RAM)
				pfn = run.pfn + j;
			KUNIT_ASSERT_EQ(test, model->pfn[i], pfn);
			if (j && pfn)
				KUNIT_ASSERT_FALSE(test, model->cut[i]);
			if (pfn)
				end = i + 1;
		}
	}
	KUNIT_ASSERT_EQ(test, EDIT_PAGES, i);
	KUNIT_ASSERT_EQ(test, end, runs->npages);
}

/* Is all of a range a hole, or nothing of it? */
static bool edit_is(struct edit_model *model, unsigned long first,
		    unsigned long last, bool hole)
{
	unsigned long i;

	for (i = first; i <= last; i++)
		if (hole != !model->pfn[i])
			return false;
	return true;
}

/* Fill what is a hole, though it may be several that are neighbours. */
static void edit_fill(struct kunit *test, struct iopt_runs *runs,
		      struct edit_model *model, struct rnd_state *rnd,
		      unsigned long first, unsigned long last)
{
	unsigned long i = first, end, pfn = 0;
	struct iopt_runs fresh = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	while (i <= last) {
		iopt_run_iter_start(&iter, runs, i, last);
		KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
		KUNIT_ASSERT_EQ(test, IOPT_RUN_HOLE, run.kind);
		end = run.index + run.count;
		model->cut[i] = true;
		model->cut[end] = true;
		for (; i != end; i++) {
			if (!pfn++ || prandom_u32_state(rnd) % 3)
				pfn = prandom_u32_state(rnd) % 99999 + 1;
			append(test, &fresh, pfn, 1, IOPT_RUN_RAM);
			model->pfn[i] = pfn;
			model->cut[i] = model->cut[i] && i == run.index;
		}
		KUNIT_ASSERT_EQ(test, 0, fill(test, runs, run.index, &fresh,
					      GFP_KERNEL));
		KUNIT_ASSERT_EQ(test, 0, fresh.npages);
	}
}

/* Fill holes, cut, clear what was cut: at random, against an array. */
static void runs_edit_against_model(struct kunit *test)
{
	struct edit_model *model = kunit_kzalloc(test, sizeof(*model),
						 GFP_KERNEL);
	unsigned int op, nr_fills = 0, nr_clears = 0, nr_refused = 0;
	struct iopt_runs runs = {};
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&rnd, 20261124);
	for (op = 0; op != 20000; op++) {
		unsigned long n = prandom_u32_state(&rnd) % 40 + 1, i;
		unsigned long first, last;

		if (prandom_u32_state(&rnd) % 32 == 0)
			n *= 30;
		first = prandom_u32_state(&rnd) % (EDIT_PAGES - n + 1);
		last = first + n - 1;
		if (edit_is(model, first, last, true)) {
			edit_fill(test, &runs, model, &rnd, first, last);
			nr_fills++;
		} else if (prandom_u32_state(&rnd) % 4) {
			/* As with slices: cut both ends, and clear the inside. */
			KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, first,
							       GFP_KERNEL));
			KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, last + 1,
							       GFP_KERNEL));
			model->cut[first] = true;
			model->cut[last + 1] = true;
			for (i = first; i <= last; i++)
				model->pfn[i] = 0;
			iopt_runs_clear(&runs, first, last);
			nr_clears++;
		} else {
			nr_refused++;
		}
		edit_expect(test, &runs, model);
	}
	kunit_info(test, "%u fills, %u clears, %u refused", nr_fills, nr_clears,
		   nr_refused);
	KUNIT_EXPECT_GE(test, nr_fills, 5000);
	KUNIT_EXPECT_GE(test, nr_clears, 5000);
	iopt_runs_clear(&runs, 0, EDIT_PAGES - 1);
	KUNIT_EXPECT_EQ(test, 0, runs.npages);
	KUNIT_EXPECT_EQ(test, 0, runs.nr_chunks);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE(runs_merge_contiguous),
	KUNIT_CASE(runs_zero_page_has_stride_0),
	KUNIT_CASE(runs_empty_is_a_hole),
	KUNIT_CASE(runs_far_apart),
	KUNIT_CASE(runs_take_8_bytes),
	KUNIT_CASE(runs_against_model),
	KUNIT_CASE(runs_cut_everywhere),
	KUNIT_CASE(runs_lose_whole_runs),
	KUNIT_CASE(runs_clear_makes_one_hole),
	KUNIT_CASE(runs_fill_behind_fails_whole),
	KUNIT_CASE(runs_edit_against_model),
	{}
};

static struct kunit_suite runs_suite = {
	.name = "iopt-runs",
	.test_cases = runs_cases,
};

kunit_test_suite(runs_suite);
