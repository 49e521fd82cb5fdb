// SPDX-License-Identifier: GPL-2.0-only
/*
 * Killed calls: which waits are killable, and the state that a killed call
 * leaves behind.
 */
#include <linux/sizes.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x080000000UL

/*
 * A map, an unmap, a copy and an attach are killable while they wait for a
 * mapping under construction.
 */
static void waits_are_killable(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 10);
	struct test_thread first, second;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0,
			test_map(space->iopt, IOVA - PAGES(2), uaddr + PAGES(8),
				 2));
	test_thread_map_blocked(test, &first, space->mock[0], IOVA, uaddr, 8);
	/*
	 * Exclude the mapping under construction from the aperture of the
	 * second domain, so that attaching this domain has to wait for the
	 * mapping.
	 */
	space->mock[1]->domain.geometry.aperture_end = IOVA - 1;

	test_thread_map(test, &second, IOVA, uaddr, 8);
	test_thread_expect_killable(&second);
	test_thread_unmap(test, &second, IOVA, 8, current->mm);
	test_thread_expect_killable(&second);
	test_thread_copy(test, &second, COPY, IOVA - PAGES(2), 10);
	test_thread_expect_killable(&second);
	test_thread_attach(test, &second, space->mock[1], current->mm);
	test_thread_expect_killable(&second);
	test_thread_attach_wait(test, &second, space->mock[1]);
	test_thread_expect_killable(&second);
	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&first));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 10, space->mock[0]->nr_ptes);
}

/*
 * An unmap is killable while it waits for a call that uses its mapping, both
 * between notifications and after the last one. A killed unmap leaves the
 * mapping unchanged.
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
		test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
		test_thread_expect_waiting(&unmap);
		test_thread_kill(&unmap);
		test_thread_expect_return(&unmap);
		mutex_lock(&iopt->lock);
		iopt_area_put(iopt, area);
		mutex_unlock(&iopt->lock);
		KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&unmap));
		KUNIT_ASSERT_PTR_EQ(test, area, test_area_at(space, IOVA));
		KUNIT_EXPECT_TRUE(test, area->state == IOPT_AREA_LIVE);
		test_validate(test);
		KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
	}
}

#define NR_MANY 80

/* A map that is killed halfway leaves nothing mapped or pinned. */
static void killed_map_leaves_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, NR_MANY);
	unsigned long charged = test_charged();
	struct test_thread map;

	KUNIT_ASSERT_EQ(test, 0, iopt_set_max_iopte(space->iopt, PAGE_SIZE));
	test_attach(test, mock);
	mock->block_iova = IOVA + PAGES(NR_MANY / 2);
	test_thread_map(test, &map, IOVA, uaddr, NR_MANY);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, NR_MANY / 2, mock->nr_ptes);
	test_thread_kill(&map);
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&map));

	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
}

/*
 * An attach that is killed while it adds the second of three mappings leaves
 * the domain empty.
 */
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
	mock->block_iova = IOVA;
	test_thread_attach(test, &attach, mock, current->mm);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	test_thread_kill(&attach);
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&attach));

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
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread first, second;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	mock->block_iova = IOVA;
	test_thread_attach(test, &first, mock, current->mm);
	wait_for_completion(&mock->blocked);
	test_thread_attach(test, &second, space->mock[1], current->mm);
	test_thread_wait_state(&second, TASK_KILLABLE);
	test_thread_kill(&second);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&second));

	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&first));
	mock_expect_maps(mock, IOVA, uaddr, 8);
}

static struct kunit_case sigkill_cases[] = {
	KUNIT_CASE(waits_are_killable),
	KUNIT_CASE(killed_unmap_waiting_for_call),
	KUNIT_CASE(killed_map_leaves_nothing),
	KUNIT_CASE(killed_attach_leaves_nothing),
	KUNIT_CASE(killed_attach_waiting),
	{}
};

static struct kunit_suite sigkill_suite = {
	.name = "iopt-sigkill",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = sigkill_cases,
};

kunit_test_suite(sigkill_suite);
