// SPDX-License-Identifier: GPL-2.0-only
/*
 * An unmap waits until accesses have dropped their pins and in-flight calls
 * that pin have returned (see iopt_areas_quiesce()).
 */
#include <linux/delay.h>

#include "../area.h"
#include "../pages.h"
#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* An unmap waits until another thread drops the last pin. */
static void unmap_waits_for_unpin(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long charged = test_charged(), uaddr;
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	test_attach(test, mock);
	uaddr = test_map_pinned(test, access, IOVA, 4, 2);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	test_thread_unmap_pinned(test, &thread, access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	/* Calls on other ranges do not wait. */
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4), uaddr,
					  1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(4), 1));
	test_validate(test);
	test_thread_expect_waiting(&thread);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * If an unmap is killed while it waits until an access unpins, the mapping and
 * its pins remain.
 */
static void unmap_EINTR_leaves_mapping(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long charged = test_charged(), uaddr;
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	test_attach(test, mock);
	uaddr = test_map_pinned(test, access, IOVA, 4, 2);
	test_thread_unmap_pinned(test, &thread, access, IOVA, 4);
	test_thread_expect_killable(&thread);

	mock_expect_maps(mock, IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 4));
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 4));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, access->nr_notified);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/* An unmap of several mappings removes none before all of them are unpinned. */
static void unmap_of_several_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	test_attach(test, mock);
	test_map_adjacent(test, IOVA, uaddr, 2, 2);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	test_thread_unmap_pinned(test, &thread, access, IOVA, 4);
	test_expect_notified(test, access, 0, IOVA + PAGES(2), 2);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	test_thread_expect_killable(&thread);
	mock_expect_maps(mock, IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
}

/* Wait until @nr calls are using an area. */
static void wait_for_users(struct test_space *space, struct iopt_area *area,
			   unsigned int nr)
{
	while (READ_ONCE(area->nr_users) != nr)
		msleep(20);
}

/*
 * If an unmap marks a mapping as dying while another call is pinning its pages,
 * that call fails and pins nothing.
 */
static void pin_fails_during_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct test_thread pin, unmap;
	struct iopt_area *area;
	long rc;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&area->pages->mutex);
	test_thread_pin(test, &pin, access, IOVA, 4);
	wait_for_users(space, area, 1);
	test_thread_unmap(test, &unmap, IOVA, 4, current->mm);
	test_thread_expect_waiting(&unmap);
	mutex_unlock(&area->pages->mutex);
	rc = test_thread_join(&pin);
	KUNIT_EXPECT_EQ(test, -ENOENT, rc);
	if (!rc)
		test_unpin(access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, access->nr_notified);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

static long call_pin_unlocked(struct test_thread *thread)
{
	struct test_access *access = thread->data;
	struct page *pages[4];

	return iopt_access_pin(access->access, IOVA, IOVA + PAGES(4) - 1,
			       pages, 0);
}

/*
 * A pin that spans several mappings is all-or-nothing, even if the mappings are
 * unmapped while pages of the last mapping are being pinned.
 */
static void pin_of_several_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct iopt_area *second;
	struct test_thread pin, unmap;
	long rc;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(2),
					  uaddr + PAGES(2), 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	second = test_area_at(space, IOVA + PAGES(2));
	mutex_lock(&second->pages->mutex);
	test_thread_start(test, &pin, call_pin_unlocked, access, current->mm);
	wait_for_users(space, second, 1);
	test_thread_unmap(test, &unmap, IOVA, 4, current->mm);
	test_thread_expect_waiting(&unmap);
	mutex_unlock(&second->pages->mutex);

	rc = test_thread_join(&pin);
	KUNIT_EXPECT_EQ(test, -ENOENT, rc);
	if (!rc)
		test_unpin(access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

static struct kunit_case notify_wait_cases[] = {
	KUNIT_CASE(unmap_waits_for_unpin),
	KUNIT_CASE(unmap_EINTR_leaves_mapping),
	KUNIT_CASE(unmap_of_several_is_all_or_nothing),
	KUNIT_CASE(pin_fails_during_unmap),
	KUNIT_CASE(pin_of_several_is_all_or_nothing),
	{}
};

static struct kunit_suite notify_wait_suite = {
	.name = "iopt-notify-wait",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = notify_wait_cases,
};

kunit_test_suite(notify_wait_suite);
