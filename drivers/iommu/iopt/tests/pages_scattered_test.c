// SPDX-License-Identifier: GPL-2.0-only
/*
 * A thousand scattered holders or pins use pages of a single run
 * (pages_hold.c), and are then removed in scattered order, which must not
 * allocate. The memory is physically contiguous, so that it is recorded as one
 * run at first.
 */
#include <linux/sched/signal.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "failing.h"
#include "space.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL
#define NR	1000UL
#define NPAGES	(2 * NR + 1)

/* Return the page index of holder or pin @i. All of them are at odd indexes. */
static unsigned long page_of(unsigned long i)
{
	return 2 * i + 1;
}

/*
 * Return the number of the holder or pin to remove after number @at. NR steps
 * visit each number once.
 */
static unsigned long next_at(unsigned long at)
{
	return (at + 617) % NR;
}

static unsigned int nr_runs(struct iopt_pages *pages)
{
	struct iopt_run_iter iter;
	struct iopt_run run;
	unsigned int nr = 0;

	mutex_lock(&pages->mutex);
	iopt_run_iter_start(&iter, &pages->runs, 0, pages->npages - 1);
	while (iopt_run_iter_next(&iter, &run))
		nr++;
	mutex_unlock(&pages->mutex);
	return nr;
}

/*
 * Attach a domain and map contiguous memory at IOVA, as a single run. Return
 * the iopt_pages.
 */
static struct iopt_pages *map_one_run(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_pages *pages;

	space->uaddr = test_contiguous(test, NPAGES);
	if (!space->uaddr)
		kunit_skip(test, "no contiguous memory");
	space->charged = test_charged();
	test_set_memlock(RLIM_INFINITY);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr,
					  NPAGES));
	mutex_lock(&space->iopt->lock);
	pages = iopt_area_first(space->iopt, IOVA, IOVA)->pages;
	mutex_unlock(&space->iopt->lock);
	KUNIT_ASSERT_EQ(test, 1, nr_runs(pages));
	KUNIT_ASSERT_EQ(test, space->charged + NPAGES, test_charged());
	return pages;
}

static unsigned long pfn_of(struct kunit *test, unsigned long i)
{
	struct test_space *space = test->priv;

	return test_user_pfn(test, space->uaddr + PAGES(page_of(i)));
}

/*
 * Once the original mapping is removed, unmapping a copy of one page unpins
 * that page only.
 */
static void copies_cut_one_run(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_pages *pages = map_one_run(test);
	unsigned long i, at;

	for (i = 0; i != NR; i++) {
		unsigned long iova = COPY + PAGES(2 * i);

		KUNIT_ASSERT_EQ(test, 0,
				iopt_copy(space->iopt, &iova, space->iopt,
					  IOVA + PAGES(page_of(i)), PAGE_SIZE,
					  TEST_RW, IOPT_MAP_FIXED));
	}
	KUNIT_EXPECT_EQ(test, NPAGES, nr_runs(pages));
	KUNIT_EXPECT_EQ(test, space->charged + NPAGES, test_charged());
	test_validate(test);
	test_fail_allocation(1);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NPAGES));
	test_expect_no_allocation(test);
	KUNIT_EXPECT_EQ(test, space->charged + NR, test_charged());

	for (i = 0, at = 5; i != NR; i++, at = next_at(at)) {
		unsigned long pfn = pfn_of(test, at);
		int rc;

		KUNIT_ASSERT_EQ(test, 1, test_pins(pfn));
		test_fail_allocation(1);
		rc = test_unmap(space->iopt, COPY + PAGES(2 * at), 1);
		test_expect_no_allocation(test);
		KUNIT_ASSERT_EQ(test, 0, rc);
		KUNIT_ASSERT_EQ(test, 0, test_pins(pfn));
		KUNIT_ASSERT_EQ(test, space->charged + NR - 1 - i,
				test_charged());
		if (i % 100 == 0)
			test_validate(test);
	}
}

static struct iopt_access *scattered;

static void unpin_all(void *data, unsigned long start, unsigned long last)
{
	iopt_access_unpin(scattered, start, last);
}

/*
 * Pins own their pages while no domain is attached. While a domain is attached,
 * the holder owns the pages. Pins can be dropped one by one in both states.
 */
static void pins_do_not_cut_run(struct kunit *test)
{
	static const struct iopt_access_ops ops = { .unmap = unpin_all };
	struct test_space *space = test->priv;
	struct iopt_pages *pages = map_one_run(test);
	unsigned long i, at;
	struct page *page;

	scattered = iopt_access_create(space->iopt, &ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(scattered));
	for (i = 0; i != NR; i++) {
		unsigned long iova = IOVA + PAGES(page_of(i));

		KUNIT_ASSERT_EQ(test, 0,
				iopt_access_pin(scattered, iova,
						iova + PAGE_SIZE - 1, &page,
						0));
		KUNIT_ASSERT_EQ(test, pfn_of(test, i), page_to_pfn(page));
	}
	KUNIT_EXPECT_EQ(test, 1, nr_runs(pages));
	KUNIT_EXPECT_EQ(test, space->charged + NPAGES, test_charged());

	test_fail_allocation(1);
	test_detach(test, space->mock[0]);
	test_expect_no_allocation(test);
	KUNIT_EXPECT_EQ(test, space->charged + NR, test_charged());
	test_validate(test);
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, space->charged + NPAGES, test_charged());
	mock_expect_maps(space->mock[0], IOVA, space->uaddr, NPAGES);
	test_validate(test);

	/*
	 * Drop half of the pins while the domain is attached, and the other
	 * half after it is detached.
	 */
	for (i = 0, at = 5; i != NR; i++, at = next_at(at)) {
		unsigned long pfn = pfn_of(test, at);
		unsigned long iova = IOVA + PAGES(page_of(at));
		unsigned long nr;

		if (i == NR / 2) {
			test_fail_allocation(1);
			test_detach(test, space->mock[0]);
			test_expect_no_allocation(test);
		}
		KUNIT_ASSERT_EQ(test, 1, test_pins(pfn));
		test_fail_allocation(1);
		nr = iopt_access_unpin(scattered, iova, iova + PAGE_SIZE - 1);
		test_expect_no_allocation(test);
		KUNIT_ASSERT_EQ(test, 1, nr);
		KUNIT_ASSERT_EQ(test, i < NR / 2, test_pins(pfn));
		KUNIT_ASSERT_EQ(test, space->charged +
				(i < NR / 2 ? NPAGES : NR - 1 - i),
				test_charged());
		if (i % 100 == 0)
			test_validate(test);
	}
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NPAGES));
	iopt_access_destroy(scattered);
}

static struct kunit_case pages_scattered_cases[] = {
	KUNIT_CASE(copies_cut_one_run),
	KUNIT_CASE(pins_do_not_cut_run),
	{}
};

static struct kunit_suite pages_scattered_suite = {
	.name = "iopt-pages-scattered",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pages_scattered_cases,
};

kunit_test_suite(pages_scattered_suite);
