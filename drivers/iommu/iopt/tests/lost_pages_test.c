// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that an IOMMU driver failed to unmap stay pinned and charged, because
 * the device may still reach them.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched/user.h>

#include "../io_pagetable.h"
#include "access.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/* Look up the pfns of the four pages at @uaddr. */
static void read_pfns(struct kunit *test, unsigned long uaddr,
		      unsigned long *pfn)
{
	unsigned long i;

	for (i = 0; i != 4; i++)
		pfn[i] = test_user_pfn(test, uaddr + PAGES(i));
}

/*
 * Return the index of the first page of the run that contains page @i. A page
 * is lost along with its whole run.
 */
static unsigned long run_start(const unsigned long *pfn, unsigned long i)
{
	while (i && pfn[i - 1] + 1 == pfn[i])
		i--;
	return i;
}

/*
 * Expect that, of the four pages, exactly those with an index of at least @from
 * are pinned, charged and counted as lost.
 */
static void expect_lost(struct kunit *test, const unsigned long *pfn,
			unsigned long from, unsigned long charged)
{
	struct test_space *space = test->priv;
	unsigned long i;

	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, i >= from, test_pins(pfn[i]));
	KUNIT_EXPECT_EQ(test, 4 - from,
			atomic_long_read(&space->iopt->nr_lost));
	KUNIT_EXPECT_EQ(test, charged + 4 - from, test_charged());
}

/*
 * Unpin and uncharge the lost pages, so that the memory of the test can be
 * freed.
 */
static void unpin_lost(const unsigned long *pfn, unsigned long from)
{
	unsigned long i;

	for (i = from; i != 4; i++)
		unpin_user_page(pfn_to_page(pfn[i]));
	atomic_long_sub(4 - from, &current_user()->locked_vm);
	atomic64_sub(4 - from, &current->mm->pinned_vm);
}

/* Unmap page @i, which a failed unmap has left mapped in the domain. */
static void unmap_lost(struct mock_domain *mock, unsigned long i)
{
	mock->short_unmap = 0;
	mock->fail_unmap = 0;
	KUNIT_EXPECT_EQ(mock->test, PAGE_SIZE,
			iommu_unmap(&mock->domain, IOVA + PAGES(i),
				    PAGE_SIZE));
}

/* Pages that an IOMMU driver failed to unmap stay pinned and charged. */
static void short_unmap_loses_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	unsigned long charged = test_charged(), pfn[4], from;

	mock->domain.pgsize_bitmap = PAGE_SIZE;
	read_pfns(test, uaddr, pfn);
	from = run_start(pfn, 3);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));

	mock->short_unmap = 3;
	mock->fail_unmap = 2;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	expect_lost(test, pfn, from, charged);

	unmap_lost(mock, 3);
	unpin_lost(pfn, from);
}

/*
 * Pages that an IOMMU driver fails to unmap while a failed map is rolled back
 * stay pinned and charged.
 */
static void failed_map_loses_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	unsigned long charged = test_charged(), pfn[4], from;

	KUNIT_ASSERT_EQ(test, 0, iopt_set_max_iopte(space->iopt, PAGE_SIZE));
	read_pfns(test, uaddr, pfn);
	from = run_start(pfn, 2);
	test_attach(test, mock);
	mock->fail_map = 4;
	mock->short_unmap = 2;
	mock->fail_unmap = 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(space->iopt, IOVA, uaddr, 4));
	expect_lost(test, pfn, from, charged);

	/*
	 * Page 3 was never mapped, but is lost as well: if an unmap fails at a
	 * page, the engine marks that page and all later pages of the area as
	 * lost.
	 */
	unmap_lost(mock, 2);
	unpin_lost(pfn, from);
}

/*
 * A page that an IOMMU driver failed to unmap stays pinned after the last
 * access has unpinned it.
 */
static void lost_page_stays_pinned_after_unpin(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	unsigned long pfn[4], i;

	read_pfns(test, uaddr, pfn);
	mock->domain.pgsize_bitmap = PAGE_SIZE;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	/*
	 * Runs are lost as a whole. The copy cuts the run before page 3, so
	 * that only page 3 is lost.
	 */
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA + PAGES(3),
					   1));
	KUNIT_ASSERT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 3));

	mock->short_unmap = 3;
	mock->fail_unmap = 2;
	iopt_detach_domain(space->iopt, &mock->domain);
	mock->attached = false;
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 3, test_unpin(access, IOVA, 4));
	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, i == 3, test_pins(pfn[i]));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, atomic_long_read(&space->iopt->nr_lost));
	test_validate(test);

	unmap_lost(mock, 3);
	unpin_lost(pfn, 3);
}

static struct kunit_case lost_pages_cases[] = {
	KUNIT_CASE(short_unmap_loses_pages),
	KUNIT_CASE(failed_map_loses_pages),
	KUNIT_CASE(lost_page_stays_pinned_after_unpin),
	{}
};

static struct kunit_suite lost_pages_suite = {
	.name = "iopt-lost-pages",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = lost_pages_cases,
};

kunit_test_suite(lost_pages_suite);
