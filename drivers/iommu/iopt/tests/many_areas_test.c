// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls on many areas drop io_pagetable.lock between batches. Unmap, copy and
 * iopt_orphan() are all-or-nothing nevertheless.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/smp.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../reserve.h"
#include "access.h"
#include "space.h"
#include "thread.h"
#include "user_mm.h"

#define IOVA	0x100000000UL

/* Number of areas for which a loop drops the lock 20 times. */
#define NR_MANY	(20UL * IOPT_MAX_STEPS)

/*
 * Create @nr adjacent mappings, each of which maps the single page at @uaddr.
 * Debug kernels validate all areas after each call, so keep the number of calls
 * low: each copy doubles the number of mappings.
 */
static void map_page_often(struct kunit *test, unsigned long uaddr,
			   unsigned long nr)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long done, more, iova;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 1));
	for (done = 1; done != nr; done += more) {
		more = min(done, nr - done);
		iova = IOVA + PAGES(done);
		KUNIT_ASSERT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA,
						   PAGES(more), TEST_RW,
						   IOPT_MAP_FIXED));
	}
	KUNIT_ASSERT_EQ(test, nr, iopt->nr_areas);
	/*
	 * Attach, and the start and stop of tracking, each wait for some of
	 * these counters to become 0.
	 */
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_claimed);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_inserting[false]);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_inserting[true]);
	KUNIT_ASSERT_EQ(test, 0, iopt->nr_publishing);
}

/* Create NR_MANY adjacent mappings, without memory behind them. */
static void map_many(struct kunit *test)
{
	map_page_often(test, SZ_4G, NR_MANY);
}

/* Return the number of lock breaks since the previous call. */
static unsigned long lock_breaks(struct kunit *test)
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
 * Expect that the last call dropped the lock @loops times. In debug kernels,
 * unmap and attach also validate the space at the end, which drops the lock
 * again if areas are left. Do not count these lock breaks.
 */
static void expect_lock_breaks(struct kunit *test, unsigned long loops,
			       unsigned long areas_after)
{
	unsigned long nr = lock_breaks(test);

	if (IS_ENABLED(CONFIG_IOPT_DEBUG) && areas_after) {
		test_validate(test);
		nr -= lock_breaks(test);
	}
	KUNIT_EXPECT_EQ(test, loops, nr);
}

/*
 * An unmap of many areas drops the lock every IOPT_MAX_STEPS steps in each of
 * its loops. It gives up its first batch to start over with a claim, checks the
 * areas, marks them busy, hides them from accesses, notifies accesses, waits
 * for users, marks the areas as working, and removes them. If it may notify
 * accesses several times, it also looks for users before it hides the areas.
 */
static void unmap_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	unsigned int notices;
	unsigned long bytes;

	for (notices = 1; notices <= 2; notices++) {
		space->iopt->policy.notices = notices;
		map_many(test);
		lock_breaks(test);
		KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX,
						    &bytes));
		KUNIT_EXPECT_EQ(test, PAGES(NR_MANY), bytes);
		expect_lock_breaks(test, 1 + (6 + notices) * loop, 0);
		test_validate(test);
	}
}

/*
 * Starting and stopping dirty tracking, and removing an untracked device, drop
 * the lock if there are many areas.
 */
static void dirty_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	struct iopt_dirty_query query = { .pgsize = SZ_2M };
	unsigned long bytes;

	map_many(test);
	lock_breaks(test);
	/*
	 * The walk visits each area twice: before and after adding its bitmap.
	 */
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 2 * loop, lock_breaks(test));
	iopt_dirty_add_untracked(space->iopt);
	iopt_dirty_remove_untracked(space->iopt, false);
	KUNIT_EXPECT_EQ(test, loop, lock_breaks(test));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_dirty_read(space->iopt, 0, IOVA +
						       SZ_2M - 1, &query, 0));
	lock_breaks(test);
	test_validate(test);
	lock_breaks(test);
	iopt_dirty_stop(space->iopt);
	KUNIT_EXPECT_EQ(test, loop, lock_breaks(test));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

/* An attach that fails to pin memory walks all areas, and drops the lock. */
static void attach_of_many_drops_the_lock(struct kunit *test)
{
	const unsigned long loop = NR_MANY / IOPT_MAX_STEPS;
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long bytes;

	map_many(test);
	lock_breaks(test);
	mock->domain.pgsize_bitmap = SZ_64K;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	/* The attach fails at the first area, which is not aligned. */
	KUNIT_EXPECT_EQ(test, 0, lock_breaks(test));
	/*
	 * The attach fails to pin the first area, which has no memory behind
	 * it, and then walks all areas to remove those that are in the domain.
	 */
	mock->domain.pgsize_bitmap = PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_attach_domain(space->iopt, &mock->domain));
	expect_lock_breaks(test, loop, NR_MANY);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

/*
 * iopt_orphan() is all-or-nothing, even if only the last area of the range
 * cannot become an orphan.
 */
static void orphan_many_is_all_or_nothing(struct kunit *test)
{
	const unsigned long n = 2 * IOPT_MAX_STEPS + 2;
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long bytes, iova = 0;

	test_map_adjacent(test, IOVA, SZ_4G, n, 1);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_copy(iopt, &iova, iopt, IOVA + PAGES(n - 1),
				  PAGE_SIZE, TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_orphan(iopt, IOVA, ULONG_MAX,
						  &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);
	KUNIT_EXPECT_EQ(test, 0, iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, iova, 1));
	lock_breaks(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, 2 * 2, lock_breaks(test));
	KUNIT_EXPECT_EQ(test, PAGES(n), bytes);
	KUNIT_EXPECT_EQ(test, n, iopt->nr_orphans);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(iopt));
}

/* An unmap is all-or-nothing, even if it drops the lock in between. */
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
 * Copying many mappings is all-or-nothing, although the call drops the lock in
 * between.
 */
static void copy_many_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	const unsigned long n = 3 * IOPT_MAX_STEPS;
	unsigned long uaddr = test_touched(test, n), iova = 0, bytes;
	struct io_pagetable *iopt = space->iopt;

	test_map_adjacent(test, IOVA, uaddr, n, 1);
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
 * Move the current thread to @cpu with real-time priority. When the thread that
 * occupies this processor drops a lock that the current thread waits for, the
 * current thread runs immediately.
 */
static void preempt_others_on(unsigned int cpu)
{
	set_cpus_allowed_ptr(current, cpumask_of(cpu));
	sched_set_fifo(current);
}

/**
 * struct during_call - a call that races with another one
 * @cpu: processor that both threads run on
 * @done: the other call has returned
 * @raced: the call began while the other one was in progress
 */
struct during_call {
	unsigned int cpu;
	bool done;
	bool raced;
};

/*
 * Start to track dirty pages in the middle of a copy, or after it if the copy
 * finishes first.
 */
static long call_start_tracking(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	struct during_call *during = thread->data;

	preempt_others_on(during->cpu);
	while (!READ_ONCE(iopt->nr_claimed) && !READ_ONCE(during->done))
		usleep_range(10, 20);
	mutex_lock(&iopt->lock);
	during->raced = iopt->nr_inserting[false];
	mutex_unlock(&iopt->lock);
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
 * If tracking starts while many mappings are being copied, every mapping is
 * tracked afterwards.
 */
static void tracking_starts_during_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long iova = IOVA + PAGES(NR_MANY), bytes;
	struct during_call during = { .cpu = raw_smp_processor_id() };
	struct test_thread start;
	unsigned int i;

	/*
	 * The thread of the test case ends with the test case, so its affinity
	 * need not be restored.
	 */
	set_cpus_allowed_ptr(current, cpumask_of(during.cpu));
	map_many(test);
	/* Try several times: the thread might run only after a copy ends. */
	for (i = 0; i != 50 && !during.raced; i++) {
		during.done = false;
		test_thread_start(test, &start, call_start_tracking, &during,
				  current->mm);
		KUNIT_EXPECT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, IOVA,
						   PAGES(NR_MANY), TEST_RW,
						   IOPT_MAP_FIXED));
		WRITE_ONCE(during.done, true);
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&start));
		KUNIT_EXPECT_EQ(test, 0, nr_untracked(iopt));
		iopt_dirty_stop(iopt);
		KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, iova, ULONG_MAX,
						    &bytes));
	}
	KUNIT_EXPECT_TRUE(test, during.raced);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
}

/**
 * struct during_raise - call that runs while the alignment is being raised
 * @cpu: processor that both threads run on
 * @call: the call
 * @waits: the thread is about to wait for io_pagetable.lock
 * @raced: @call was made while areas were being checked
 */
struct during_raise {
	unsigned int cpu;
	long (*call)(struct test_space *space);
	bool waits;
	bool raced;
};

static int create_and_destroy(struct test_space *space,
			      const struct iopt_access_ops *ops)
{
	struct iopt_access *access;

	access = iopt_access_create(space->iopt, ops, NULL);
	if (IS_ERR(access))
		return PTR_ERR(access);
	iopt_access_destroy(access);
	return 0;
}

static long create_pinner(struct test_space *space)
{
	return create_and_destroy(space, &test_no_unmap_ops);
}

static int map_odd_byte(struct test_space *space)
{
	unsigned long iova = 1;

	return iopt_map_user(space->iopt, &iova, (void __user *)SZ_4G, 1,
			     TEST_RW, IOPT_ACCOUNT_USER, IOPT_MAP_FIXED);
}

/*
 * Try to map. If the alignment is too high, create and destroy an access, which
 * updates the alignment, and try again.
 */
static long map_odd_bytes(struct test_space *space)
{
	int rc = map_odd_byte(space);

	if (rc != -EINVAL)
		return rc;
	rc = create_and_destroy(space, NULL);
	return rc ?: map_odd_byte(space);
}

static long attach_coarse_domain(struct test_space *space)
{
	return iopt_attach_domain(space->iopt, &space->mock[0]->domain);
}

static long call_during_raise(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	struct during_raise *during = thread->data;

	preempt_others_on(during->cpu);
	WRITE_ONCE(during->waits, true);
	mutex_lock(&iopt->lock);
	during->raced = iopt->nr_raising;
	mutex_unlock(&iopt->lock);
	return during->call(thread->space);
}

/*
 * Raise the alignment to PAGE_SIZE, and expect @rc. A second thread runs @call
 * when iopt_raise_alignment() first drops the lock; expect that @call returns
 * @call_rc.
 */
static void expect_raise(struct kunit *test, int rc,
			 long (*call)(struct test_space *space), long call_rc)
{
	struct during_raise during = {
		.cpu = raw_smp_processor_id(),
		.call = call,
	};
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct iopt_access *access;
	struct test_thread other;

	set_cpus_allowed_ptr(current, cpumask_of(during.cpu));
	mutex_lock(&iopt->lock);
	test_thread_start(test, &other, call_during_raise, &during,
			  current->mm);
	while (!READ_ONCE(during.waits))
		usleep_range(100, 200);
	KUNIT_EXPECT_EQ(test, rc, iopt_raise_alignment(iopt, PAGE_SIZE));
	mutex_unlock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, call_rc, test_thread_join(&other));
	KUNIT_EXPECT_TRUE(test, during.raced);

	/* From now on, the alignment depends only on whether @access exists. */
	access = iopt_access_create(iopt, &test_no_unmap_ops, NULL);
	KUNIT_EXPECT_EQ(test, rc, PTR_ERR_OR_ZERO(access));
	KUNIT_EXPECT_EQ(test, rc ? 1 : PAGE_SIZE, iopt->iova_alignment);
	if (!IS_ERR(access))
		iopt_access_destroy(access);
	KUNIT_EXPECT_EQ(test, 1, iopt->iova_alignment);
}

/*
 * A call first raises the alignment and then checks whether all mappings are
 * aligned. Until this check ends, no other call lowers the alignment again. A
 * second call that needs the same alignment checks all mappings itself, because
 * the check of the first call may still fail.
 */
static void alignment_is_raised_concurrently(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX, .alignment = 1,
	};
	struct test_space *space = test->priv;
	unsigned long last = IOVA + PAGES(NR_MANY), bytes;
	struct io_pagetable *iopt;

	test_space_replace(test, &policy);
	iopt = space->iopt;
	space->mock[0]->domain.pgsize_bitmap = SZ_64K;
	map_many(test);
	expect_raise(test, 0, map_odd_bytes, -EINVAL);
	expect_raise(test, 0, attach_coarse_domain, -EADDRINUSE);

	KUNIT_ASSERT_EQ(test, 0, iopt_map_user(iopt, &last, (void __user *)SZ_4G,
					       1, TEST_RW, IOPT_ACCOUNT_USER,
					       IOPT_MAP_FIXED));
	expect_raise(test, -EADDRINUSE, create_pinner, -EADDRINUSE);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
}

static long call_limit(struct test_thread *thread)
{
	struct during_call *during = thread->data;

	set_cpus_allowed_ptr(current, cpumask_of(during->cpu));
	return iopt_set_max_iopte(thread->space->iopt, PAGE_SIZE);
}

static long call_attach_during_limit(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	struct during_call *during = thread->data;

	preempt_others_on(during->cpu);
	mutex_lock(&iopt->lock);
	during->raced = iopt->nr_raising;
	mutex_unlock(&iopt->lock);
	return iopt_attach_domain(iopt, &thread->space->mock[0]->domain);
}

/*
 * iopt_set_max_iopte() refuses a limit if a domain that may contain larger I/O
 * pages is attached while the function checks whether mappings are aligned.
 */
static void limit_races_with_attach(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX, .alignment = 1,
	};
	struct during_call during = { .cpu = raw_smp_processor_id() };
	struct test_space *space = test->priv;
	struct test_thread limit, attach;
	struct io_pagetable *iopt;
	unsigned long bytes;
	unsigned int i;
	int rc;

	test_space_replace(test, &policy);
	iopt = space->iopt;
	/* Create enough areas for the check to drop the lock twice. */
	map_page_often(test, test_touched(test, 1), 2 * IOPT_MAX_STEPS);
	/*
	 * Both threads wait for the lock. The thread that lowers the limit
	 * usually acquires it first.
	 */
	for (i = 0; i != 50 && !during.raced; i++) {
		mutex_lock(&iopt->lock);
		test_thread_start(test, &limit, call_limit, &during,
				  current->mm);
		usleep_range(1000, 2000);
		test_thread_start(test, &attach, call_attach_during_limit,
				  &during, current->mm);
		usleep_range(1000, 2000);
		mutex_unlock(&iopt->lock);
		rc = test_thread_join(&limit);
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
		KUNIT_EXPECT_TRUE(test, rc == -EBUSY || (!rc && !during.raced));
		KUNIT_EXPECT_EQ(test, rc ? IOPT_MAX_IOPTE : PAGE_SIZE,
				iopt_max_iopte(iopt));
		iopt_detach_domain(iopt, &space->mock[0]->domain);
		KUNIT_EXPECT_EQ(test, 0,
				iopt_set_max_iopte(iopt, IOPT_MAX_IOPTE));
		KUNIT_EXPECT_EQ(test, 1, iopt->iova_alignment);
	}
	KUNIT_EXPECT_TRUE(test, during.raced);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
}

static struct kunit_case many_areas_cases[] = {
	KUNIT_CASE(unmap_of_many_drops_the_lock),
	KUNIT_CASE(dirty_of_many_drops_the_lock),
	KUNIT_CASE(attach_of_many_drops_the_lock),
	KUNIT_CASE(orphan_many_is_all_or_nothing),
	KUNIT_CASE(unmap_many_is_all_or_nothing),
	KUNIT_CASE(copy_many_is_all_or_nothing),
	KUNIT_CASE(tracking_starts_during_copy),
	KUNIT_CASE(alignment_is_raised_concurrently),
	KUNIT_CASE(limit_races_with_attach),
	{}
};

static struct kunit_suite many_areas_suite = {
	.name = "iopt-many-areas",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = many_areas_cases,
};

kunit_test_suite(many_areas_suite);
