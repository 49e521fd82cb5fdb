// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_detach_domain() is not killable, so it must wait only for operations
 * that finish on their own and, when it unpins pages, for folio locks. It must
 * not wait for a page fault that never returns, the mmap_lock, a driver that
 * never unpins, or a caller that waits for any of these.
 *
 * Each test case blocks an operation and meanwhile detaches a domain, or makes
 * another call that must not wait. If that call does wait, most test cases fail
 * after TEST_PATIENCE and resume the blocked operation.
 */
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>

#include "../account.h"
#include "../area.h"
#include "../locked_vm.h"
#include "../pages.h"
#include "access.h"
#include "adopt.h"
#include "slow_memory.h"
#include "thread.h"

#define IOVA	0x100000000UL

/**
 * struct blocked_map - a map call that blocks in a page fault
 * @slow: memory that is being pinned
 * @map: thread that maps @slow
 */
struct blocked_map {
	struct slow_memory slow;
	struct test_thread map;
};

static void start_blocked_map(struct kunit *test, struct blocked_map *blocked)
{
	unsigned long uaddr = test_slow_memory(test, &blocked->slow, 8);

	test_thread_map(test, &blocked->map, IOVA, uaddr, 8);
	wait_for_completion(&blocked->slow.blocked);
}

static void end_blocked_map(struct kunit *test, struct blocked_map *blocked)
{
	complete_all(&blocked->slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&blocked->map));
}

static void expect_detach_beside_map(struct kunit *test,
				     struct blocked_map *blocked,
				     struct mock_domain *mock)
{
	struct test_thread detach;

	test_thread_detach(test, &detach, mock, current->mm);
	if (!test_thread_expect_return(&detach))
		complete_all(&blocked->slow.resume);
	test_thread_join(&detach);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/*
 * Detach does not wait for a map that is pinning pages. Once the pages are
 * pinned, the map adds its area to the domains that are attached at that time.
 */
static void detach_beside_pinning(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct blocked_map blocked;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr, 4));
	start_blocked_map(test, &blocked);
	expect_detach_beside_map(test, &blocked, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 4, space->mock[1]->nr_ptes);
	test_validate(test);

	end_blocked_map(test, &blocked);
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 12, space->mock[1]->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * If the last domain is detached while a map is pinning pages, the map unpins
 * the pages that it has pinned, and succeeds.
 */
static void last_detach_beside_pinning(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct blocked_map blocked;

	test_attach(test, space->mock[0]);
	start_blocked_map(test, &blocked);
	expect_detach_beside_map(test, &blocked, space->mock[0]);
	end_blocked_map(test, &blocked);
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_maps);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_TRUE(test, test_area_at(space, IOVA)->state ==
				IOPT_AREA_LIVE);
	test_validate(test);
	/* The pages are pinned again for the next domain. */
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 8, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * Detach does not wait for an iopt_orphan() call that waits for a blocked map.
 */
static void detach_beside_waiting_orphan(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread orphan;
	struct blocked_map blocked;

	test_attach(test, space->mock[0]);
	start_blocked_map(test, &blocked);
	test_thread_orphan(test, &orphan, IOVA, 8);
	test_thread_expect_waiting(&orphan);
	expect_detach_beside_map(test, &blocked, space->mock[0]);
	test_thread_expect_killable(&orphan);
	end_blocked_map(test, &blocked);
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * Detach does not wait for an attach that waits for a blocked map. The attach
 * waits because the mapping is outside the aperture of the new domain.
 */
static void detach_beside_waiting_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread attach;
	struct blocked_map blocked;

	test_attach(test, space->mock[0]);
	start_blocked_map(test, &blocked);
	space->mock[1]->domain.geometry.aperture_end = IOVA - 1;
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	test_thread_expect_waiting(&attach);
	expect_detach_beside_map(test, &blocked, space->mock[0]);
	test_thread_expect_killable(&attach);
	end_blocked_map(test, &blocked);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/* Start an unmap that waits for @access to unpin. */
static void start_waiting_unmap(struct kunit *test, struct test_access *access,
				struct test_thread *unmap)
{
	struct test_space *space = test->priv;

	space->uaddr = test_map_pinned(test, access, IOVA, 8, 2);
	test_thread_unmap_pinned(test, unmap, access, IOVA, 8);
}

static void expect_detach_beside_unmap(struct kunit *test,
				       struct test_access *access,
				       struct mock_domain *mock)
{
	struct test_thread detach;

	test_thread_detach(test, &detach, mock, current->mm);
	if (!test_thread_expect_return(&detach))
		test_unpin(access, IOVA, 8);
	test_thread_join(&detach);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/*
 * While an unmap waits until an access unpins, detach removes the mapping from
 * the old domain, and attach adds it to a new one. If the unmap fails, the new
 * domain still translates the mapping.
 */
static void detach_beside_waiting_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap;

	test_attach(test, space->mock[0]);
	start_waiting_unmap(test, access, &unmap);
	expect_detach_beside_unmap(test, access, space->mock[0]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&space->mock[0]->unflushed));
	/* Only the pages that the access has pinned are still pinned. */
	KUNIT_EXPECT_EQ(test, 2, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);

	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, space->uaddr, 8);
	test_validate(test);
	test_thread_expect_killable(&unmap);
	mock_expect_maps(space->mock[1], IOVA, space->uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * An unmap also removes the mapping from domains that were attached while the
 * unmap was waiting.
 */
static void attach_beside_waiting_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;
	unsigned int i;

	start_waiting_unmap(test, access, &unmap);
	for (i = 0; i != 2; i++) {
		test_thread_attach(test, &attach, space->mock[i], current->mm);
		test_thread_expect_return(&attach);
		if (!space->mock[i]->attached)
			break;
		test_thread_join(&attach);
		mock_expect_maps(space->mock[i], IOVA, space->uaddr, 8);
	}
	KUNIT_EXPECT_EQ(test, 8, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 8));
	/* If an attach did wait for the unmap, it can return now. */
	if (i != 2)
		test_thread_join(&attach);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	for (i = 0; i != 2; i++)
		KUNIT_EXPECT_EQ(test, 0, space->mock[i]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);
}

/*
 * An unmap that waits for an attach to pin pages is killable. If the unmap is
 * killed, the mapping remains, and the attach adds it to the domain.
 */
static void unmap_beside_pinning_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread unmap, attach;
	struct blocked_map blocked;

	access->keep = true;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA,
					  test_slow_memory(test, &blocked.slow,
							   8), 8));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8), uaddr,
					  8));
	test_thread_attach(test, &attach, space->mock[0], current->mm);
	wait_for_completion(&blocked.slow.blocked);
	test_thread_unmap(test, &unmap, IOVA, 8, NULL);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(8), 8));
	test_thread_expect_killable(&unmap);
	complete_all(&blocked.slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * Map the 8 pages at test_space.uaddr. Pinning them raises VmLck of the
 * thread's process.
 */
static long call_map_locked(struct test_thread *thread)
{
	unsigned long iova = IOVA;

	return iopt_map_user(thread->space->iopt, &iova,
			     (void __user *)thread->space->uaddr, PAGES(8),
			     TEST_RW, IOPT_ACCOUNT_MM, IOPT_MAP_FIXED);
}

/*
 * Wait until the thread either sleeps on the mmap_lock, which the caller holds,
 * or has returned from its call.
 */
static void wait_for_contention(struct test_thread *thread)
{
	while (!mmap_lock_is_contended(current->mm) &&
	       !completion_done(&thread->done))
		msleep(20);
}

/*
 * Expect that a detach returns while the caller holds the mmap_lock for
 * reading. This function releases the lock before it joins the thread, in case
 * the detach does wait for the lock.
 */
static void expect_detach_beside_mmap_lock(struct kunit *test,
					   struct mock_domain *mock,
					   struct mm_struct *mm)
{
	struct test_thread detach;

	test_thread_detach(test, &detach, mock, mm);
	test_thread_expect_return(&detach);
	mmap_read_unlock(current->mm);
	test_thread_join(&detach);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

/*
 * Detach needs the mmap_lock to lower VmLck, but does not wait for the lock,
 * because a page fault may hold it indefinitely. This is true both for a kernel
 * thread and for a thread of the process that is charged.
 */
static void detach_beside_mmap_lock(struct kunit *test)
{
	struct mm_struct *mms[] = { NULL, current->mm };
	struct test_space *space = test->priv;
	struct iopt_payer *payer;
	unsigned int i;

	space->uaddr = test_touched(test, 8);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map_locked, NULL,
						 current->mm));
	payer = test_area_at(space, IOVA)->pages->payer;
	for (i = 0; i != ARRAY_SIZE(mms); i++) {
		test_attach(test, space->mock[i]);
		KUNIT_EXPECT_EQ(test, 8, current->mm->locked_vm);
		mmap_read_lock(current->mm);
		expect_detach_beside_mmap_lock(test, space->mock[i], mms[i]);
		flush_work(&payer->locked_vm->sync);
		KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
		test_validate(test);
	}
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * Detach does not wait for an unmap that has removed its mappings and is
 * blocked on the mmap_lock, which the unmap needs to lower VmLck.
 */
static void detach_beside_syncing_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread unmap;

	space->uaddr = test_touched(test, 8);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map_locked, NULL,
						 current->mm));
	KUNIT_EXPECT_EQ(test, 8, current->mm->locked_vm);
	mmap_read_lock(current->mm);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_contention(&unmap);
	KUNIT_EXPECT_NULL(test, test_area_at(space, IOVA));
	expect_detach_beside_mmap_lock(test, space->mock[0], NULL);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
}

/*
 * Detach does not wait for a failed map that waits for the mmap_lock in order
 * to lower VmLck.
 */
static void detach_beside_syncing_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	struct test_thread map;

	space->uaddr = test_touched(test, 8);
	test_attach(test, mock);
	mock->fail_map = 1;
	mock->block_iova = IOVA;
	test_thread_start(test, &map, call_map_locked, NULL, current->mm);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, 8, current->mm->locked_vm);
	mmap_read_lock(current->mm);
	complete(&mock->resume);
	wait_for_contention(&map);
	KUNIT_EXPECT_NULL(test, test_area_at(space, IOVA));
	expect_detach_beside_mmap_lock(test, mock, NULL);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
}

/* Map memory of the process that the thread runs in. */
static long call_map_own(struct test_thread *thread)
{
	thread->space->uaddr = test_touched(thread->test, 8);
	return call_map_locked(thread);
}

/*
 * Detach does not wait for an iopt_adopt() call that waits for the mmap_lock in
 * order to charge the new process. Neither the old nor the new process stays
 * charged for the pages that detach unpins meanwhile.
 */
static void detach_beside_adopt(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mm_struct *other = test_other_mm(test);
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread adopter;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map_own, NULL,
						 other));
	KUNIT_EXPECT_EQ(test, 8, other->locked_vm);
	KUNIT_ASSERT_EQ(test, 8, test_orphan(test, IOVA, 8));
	mmap_read_lock(current->mm);
	test_thread_adopt(test, &adopter, IOVA, 8, uaddr, IOPT_ACCOUNT_MM);
	wait_for_contention(&adopter);
	expect_detach_beside_mmap_lock(test, space->mock[0], NULL);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&adopter));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, other->locked_vm);
	test_validate(test);

	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 8, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	mmput(other);
}

/*
 * The callback of an access unpins without waiting for the mmap_lock.
 * Destroying the access, which waits for the callback, therefore does not
 * depend on the mmap_lock either.
 */
static void destroy_beside_unpinning_callback(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct test_thread unmap, destroy;
	struct iopt_payer *payer;

	space->uaddr = test_touched(test, 8);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map_locked, NULL,
						 current->mm));
	payer = iopt_payer_get(test_area_at(space, IOVA)->pages->payer);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 2, current->mm->locked_vm);
	mmap_read_lock(current->mm);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_contention(&unmap);
	test_thread_destroy(test, &destroy, access);
	test_thread_expect_return(&destroy);
	mmap_read_unlock(current->mm);
	test_thread_join(&destroy);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	flush_work(&payer->locked_vm->sync);
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	iopt_payer_put(payer);
}

static struct kunit_case detach_cases[] = {
	KUNIT_CASE(detach_beside_pinning),
	KUNIT_CASE(last_detach_beside_pinning),
	KUNIT_CASE(detach_beside_waiting_orphan),
	KUNIT_CASE(detach_beside_waiting_attach),
	KUNIT_CASE(detach_beside_waiting_unmap),
	KUNIT_CASE(attach_beside_waiting_unmap),
	KUNIT_CASE(unmap_beside_pinning_attach),
	KUNIT_CASE(detach_beside_mmap_lock),
	KUNIT_CASE(detach_beside_syncing_unmap),
	KUNIT_CASE(detach_beside_syncing_map),
	KUNIT_CASE(detach_beside_adopt),
	KUNIT_CASE(destroy_beside_unpinning_callback),
	{}
};

static struct kunit_suite detach_suite = {
	.name = "iopt-detach",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = detach_cases,
};

kunit_test_suite(detach_suite);
