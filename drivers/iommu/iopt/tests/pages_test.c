// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that holders and accesses share (pages_hold.c): where runs are cut, and
 * which pages stay pinned.
 */
#include "../account.h"
#include "../pages.h"
#include "../validate.h"
#include "access.h"

#define IOVA	0x100000000UL

/*
 * Expect that, of the @npages pages at @uaddr, only pages @first to @last are
 * pinned, each of them once.
 */
static void expect_pinned(struct kunit *test, unsigned long uaddr,
			  unsigned long npages, unsigned long first,
			  unsigned long last)
{
	unsigned long i;

	for (i = 0; i != npages; i++)
		KUNIT_EXPECT_EQ(test, i >= first && i <= last,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
}

/*
 * Contiguous pages are cut into runs where the slice of a holder ends, whether
 * slices are adjacent or nested, so that the pages of each holder can be
 * unpinned separately.
 */
static void run_ends_where_a_slice_ends(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 16);
	struct io_pagetable *other;
	struct iopt_pages *pages;
	unsigned long bytes;

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	other = test_other_space(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 16));
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0, test_copy_to(other, space->iopt, IOVA, 8));
	KUNIT_ASSERT_EQ(test, 0,
			test_copy_to(other, space->iopt, IOVA + PAGES(8), 8));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, IOVA, IOVA + PAGES(8) - 1,
					    &bytes));
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	expect_pinned(test, uaddr, 16, 8, 15);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	test_expect_pins(test, uaddr, 16, 0);

	KUNIT_ASSERT_EQ(test, 0, test_copy_to(other, space->iopt, IOVA, 8));
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	test_validate(test);
	test_detach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	expect_pinned(test, uaddr, 16, 0, 7);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
}

/* Insert the slice of a holder that is still being filled. */
static void slice_insert(struct iopt_pages *pages,
			 struct interval_tree_node *slice)
{
	mutex_lock(&pages->mutex);
	interval_tree_insert(slice, &pages->holders);
	pages->nr_filling++;
	mutex_unlock(&pages->mutex);
}

static void slice_drop(struct iopt_pages *pages,
		       struct interval_tree_node *slice)
{
	mutex_lock(&pages->mutex);
	iopt_pages_drop(pages, slice);
	iopt_pages_unlock(pages);
}

/*
 * Contiguous pages that are pinned later extend an existing run, but only up to
 * the start of a waiting holder's slice.
 */
static void run_ends_where_a_waiting_slice_starts(struct kunit *test)
{
	struct interval_tree_node filling = { .start = 0, .last = 15 };
	struct interval_tree_node waiting = { .start = 12, .last = 20 };
	struct interval_tree_node holder = { .start = 0, .last = 15 };
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 32), lost = 0;
	struct io_pagetable *other;
	struct iopt_pages *pages;

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 32));
	pages = test_area_at(space, IOVA)->pages;
	other = test_other_space(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_copy_to(other, space->iopt, IOVA, 8));
	slice_insert(pages, &filling);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	slice_insert(pages, &waiting);

	KUNIT_EXPECT_EQ(test, 0, iopt_pages_hold(pages, &holder, false,
						 &lost));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	slice_drop(pages, &filling);
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	slice_drop(pages, &holder);
	KUNIT_EXPECT_EQ(test, 4, pages->nr_charged);
	expect_pinned(test, uaddr, 32, 12, 15);
	slice_drop(pages, &waiting);
	pages->nr_filling -= 2;
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
	test_expect_pins(test, uaddr, 32, 0);
}

/*
 * A page that a holder or an access has pinned is not pinned again by an
 * access.
 */
static void pin_skips_pinned_pages(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct io_pagetable *other = test_other_space(test, space->mock[0]);
	struct iopt_pages *pages;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 16));
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0,
			test_copy_to(other, space->iopt, IOVA + PAGES(12), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(5), 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	test_expect_pins(test, uaddr, 16, 1);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 16, test_unpin(access, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 5, pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 16));
	expect_pinned(test, uaddr, 16, 12, 15);
	test_other_free(test, other, space->mock[0]);
	test_expect_pins(test, uaddr, 16, 0);
}

/* Pinning and unpinning leave the reference count of the payer unchanged. */
static void unpin_puts_payer(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 2);
	struct iopt_payer *payer;
	unsigned int users;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	payer = test_area_at(space, IOVA)->pages->payer;
	users = refcount_read(&payer->users);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, users, refcount_read(&payer->users));
}

static struct kunit_case pages_cases[] = {
	KUNIT_CASE(run_ends_where_a_slice_ends),
	KUNIT_CASE(run_ends_where_a_waiting_slice_starts),
	KUNIT_CASE(pin_skips_pinned_pages),
	KUNIT_CASE(unpin_puts_payer),
	{}
};

static struct kunit_suite pages_suite = {
	.name = "iopt-pages",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pages_cases,
};

kunit_test_suite(pages_suite);
