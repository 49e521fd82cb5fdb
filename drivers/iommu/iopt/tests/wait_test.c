// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for busy areas (see iopt_wait_idle()): a caller that finds a
 * conflicting area waits until that area becomes idle.
 *
 * In most test cases a call blocks in the mock domain while it maps or unmaps,
 * and a second thread needs the same area.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "access.h"
#include "thread.h"

#define IOVA 0x100000000UL
#define COPY 0x080000000UL

/*
 * Expect that the second call waits for the first call, which is blocked in
 * @mock. Then resume the first call, and check the return values of both calls.
 */
static void expect_serialised(struct mock_domain *mock,
			      struct test_thread *first, long first_rc,
			      struct test_thread *second, long second_rc)
{
	test_thread_expect_waiting(second);
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(mock->test, first_rc, test_thread_join(first));
	KUNIT_EXPECT_EQ(mock->test, second_rc, test_thread_join(second));
}

/*
 * A map of a range that is being mapped waits for the first map, and then
 * fails.
 */
static void second_map_waits_for_first(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread first, second;

	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, &first, space->mock[0], IOVA, uaddr, 8);
	test_thread_map(test, &second, IOVA, uaddr, 8);
	expect_serialised(space->mock[0], &first, 0, &second, -EEXIST);
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
}

/* If the first map fails, a second map that waits finds the range free. */
static void second_map_succeeds_if_first_fails(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread first, second;

	test_attach(test, space->mock[0]);
	space->mock[0]->fail_map = 1;
	test_thread_map_blocked(test, &first, space->mock[0], IOVA, uaddr, 8);
	test_thread_map(test, &second, IOVA, uaddr, 8);
	expect_serialised(space->mock[0], &first, -ENOMEM, &second, 0);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
}

/* An unmap waits for a map in flight, and then removes the whole mapping. */
static void unmap_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread map, unmap;

	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 8);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	expect_serialised(space->mock[0], &map, 0, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/*
 * A map of a range that is being unmapped waits, and then finds the range free.
 */
static void map_waits_for_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct test_thread unmap, map;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA, uaddr + PAGES(8), 8));
	space->mock[0]->block_iova = IOVA;
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_completion(&space->mock[0]->blocked);
	test_thread_map(test, &map, IOVA, uaddr, 8);
	expect_serialised(space->mock[0], &unmap, 0, &map, 0);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0,
			test_pins(test_user_pfn(test, uaddr + PAGES(8))));
}

/*
 * An unmap that notifies accesses several times leaves the mapping usable until
 * the last notification. Until then, a conflicting map fails immediately
 * instead of waiting for the accesses.
 */
static void map_does_not_wait_for_accesses(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr;
	struct test_thread unmap, map;

	space->iopt->policy.notices = 2;
	uaddr = test_map_pinned(test, access, IOVA, 8, 1);
	access->block = true;
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_completion(&access->called);
	test_thread_map(test, &map, IOVA, uaddr, 8);
	test_thread_expect_return(&map);
	complete_all(&access->resume);
	KUNIT_EXPECT_EQ(test, -EEXIST, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
}

/*
 * An attach waits for a map in flight that is not aligned to the I/O pages of
 * the domain, because the map may still fail.
 */
static void coarse_domain_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread map, attach;

	test_attach(test, space->mock[0]);
	space->mock[0]->fail_map = 1;
	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 4);
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	expect_serialised(space->mock[0], &map, -ENOMEM, &attach, 0);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
}

/*
 * An unmap that notifies accesses several times may wait a long time for them.
 * Until the last notification, an attach fails immediately if the mapping is
 * not aligned to the I/O pages of the domain.
 */
static void coarse_domain_does_not_wait_for_accesses(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct test_thread unmap, attach;

	space->iopt->policy.notices = 2;
	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	test_map_pinned(test, access, IOVA, 4, 1);
	access->block = true;
	test_thread_unmap(test, &unmap, IOVA, 4, current->mm);
	wait_for_completion(&access->called);
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	test_thread_expect_return(&attach);
	complete_all(&access->resume);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
}

/* An unmap waits for an attach that is adding the mapping to a domain. */
static void unmap_waits_for_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread attach, unmap;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	space->mock[1]->block_iova = IOVA;
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	wait_for_completion(&space->mock[1]->blocked);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	expect_serialised(space->mock[1], &attach, 0, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* An unmap waits for a detach that is removing the mapping from a domain. */
static void unmap_waits_for_detach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread detach, unmap;

	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	space->mock[1]->block_iova = IOVA;
	test_thread_detach(test, &detach, space->mock[1], current->mm);
	wait_for_completion(&space->mock[1]->blocked);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	expect_serialised(space->mock[1], &detach, 0, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/*
 * A detach waits for a map in flight, and the map skips the domain that is
 * being detached.
 */
static void detach_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread map, detach;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 8);
	test_thread_detach(test, &detach, space->mock[1], current->mm);
	expect_serialised(space->mock[0], &map, 0, &detach, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_maps);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_unmaps);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	test_validate(test);

	/* Attaching the same struct iommu_domain again adds all mappings. */
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
}

/* A map does not add its mapping to a domain that is being detached. */
static void map_skips_domain_during_detach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct test_thread detach;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, 2 * IOVA, uaddr + PAGES(8), 8));
	space->mock[1]->block_iova = 2 * IOVA;
	test_thread_detach(test, &detach, space->mock[1], current->mm);
	wait_for_completion(&space->mock[1]->blocked);

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	mock_expect_empty(space->mock[1], IOVA, 8);

	complete(&space->mock[1]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&detach));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	mock_expect_maps(space->mock[0], 2 * IOVA, uaddr + PAGES(8), 8);
	test_validate(test);
}

/*
 * A detach waits for an unmap that is removing a mapping from the same domain.
 */
static void detach_waits_for_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread unmap, detach;

	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	space->mock[1]->block_iova = IOVA;
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_completion(&space->mock[1]->blocked);
	test_thread_detach(test, &detach, space->mock[1], current->mm);
	expect_serialised(space->mock[1], &unmap, 0, &detach, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* A copy waits for a map in flight, and then copies the whole mapping. */
static void copy_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 10);
	struct test_thread map, copy;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA - PAGES(2), uaddr + PAGES(8),
				 2));
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 8);
	test_thread_copy(test, &copy, COPY, IOVA - PAGES(2), 10);
	expect_serialised(space->mock[0], &map, 0, &copy, 0);
	mock_expect_maps(space->mock[0], COPY, uaddr + PAGES(8), 2);
	mock_expect_maps(space->mock[0], COPY + PAGES(2), uaddr, 8);
	KUNIT_EXPECT_EQ(test, 20, space->mock[0]->nr_ptes);
}

/*
 * A domain that is attached while a copy is adding its second mapping to an
 * older domain must also translate the first mapping of the copy, which is in
 * the older domain already. When the copy resumes, the attach has skipped the
 * new areas and waits for the iopt_pages.mutex that the copy holds.
 */
static void attach_during_copy_maps_all_of_it(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	unsigned long uaddr = test_touched(test, 10);
	struct test_thread copy, attach;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA - PAGES(2), uaddr + PAGES(8),
				 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	space->mock[0]->block_iova = COPY + PAGES(2);
	test_thread_copy(test, &copy, COPY, IOVA - PAGES(2), 10);
	wait_for_completion(&space->mock[0]->blocked);
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	while (READ_ONCE(mock->nr_ptes) != 2)
		msleep(20);
	mock_expect_empty(mock, COPY, 10);

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&copy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_maps(mock, COPY, uaddr + PAGES(8), 2);
	mock_expect_maps(mock, COPY + PAGES(2), uaddr, 8);
	KUNIT_EXPECT_EQ(test, 20, mock->nr_ptes);
	test_validate(test);
}

/*
 * Simulate the start or the end of a map that drops the lock while it makes its
 * areas live.
 */
static void set_publishing(struct io_pagetable *iopt, int change)
{
	mutex_lock(&iopt->lock);
	iopt->nr_publishing += change;
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
}

/*
 * Attach waits while a map makes its areas live, because the map can no longer
 * add them to the new domain. During the wait, IOVAs outside the aperture of
 * the domain stay usable.
 */
static void attach_waits_for_publishing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread attach;
	struct iopt_range range;

	space->mock[1]->domain.geometry.aperture_start = PAGE_SIZE;
	set_publishing(iopt, 1);
	test_thread_attach(test, &attach, space->mock[1], current->mm);
	test_thread_expect_waiting(&attach);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, 0, range.start);
	set_publishing(iopt, -1);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, range.start);
	test_detach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, 0, range.start);
}

static long call_dirty_start(struct test_thread *thread)
{
	return iopt_dirty_start(thread->space->iopt);
}

static long call_dirty_stop(struct test_thread *thread)
{
	iopt_dirty_stop(thread->space->iopt);
	return 0;
}

/*
 * Simulate the start (@change is 1) or the end (-1) of a map that holds a claim
 * while it inserts its areas. The areas have a dirty bitmap if @tracked is
 * true.
 */
static void set_inserting(struct io_pagetable *iopt, bool tracked, int change)
{
	mutex_lock(&iopt->lock);
	iopt->nr_inserting[tracked] += change;
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
}

/*
 * iopt_dirty_start() waits while areas without a bitmap are being inserted, and
 * iopt_dirty_stop() waits while areas with a bitmap are.
 */
static void tracking_waits_for_insertions(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread call;

	set_inserting(iopt, true, 1);
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(iopt));
	set_inserting(iopt, true, -1);
	set_inserting(iopt, false, 1);
	iopt_dirty_stop(iopt);

	test_thread_start(test, &call, call_dirty_start, NULL, current->mm);
	test_thread_expect_waiting(&call);
	KUNIT_EXPECT_FALSE(test, iopt_dirty_tracking(iopt));
	set_inserting(iopt, false, -1);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&call));
	KUNIT_EXPECT_TRUE(test, iopt_dirty_tracking(iopt));

	set_inserting(iopt, true, 1);
	test_thread_start(test, &call, call_dirty_stop, NULL, current->mm);
	test_thread_expect_waiting(&call);
	set_inserting(iopt, true, -1);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&call));
	KUNIT_EXPECT_FALSE(test, iopt_dirty_tracking(iopt));
}

static long call_wait_idle(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	mutex_unlock(&iopt->lock);
	return rc;
}

/*
 * An unmap stops waiting for pins to be dropped if no access is left, so
 * destroying an access must wake the unmap.
 */
static void destroyed_access_wakes_waiters(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_thread wait;

	test_thread_start(test, &wait, call_wait_idle, NULL, current->mm);
	test_thread_expect_waiting(&wait);
	test_access_destroy(access);
	if (!test_thread_expect_return(&wait))
		test_thread_kill(&wait);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&wait));
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(map_waits_for_unmap),
	KUNIT_CASE(map_does_not_wait_for_accesses),
	KUNIT_CASE(coarse_domain_waits_for_map),
	KUNIT_CASE(coarse_domain_does_not_wait_for_accesses),
	KUNIT_CASE(unmap_waits_for_attach),
	KUNIT_CASE(unmap_waits_for_detach),
	KUNIT_CASE(detach_waits_for_map),
	KUNIT_CASE(map_skips_domain_during_detach),
	KUNIT_CASE(detach_waits_for_unmap),
	KUNIT_CASE(copy_waits_for_map),
	KUNIT_CASE(attach_during_copy_maps_all_of_it),
	KUNIT_CASE(attach_waits_for_publishing),
	KUNIT_CASE(tracking_waits_for_insertions),
	KUNIT_CASE(destroyed_access_wakes_waiters),
	KUNIT_CASE(second_map_waits_for_first),
	KUNIT_CASE(second_map_succeeds_if_first_fails),
	KUNIT_CASE(unmap_waits_for_map),
	{}
};

static struct kunit_suite wait_suite = {
	.name = "iopt-wait",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
