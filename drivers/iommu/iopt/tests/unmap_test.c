// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmapping large ranges: bounded flushes, many mappings without a long hold of
 * the lock, and progress beside threads that map continuously.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* Number of areas that takes a loop 20 holds of the lock. */
#define NR_MANY	(20UL * IOPT_MAX_STEPS)

/**
 * struct span - IOVAs that a domain unmapped between two flushes
 * @ops: domain ops that record the span
 * @mock: original ops of the mock domain
 * @start: lowest IOVA since the last flush
 * @last: last IOVA since the last flush
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

/* Map a page every half TiB, so that a flush may span at most two of them. */
static void map_far_apart(struct kunit *test, unsigned int nr)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, nr), i;

	for (i = 0; i != nr; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, i * SZ_1T / 2,
						  uaddr + PAGES(i), 1));
}

/*
 * No flush of an unmap spans more than 1 TiB, the limit of what drivers can
 * express.
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

/* The distance from the start of the space causes no additional flush. */
static void unmap_far_up_flushes_once(struct kunit *test)
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

/*
 * Create adjacent mappings of one page each, without memory behind them. Each
 * copy doubles their number, because debug kernels validate all areas after
 * each call.
 */
static void map_many(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long nr, more, iova;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, SZ_4G, 1));
	for (nr = 1; nr != NR_MANY; nr += more) {
		more = min(nr, NR_MANY - nr);
		iova = IOVA + PAGES(nr);
		KUNIT_ASSERT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA,
						   PAGES(more), TEST_RW,
						   IOPT_MAP_FIXED));
	}
	KUNIT_ASSERT_EQ(test, NR_MANY, iopt->nr_areas);
	/*
	 * Attach and the start of tracking wait for these counters to become 0.
	 */
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_claimed);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_inserting[false]);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_inserting[true]);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_publishing);
}

/* Return the number of lock breaks since the previous call. */
static unsigned long breaks(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long nr;

	mutex_lock(&space->iopt->lock);
	nr = space->iopt->nr_breaks;
	space->iopt->nr_breaks = 0;
	mutex_unlock(&space->iopt->lock);
	return nr;
}

/*
 * Expect @loops lock breaks, not counting those of the validation that debug
 * kernels run if areas are left.
 */
static void expect_breaks(struct kunit *test, unsigned long loops,
			  unsigned long areas_after)
{
	unsigned long nr = breaks(test);

	if (IS_ENABLED(CONFIG_IOPT_DEBUG) && areas_after) {
		test_validate(test);
		nr -= breaks(test);
	}
	KUNIT_EXPECT_EQ(test, loops, nr);
}

/*
 * An unmap of many areas drops the lock every %IOPT_MAX_STEPS steps in each of
 * its loops: it releases its first batch to start over with a claim, checks the
 * areas, takes them, looks for users, keeps users out, looks again, starts to
 * work and removes the areas.
 */
static void unmap_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	unsigned long bytes;

	map_many(test);
	breaks(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(NR_MANY), bytes);
	expect_breaks(test, 1 + 7 * loop, 0);
	test_validate(test);
}

/*
 * The start and the stop of dirty tracking, and the removal of an untracked
 * device, drop the lock if there are many areas.
 */
static void dirty_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	struct iopt_dirty_query query = { .pgsize = SZ_2M };
	unsigned long bytes;

	map_many(test);
	breaks(test);
	/* The walk finds each area twice: before and after it gets a bitmap. */
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 2 * loop, breaks(test));
	iopt_dirty_add_untracked(space->iopt);
	iopt_dirty_remove_untracked(space->iopt, false);
	KUNIT_EXPECT_EQ(test, loop, breaks(test));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_dirty_read(space->iopt, 0, IOVA +
						       SZ_2M - 1, &query, 0));
	breaks(test);
	test_validate(test);
	breaks(test);
	iopt_dirty_stop(space->iopt);
	KUNIT_EXPECT_EQ(test, loop, breaks(test));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

/* Attaching a domain drops the lock if there are many areas. */
static void attach_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long bytes;

	map_many(test);
	breaks(test);
	mock->domain.pgsize_bitmap = SZ_64K;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	/* The attach fails at the first area, which is not aligned. */
	KUNIT_EXPECT_EQ(test, 0, breaks(test));
	/*
	 * The attach checks all areas, and then fails to pin the first one,
	 * which has no memory.
	 */
	mock->domain.pgsize_bitmap = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_attach_domain(space->iopt, &mock->domain));
	expect_breaks(test, loop, NR_MANY);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

/*
 * Either all areas of a range become orphans or none, even if only the last one
 * cannot become one.
 */
static void orphan_of_many(struct kunit *test)
{
	const unsigned long n = 2 * IOPT_MAX_STEPS + 2;
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long i, bytes, iova = 0;

	for (i = 0; i != n; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(i),
						  SZ_4G + PAGES(i), 1));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA +
					   PAGES(n - 1), PAGE_SIZE, TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_orphan(iopt, IOVA, ULONG_MAX,
						  &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);
	KUNIT_EXPECT_EQ(test, 0, iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, iova, 1));
	breaks(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 2 * 2, breaks(test));
	KUNIT_EXPECT_EQ(test, PAGES(n), bytes);
	KUNIT_EXPECT_EQ(test, n, iopt->nr_orphans);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(iopt));
}

/* An unmap is all-or-nothing, even if it takes several holds of the lock. */
static void unmap_many_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bytes, last = IOVA + PAGES(NR_MANY) - 1;

	map_many(test);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, last + 1, SZ_4G, 2));
	/* The last mapping extends beyond the range. */
	KUNIT_EXPECT_EQ(test, -ENOENT, iopt_unmap(space->iopt, 0,
						  last + PAGE_SIZE, &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);
	KUNIT_EXPECT_EQ(test, NR_MANY + 1, space->iopt->nr_areas);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, last, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(NR_MANY), bytes);
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_areas);
}

/*
 * A copy of many mappings is all-or-nothing, even though it takes several holds
 * of the lock.
 */
static void copy_many(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	const unsigned long n = 3 * IOPT_MAX_STEPS;
	unsigned long uaddr = test_touched(test, n), iova = 0, i, bytes;
	struct io_pagetable *iopt = space->iopt;

	for (i = 0; i != n; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(i),
						  uaddr + PAGES(i), 1));
	test_attach(test, mock);
	mock->fail_map = n - 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_copy(iopt, &iova, iopt, IOVA,
						 PAGES(n), TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, n, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, n, iopt->nr_areas);
	test_validate(test);
	mock->fail_map = 0;
	KUNIT_EXPECT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA, PAGES(n),
					   TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, 2 * n, iopt->nr_areas);
	KUNIT_EXPECT_EQ(test, 0, iopt->nr_claimed);
	KUNIT_EXPECT_EQ(test, 2 * n, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(n - 1)),
			mock_domain_pfn(mock, iova + PAGES(n - 1)));
	KUNIT_EXPECT_EQ(test, -EEXIST, iopt_copy(iopt, &iova, iopt, IOVA,
						 PAGES(n), TEST_RW,
						 IOPT_MAP_FIXED));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/*
 * Start to track dirty pages in the middle of a copy, or after it if the copy
 * finished first.
 */
static long call_start_tracking(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	bool *copied = thread->data;

	/* A real-time thread runs as soon as the copy drops the lock. */
	sched_set_fifo(current);
	while (!READ_ONCE(iopt->nr_claimed) && !READ_ONCE(*copied))
		usleep_range(10, 20);
	return iopt_dirty_start(iopt);
}

static unsigned long nr_untracked(struct io_pagetable *iopt)
{
	struct iopt_area *area;
	unsigned long nr = 0;

	mutex_lock(&iopt->lock);
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX))
		nr += !area->dirty;
	mutex_unlock(&iopt->lock);
	return nr;
}

/*
 * Every mapping is tracked if tracking starts while many mappings are copied.
 */
static void tracking_starts_in_a_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova = IOVA + PAGES(NR_MANY), bytes;
	/* A round takes half a minute with lockdep. */
	unsigned int rounds = IS_ENABLED(CONFIG_PROVE_LOCKING) ? 1 : 4, i;
	struct test_thread start;
	bool copied;

	map_many(test);
	for (i = 0; i != rounds; i++) {
		copied = false;
		test_thread_start(test, &start, call_start_tracking, &copied,
				  current->mm);
		KUNIT_EXPECT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA,
						   PAGES(NR_MANY), TEST_RW,
						   IOPT_MAP_FIXED));
		WRITE_ONCE(copied, true);
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&start));
		KUNIT_EXPECT_EQ(test, 0, nr_untracked(iopt));
		iopt_dirty_stop(iopt);
		KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, iova, ULONG_MAX,
						    &bytes));
	}
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
}

static long call_map(struct test_thread *thread)
{
	unsigned long iova = (unsigned long)thread->data;

	return test_map(thread->space->iopt, iova, thread->space->uaddr, 4);
}

static long call_unmap(struct test_thread *thread)
{
	unsigned long bytes;
	int rc = iopt_unmap(thread->space->iopt, IOVA, IOVA + PAGES(16) - 1,
			    &bytes);

	return rc ?: bytes >> PAGE_SHIFT;
}

/* Start a map that blocks in a domain at @iova. */
static void start_hanging_map(struct kunit *test, struct test_thread *map,
			      struct mock_domain *mock, unsigned long iova)
{
	mock->block_iova = iova;
	test_thread_start(test, map, call_map, (void *)iova, current->mm);
	wait_for_completion(&mock->blocked);
}

/*
 * An unmap waits only for the maps that started before it, however many threads
 * map in its range continuously.
 */
static void unmap_waits_for_no_later_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread first, second, unmap;
	unsigned long bytes;

	space->uaddr = test_touched(test, 4);
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	start_hanging_map(test, &first, space->mock[0], IOVA);
	test_thread_start(test, &unmap, call_unmap, NULL, NULL);
	test_thread_expect_waiting(&unmap);
	start_hanging_map(test, &second, space->mock[1], IOVA + PAGES(4));

	complete(&space->mock[0]->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&first));
	if (!wait_for_completion_timeout(&unmap.done, 5 * HZ))
		KUNIT_FAIL(test, "the unmap waits for a later map");
	else
		complete(&unmap.done);
	complete(&space->mock[1]->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&second));
	KUNIT_EXPECT_EQ(test, 4, test_thread_join(&unmap));
	mock_expect_empty(space->mock[0], IOVA, 4);
	KUNIT_EXPECT_EQ(test, 4, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 4, space->mock[1]->nr_ptes);
	test_validate(test);
	/* A later unmap removes the later mapping. */
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(4), bytes);
}

/*
 * The second of two unmaps of a range waits for the first, and proceeds if that
 * is killed.
 */
static void killed_unmap_gives_up_its_claim(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread map, first, second;

	space->uaddr = test_touched(test, 4);
	test_attach(test, space->mock[0]);
	start_hanging_map(test, &map, space->mock[0], IOVA);
	test_thread_start(test, &first, call_unmap, NULL, NULL);
	test_thread_expect_waiting(&first);
	test_thread_start(test, &second, call_unmap, NULL, NULL);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&second.done));
	test_thread_kill(&first);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&first));
	test_validate(test);
	complete(&space->mock[0]->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 4, test_thread_join(&second));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&space->iopt->claims.rb_root));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
}

static struct kunit_case unmap_cases[] = {
	KUNIT_CASE(unmap_flushes_each_TiB),
	KUNIT_CASE(unmap_far_up_flushes_once),
	KUNIT_CASE(detach_flushes_each_TiB),
	KUNIT_CASE(unmap_of_many_drops_the_lock),
	KUNIT_CASE(dirty_of_many_drops_the_lock),
	KUNIT_CASE(attach_of_many_drops_the_lock),
	KUNIT_CASE(orphan_of_many),
	KUNIT_CASE(unmap_many_is_all_or_nothing),
	KUNIT_CASE(copy_many),
	KUNIT_CASE(tracking_starts_in_a_copy),
	KUNIT_CASE(unmap_waits_for_no_later_map),
	KUNIT_CASE(killed_unmap_gives_up_its_claim),
	{}
};

static struct kunit_suite unmap_suite = {
	.name = "iopt-unmap",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = unmap_cases,
};

kunit_test_suite(unmap_suite);
