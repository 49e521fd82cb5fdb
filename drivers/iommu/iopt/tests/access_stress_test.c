// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses under load: threads map, unmap, pin, unpin and write in one range of
 * IOVAs, while others create and destroy accesses, attach a domain and track
 * dirty pages.
 */
#include <linux/delay.h>
#include <linux/prandom.h>

#include "../validate.h"
#include "access.h"
#include "thread.h"

#define STRESS_IOVAS	24U
#define STRESS_PAGES	16U
#define STRESS_CALLS	2500U

/**
 * struct stress - state of one thread
 * @access: access that all threads share
 * @call: makes calls into the engine, or none; returns false if a result is
 *        wrong
 * @uaddr: user address of %STRESS_PAGES pages
 * @rnd: state of the random number generator
 * @done: number of times that the operation of @call succeeded
 * @mock: domain to attach
 */
struct stress {
	struct test_access *access;
	bool (*call)(struct test_thread *thread, struct stress *stress);
	unsigned long uaddr;
	struct rnd_state rnd;
	unsigned int done;
	struct mock_domain *mock;
};

static unsigned int dice(struct stress *stress, unsigned int n)
{
	return prandom_u32_state(&stress->rnd) % n;
}

static bool stress_map(struct test_thread *thread, struct stress *stress)
{
	unsigned int n = dice(stress, 4) + 1;
	unsigned int iova = dice(stress, STRESS_IOVAS - n + 1);
	int rc = test_map(thread->space->iopt, PAGES(iova), stress->uaddr +
			  PAGES(dice(stress, STRESS_PAGES - n + 1)), n);

	stress->done += !rc;
	return !rc || rc == -EEXIST;
}

static bool stress_unmap(struct test_thread *thread, struct stress *stress)
{
	unsigned int n = dice(stress, 8) + 1;
	unsigned int iova = dice(stress, STRESS_IOVAS - n + 1);
	unsigned long bytes;
	int rc;

	rc = iopt_unmap(thread->space->iopt, PAGES(iova),
			PAGES(iova + n) - 1, &bytes);
	stress->done += !rc;
	return !rc || rc == -ENOENT;
}

/*
 * Pinned pages stay pinned while test_access.lock is held, because other
 * threads and the unmap callback take this lock to unpin.
 */
static bool stress_pin(struct test_thread *thread, struct stress *stress)
{
	struct test_access *access = stress->access;
	unsigned int n = dice(stress, 3) + 1, i;
	unsigned long iova = PAGES(dice(stress, STRESS_IOVAS - n + 1));
	struct page *pages[3];
	bool good = true;
	int rc;

	mutex_lock(&access->lock);
	rc = iopt_access_pin(access->access, iova, iova + PAGES(n) - 1, pages,
			     0);
	for (i = 0; !rc && i != n; i++)
		good = good && page_maybe_dma_pinned(pages[i]);
	mutex_unlock(&access->lock);
	if (!rc && dice(stress, 2))
		usleep_range(10, 100);
	if (!rc && dice(stress, 2))
		test_unpin(access, iova, n);
	stress->done += !rc;
	return good && (!rc || rc == -ENOENT);
}

static bool stress_rw(struct test_thread *thread, struct stress *stress)
{
	unsigned long iova = dice(stress, PAGES(STRESS_IOVAS));
	u64 value = 1;
	int rc;

	rc = iopt_access_rw(stress->access->access, iova, &value, 8,
			    IOPT_ACCESS_WRITE);
	stress->done += !rc;
	return !rc || rc == -ENOENT;
}

/* The callback of an access that pins nothing has nothing to unpin. */
static void ignore_unmap(void *data, unsigned long start, unsigned long last)
{
}

static bool stress_create(struct test_thread *thread, struct stress *stress)
{
	static const struct iopt_access_ops ops = { .unmap = ignore_unmap };
	struct iopt_access *access;

	access = iopt_access_create(thread->space->iopt, &ops, NULL);
	if (IS_ERR(access))
		return PTR_ERR(access) == -ENOMEM;
	usleep_range(10, 50);
	iopt_access_destroy(access);
	stress->done++;
	return true;
}

static bool stress_attach(struct test_thread *thread, struct stress *stress)
{
	struct iommu_domain *domain = &stress->mock->domain;

	if (dice(stress, 20))
		return true;
	if (iopt_attach_domain(thread->space->iopt, domain))
		return false;
	usleep_range(50, 500);
	iopt_detach_domain(thread->space->iopt, domain);
	stress->done++;
	return stress->mock->nr_ptes == 0;
}

static bool stress_dirty(struct test_thread *thread, struct stress *stress)
{
	struct io_pagetable *iopt = thread->space->iopt;
	int rc;

	if (dice(stress, 20))
		return !iopt_validate(iopt);
	rc = iopt_dirty_start(iopt);
	if (rc)
		return rc == -ENOMEM;
	usleep_range(50, 500);
	iopt_dirty_stop(iopt);
	stress->done++;
	return true;
}

static long stress_main(struct test_thread *thread)
{
	struct stress *stress = thread->data;
	unsigned int i;

	for (i = 0; i != STRESS_CALLS; i++) {
		if (!stress->call(thread, stress))
			return i + 1;
		if (dice(stress, 4))
			cond_resched();
		else
			usleep_range(10, 50);
	}
	return 0;
}

/*
 * Concurrency introduces no new errors: a call returns only errnos that it can
 * also return when run on its own. The operation of each thread must succeed at
 * least 20 times, to ensure that every operation is exercised. At the end,
 * nothing may stay charged or pinned.
 */
static void threads_unmap_and_pin(struct kunit *test)
{
	static bool (* const calls[])(struct test_thread *, struct stress *) = {
		stress_map, stress_map, stress_unmap, stress_unmap, stress_pin,
		stress_pin, stress_rw, stress_create, stress_attach,
		stress_dirty,
	};
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, STRESS_PAGES), bytes, i;
	unsigned long charged = test_charged();
	struct test_thread *threads;
	struct stress *stress;

	stress = kunit_kcalloc(test, ARRAY_SIZE(calls), sizeof(*stress),
			       GFP_KERNEL);
	threads = kunit_kcalloc(test, ARRAY_SIZE(calls), sizeof(*threads),
				GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, stress && threads);
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		stress[i].call = calls[i];
		stress[i].uaddr = uaddr;
		stress[i].access = access;
		stress[i].mock = space->mock[0];
		prandom_seed_state(&stress[i].rnd, 99 + i);
	}
	for (i = 0; i != ARRAY_SIZE(calls); i++)
		test_thread_start(test, &threads[i], stress_main, &stress[i],
				  current->mm);
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&threads[i]));
		KUNIT_EXPECT_GE(test, stress[i].done, 20);
	}
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	for (i = 0; i != STRESS_PAGES; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr +
								 PAGES(i))));
}

static struct kunit_case access_stress_cases[] = {
	KUNIT_CASE(threads_unmap_and_pin),
	{}
};

static struct kunit_suite access_stress_suite = {
	.name = "iopt-access-stress",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_stress_cases,
};

kunit_test_suite(access_stress_suite);
