// SPDX-License-Identifier: GPL-2.0-only
/*
 * Concurrency of iopt_orphan() and iopt_adopt() (adopt.c): which calls they
 * wait for, and which calls wait for them.
 */
#include <linux/delay.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "access.h"
#include "adopt.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* An adoption waits for a read in flight, which still uses the old address. */
static void adopt_waits_for_rw(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long old = test_mmap(test, 4, PROT_READ | PROT_WRITE);
	unsigned long new = test_touched(test, 5) + PAGES(1);
	struct test_thread read, orphaner, adopter;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, old, 4));
	area = test_area_at(space, IOVA);
	/*
	 * The old memory is not populated, so that the read faults and blocks
	 * on the mmap_lock.
	 */
	mmap_write_lock(current->mm);
	test_thread_read(test, &read, access, IOVA, current->mm);
	while (!READ_ONCE(area->nr_users))
		msleep(20);
	test_thread_orphan(test, &orphaner, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 4, test_thread_join(&orphaner));
	test_thread_adopt(test, &adopter, IOVA, 4, new, IOPT_ACCOUNT_USER);
	test_thread_expect_waiting(&adopter);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&read));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&adopter));
	KUNIT_EXPECT_EQ(test, 1, test_read_as(test, access, IOVA, current->mm));
	test_validate(test);
}

/* An unmap waits for an adoption of its mapping. */
static void unmap_waits_for_adopt(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread adopter, unmap;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&area->pages->mutex);
	test_thread_adopt(test, &adopter, IOVA, 4, uaddr, IOPT_ACCOUNT_USER);
	while (!test_area_at(space, IOVA)->busy)
		msleep(20);
	test_thread_unmap(test, &unmap, IOVA, 4, NULL);
	test_thread_expect_waiting(&unmap);
	mutex_unlock(&area->pages->mutex);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&adopter));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	test_validate(test);
}

/* iopt_orphan() waits for mappings that are being built, and is killable. */
static void orphan_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread map, first, second;
	struct mock_domain *mock = space->mock[0];

	test_attach(test, mock);
	test_thread_map_blocked(test, &map, mock, IOVA, test_touched(test, 4),
				4);
	test_thread_orphan(test, &first, IOVA, 4);
	test_thread_expect_killable(&first);
	test_thread_orphan(test, &second, IOVA, 4);
	test_thread_expect_waiting(&second);
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 4, test_thread_join(&second));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
}

#define NR_MANY	(IOPT_MAX_STEPS + 1UL)

static long call_orphan_many(struct test_thread *thread)
{
	unsigned long bytes = 1;
	int rc;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	rc = iopt_orphan(thread->space->iopt, IOVA, IOVA + PAGES(NR_MANY) - 1,
			 &bytes);
	return rc ?: bytes;
}

/*
 * Take a reference to the pages of an area, as a copy does, when iopt_orphan()
 * in call_orphan_many() first drops iopt->lock. By then, this thread is waiting
 * for the lock. It has real-time priority on the same CPU, so it runs as soon
 * as the lock is dropped. Return the number of orphans at that time.
 */
static long call_share(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	struct iopt_area *area = thread->data;
	unsigned int nr_orphans;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	sched_set_fifo(current);
	mutex_lock(&iopt->lock);
	kref_get(&area->pages->kref);
	nr_orphans = iopt->nr_orphans;
	mutex_unlock(&iopt->lock);
	return nr_orphans;
}

/*
 * iopt_orphan() is all-or-nothing even if the pages of a mapping become shared
 * after the mapping was checked.
 */
static void shared_after_check_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread orphaner, sharer;
	struct iopt_area *area;
	unsigned long i, bytes;

	for (i = 0; i != NR_MANY; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(i), SZ_4G,
						  1));
	area = test_area_at(space, IOVA + PAGES(10));
	mutex_lock(&iopt->lock);
	test_thread_start(test, &orphaner, call_orphan_many, NULL, NULL);
	test_thread_wait_state(&orphaner, TASK_UNINTERRUPTIBLE);
	test_thread_start(test, &sharer, call_share, area, NULL);
	test_thread_wait_state(&sharer, TASK_UNINTERRUPTIBLE);
	mutex_unlock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, -EBUSY, test_thread_join(&orphaner));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&sharer));
	iopt_pages_put(area->pages);

	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(iopt));
	for (i = 0; i != NR_MANY; i++)
		KUNIT_ASSERT_FALSE(test, test_area_at(space, IOVA +
						      PAGES(i))->orphan);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(NR_MANY), bytes);
}

/*
 * iopt_orphan() and iopt_adopt() change nothing if the thread is killed while
 * it waits for attach_mutex.
 */
static void orphan_and_adopt_EINTR(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread orphaner, adopter;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	mutex_lock(&space->iopt->attach_mutex);
	test_thread_orphan(test, &orphaner, IOVA, 4);
	msleep(20);
	test_thread_kill(&orphaner);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&orphaner));
	mutex_unlock(&space->iopt->attach_mutex);
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));
	mutex_lock(&space->iopt->attach_mutex);
	test_thread_adopt(test, &adopter, IOVA, 4, uaddr, IOPT_ACCOUNT_USER);
	msleep(20);
	test_thread_kill(&adopter);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&adopter));
	mutex_unlock(&space->iopt->attach_mutex);
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	test_validate(test);
}

static struct kunit_case adopt_wait_cases[] = {
	KUNIT_CASE(adopt_waits_for_rw),
	KUNIT_CASE(unmap_waits_for_adopt),
	KUNIT_CASE(orphan_waits_for_map),
	KUNIT_CASE(shared_after_check_EBUSY),
	KUNIT_CASE(orphan_and_adopt_EINTR),
	{}
};

static struct kunit_suite adopt_wait_suite = {
	.name = "iopt-adopt-wait",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = adopt_wait_cases,
};

kunit_test_suite(adopt_wait_suite);
