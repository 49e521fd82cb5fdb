// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cost of changes to records of pages: memory, allocations and time.
 *
 * Time is counted in steps: packed runs and chunks that are visited or moved.
 */
#include <linux/sizes.h>

#include "../runs_chunks.h"
#include "failing.h"
#include "runs_lib.h"

/*
 * A record with only PER_CHUNK runs per chunk has as many chunks as a record of
 * scattered memory of the same size, but takes little memory.
 */
#define PER_CHUNK	4U
#define CHUNK_PAGES	512UL
#define TIB_CHUNKS	((unsigned int)(SZ_1T / (CHUNK_PAGES * PAGE_SIZE)))

/* A page that is a run of its own takes 8 bytes, plus at most 2% overhead. */
static void runs_take_8_bytes(struct kunit *test)
{
	unsigned long i, n = 200000, bytes = 0;
	struct iopt_runs runs = {};
	struct iopt_run_iter iter;

	for (i = 0; i != n; i++)
		test_runs_append(test, &runs, 2 * i, 1, IOPT_RUN_RAM);

	for (i = 0; i != runs.nr_chunks; i++)
		bytes += runs.chunks[i].capacity * sizeof(u64);
	bytes += runs.max_chunks * sizeof(*runs.chunks);
	KUNIT_EXPECT_LE(test, bytes, n * 8 * 102 / 100);

	for (i = 0; i < n; i += 997) {
		iopt_run_iter_start(&iter, &runs, i,
				    runs.npages - 1);
		test_expect_run(test, &iter, i, 2 * i, 1, IOPT_RUN_RAM);
	}
	iopt_runs_free(&runs);
}

/* Create a record of @nr chunks, each with @per_chunk runs of @pages pages. */
static void many_chunks(struct kunit *test, struct iopt_runs *runs,
			unsigned int nr, unsigned int per_chunk,
			unsigned long pages)
{
	struct iopt_run_chunk *chunk;
	unsigned long i;

	for (i = 0; i != per_chunk; i++)
		test_runs_append(test, runs, 3 * i * pages, pages,
				 IOPT_RUN_RAM);
	KUNIT_ASSERT_EQ(test, 1, runs->nr_chunks);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_chunks_open(runs, 1, nr - 1, GFP_KERNEL));
	for (i = 1; i != nr; i++) {
		chunk = &runs->chunks[i];
		*chunk = runs->chunks[0];
		chunk->index = runs->npages * i;
		chunk->packed = kmemdup(chunk->packed, chunk->capacity *
					sizeof(*chunk->packed), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, chunk->packed);
	}
	runs->npages *= nr;
}

/* Count the runs that are not holes. */
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

/*
 * Clear all pages but the first, as if everything were unmapped except a copied
 * mapping of that page. Return the number of steps.
 */
static unsigned long clear_all_but_first(struct kunit *test, unsigned int nr)
{
	struct iopt_runs runs = {};
	unsigned long steps;

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	iopt_runs_steps = 0;
	test_runs_cut(test, &runs, 1);
	iopt_runs_clear(&runs, 1, runs.npages - 1);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, 1, runs.npages);
	KUNIT_EXPECT_EQ(test, 1, runs.nr_chunks);
	iopt_runs_free(&runs);
	return steps;
}

/*
 * Clear all pages but the last and one in the middle, as if everything were
 * unmapped except copied mappings of these two pages. Return the number of
 * steps.
 */
static unsigned long clear_all_but_two(struct kunit *test, unsigned int nr)
{
	unsigned long middle = nr / 2 * CHUNK_PAGES, last, steps;
	struct iopt_runs runs = {};

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	last = runs.npages - 1;
	iopt_runs_steps = 0;
	test_runs_cut(test, &runs, middle);
	test_runs_cut(test, &runs, middle + 1);
	test_runs_cut(test, &runs, last);
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
 * Clear a record, except for its first and its last page, in slices of two
 * chunks each. The slices are cleared in the order of the multiples of @step
 * modulo the number of slices. Return the number of steps that this takes.
 */
static unsigned long clear_slices(struct kunit *test, unsigned int nr,
				  unsigned long step)
{
	unsigned long i, first, last, steps, n = nr / 2;
	struct iopt_runs runs = {};

	many_chunks(test, &runs, nr, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	test_runs_cut(test, &runs, 1);
	test_runs_cut(test, &runs, runs.npages - 1);
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

/* Cut one run in each of @nr full chunks. */
static unsigned long cut_full_chunks(struct kunit *test, unsigned int nr)
{
	struct iopt_runs runs = {};
	unsigned long steps;
	unsigned int i;

	many_chunks(test, &runs, nr, CHUNK_MAX, 2);
	iopt_runs_steps = 0;
	for (i = nr; i; i--)
		test_runs_cut(test, &runs, 2UL * CHUNK_MAX * i - 1);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr * (CHUNK_MAX + 1UL), count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/*
 * Clear a run in the middle of each of @nr full chunks, and fill the hole with
 * scattered pages.
 */
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
		test_runs_append(test, &fresh, 1, 1, IOPT_RUN_RAM);
		test_runs_append(test, &fresh, 9, 1, IOPT_RUN_RAM);
		KUNIT_ASSERT_EQ(test, 0,
				test_runs_fill(test, &runs, first, &fresh,
					       GFP_KERNEL));
	}
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr * (CHUNK_MAX + 1UL), count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/*
 * Cut a long run @nr times, proceeding downwards from its end. All cuts are far
 * from the start of the run.
 */
static unsigned long cut_descending(struct kunit *test, unsigned int nr)
{
	unsigned long steps, end = 1UL << 33;
	struct iopt_runs runs = {};
	unsigned int i;

	test_runs_append(test, &runs, 1, end, IOPT_RUN_RAM);
	iopt_runs_steps = 0;
	for (i = 1; i <= nr; i++)
		test_runs_cut(test, &runs, end - 2UL * i);
	steps = iopt_runs_steps;
	KUNIT_EXPECT_EQ(test, nr + 1UL, count_runs(&runs));
	iopt_runs_free(&runs);
	return steps;
}

/*
 * Cutting, clearing and filling records takes linear time: with twice as many
 * chunks or cuts, the number of steps grows by a factor of at most 2.2.
 * Clearing a record of 1 TiB of scattered memory takes a bounded number of
 * steps per chunk.
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

	/* kmemleak is slow with half a million chunks. */
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		return;
	KUNIT_EXPECT_LE(test, clear_all_but_first(test, TIB_CHUNKS),
			16UL * TIB_CHUNKS);
	KUNIT_EXPECT_LE(test, clear_anywhere(test, TIB_CHUNKS),
			64UL * TIB_CHUNKS);
}

/*
 * Marking a few pages of a large record as lost, or clearing a few chunks,
 * takes few steps.
 */
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

/* Clearing allocates nothing, even if it clears whole chunks. */
static void runs_clear_allocates_nothing(struct kunit *test)
{
	struct iopt_runs runs = {};
	unsigned long i;

	test_needs_failing_allocations(test);
	many_chunks(test, &runs, 64, PER_CHUNK, CHUNK_PAGES / PER_CHUNK);
	test_runs_cut(test, &runs, 1);
	test_fail_allocation(1);
	for (i = 63; i < 64; i -= 2)
		iopt_runs_clear(&runs, i * CHUNK_PAGES,
				(i + 1) * CHUNK_PAGES - 1);
	iopt_runs_clear(&runs, 1, 60 * CHUNK_PAGES - 1);
	test_expect_no_allocation(test);
	KUNIT_EXPECT_EQ(test, 1 + 2 * PER_CHUNK, count_runs(&runs));
	iopt_runs_free(&runs);
}

static struct kunit_case runs_cost_cases[] = {
	KUNIT_CASE(runs_take_8_bytes),
	KUNIT_CASE(runs_change_in_linear_time),
	KUNIT_CASE(runs_small_change_takes_few_steps),
	KUNIT_CASE(runs_clear_allocates_nothing),
	{}
};

static struct kunit_suite runs_cost_suite = {
	.name = "iopt-runs-cost",
	.test_cases = runs_cost_cases,
};

kunit_test_suite(runs_cost_suite);
