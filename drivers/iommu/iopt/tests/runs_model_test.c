// SPDX-License-Identifier: GPL-2.0-only
/* Random changes to records of runs, compared with an array of pages. */
#include <linux/random.h>

#include "../runs.h"
#include "runs_lib.h"

#define MODEL_PAGES	4096

/* Each appended page is found at its index, in a run as long as possible. */
static void runs_append_against_model(struct kunit *test)
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
		test_runs_append(test, &runs, pfn, count, IOPT_RUN_RAM);
		for (i = 0; i != count; i++)
			pfns[npages++] = pfn + i;
	}

	for (i = 0; i != MODEL_PAGES; i++) {
		iopt_run_iter_start(&iter, &runs, i,
				    runs.npages - 1);
		KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
		KUNIT_ASSERT_EQ(test, i, run.index);
		KUNIT_ASSERT_EQ(test, pfns[i], run.pfn);
		/*
		 * The run may end only where the pages stop being contiguous.
		 */
		if (run.index + run.count < MODEL_PAGES)
			KUNIT_ASSERT_NE(test, run.pfn + run.count,
					pfns[run.index + run.count]);
	}
	iopt_runs_free(&runs);
}

#define EDIT_PAGES	3000U

/**
 * struct edit_model - expected content of a record of %EDIT_PAGES units
 * @unit: number of pages in a unit, a power of two; the larger the unit, the
 *        fewer units a packed offset covers
 * @pfn: first page frame number of each unit, divided by @unit, or 0 for a hole
 * @cut: true if no run may extend across the start of the unit
 */
struct edit_model {
	unsigned long unit;
	unsigned long pfn[EDIT_PAGES];
	bool cut[EDIT_PAGES + 1];
};

static void edit_expect(struct kunit *test, struct iopt_runs *runs,
			struct edit_model *model)
{
	struct iopt_run_iter iter;
	unsigned long i = 0, end = 0, j;
	struct iopt_run run;

	iopt_run_iter_start(&iter, runs, 0, EDIT_PAGES * model->unit - 1);
	while (iopt_run_iter_next(&iter, &run)) {
		KUNIT_ASSERT_EQ(test, i * model->unit, run.index);
		KUNIT_ASSERT_NE(test, 0, run.count);
		KUNIT_ASSERT_EQ(test, 0, run.count % model->unit);
		KUNIT_ASSERT_EQ(test, 0, run.pfn % model->unit);
		for (j = 0; j != run.count / model->unit; j++, i++) {
			unsigned long pfn = 0;

			if (run.kind == IOPT_RUN_RAM)
				pfn = run.pfn / model->unit + j;
			KUNIT_ASSERT_EQ(test, model->pfn[i], pfn);
			if (j && pfn)
				KUNIT_ASSERT_FALSE(test, model->cut[i]);
			if (pfn)
				end = i + 1;
		}
	}
	KUNIT_ASSERT_EQ(test, EDIT_PAGES, i);
	KUNIT_ASSERT_EQ(test, end * model->unit, runs->npages);
}

/*
 * Return true if all units of a range are holes (@hole is true), or if none of
 * them is a hole (@hole is false).
 */
static bool edit_is(struct edit_model *model, unsigned long first,
		    unsigned long last, bool hole)
{
	unsigned long i;

	for (i = first; i <= last; i++)
		if (hole != !model->pfn[i])
			return false;
	return true;
}

/*
 * Fill a range of units that are all holes. The record may contain several
 * adjacent holes, which are filled one by one.
 */
static void edit_fill(struct kunit *test, struct iopt_runs *runs,
		      struct edit_model *model, struct rnd_state *rnd,
		      unsigned long first, unsigned long last)
{
	unsigned long i = first, start, end, pfn = 0;
	unsigned long unit = model->unit;
	struct iopt_runs fresh = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	while (i <= last) {
		iopt_run_iter_start(&iter, runs, i * unit, last * unit);
		KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
		KUNIT_ASSERT_EQ(test, IOPT_RUN_HOLE, run.kind);
		end = i + DIV_ROUND_UP(run.count, unit);
		start = i;
		model->cut[i] = true;
		model->cut[end] = true;
		for (; i != end; i++) {
			if (!pfn++ || prandom_u32_state(rnd) % 3)
				pfn = prandom_u32_state(rnd) % 99999 + 1;
			test_runs_append(test, &fresh, pfn * unit, unit,
					 IOPT_RUN_RAM);
			model->pfn[i] = pfn;
			model->cut[i] = model->cut[i] && i == start;
			/*
			 * Fill large units one by one, because a batch covers
			 * few of them.
			 */
			if (unit == 1 && i + 1 != end)
				continue;
			KUNIT_ASSERT_EQ(test, 0,
					test_runs_fill(test, runs, start * unit,
						       &fresh, GFP_KERNEL));
			KUNIT_ASSERT_EQ(test, 0, fresh.npages);
			start = i + 1;
		}
	}
}

/*
 * Apply @nr_ops random operations to a record and to a model, and compare the
 * two after each operation. An operation fills a hole, or cuts and clears a
 * range. One unit of the model stands for @unit pages.
 */
static void edit_against_model(struct kunit *test, unsigned long unit,
			       unsigned int nr_ops)
{
	struct edit_model *model = kunit_kzalloc(test, sizeof(*model),
						 GFP_KERNEL);
	unsigned int op, nr_fills = 0, nr_clears = 0, nr_refused = 0;
	struct iopt_runs runs = {};
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, model);
	model->unit = unit;
	prandom_seed_state(&rnd, 20261124);
	for (op = 0; op != nr_ops; op++) {
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
			/*
			 * Cut at both ends of the range, as when a holder is
			 * added, and then clear the range, as when the holder
			 * is removed.
			 */
			KUNIT_ASSERT_EQ(test, 0,
					iopt_runs_cut(&runs, first * unit,
						      GFP_KERNEL));
			KUNIT_ASSERT_EQ(test, 0,
					iopt_runs_cut(&runs, (last + 1) * unit,
						      GFP_KERNEL));
			model->cut[first] = true;
			model->cut[last + 1] = true;
			for (i = first; i <= last; i++)
				model->pfn[i] = 0;
			iopt_runs_clear(&runs, first * unit,
					(last + 1) * unit - 1);
			nr_clears++;
		} else {
			nr_refused++;
		}
		edit_expect(test, &runs, model);
	}
	kunit_info(test, "%u fills, %u clears, %u refused", nr_fills, nr_clears,
		   nr_refused);
	KUNIT_EXPECT_GE(test, nr_fills, nr_ops / 4);
	KUNIT_EXPECT_GE(test, nr_clears, nr_ops / 4);
	iopt_runs_clear(&runs, 0, EDIT_PAGES * unit - 1);
	KUNIT_EXPECT_EQ(test, 0, runs.npages);
	KUNIT_EXPECT_EQ(test, 0, runs.nr_chunks);
}

/* Random fills, cuts and clears change only the pages in their range. */
static void runs_edit_against_model(struct kunit *test)
{
	edit_against_model(test, 1, 20000);
}

/*
 * A packed offset spans only 16 units of 65536 pages each. Many cuts are
 * therefore too far from the start of their chunk to be packed, and move the
 * rest of the run to another chunk.
 */
static void runs_edit_far_against_model(struct kunit *test)
{
	/* 20000 operations take minutes with lockdep. */
	edit_against_model(test, 1UL << 16,
			   IS_ENABLED(CONFIG_PROVE_LOCKING) ? 4000 : 20000);
}

static struct kunit_case runs_model_cases[] = {
	KUNIT_CASE(runs_append_against_model),
	KUNIT_CASE(runs_edit_against_model),
	KUNIT_CASE(runs_edit_far_against_model),
	{}
};

static struct kunit_suite runs_model_suite = {
	.name = "iopt-runs-model",
	.test_cases = runs_model_cases,
};

kunit_test_suite(runs_model_suite);
