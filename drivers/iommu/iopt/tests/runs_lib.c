// SPDX-License-Identifier: GPL-2.0-only
/* Helpers for suites that test records of runs. */
#include "../runs_packed.h"
#include "failing.h"
#include "runs_lib.h"

/* Append a run, and assert that this succeeds. */
void test_runs_append(struct kunit *test, struct iopt_runs *runs,
		      unsigned long pfn, unsigned long count,
		      enum iopt_run_kind kind)
{
	const struct iopt_run run = {
		.count = count,
		.pfn = pfn,
		.kind = kind,
	};
	u64 packed;
	struct iopt_run_batch batch = { .packed = &packed };

	iopt_run_batch_add(&batch, &run);
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_fill(runs, runs->npages, &batch,
						true, GFP_KERNEL));
}

/* Expect that an iterator returns this run next. */
void test_expect_run(struct kunit *test, struct iopt_run_iter *iter,
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

/* Cut a record before page @index, and assert that this succeeds. */
void test_runs_cut(struct kunit *test, struct iopt_runs *runs,
		   unsigned long index)
{
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_cut(runs, index, GFP_KERNEL));
}

/*
 * Fill a hole with a batch, then empty the batch and advance @first past its
 * pages. The injected failure @pending applies to iopt_runs_fill() only.
 */
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
 * Move the pages of record @fresh into the hole at @first of record @runs. On
 * failure, @fresh is unchanged, but a hole that takes several batches may be
 * filled in part. An allocation failure that was injected with
 * test_fail_allocation() affects the engine, but not the allocations of this
 * function.
 */
int test_runs_fill(struct kunit *test, struct iopt_runs *runs,
		   unsigned long first, struct iopt_runs *fresh, gfp_t gfp)
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
