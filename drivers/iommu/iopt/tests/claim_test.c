// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims of IOVAs (claim.c): which calls wait for a claim, and which do not.
 *
 * Some test cases add a claim directly, instead of starting a map or an unmap
 * of so many areas that it drops the lock between batches.
 */
#include <linux/delay.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "../claim.h"
#include "../io_pagetable.h"
#include "access.h"
#include "slow_memory.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL

static void claim_start(struct kunit *test, struct iopt_claim *claim,
			unsigned long iova, unsigned long npages)
{
	struct test_space *space = test->priv;

	mutex_lock(&space->iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, iopt_claim_add(space->iopt, claim, iova,
						iova + PAGES(npages) - 1));
	mutex_unlock(&space->iopt->lock);
}

static void claim_end(struct kunit *test, struct iopt_claim *claim)
{
	struct test_space *space = test->priv;

	mutex_lock(&space->iopt->lock);
	iopt_claim_end(space->iopt, claim);
	mutex_unlock(&space->iopt->lock);
}

/*
 * Map 4 pages at IOVAs that the engine chooses, and store the first IOVA at
 * thread->data.
 */
static long call_map_anywhere(struct test_thread *thread)
{
	return iopt_map_user(thread->space->iopt, thread->data,
			     (void __user *)SZ_4G, PAGES(4), TEST_RW,
			     IOPT_ACCOUNT_USER, 0);
}

/*
 * A map waits for another map that has claimed some of its IOVAs. It does not
 * wait for claims of other IOVAs.
 */
static void map_waits_for_a_map(struct kunit *test)
{
	struct iopt_claim claim = { .map = true };
	struct test_space *space = test->priv;
	struct test_thread map;

	claim_start(test, &claim, IOVA, 8);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA - PAGES(4), SZ_4G,
					  4));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8), SZ_4G,
					  4));
	test_thread_map(test, &map, IOVA + PAGES(4), SZ_4G, 4);
	test_thread_expect_waiting(&map);
	KUNIT_EXPECT_EQ(test, 2, space->iopt->nr_areas);
	claim_end(test, &claim);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 3, space->iopt->nr_areas);
}

/*
 * A map also waits if the engine itself chooses IOVAs that another map has
 * claimed.
 */
static void map_anywhere_waits_for_a_map(struct kunit *test)
{
	struct iopt_claim claim = { .map = true };
	struct test_space *space = test->priv;
	struct test_thread map;
	unsigned long iova;

	claim_start(test, &claim, 0, SZ_1G >> PAGE_SHIFT);
	test_thread_start(test, &map, call_map_anywhere, &iova, current->mm);
	test_thread_expect_waiting(&map);
	claim_end(test, &claim);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_LT(test, iova, SZ_1G);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, iova, 4));
}

/*
 * A map of few areas does not wait for an unmap that has claimed the same
 * IOVAs. The new area is late, so that the unmap ignores it.
 */
static void map_is_late_for_an_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_claim claim = {};
	struct iopt_area *area;

	claim_start(test, &claim, IOVA, 8);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, SZ_4G, 4));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8), SZ_4G,
					  4));
	area = test_area_at(space, IOVA);
	KUNIT_EXPECT_TRUE(test, area->late);
	KUNIT_EXPECT_FALSE(test, test_area_at(space, IOVA + PAGES(8))->late);
	KUNIT_EXPECT_EQ(test, 1, claim.nr_late);
	test_validate(test);
	claim_end(test, &claim);
	KUNIT_EXPECT_FALSE(test, area->late);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(8), 4));
}

/*
 * An unmap waits killably for any claim that overlaps its range. A killed unmap
 * changes nothing.
 */
static void unmap_waits_for_a_claim(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread unmap;
	struct iopt_claim claim = {};

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, SZ_4G, 8));
	claim_start(test, &claim, IOVA + PAGES(7), 8);
	test_thread_unmap(test, &unmap, IOVA, 8, NULL);
	test_thread_expect_killable(&unmap);
	KUNIT_EXPECT_TRUE(test, test_area_at(space, IOVA)->state ==
				IOPT_AREA_LIVE);
	test_validate(test);

	test_thread_unmap(test, &unmap, IOVA, 8, NULL);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_areas);
	claim_end(test, &claim);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
	KUNIT_EXPECT_FALSE(test, iopt_has_claims(space->iopt));
}

#define NR_MANY	(IOPT_MAX_STEPS + 1UL)

/*
 * A map of many areas waits for any claim that overlaps its range, and then
 * checks again that the range is free.
 */
static void map_of_many_rechecks_range(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long i, bytes, to = 2 * IOVA;
	struct iopt_claim claim = {};
	struct test_thread copy;

	for (i = 0; i != NR_MANY; i++)
		KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA + PAGES(i), SZ_4G,
						  1));
	claim_start(test, &claim, to + PAGES(100), 8);
	test_thread_copy(test, &copy, to, IOVA, NR_MANY);
	test_thread_expect_waiting(&copy);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, to + PAGES(100), SZ_4G, 1));
	claim_end(test, &claim);
	KUNIT_EXPECT_EQ(test, -EEXIST, test_thread_join(&copy));
	KUNIT_EXPECT_EQ(test, NR_MANY + 1, iopt->nr_areas);
	KUNIT_EXPECT_EQ(test, 0, iopt->nr_claimed);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(NR_MANY + 1), bytes);
}

/*
 * Map 4 pages, pin the first one, and start an unmap of 8 pages that waits for
 * the access to unpin.
 */
static void unmap_start(struct kunit *test, struct test_thread *unmap,
			struct test_access *access, unsigned long uaddr)
{
	struct test_space *space = test->priv;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	test_thread_unmap_pinned(test, unmap, access, IOVA, 8);
}

/*
 * An unmap does not wait for an attach that is pinning an area which was mapped
 * after the unmap started.
 */
static void unmap_ignores_filling_of_late_areas(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread unmap, attach;
	struct slow_memory slow;

	unmap_start(test, &unmap, access, uaddr);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  test_slow_memory(test, &slow, 4), 4));
	test_thread_attach(test, &attach, space->mock[0], current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	test_thread_expect_return(&unmap);
	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	/* -EBADE: the unmap removed only 4 of the 8 pages. */
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&unmap));
	mock_expect_empty(space->mock[0], IOVA, 4);
	KUNIT_EXPECT_EQ(test, 4, space->mock[0]->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(4), 4));
}

/*
 * An unmap waits killably for an attach that is pinning one of the areas to
 * unmap.
 */
static void unmap_waits_for_filling(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct test_thread unmap, attach;
	struct slow_memory slow;
	unsigned long uaddr;

	uaddr = test_slow_memory(test, &slow, 4);
	/*
	 * Let one page fault complete, which populates the page that the access
	 * pins.
	 */
	complete(&slow.resume);
	test_touch(test, uaddr, 1);
	wait_for_completion(&slow.blocked);

	unmap_start(test, &unmap, access, uaddr);
	test_thread_attach(test, &attach, space->mock[0], current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	test_thread_expect_waiting(&unmap);
	test_thread_kill(&unmap);
	test_thread_expect_return(&unmap);
	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	test_munmap(test, uaddr, 4);
}

/*
 * An area that is mapped after an unmap has started does not make the unmap
 * fail, even if the area extends beyond the range of the unmap.
 */
static void late_area_may_exceed_range(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread map, unmap;

	test_attach(test, mock);
	test_thread_map_blocked(test, &map, mock, IOVA, test_touched(test, 4),
				4);
	test_thread_unmap(test, &unmap, IOVA, 8, NULL);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(6), uaddr,
					  4));
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	/* -EBADE: the unmap removed only 4 of the 8 pages. */
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&unmap));
	mock_expect_empty(mock, IOVA, 6);
	mock_expect_maps(mock, IOVA + PAGES(6), uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(6), 4));
}

/*
 * Two unmaps claim [IOVA, IOVA + 4 pages) and [ABOVE, ABOVE + 8 pages). The
 * area at ACROSS starts in the first interval and ends in the second. The area
 * at INSIDE lies entirely in the second.
 */
#define ABOVE	(IOVA + PAGES(8))
#define ACROSS	(IOVA + PAGES(2))
#define INSIDE	(ABOVE + PAGES(4))

static void map_across(struct kunit *test)
{
	struct test_space *space = test->priv;

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, ACROSS,
					  test_touched(test, 8), 8));
	test_validate(test);
}

/*
 * Return true if the unmap that has claimed @claimed ignores the area at @iova.
 */
static bool is_late(struct kunit *test, unsigned long claimed,
		    unsigned long iova)
{
	struct test_space *space = test->priv;
	struct iopt_claim *claim;
	struct iopt_area *area;
	bool late = false;

	mutex_lock(&space->iopt->lock);
	claim = iopt_claim_first(space->iopt, claimed, claimed);
	area = iopt_area_first(space->iopt, iova, iova);
	if (claim && area)
		late = iopt_area_is_late(claim, area);
	mutex_unlock(&space->iopt->lock);
	return late;
}

/*
 * An area that is mapped across the claims of two unmaps is late for both. It
 * stays late for the second unmap after the first one has ended.
 */
static void map_is_late_for_two_unmaps(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	struct test_thread map, unmap;
	struct iopt_claim claim = {};

	test_attach(test, mock);
	test_thread_map_blocked(test, &map, mock, INSIDE, test_touched(test, 4),
				4);
	claim_start(test, &claim, IOVA, 4);
	test_thread_unmap(test, &unmap, ABOVE, 8, NULL);
	test_thread_expect_waiting(&unmap);
	map_across(test);
	KUNIT_EXPECT_TRUE(test, is_late(test, IOVA, ACROSS));
	claim_end(test, &claim);
	KUNIT_EXPECT_TRUE(test, is_late(test, ABOVE, ACROSS));

	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	/* -EBADE: the unmap removed only 4 of the 8 pages. */
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&unmap));
	mock_expect_empty(mock, INSIDE, 4);
	KUNIT_EXPECT_EQ(test, 8, mock->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, ACROSS, 8));
}

/*
 * An area is not late for an unmap that starts after the area was mapped, even
 * while it is late for an older unmap.
 */
static void map_is_not_late_for_a_later_unmap(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct iopt_claim below = {}, above = {};

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, INSIDE,
					  test_touched(test, 4), 4));
	claim_start(test, &below, IOVA, 4);
	claim_start(test, &above, ABOVE, 8);
	map_across(test);
	/*
	 * The pin keeps the next unmap off the fast path, so that it claims its
	 * interval.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, ACROSS, 1));
	claim_end(test, &above);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, ABOVE, 8));
	KUNIT_EXPECT_EQ(test, 2, space->iopt->nr_areas);
	claim_end(test, &below);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, ACROSS, 1));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, ACROSS, 8));
}

/* Return true if the unmap that has claimed @iova can no longer fail. */
static bool is_committed(struct kunit *test, unsigned long iova)
{
	struct test_space *space = test->priv;
	struct iopt_claim *claim;
	bool committed = false;

	mutex_lock(&space->iopt->lock);
	claim = iopt_claim_first(space->iopt, iova, iova);
	KUNIT_EXPECT_NOT_NULL(test, claim);
	if (claim)
		committed = claim->committed;
	mutex_unlock(&space->iopt->lock);
	return committed;
}

/* An unmap is committed only after all accesses have unpinned. */
static void unmap_commits_after_unpin(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct mock_domain *mock = space->mock[0];
	struct test_thread unmap;

	test_attach(test, mock);
	unmap_start(test, &unmap, access, uaddr);
	KUNIT_EXPECT_FALSE(test, is_committed(test, IOVA));
	mock->block_iova = IOVA;
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_TRUE(test, is_committed(test, IOVA));
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
}

/*
 * Attach adds an area to the domain even if the area is being unmapped, unless
 * the unmap can no longer fail.
 */
static void attach_skips_committed_unmap(struct kunit *test)
{
	struct iopt_claim claim = { .committed = true };
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	area = test_area_at(space, IOVA);
	claim_start(test, &claim, IOVA, 4);
	area->busy = true;
	area->state = IOPT_AREA_DYING;
	test_attach(test, space->mock[0]);
	mock_expect_empty(space->mock[0], IOVA, 4);
	mock_expect_maps(space->mock[0], IOVA + PAGES(4), uaddr + PAGES(4), 4);
	test_detach(test, space->mock[0]);

	claim.committed = false;
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	area->busy = false;
	area->state = IOPT_AREA_LIVE;
	claim_end(test, &claim);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * An unmap that has claimed its range does not wait for later maps, so that it
 * ends even if other threads keep mapping in its range.
 */
static void unmap_ignores_later_maps(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4), bytes;
	struct test_thread first, second, unmap;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	test_thread_map_blocked(test, &first, space->mock[0], IOVA, uaddr, 4);
	test_thread_unmap(test, &unmap, IOVA, 16, NULL);
	test_thread_expect_waiting(&unmap);
	test_thread_map_blocked(test, &second, space->mock[1], IOVA + PAGES(4),
				uaddr, 4);

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&first));
	test_thread_expect_return(&unmap);
	complete(&space->mock[1]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&second));
	/* -EBADE: the unmap removed only 4 of the 16 pages. */
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&unmap));
	mock_expect_empty(space->mock[0], IOVA, 4);
	KUNIT_EXPECT_EQ(test, 4, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 4, space->mock[1]->nr_ptes);
	test_validate(test);
	/* A later unmap removes the mapping that the first unmap left. */
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(4), bytes);
}

/*
 * An unmap waits for an earlier unmap of the same range, and proceeds when the
 * earlier unmap is killed.
 */
static void killed_unmap_ends_its_claim(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread map, first, second;

	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 4);
	test_thread_unmap(test, &first, IOVA, 16, NULL);
	test_thread_expect_waiting(&first);
	test_thread_unmap(test, &second, IOVA, 16, NULL);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&second.done));
	test_thread_kill(&first);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&first));
	test_validate(test);
	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	/* -EBADE: the unmap removed only 4 of the 16 pages. */
	KUNIT_EXPECT_EQ(test, -EBADE, test_thread_join(&second));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&space->iopt->claims.rb_root));
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_areas);
}

static struct kunit_case claim_cases[] = {
	KUNIT_CASE(map_waits_for_a_map),
	KUNIT_CASE(map_anywhere_waits_for_a_map),
	KUNIT_CASE(map_is_late_for_an_unmap),
	KUNIT_CASE(unmap_waits_for_a_claim),
	KUNIT_CASE(map_of_many_rechecks_range),
	KUNIT_CASE(unmap_ignores_filling_of_late_areas),
	KUNIT_CASE(unmap_waits_for_filling),
	KUNIT_CASE(late_area_may_exceed_range),
	KUNIT_CASE(map_is_late_for_two_unmaps),
	KUNIT_CASE(map_is_not_late_for_a_later_unmap),
	KUNIT_CASE(unmap_commits_after_unpin),
	KUNIT_CASE(attach_skips_committed_unmap),
	KUNIT_CASE(unmap_ignores_later_maps),
	KUNIT_CASE(killed_unmap_ends_its_claim),
	{}
};

static struct kunit_suite claim_suite = {
	.name = "iopt-claim",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = claim_cases,
};

kunit_test_suite(claim_suite);
