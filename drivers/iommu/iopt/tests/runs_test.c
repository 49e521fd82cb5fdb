// SPDX-License-Identifier: GPL-2.0-only
/*
 * The record of pages: every page appended is found again, in as few runs and
 * bytes as it can be.
 */
#include <kunit/test.h>
#include <linux/random.h>
#include <linux/sizes.h>

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

/* A pfn that a packed run has no room for is refused, not cut. */
static void runs_refuse_pfns_that_do_not_fit(struct kunit *test)
{
	const unsigned long top = (1UL << 40) - 1;
	static const enum iopt_run_kind kinds[] = {
		IOPT_RUN_RAM, IOPT_RUN_ZERO, IOPT_RUN_PFNMAP,
	};
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(kinds); i++) {
		struct iopt_run run = { .kind = kinds[i], .count = 1 };

		/* A run that would continue the last one were its pfn cut. */
		append(test, &runs, top, 1, kinds[i]);
		run.index = 1;
		run.pfn = top + (kinds[i] == IOPT_RUN_ZERO ? top + 1 : 1);
		KUNIT_EXPECT_EQ(test, -EFAULT,
				iopt_runs_append(&runs, &run, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, -EFAULT,
				iopt_runs_add(&runs, &run, GFP_KERNEL));
		run.pfn = ULONG_MAX;
		run.count = 2;
		KUNIT_EXPECT_EQ(test, -EFAULT,
				iopt_runs_append(&runs, &run, GFP_KERNEL));
		run.pfn = top;
		run.count = 2;
		KUNIT_EXPECT_EQ(test, kinds[i] == IOPT_RUN_ZERO ? 0 : -EFAULT,
				iopt_runs_append(&runs, &run, GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, kinds[i] == IOPT_RUN_ZERO ? 3 : 1,
				runs.npages);
		iopt_run_iter_start(&iter, &runs, 0, runs.npages - 1);
		expect_run(test, &iter, 0, top, runs.npages, kinds[i]);
		iopt_runs_free(&runs);
	}
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

	append(test, &runs, 1000, 6000, IOPT_RUN_RAM);
	append(test, &runs, 7000, 10, IOPT_RUN_RESERVED);
	append(test, &runs, 7, 3, IOPT_RUN_ZERO);
	for (i = 5999; i; i--)
		KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, i, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 6012, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(&runs, 6013, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, 6013, runs.npages);
	/* Each chunk that is halved is full. */
	KUNIT_EXPECT_LE(test, runs.nr_chunks, 6000 / (CHUNK_EDIT_MAX / 2) + 1);

	iopt_run_iter_start(&iter, &runs, 0, 6012);
	for (i = 0; i != 6000; i++)
		expect_run(test, &iter, i, 1000 + i, 1, IOPT_RUN_RAM);
	expect_run(test, &iter, 6000, 7000, 10, IOPT_RUN_RESERVED);
	expect_run(test, &iter, 6010, 7, 2, IOPT_RUN_ZERO);
	expect_run(test, &iter, 6012, 7, 1, IOPT_RUN_ZERO);
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
	iopt_runs_clear(&runs, 0, 1);
	iopt_run_iter_start(&iter, &runs, 0, 7);
	expect_run(test, &iter, 0, 0, 6, IOPT_RUN_HOLE);
	expect_run(test, &iter, 6, 106, 2, IOPT_RUN_RAM);
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

/* Fill a hole with a batch, and start the next one behind it. */
static int fill_batch(struct iopt_runs *runs, unsigned long *first,
		      struct iopt_run_batch *batch, unsigned int *pending,
		      gfp_t gfp)
{
	int rc;

	test_fail_allocation(*pending);
	rc = iopt_runs_fill(runs, *first, batch, false, gfp);
	*pending = test_fail_suspend();
	*first += batch->npages;
	batch->npages = 0;
	batch->nr = 0;
	return rc;
}

/*
 * Move the pages of one record into a hole of another one. Only what the engine
 * allocates counts for failures that the test ordered.
 */
static int fill(struct kunit *test, struct iopt_runs *runs, unsigned long first,
		struct iopt_runs *fresh, gfp_t gfp)
{
	unsigned int pending = test_fail_suspend(), nr = 0;
	struct iopt_run_batch batch = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	int rc = 0;

	iopt_run_iter_start(&iter, fresh, 0, fresh->npages - 1);
	while (iopt_run_iter_next(&iter, &run))
		nr++;
	batch.packed = kvmalloc_array(nr, sizeof(u64), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, batch.packed);
	iopt_run_iter_start(&iter, fresh, 0, fresh->npages - 1);
	while (!rc && iopt_run_iter_next(&iter, &run)) {
		if (!packed_offset_fits(batch.npages))
			rc = fill_batch(runs, &first, &batch, &pending, gfp);
		iopt_run_batch_add(&batch, &run);
	}
	rc = rc ?: fill_batch(runs, &first, &batch, &pending, gfp);
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

/*
 * A record of EDIT_PAGES units, by unit: a hole is 0, else the pfn in units.
 * Runs never extend across the ends of a slice. A unit is a power of two pages:
 * with a large one a packed offset covers few units.
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
			append(test, &fresh, pfn * unit, unit, IOPT_RUN_RAM);
			model->pfn[i] = pfn;
			model->cut[i] = model->cut[i] && i == start;
			/* Large units one at a time: a batch is of few pages. */
			if (unit == 1 && i + 1 != end)
				continue;
			KUNIT_ASSERT_EQ(test, 0, fill(test, runs, start * unit,
						      &fresh, GFP_KERNEL));
			KUNIT_ASSERT_EQ(test, 0, fresh.npages);
			start = i + 1;
		}
	}
}

/* Fill holes, cut, clear what was cut: at random, against an array. */
static void edit_against_model(struct kunit *test, unsigned long unit)
{
	struct edit_model *model = kunit_kzalloc(test, sizeof(*model),
						 GFP_KERNEL);
	unsigned int op, nr_fills = 0, nr_clears = 0, nr_refused = 0;
	struct iopt_runs runs = {};
	struct rnd_state rnd;

	KUNIT_ASSERT_NOT_NULL(test, model);
	model->unit = unit;
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
	KUNIT_EXPECT_GE(test, nr_fills, 5000);
	KUNIT_EXPECT_GE(test, nr_clears, 5000);
	iopt_runs_clear(&runs, 0, EDIT_PAGES * unit - 1);
	KUNIT_EXPECT_EQ(test, 0, runs.npages);
	KUNIT_EXPECT_EQ(test, 0, runs.nr_chunks);
}

static void runs_edit_against_model(struct kunit *test)
{
	edit_against_model(test, 1);
}

/* Chunks of at most 16 units: most cuts are too far from a chunk's start. */
static void runs_edit_far_against_model(struct kunit *test)
{
	edit_against_model(test, 1UL << 16);
}

/*
 * Time is counted in steps: packed runs and chunks that are visited or moved.
 * A record as of scattered memory, but of only PER_CHUNK runs a chunk, has as
 * many chunks as the real one and hardly takes memory.
 */
#define PER_CHUNK	4U
#define CHUNK_PAGES	512UL
#define TIB_CHUNKS	((unsigned int)(SZ_1T / (CHUNK_PAGES * PAGE_SIZE)))

/* @nr chunks of @per_chunk runs, each of @pages pages. */
static void many_chunks(struct kunit *test, struct iopt_runs *runs,
			unsigned int nr, unsigned int per_chunk,
			unsigned long pages)
{
	struct iopt_run_chunk *chunk;
	unsigned long i;

	for (i = 0; i != per_chunk; i++)
		append(test, runs, 3 * i * pages, pages, IOPT_RUN_RAM);
	KUNIT_ASSERT_EQ(test, 1, runs->nr_chunks);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_runs_grow_array(runs, nr - 1, GFP_KERNEL));
	for (i = 1; i != nr; i++) {
		chunk = &runs->chunks[i];
		*chunk = runs->chunks[0];
		chunk->index = runs->npages * i;
		chunk->packed = kmemdup(chunk->packed, chunk->capacity *
					sizeof(*chunk->packed), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, chunk->packed);
		runs->nr_chunks++;
	}
	runs->npages *= nr;
}

/* How many runs there are that are no holes. */
static unsigned long count_runs(struct iopt_runs *runs)
{
	struct iopt_run_iter iter;
	unsigned long nr = 0;
	struct iopt_run run;

	iopt_run_iter_start(&iter, runs, 0, runs->npages - 1);
	while (iopt_run_iter_next(&iter, &run))
		nr += run.kind != IOPT_RUN_HOLE;
	return nr;
}

static void cut(struct kunit *test, struct iopt_runs *runs, unsigned long index)
{
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(runs, index, GFP_KERNEL));
}

/* The first page is copied, and the mapping it was copied from unmapped. */
static unsigned long clear_all_but_first(struct kunit *test, unsigned int nr)
{
	struct iopt_runs runs = {};
	unsigned long steps;

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	iopt_runs_steps = 0;
	cut(test, &runs, 1);
	iopt_runs_clear(&runs, 1, runs.npages - 1);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, 1, runs.npages);
	KUNIT_EXPECT_EQ(test, 1, runs.nr_chunks);
	iopt_runs_free(&runs);
	return steps;
}

/* A page in the middle and the last page are copied, and the rest is unmapped. */
static unsigned long clear_all_but_two(struct kunit *test, unsigned int nr)
{
	unsigned long middle = nr / 2 * CHUNK_PAGES, last, steps;
	struct iopt_runs runs = {};

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	last = runs.npages - 1;
	iopt_runs_steps = 0;
	cut(test, &runs, middle);
	cut(test, &runs, middle + 1);
	cut(test, &runs, last);
	iopt_runs_clear(&runs, middle + 1, last - 1);
	iopt_runs_clear(&runs, 0, middle - 1);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, 2, count_runs(&runs));
	KUNIT_EXPECT_EQ(test, last + 1, runs.npages);
	KUNIT_EXPECT_LE(test, runs.nr_chunks, 8);
	iopt_runs_free(&runs);
	return steps;
}

/*
 * Slices of two chunks are cleared, each one @step slices behind the one before
 * or from the start again, until only the first and the last page are left.
 */
static unsigned long clear_slices(struct kunit *test, unsigned int nr,
				  unsigned long step)
{
	unsigned long i, first, last, steps, n = nr / 2;
	struct iopt_runs runs = {};

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	cut(test, &runs, 1);
	cut(test, &runs, runs.npages - 1);
	iopt_runs_steps = 0;
	for (i = 0; i != n; i++) {
		first = (i + 1) * step % n * 2 * CHUNK_PAGES;
		last = first + 2 * CHUNK_PAGES - 1;
		iopt_runs_clear(&runs, max(first, 1UL),
				min(last, runs.npages - 2));
	}
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, 2, count_runs(&runs));
	KUNIT_EXPECT_LE(test, runs.nr_chunks, 8);
	iopt_runs_free(&runs);
	return steps;
}

static unsigned long clear_ascending(struct kunit *test, unsigned int nr)
{
	return clear_slices(test, nr, 1);
}

static unsigned long clear_descending(struct kunit *test, unsigned int nr)
{
	return clear_slices(test, nr, nr / 2 - 1);
}

static unsigned long clear_anywhere(struct kunit *test, unsigned int nr)
{
	return clear_slices(test, nr, 7919);
}

/* One run of each chunk that appending has filled is cut. */
static unsigned long cut_full_chunks(struct kunit *test, unsigned int nr)
{
	struct iopt_runs runs = {};
	unsigned long steps;
	unsigned int i;

	many_chunks(test, &runs, nr, CHUNK_MAX, 2);
	iopt_runs_steps = 0;
	for (i = nr; i; i--)
		cut(test, &runs, 2UL * CHUNK_MAX * i - 1);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr * (CHUNK_MAX + 1UL), count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/* A hole in the middle of each such chunk is filled with scattered pages. */
static unsigned long fill_full_chunks(struct kunit *test, unsigned int nr)
{
	struct iopt_runs runs = {}, fresh = {};
	unsigned long steps, first;
	unsigned int i;

	many_chunks(test, &runs, nr, CHUNK_MAX, 2);
	iopt_runs_steps = 0;
	for (i = 0; i != nr; i++) {
		first = 2UL * CHUNK_MAX * i + CHUNK_MAX;
		iopt_runs_clear(&runs, first, first + 1);
		append(test, &fresh, 1, 1, IOPT_RUN_RAM);
		append(test, &fresh, 9, 1, IOPT_RUN_RAM);
		KUNIT_ASSERT_EQ(test, 0, fill(test, &runs, first, &fresh,
					      GFP_KERNEL));
	}
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr * (CHUNK_MAX + 1UL), count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/* One run is cut from its end to its start, each time far from its start. */
static unsigned long cut_descending(struct kunit *test, unsigned int nr)
{
	unsigned long steps, end = 1UL << 33;
	struct iopt_runs runs = {};
	unsigned int i;

	append(test, &runs, 1, end, IOPT_RUN_RAM);
	iopt_runs_steps = 0;
	for (i = 1; i <= nr; i++)
		cut(test, &runs, end - 2UL * i);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr + 1UL, count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/*
 * 1 TiB worth of scattered runs is cut, copied and cleared in linear time: twice
 * as many chunks take not much more than twice as many steps.
 */
static void runs_change_in_linear_time(struct kunit *test)
{
	static const struct {
		const char *name;
		unsigned long (*change)(struct kunit *test, unsigned int nr);
		unsigned int nr;
	} changes[] = {
		{ "clear all but first", clear_all_but_first, 1U << 12 },
		{ "clear all but two", clear_all_but_two, 1U << 12 },
		{ "clear ascending", clear_ascending, 1U << 12 },
		{ "clear descending", clear_descending, 1U << 12 },
		{ "clear anywhere", clear_anywhere, 1U << 12 },
		{ "cut full chunks", cut_full_chunks, 1U << 11 },
		{ "fill full chunks", fill_full_chunks, 1U << 11 },
		{ "cut descending", cut_descending, 1U << 12 },
	};
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(changes); i++) {
		unsigned int nr = changes[i].nr;
		unsigned long once = changes[i].change(test, nr);
		unsigned long twice = changes[i].change(test, 2 * nr);

		kunit_info(test, "%s: %lu and %lu steps", changes[i].name, once,
			   twice);
		KUNIT_ASSERT_GE(test, once, nr);
		KUNIT_ASSERT_LE(test, 10 * twice, 22 * once);
	}

	/* A million objects take kmemleak long. */
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return;
	KUNIT_EXPECT_LE(test, clear_all_but_first(test, TIB_CHUNKS),
			16UL * TIB_CHUNKS);
	KUNIT_EXPECT_LE(test, clear_anywhere(test, TIB_CHUNKS),
			64UL * TIB_CHUNKS);
}

/* A few pages of a large record are lost, or cleared, in few steps. */
static void runs_small_change_takes_few_steps(struct kunit *test)
{
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;
	struct iopt_run run;

	many_chunks(test, &runs, 1U << 14, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	iopt_runs_steps = 0;
	iopt_runs_lose(&runs, runs.npages / 2, runs.npages / 2 + 1);
	KUNIT_EXPECT_LE(test, iopt_runs_steps, 64);
	iopt_run_iter_start(&iter, &runs, runs.npages / 2, runs.npages - 1);
	KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
	KUNIT_EXPECT_TRUE(test, run.lost);
	KUNIT_ASSERT_TRUE(test, iopt_run_iter_next(&iter, &run));
	KUNIT_EXPECT_FALSE(test, run.lost);

	iopt_runs_steps = 0;
	iopt_runs_clear(&runs, CHUNK_PAGES, 3 * CHUNK_PAGES - 1);
	KUNIT_EXPECT_LE(test, iopt_runs_steps, 64);
	iopt_runs_free(&runs);
}

/* Clearing allocates nothing, also when chunks are cleared as a whole. */
static void runs_clear_allocates_nothing(struct kunit *test)
{
	struct iopt_runs runs = {};
	unsigned long i;

	test_needs_failing_allocations(test);
	many_chunks(test, &runs, 64, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	cut(test, &runs, 1);
	test_fail_allocation(1);
	for (i = 63; i < 64; i -= 2)
		iopt_runs_clear(&runs, i * CHUNK_PAGES,
				(i + 1) * CHUNK_PAGES - 1);
	iopt_runs_clear(&runs, 1, 60 * CHUNK_PAGES - 1);
	test_expect_no_allocation(test);
	KUNIT_EXPECT_EQ(test, 1 + 2 * PER_CHUNK, count_runs(&runs));
	iopt_runs_free(&runs);
}

static struct kunit_case runs_cases[] = {
	KUNIT_CASE(runs_merge_contiguous),
	KUNIT_CASE(runs_zero_page_has_stride_0),
	KUNIT_CASE(runs_empty_is_a_hole),
	KUNIT_CASE(runs_far_apart),
	KUNIT_CASE(runs_refuse_pfns_that_do_not_fit),
	KUNIT_CASE(runs_take_8_bytes),
	KUNIT_CASE(runs_against_model),
	KUNIT_CASE(runs_cut_everywhere),
	KUNIT_CASE(runs_lose_whole_runs),
	KUNIT_CASE(runs_clear_makes_one_hole),
	KUNIT_CASE(runs_fill_behind_fails_whole),
	KUNIT_CASE(runs_edit_against_model),
	KUNIT_CASE(runs_edit_far_against_model),
	KUNIT_CASE(runs_change_in_linear_time),
	KUNIT_CASE(runs_small_change_takes_few_steps),
	KUNIT_CASE(runs_clear_allocates_nothing),
	{}
};

static struct kunit_suite runs_suite = {
	.name = "iopt-runs",
	.test_cases = runs_cases,
};

kunit_test_suite(runs_suite);
