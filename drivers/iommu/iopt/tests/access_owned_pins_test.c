// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses that own their pins (iopt_access_ops.owns_pins): no other access can
 * remove these pins, and iopt_access_unpin_all() removes all pins of one
 * access.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/*
 * An access that owns its pins can remove only its own pins, and no other
 * access can remove them. Accesses that do not own their pins can remove each
 * other's.
 */
static void unpin_drops_own_pins_only(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_owner_create(test);
	struct test_access *two = test_owner_create(test);
	struct test_access *shared = test_access_create(test);
	struct test_access *other = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(two, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(shared, IOVA, 2));
	test_expect_pins(test, uaddr, 1, 1);

	KUNIT_ASSERT_EQ(test, 0, test_pin(two, IOVA, 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(shared, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(other, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(shared, IOVA, 2));
	test_validate(test);

	/*
	 * @one removes its own pins, but not the pin that @two has on the first
	 * page.
	 */
	KUNIT_EXPECT_EQ(test, 2, test_unpin(one, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(one, IOVA, 2));
	test_expect_pins(test, uaddr, 1, 1);
	test_expect_pins(test, uaddr + PAGES(1), 1, 0);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(two, IOVA, 2));
	test_expect_pins(test, uaddr, 1, 0);
	test_validate(test);
}

/*
 * iopt_access_unpin_all() calls the unmap callback of the access once for each
 * mapping in which the access has pins, and passes it the range of the whole
 * mapping. Other mappings cause no call, and other accesses are not notified.
 */
static void unpin_all_notifies(struct kunit *test)
{
	struct test_access *one = test_owner_create(test);
	struct test_access *two = test_owner_create(test);
	struct test_access *shared = test_access_create(test);
	unsigned long uaddr = test_touched(test, 12);
	unsigned long charged = test_charged();

	test_map_adjacent(test, IOVA, uaddr, 3, 4);
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(1), 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(11), 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(two, IOVA + PAGES(2), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(shared, IOVA + PAGES(4), 1));

	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 2, one->nr_notified);
	test_expect_notified(test, one, 0, IOVA, 4);
	test_expect_notified(test, one, 1, IOVA + PAGES(8), 4);
	KUNIT_EXPECT_EQ(test, 0, two->nr_notified);
	KUNIT_EXPECT_EQ(test, 0, shared->nr_notified);
	test_expect_pins(test, uaddr, 2, 0);
	test_expect_pins(test, uaddr + PAGES(2), 4, 1);
	test_expect_pins(test, uaddr + PAGES(6), 6, 0);
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	test_validate(test);

	/*
	 * A second call finds no pins and does not notify the access, which
	 * remains usable.
	 */
	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 2, one->nr_notified);
	KUNIT_EXPECT_EQ(test, 0, test_pin(one, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(one, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 4, test_unpin(two, IOVA, 12));
}

/*
 * iopt_access_unpin_all() removes all pins that the callback leaves behind,
 * even if a page has been pinned several times.
 */
static void unpin_all_removes_kept_pins(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_owner_create(test);
	struct test_access *two = test_owner_create(test);
	unsigned long uaddr = test_touched(test, 4), i;
	unsigned long charged = test_charged();

	one->keep = true;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(two, IOVA + PAGES(3), 1));

	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 1, one->nr_notified);
	test_expect_pins(test, uaddr, 3, 0);
	test_expect_pins(test, uaddr + PAGES(3), 1, 1);
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unpin(one, IOVA, 4));
	test_validate(test);
	test_access_destroy(one);

	/*
	 * The destroyed access has left no pins that would block an unmap. @two
	 * unpins its page in the callback.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * iopt_access_unpin_all() removes the pins that an access has made through two
 * mappings of the same memory. Pages that a domain translates stay pinned.
 */
static void unpin_all_from_copies(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_owner_create(test);
	unsigned long uaddr = test_touched(test, 2);

	one->keep = true;
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, COPY, 1));
	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 2, one->nr_notified);
	test_expect_notified(test, one, 0, IOVA, 2);
	test_expect_notified(test, one, 1, COPY, 2);
	test_expect_pins(test, uaddr, 1, 1);
	test_validate(test);
	test_detach(test, space->mock[0]);
	test_expect_pins(test, uaddr, 1, 0);
	test_expect_pins(test, uaddr + PAGES(1), 1, 0);
}

/*
 * iopt_access_unpin_all() handles a mapping that ends at the last byte of the
 * address space.
 */
static void unpin_all_from_last_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_owner_create(test);
	unsigned long iova = -PAGES(2), uaddr = test_touched(test, 2);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, iova, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, iova + PAGES(1), 1));
	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 1, one->nr_notified);
	test_expect_notified(test, one, 0, iova, 2);
	test_expect_pins(test, uaddr + PAGES(1), 1, 0);
}

static long call_unpin_all(struct test_thread *thread)
{
	struct test_access *access = thread->data;

	iopt_access_unpin_all(access->access);
	return 0;
}

/*
 * iopt_access_unpin_all() looks up pins under iopt_pages.mutex. If another
 * thread holds the mutex, for example to record pins, the call waits for the
 * mutex before it notifies the access.
 */
static void unpin_all_waits_for_pinning(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_owner_create(test);
	unsigned long uaddr;
	struct test_thread unpin;
	struct iopt_area *area;

	uaddr = test_map_pinned(test, one, IOVA, 2, 2);
	area = test_area_at(space, IOVA);
	mutex_lock(&area->pages->mutex);
	test_thread_start(test, &unpin, call_unpin_all, one, NULL);
	while (!READ_ONCE(area->nr_users))
		msleep(20);
	msleep(50);
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(one->nr_notified));
	mutex_unlock(&area->pages->mutex);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unpin));
	KUNIT_EXPECT_EQ(test, 1, one->nr_notified);
	test_expect_pins(test, uaddr, 1, 0);
}

/*
 * An unmap that waits until an access unpins its pages proceeds when
 * iopt_access_unpin_all() removes the pins.
 */
static void unmap_waits_for_unpin_all(struct kunit *test)
{
	struct test_access *one = test_owner_create(test);
	unsigned long uaddr;
	struct test_thread unmap;

	uaddr = test_map_pinned(test, one, IOVA, 2, 2);
	test_thread_unmap_pinned(test, &unmap, one, IOVA, 2);
	iopt_access_unpin_all(one->access);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	test_expect_pins(test, uaddr, 1, 0);
	test_validate(test);
}

/*
 * At most U16_MAX accesses of a space can own their pins. Destroying them makes
 * room for others.
 */
static void owners_ENOSPC(struct kunit *test)
{
	static const struct iopt_access_ops ops = { .owns_pins = true };
	struct test_space *space = test->priv;
	struct iopt_access **owner, *access;
	unsigned int nr = 0;

	owner = kvcalloc(U16_MAX, sizeof(*owner), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, owner);
	while (nr < U16_MAX) {
		access = iopt_access_create(space->iopt, &ops, NULL);
		if (IS_ERR(access))
			break;
		owner[nr++] = access;
	}
	KUNIT_EXPECT_EQ(test, U16_MAX, nr);
	access = iopt_access_create(space->iopt, &ops, NULL);
	KUNIT_EXPECT_EQ(test, -ENOSPC, PTR_ERR(access));
	while (nr)
		iopt_access_destroy(owner[--nr]);
	kvfree(owner);
	KUNIT_EXPECT_TRUE(test, list_empty(&space->iopt->accesses));
	KUNIT_EXPECT_NOT_NULL(test, test_owner_create(test));
}

static struct kunit_case access_owned_pins_cases[] = {
	KUNIT_CASE(unpin_drops_own_pins_only),
	KUNIT_CASE(unpin_all_notifies),
	KUNIT_CASE(unpin_all_removes_kept_pins),
	KUNIT_CASE(unpin_all_from_copies),
	KUNIT_CASE(unpin_all_from_last_page),
	KUNIT_CASE(unpin_all_waits_for_pinning),
	KUNIT_CASE(unmap_waits_for_unpin_all),
	KUNIT_CASE(owners_ENOSPC),
	{}
};

static struct kunit_suite access_owned_pins_suite = {
	.name = "iopt-access-owned-pins",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_owned_pins_cases,
};

kunit_test_suite(access_owned_pins_suite);
