// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for busy areas: a caller that finds a conflicting one waits until
 * that area becomes idle, and is killable meanwhile, except in a detach.
 *
 * A call blocks in the mock domain while it maps or unmaps, and a second thread
 * needs the same area.
 */
#include <linux/delay.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../wait.h"
#include "access.h"
#include "space.h"
#include "thread.h"

#define IOVA 0x100000000UL
#define COPY 0x080000000UL

static long call_map(struct test_thread *thread)
{
	return test_map(thread->space->iopt, IOVA, (unsigned long)thread->data,
			8);
}

static long call_unmap(struct test_thread *thread)
{
	return test_unmap(thread->space->iopt, IOVA, 8);
}

static long call_attach(struct test_thread *thread)
{
	struct mock_domain *mock = thread->space->mock[1];
	int rc = iopt_attach_domain(thread->space->iopt, &mock->domain);

	mock->attached = mock->attached || !rc;
	return rc;
}

static long call_detach(struct test_thread *thread)
{
	struct mock_domain *mock = thread->space->mock[1];

	iopt_detach_domain(thread->space->iopt, &mock->domain);
	mock->attached = false;
	return 0;
}

/* Copy from below the mapping at IOVA up to its end. */
static long call_copy(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;
	unsigned long iova = COPY;

	return iopt_copy(iopt, &iova, iopt, IOVA - PAGES(2), PAGES(10), TEST_RW,
			 IOPT_MAP_FIXED);
}

static void start(struct kunit *test, struct test_thread *thread,
		  long (*call)(struct test_thread *thread), unsigned long uaddr)
{
	test_thread_start(test, thread, call, (void *)uaddr, current->mm);
}

static void end(struct kunit *test, struct test_thread *thread, long rc)
{
	KUNIT_EXPECT_EQ(test, rc, test_thread_join(thread));
}

/* Start a call that blocks when a domain maps or unmaps @iova. */
static void start_hanging(struct kunit *test, struct test_thread *thread,
			  long (*call)(struct test_thread *thread),
			  unsigned long uaddr, struct mock_domain *mock,
			  unsigned long iova)
{
	mock->block_iova = iova;
	start(test, thread, call, uaddr);
	wait_for_completion(&mock->blocked);
}

static void unblock(struct kunit *test, struct test_thread *thread,
		    struct mock_domain *mock, long rc)
{
	complete(&mock->go_on);
	end(test, thread, rc);
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
	start_hanging(test, &unmap, call_unmap, 0, space->mock[0], IOVA);
	start(test, &map, call_map, uaddr);
	test_thread_expect_waiting(&map);

	unblock(test, &unmap, space->mock[0], 0);
	end(test, &map, 0);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0,
			test_pins(test_user_pfn(test, uaddr + PAGES(8))));
}

/*
 * An unmap that notifies accesses several times leaves the mapping usable until
 * the last time, so a conflicting map fails immediately instead of waiting for
 * the accesses.
 */
static void map_does_not_wait_for_accesses(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread unmap, map;

	space->iopt->policy.notices = 2;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	access->block = true;
	start(test, &unmap, call_unmap, 0);
	wait_for_completion(&access->called);
	start(test, &map, call_map, uaddr);
	test_thread_expect_return(&map);
	complete_all(&access->go_on);
	end(test, &map, -EEXIST);
	end(test, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
}

static long call_destroy(struct test_thread *thread)
{
	test_access_destroy(thread->data);
	return 0;
}

/*
 * Destroying an access waits for its callback only, not for the unmap, which
 * may wait for another access to unpin.
 */
static void destroy_waits_for_callback_only(struct kunit *test)
{
	struct test_access *pinner = test_access_create(test);
	struct test_access *other = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread unmap, destroy;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, test_pin(pinner, IOVA, 1));
	pinner->keep = true;
	other->keep = true;
	other->block = true;
	start(test, &unmap, call_unmap, 0);
	wait_for_completion(&other->called);
	test_thread_start(test, &destroy, call_destroy, other, NULL);
	test_thread_expect_waiting(&destroy);
	complete(&other->go_on);
	test_thread_expect_return(&destroy);
	KUNIT_EXPECT_FALSE(test, completion_done(&unmap.done));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(pinner, IOVA, 1));
	end(test, &destroy, 0);
	end(test, &unmap, 0);
}

/* An unmap waits for an attach that is putting its mapping into a domain. */
static void unmap_waits_for_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread attach, unmap;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	start_hanging(test, &attach, call_attach, 0, space->mock[1], IOVA);
	start(test, &unmap, call_unmap, 0);
	test_thread_expect_waiting(&unmap);

	unblock(test, &attach, space->mock[1], 0);
	end(test, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* An unmap waits for a detach that is removing its mapping from a domain. */
static void unmap_waits_for_detach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread detach, unmap;

	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	start_hanging(test, &detach, call_detach, 0, space->mock[1], IOVA);
	start(test, &unmap, call_unmap, 0);
	test_thread_expect_waiting(&unmap);

	unblock(test, &detach, space->mock[1], 0);
	end(test, &unmap, 0);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/*
 * A detach waits for a map in flight, and the map skips the domain of the
 * detach.
 */
static void detach_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread map, detach;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	start_hanging(test, &map, call_map, uaddr, space->mock[0], IOVA);
	start(test, &detach, call_detach, 0);
	test_thread_expect_waiting(&detach);

	unblock(test, &map, space->mock[0], 0);
	end(test, &detach, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_maps);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_unmaps);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	test_validate(test);

	/*
	 * A later attach adds a new domain, even if it reuses the same struct.
	 */
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
}

/* A map does not fill a domain that is being detached. */
static void hanging_detach_takes_no_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct test_thread detach;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, 2 * IOVA, uaddr + PAGES(8), 8));
	start_hanging(test, &detach, call_detach, 0, space->mock[1], 2 * IOVA);

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	mock_expect_empty(space->mock[1], IOVA, 8);

	unblock(test, &detach, space->mock[1], 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	mock_expect_maps(space->mock[0], 2 * IOVA, uaddr + PAGES(8), 8);
	test_validate(test);
}

/* A detach waits for an unmap that works on its domain. */
static void detach_waits_for_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread unmap, detach;

	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	start_hanging(test, &unmap, call_unmap, 0, space->mock[1], IOVA);
	start(test, &detach, call_detach, 0);
	test_thread_expect_waiting(&detach);

	unblock(test, &unmap, space->mock[1], 0);
	end(test, &detach, 0);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* A copy waits for a map in flight, and then copies its whole mapping. */
static void copy_waits_for_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 10);
	struct test_thread map, copy;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA - PAGES(2), uaddr + PAGES(8),
				 2));
	start_hanging(test, &map, call_map, uaddr, space->mock[0], IOVA);
	start(test, &copy, call_copy, 0);
	test_thread_expect_waiting(&copy);

	unblock(test, &map, space->mock[0], 0);
	end(test, &copy, 0);
	mock_expect_maps(space->mock[0], COPY, uaddr + PAGES(8), 2);
	mock_expect_maps(space->mock[0], COPY + PAGES(2), uaddr, 8);
	KUNIT_EXPECT_EQ(test, 20, space->mock[0]->nr_ptes);
}

/*
 * A domain that is attached while the second mapping of a copy blocks receives
 * the first one too, although that was put into all older domains before. The
 * attach has skipped the areas of the copy by then, and waits for the pages
 * that both need.
 */
static void late_domain_gets_all_of_a_copy(struct kunit *test)
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
	start_hanging(test, &copy, call_copy, 0, space->mock[0],
		      COPY + PAGES(2));
	start(test, &attach, call_attach, 0);
	while (READ_ONCE(mock->nr_ptes) != 2)
		msleep(20);
	mock_expect_empty(mock, COPY, 10);

	unblock(test, &copy, space->mock[0], 0);
	end(test, &attach, 0);
	mock_expect_maps(mock, COPY, uaddr + PAGES(8), 2);
	mock_expect_maps(mock, COPY + PAGES(2), uaddr, 8);
	KUNIT_EXPECT_EQ(test, 20, mock->nr_ptes);
	test_validate(test);
}

static long call_attach_wait(struct test_thread *thread)
{
	return iopt_attach_wait(thread->space->iopt,
				&thread->space->mock[1]->domain);
}

/* Each call that waits for a mapping under construction is killable. */
static void killed_while_waiting(struct kunit *test)
{
	static long (*const calls[])(struct test_thread *) = {
		call_map, call_unmap, call_copy, call_attach, call_attach_wait,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 10), i;
	struct test_thread first, second;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA - PAGES(2), uaddr + PAGES(8),
				 2));
	start_hanging(test, &first, call_map, uaddr, space->mock[0], IOVA);
	/*
	 * The mapping is outside the aperture of the domain that is attached.
	 */
	space->mock[1]->domain.geometry.aperture_end = IOVA - 1;

	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		start(test, &second, calls[i], uaddr);
		test_thread_expect_waiting(&second);
		test_thread_kill(&second);
		end(test, &second, -EINTR);
	}
	unblock(test, &first, space->mock[0], 0);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 10, space->mock[0]->nr_ptes);
}

/*
 * An unmap that waits for a call in its mapping is killable, both between
 * notifications and after the last one. The mapping is unchanged then.
 */
static void killed_unmap_waiting_for_call(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread unmap;
	struct iopt_area *area;
	unsigned int notices;

	for (notices = 1; notices <= 2; notices++) {
		iopt->policy.notices = notices;
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, SZ_4G, 8));
		area = test_area_at(space, IOVA);
		mutex_lock(&iopt->lock);
		area->nr_users++;
		mutex_unlock(&iopt->lock);
		start(test, &unmap, call_unmap, 0);
		test_thread_expect_waiting(&unmap);
		test_thread_kill(&unmap);
		test_thread_expect_return(&unmap);
		mutex_lock(&iopt->lock);
		iopt_area_put(iopt, area);
		mutex_unlock(&iopt->lock);
		end(test, &unmap, -EINTR);
		KUNIT_ASSERT_PTR_EQ(test, area, test_area_at(space, IOVA));
		KUNIT_EXPECT_TRUE(test, area->state == IOPT_AREA_LIVE);
		test_validate(test);
		KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
	}
}

#define NR_MANY 80

static long call_map_many(struct test_thread *thread)
{
	return test_map(thread->space->iopt, IOVA, (unsigned long)thread->data,
			NR_MANY);
}

/*
 * A map that is killed between two of its steps leaves nothing mapped or
 * pinned.
 */
static void killed_map_leaves_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, NR_MANY);
	unsigned long charged = test_charged();
	struct test_thread map;

	KUNIT_ASSERT_EQ(test, 0, iopt_limit_iopte(space->iopt, PAGE_SIZE));
	test_attach(test, mock);
	start_hanging(test, &map, call_map_many, uaddr, mock,
		      IOVA + PAGES(NR_MANY / 2));
	KUNIT_EXPECT_EQ(test, NR_MANY / 2, mock->nr_ptes);
	test_thread_kill(&map);
	unblock(test, &map, mock, -EINTR);

	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
}

/* An attach that is killed between two mappings leaves the domain empty. */
static void killed_attach_leaves_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	unsigned long uaddr = test_touched(test, 12), i;
	struct test_thread attach;

	test_attach(test, space->mock[0]);
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, i * IOVA,
					 uaddr + PAGES(4 * i), 4));
	start_hanging(test, &attach, call_attach, 0, mock, IOVA);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	test_thread_kill(&attach);
	unblock(test, &attach, mock, -EINTR);

	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	for (i = 0; i != 3; i++)
		mock_expect_maps(space->mock[0], i * IOVA, uaddr + PAGES(4 * i),
				 4);
	test_validate(test);
}

/* An attach that waits for another attach is killable. */
static void killed_attach_waiting(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread first, second;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	start_hanging(test, &first, call_attach, 0, mock, IOVA);
	start(test, &second, call_attach, 0);
	test_thread_kill(&second);
	end(test, &second, -EINTR);

	unblock(test, &first, mock, 0);
	mock_expect_maps(mock, IOVA, uaddr, 8);
}

/*
 * Simulate a map that makes its areas live in several holds of the lock, or the
 * end of one.
 */
static void set_publishing(struct io_pagetable *iopt, int change)
{
	mutex_lock(&iopt->lock);
	iopt->nr_publishing += change;
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
}

/*
 * Attach waits while areas go live that it cannot put into its domain, and the
 * IOVAs outside the aperture stay usable until then.
 */
static void attach_waits_for_areas_that_go_live(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread attach;
	struct iopt_range range;

	space->mock[1]->domain.geometry.aperture_start = PAGE_SIZE;
	set_publishing(iopt, 1);
	start(test, &attach, call_attach, 0);
	test_thread_expect_waiting(&attach);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, 0, range.start);
	set_publishing(iopt, -1);
	end(test, &attach, 0);
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
 * Simulate a claim that inserts areas with or without a bitmap, or the end of
 * one.
 */
static void set_inserting(struct io_pagetable *iopt, bool tracked, int change)
{
	mutex_lock(&iopt->lock);
	iopt->nr_inserting[tracked] += change;
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
}

/*
 * The start of tracking waits while areas without a bitmap are inserted, and
 * the stop waits while areas with a bitmap are inserted.
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

	start(test, &call, call_dirty_start, 0);
	test_thread_expect_waiting(&call);
	KUNIT_EXPECT_FALSE(test, iopt_dirty_tracking(iopt));
	set_inserting(iopt, false, -1);
	end(test, &call, 0);
	KUNIT_EXPECT_TRUE(test, iopt_dirty_tracking(iopt));

	set_inserting(iopt, true, 1);
	start(test, &call, call_dirty_stop, 0);
	test_thread_expect_waiting(&call);
	set_inserting(iopt, true, -1);
	end(test, &call, 0);
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
 * An unmap stops waiting for pins when no access is left, so the removal of an
 * access must wake it.
 */
static void leaving_access_wakes_waiters(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_thread wait;

	start(test, &wait, call_wait_idle, 0);
	test_thread_expect_waiting(&wait);
	test_access_destroy(access);
	if (!wait_for_completion_timeout(&wait.done, 5 * HZ)) {
		KUNIT_FAIL(test, "not woken");
		test_thread_kill(&wait);
	} else {
		complete(&wait.done);
	}
	end(test, &wait, 0);
}

static struct kunit_case idle_cases[] = {
	KUNIT_CASE(map_waits_for_unmap),
	KUNIT_CASE(map_does_not_wait_for_accesses),
	KUNIT_CASE(destroy_waits_for_callback_only),
	KUNIT_CASE(unmap_waits_for_attach),
	KUNIT_CASE(unmap_waits_for_detach),
	KUNIT_CASE(detach_waits_for_map),
	KUNIT_CASE(hanging_detach_takes_no_map),
	KUNIT_CASE(detach_waits_for_unmap),
	KUNIT_CASE(copy_waits_for_map),
	KUNIT_CASE(late_domain_gets_all_of_a_copy),
	KUNIT_CASE(killed_while_waiting),
	KUNIT_CASE(killed_unmap_waiting_for_call),
	KUNIT_CASE(killed_map_leaves_nothing),
	KUNIT_CASE(killed_attach_leaves_nothing),
	KUNIT_CASE(killed_attach_waiting),
	KUNIT_CASE(attach_waits_for_areas_that_go_live),
	KUNIT_CASE(tracking_waits_for_insertions),
	KUNIT_CASE(leaving_access_wakes_waiters),
	{}
};

static struct kunit_suite idle_suite = {
	.name = "iopt-idle",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = idle_cases,
};

kunit_test_suite(idle_suite);
