// SPDX-License-Identifier: GPL-2.0-only
/* Lifetime of accesses: iopt_access_create() and iopt_access_destroy(). */
#include <linux/delay.h>

#include "../io_pagetable.h"
#include "access.h"
#include "failing.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* If the allocation of an access fails, nothing is added to the space. */
static void create_ENOMEM(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_access *access;

	test_needs_failing_allocations(test);
	test_fail_allocation(1);
	access = iopt_access_create(space->iopt, NULL, NULL);
	KUNIT_EXPECT_FALSE(test, test_fail_end());
	KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR(access));
	KUNIT_EXPECT_TRUE(test, list_empty(&space->iopt->accesses));
}

/*
 * iopt_has_accesses() returns true from the creation of an access until the
 * access is destroyed.
 */
static void has_accesses(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_access *access;

	KUNIT_EXPECT_FALSE(test, iopt_has_accesses(space->iopt));
	access = iopt_access_create(space->iopt, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_TRUE(test, iopt_has_accesses(space->iopt));
	iopt_access_destroy(access);
	KUNIT_EXPECT_FALSE(test, iopt_has_accesses(space->iopt));
}

/*
 * An access without ops cannot pin, because it could not be notified of an
 * unmap. It can still read.
 */
static void pin_without_ops_EINVAL(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);
	struct iopt_access *access;
	struct page *page;
	u64 value = 1;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	access = iopt_access_create(space->iopt, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(access, IOVA, IOVA + PAGES(1) - 1,
					&page, 0));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access, IOVA, &value, 8, 0));
	KUNIT_EXPECT_EQ(test, 0, value);
	KUNIT_EXPECT_EQ(test, 0, iopt_access_unpin(access, IOVA, IOVA));

	/*
	 * An unmap skips this access and notifies those that have a callback.
	 */
	KUNIT_ASSERT_EQ(test, 0, test_pin(test_access_create(test), IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	iopt_access_destroy(access);
}

/*
 * Start an unmap of a mapping in which @one has a pin. Return once the unmap is
 * blocked in the callback of @two, before it notifies @one. The newest access
 * is notified first, so @two must have been created after @one.
 */
static void start_blocked_callback(struct kunit *test, struct test_access *one,
				   struct test_access *two,
				   struct test_thread *unmap)
{
	struct test_space *space = test->priv;

	space->uaddr = test_map_pinned(test, one, IOVA, 4, 1);
	two->block = true;
	test_thread_unmap(test, unmap, IOVA, 4, current->mm);
	wait_for_completion(&two->called);
}

/*
 * Destroying an access waits for its running callback, so that no callback uses
 * the access afterwards.
 */
static void destroy_waits_for_callback(struct kunit *test)
{
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	struct test_thread unmap, destroy;

	start_blocked_callback(test, one, two, &unmap);
	test_thread_destroy(test, &destroy, two);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&destroy.done));
	complete(&two->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&destroy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
}

/*
 * Neither creating nor destroying an access waits for the callbacks of other
 * accesses.
 */
static void destroy_ignores_other_callbacks(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	struct test_thread unmap, destroy;
	struct test_access *three;

	start_blocked_callback(test, one, two, &unmap);
	/* If @one were not destroyed, the unmap would notify it next. */
	test_thread_destroy(test, &destroy, one);
	if (test_thread_expect_return(&destroy)) {
		three = test_access_create(test);
		KUNIT_EXPECT_EQ(test, 0, three->nr_notified);
	}
	complete(&two->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&destroy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, space->uaddr)));
}

/*
 * Destroying an access waits for a callback of that access to return, but not
 * for the unmap to finish: the unmap may be waiting for another access to
 * unpin.
 */
static void destroy_does_not_wait_for_unmap(struct kunit *test)
{
	struct test_access *pinner = test_access_create(test);
	struct test_access *other = test_access_create(test);
	struct test_thread unmap, destroy;

	test_map_pinned(test, pinner, IOVA, 8, 1);
	pinner->keep = true;
	other->keep = true;
	other->block = true;
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	wait_for_completion(&other->called);
	test_thread_destroy(test, &destroy, other);
	test_thread_expect_waiting(&destroy);
	complete(&other->resume);
	test_thread_expect_return(&destroy);
	KUNIT_EXPECT_FALSE(test, completion_done(&unmap.done));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(pinner, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&destroy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(create_ENOMEM),
	KUNIT_CASE(has_accesses),
	KUNIT_CASE(pin_without_ops_EINVAL),
	KUNIT_CASE(destroy_waits_for_callback),
	KUNIT_CASE(destroy_ignores_other_callbacks),
	KUNIT_CASE(destroy_does_not_wait_for_unmap),
	{}
};

static struct kunit_suite access_suite = {
	.name = "iopt-access",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_cases,
};

kunit_test_suite(access_suite);
