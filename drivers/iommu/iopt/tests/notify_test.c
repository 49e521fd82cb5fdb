// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an unmap notifies accesses (see iopt_areas_quiesce()): which accesses it
 * notifies of which mappings, how often, and what the callback may do.
 */
#include "../area.h"
#include "../io_pagetable.h"
#include "../validate.h"
#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

/*
 * If iopt_policy.notices is 0, an unmap notifies every access exactly once for
 * each mapping in which any access has pinned pages, and not at all for other
 * mappings. The notification covers the whole mapping.
 */
static void unmap_notifies_every_access(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	unsigned long uaddr = test_touched(test, 12), bytes;

	test_attach(test, space->mock[0]);
	test_map_adjacent(test, IOVA, uaddr, 3, 4);
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(2), 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(8), 1));

	/* A rejected unmap notifies no access. */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, IOVA, 11));
	KUNIT_EXPECT_EQ(test, 0, one->nr_notified);

	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, IOVA - PAGES(5),
					    IOVA + PAGES(20) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(12), bytes);
	KUNIT_EXPECT_EQ(test, 2, one->nr_notified);
	test_expect_notified(test, one, 0, IOVA, 4);
	test_expect_notified(test, one, 1, IOVA + PAGES(8), 4);
	KUNIT_EXPECT_EQ(test, 2, two->nr_notified);
	test_expect_notified(test, two, 0, IOVA, 4);
	test_expect_notified(test, two, 1, IOVA + PAGES(8), 4);
	test_expect_pins(test, uaddr, 12, 0);

	/*
	 * A mapping that was unpinned before the unmap causes no notification.
	 */
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 4));
	KUNIT_ASSERT_EQ(test, 4, test_unpin(one, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, one->nr_notified);
}

/*
 * Detaching a domain leaves the pins of accesses alone and notifies no access.
 */
static void detach_notifies_no_access(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr;

	test_attach(test, space->mock[0]);
	uaddr = test_map_pinned(test, access, IOVA, 2, 1);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 1, test_pins(test_user_pfn(test, uaddr)));
}

/* The range of a notification can end at the last byte of the address space. */
static void unmap_notifies_of_last_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2), iova = -PAGES(2), bytes;
	struct page *pages[2];

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, iova, uaddr, 2));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_pin(access->access, iova,
						 ULONG_MAX, pages, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(1)),
			page_to_pfn(pages[1]));
	KUNIT_EXPECT_EQ(test, 2, iopt_access_unpin(access->access, iova,
						   ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_pin(access->access, iova,
						 ULONG_MAX, pages, 0));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(2), bytes);
	test_expect_notified(test, access, 0, iova, 2);
}

static void call_every_function(struct test_access *access, unsigned long start,
				unsigned long last)
{
	struct io_pagetable *iopt = access->space->iopt;
	unsigned long iova = IOVA + PAGES(8), bytes;
	struct iopt_range range;
	struct page *page;
	u64 value = 42;

	/*
	 * During the last notification, which is the only one here, the mapping
	 * still exists, but can no longer be pinned, read or written.
	 */
	WARN_ON(iopt_access_pin(access->access, start, start + PAGES(1) - 1,
				&page, 0) != -ENOENT);
	WARN_ON(iopt_access_rw(access->access, start, &value, 8, 0) !=
		-ENOENT);
	WARN_ON(!iopt_find_mapping(iopt, start, last, &range));
	/* Other mappings can be used as before. */
	WARN_ON(iopt_access_pin(access->access, iova, iova + PAGES(1) - 1,
				&page, 0));
	WARN_ON(iopt_access_rw(access->access, iova, &value, 8,
			       IOPT_ACCESS_WRITE));
	WARN_ON(iopt_access_unpin(access->access, iova, iova) != 1);
	WARN_ON(iopt_unmap(iopt, iova, iova + PAGES(4) - 1, &bytes));
	WARN_ON(test_map(iopt, iova, access->space->uaddr, 4));
	WARN_ON(iopt_dirty_start(iopt));
	iopt_dirty_stop(iopt);
	WARN_ON(iopt_validate(iopt));
}

/*
 * The callback may call the engine, because it runs without any engine lock
 * held. The exceptions are calls that would wait for the callback itself, e.g.
 * iopt_access_destroy() of its access and an unmap of the same mapping.
 */
static void callback_may_call_any_function(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8);

	space->uaddr = uaddr + PAGES(4);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	access->hook = call_every_function;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	mock_expect_maps(space->mock[0], IOVA + PAGES(8), uaddr + PAGES(4), 4);
}

static void expect_usable(struct test_access *access, unsigned long start,
			  unsigned long last)
{
	struct io_pagetable *iopt = access->space->iopt;
	bool final = access->nr_notified == iopt->policy.notices;
	int rc = final ? -ENOENT : 0;
	struct page *page;
	u64 value = 42;

	/* The mapping is usable until the last notification. */
	WARN_ON(iopt_access_rw(access->access, start, &value, 8,
			       IOPT_ACCESS_WRITE) != rc);
	WARN_ON(iopt_access_pin(access->access, last + 1 - PAGES(1), last,
				&page, 0) != rc);
	/*
	 * A conflicting map fails immediately instead of waiting for the unmap.
	 */
	if (!final)
		WARN_ON(test_map(iopt, start, access->space->uaddr, 1) !=
			-EEXIST);
	access->keep = !final;
}

/* An access that keeps its pins is notified iopt_policy.notices times. */
static void unmap_notifies_up_to_limit(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();

	space->iopt->policy.notices = 4;
	space->uaddr = uaddr;
	access->hook = expect_usable;
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 4, access->nr_notified);
	test_expect_notified(test, access, 3, IOVA, 4);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);

	/*
	 * Unpinning ends the notifications, and a mapping without pins causes
	 * none.
	 */
	access->hook = NULL;
	access->keep = false;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 5, access->nr_notified);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 5, access->nr_notified);
}

/*
 * After the last notification the unmap waits until the pins are dropped. If
 * the unmap is killed during that wait, the mapping can be pinned again.
 */
static void unmap_waits_after_last_notice(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread thread;

	space->iopt->policy.notices = 3;
	test_map_pinned(test, access, IOVA, 4, 2);
	test_thread_unmap_pinned(test, &thread, access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 3, access->nr_notified);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 1));
	test_thread_expect_killable(&thread);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 4, access->nr_notified);
}

/*
 * A wait for in-flight calls counts as a notification, so that a continuous
 * sequence of calls cannot delay the unmap indefinitely.
 */
static void waits_for_calls_count_as_notices(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), i;
	struct test_thread unmap;
	struct iopt_area *area;
	u64 value = 42;

	space->iopt->policy.notices = 3;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&space->iopt->lock);
	area->nr_users++;
	mutex_unlock(&space->iopt->lock);
	test_thread_unmap(test, &unmap, IOVA, 4, NULL);
	/*
	 * Each iopt_access_rw() that succeeds wakes the unmap, which finds that
	 * the call simulated by nr_users is still in flight.
	 */
	for (i = 0; i != 4; i++) {
		test_thread_expect_waiting(&unmap);
		KUNIT_EXPECT_EQ(test, i < 2 ? 0 : -ENOENT,
				iopt_access_rw(access->access, IOVA, &value, 8,
					       IOPT_ACCESS_WRITE));
	}
	mutex_lock(&space->iopt->lock);
	iopt_area_put(space->iopt, area);
	mutex_unlock(&space->iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, access->nr_notified);
}

/*
 * An access that unpins at the first notification cannot use the mapping during
 * the rest of the unmap.
 */
static void no_use_after_unpin(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct mock_domain *mock = space->mock[0];
	struct test_thread unmap;
	u64 value = 42;

	space->iopt->policy.notices = 3;
	test_attach(test, mock);
	test_map_pinned(test, access, IOVA, 4, 1);
	mock->block_iova = IOVA;
	test_thread_unmap(test, &unmap, IOVA, 4, NULL);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_access_rw(access->access, IOVA, &value, 8,
				       IOPT_ACCESS_WRITE));
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
}

static struct kunit_case notify_cases[] = {
	KUNIT_CASE(unmap_notifies_every_access),
	KUNIT_CASE(detach_notifies_no_access),
	KUNIT_CASE(unmap_notifies_of_last_page),
	KUNIT_CASE(callback_may_call_any_function),
	KUNIT_CASE(unmap_notifies_up_to_limit),
	KUNIT_CASE(unmap_waits_after_last_notice),
	KUNIT_CASE(waits_for_calls_count_as_notices),
	KUNIT_CASE(no_use_after_unpin),
	{}
};

static struct kunit_suite notify_suite = {
	.name = "iopt-notify",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = notify_cases,
};

kunit_test_suite(notify_suite);
