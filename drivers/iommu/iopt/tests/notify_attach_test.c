// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching a domain while an unmap waits until accesses unpin (see
 * iopt_areas_quiesce()). The domain must translate the mapping if the unmap
 * fails, and must not if the unmap succeeds. The attach of a domain that cannot
 * translate the mapping waits for the unmap.
 */
#include <linux/delay.h>
#include <linux/sizes.h>

#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

/*
 * Start an unmap of 4 pages, which waits until @access unpins. Then start an
 * attach, and give the attach time to run.
 */
static void start_unmap_and_attach(struct kunit *test,
				   struct test_access *access,
				   struct test_thread *unmap,
				   struct test_thread *attach)
{
	struct test_space *space = test->priv;

	test_attach(test, space->mock[0]);
	space->uaddr = test_map_pinned(test, access, IOVA, 4, 2);
	test_thread_unmap_pinned(test, unmap, access, IOVA, 4);
	test_thread_attach(test, attach, space->mock[1], current->mm);
	msleep(50);
}

/*
 * Drop the pins of start_unmap_and_attach(), and expect both calls to succeed.
 */
static void unpin_and_join(struct kunit *test, struct test_access *access,
			   struct test_thread *unmap,
			   struct test_thread *attach)
{
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(unmap));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(attach));
}

/*
 * If an unmap is killed while it waits until accesses unpin, a domain that was
 * attached during the wait translates the mapping.
 */
static void domain_maps_after_killed_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_expect_killable(&unmap);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_maps(space->mock[0], IOVA, space->uaddr, 4);
	mock_expect_maps(space->mock[1], IOVA, space->uaddr, 4);
	test_validate(test);
}

/*
 * If an unmap succeeds after it has waited until accesses unpinned, a domain
 * that was attached during the wait is empty.
 */
static void domain_is_empty_after_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	start_unmap_and_attach(test, access, &unmap, &attach);
	unpin_and_join(test, access, &unmap, &attach);
	mock_expect_empty(space->mock[1], IOVA, 4);
	test_validate(test);
}

/*
 * An attach waits for the unmap of a mapping that is not aligned to the I/O
 * pages of the domain. The attach succeeds if the unmap does, and fails with
 * -EADDRINUSE if the unmap fails.
 */
static void coarse_domain_attaches_after_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_expect_killable(&unmap);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	test_detach(test, space->mock[0]);

	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	reinit_completion(&access->called);
	start_unmap_and_attach(test, access, &unmap, &attach);
	unpin_and_join(test, access, &unmap, &attach);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	test_validate(test);
}

/*
 * An attach is killable while it waits for the unmap of a mapping that its
 * domain cannot translate. The killed attach leaves the domain empty.
 */
static void attach_that_waits_for_unmap_is_killable(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_expect_killable(&attach);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	test_validate(test);
}

static struct kunit_case notify_attach_cases[] = {
	KUNIT_CASE(domain_maps_after_killed_unmap),
	KUNIT_CASE(domain_is_empty_after_unmap),
	KUNIT_CASE(coarse_domain_attaches_after_unmap),
	KUNIT_CASE(attach_that_waits_for_unmap_is_killable),
	{}
};

static struct kunit_suite notify_attach_suite = {
	.name = "iopt-notify-attach",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = notify_attach_cases,
};

kunit_test_suite(notify_attach_suite);
