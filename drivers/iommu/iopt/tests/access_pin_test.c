// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_access_pin() and iopt_access_unpin(): the ranges and kinds of memory
 * that an access can pin, the rights that it needs, and the limits.
 */
#include <linux/mman.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "../pages.h"
#include "access.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/*
 * Pinning is all-or-nothing, and a failed call leaves earlier pins unchanged.
 */
static void pin_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8), charged, i;
	struct page *none = ERR_PTR(-1), *pages[10];

	charged = test_charged();
	memset_p((void **)pages, none, ARRAY_SIZE(pages));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 6));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(6),
					  uaddr + PAGES(6), 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	test_munmap(test, uaddr + PAGES(7), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin(access, IOVA + PAGES(6), 2));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin(access, IOVA, 8));
	/*
	 * The entries up to and including that of the failing page are set to
	 * NULL. Later entries are unchanged.
	 */
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin_flags(access, IOVA, 9, pages,
						      0));
	for (i = 0; i != ARRAY_SIZE(pages); i++)
		KUNIT_EXPECT_PTR_EQ(test, i < 8 ? NULL : none, pages[i]);
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	for (i = 0; i != 7; i++)
		KUNIT_EXPECT_EQ(test, i == 1,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_validate(test);
}

/*
 * The tree of pin records is charged to the memory cgroup of the caller if
 * iopt_policy.gfp contains __GFP_ACCOUNT.
 */
static void pin_records_are_charged(struct kunit *test)
{
	static const gfp_t gfp[] = { GFP_KERNEL, GFP_KERNEL_ACCOUNT };
	unsigned long uaddr = test_touched(test, 1);
	struct test_space *space = test->priv;
	struct iopt_pages *pages;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(gfp); i++) {
		const struct iopt_policy policy = {
			.gfp = gfp[i],
			.max_areas = 1,
		};

		test_space_replace(test, &policy);
		KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
		pages = test_area_at(space, IOVA)->pages;
		KUNIT_EXPECT_EQ(test, i == 1,
				!!(pages->pins.xa_flags & XA_FLAGS_ACCOUNT));
		KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	}
}

/*
 * A pinned range may span mappings if there is no hole between them and all of
 * them grant the requested rights.
 */
static void pin_spans_mappings(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 6), i, charged;
	struct page *pages[6];

	charged = test_charged();
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA + PAGES(2),
					       uaddr + PAGES(2), 1,
					       IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(3),
					  uaddr + PAGES(3), 3));
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 4,
						pages, IOPT_ACCESS_READ));
	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(i + 1)),
				page_to_pfn(pages[i]));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 6));

	KUNIT_EXPECT_EQ(test, -EPERM, test_pin_flags(access, IOVA, 6, NULL,
						     IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 7));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA - PAGES(1), 7));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 6));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_expect_pins(test, uaddr, 6, 0);
	test_validate(test);
}

/* A mapping must grant the rights that the flags request. */
static void pin_EPERM(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 1);

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 1,
					       IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, COPY, uaddr, 1,
					       IOMMU_WRITE));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA, 1, NULL,
						IOPT_ACCESS_READ));
	KUNIT_EXPECT_EQ(test, -EPERM, test_pin_flags(access, IOVA, 1, NULL,
						     IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, COPY, 1));
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, COPY, 1, NULL,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, -EPERM, test_pin_flags(access, COPY, 1, NULL,
						     IOPT_ACCESS_READ));
	KUNIT_EXPECT_EQ(test, -EPERM, test_pin_flags(access, COPY, 1, NULL,
						     IOPT_ACCESS_READ |
						     IOPT_ACCESS_WRITE));
	/*
	 * The memory was mapped by two separate calls, so the page is pinned
	 * once for each mapping.
	 */
	KUNIT_EXPECT_EQ(test, 2, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, test_pins(test_user_pfn(test, uaddr)));
}

/*
 * The protection of the mapping decides how a page is pinned: in a writable
 * mapping, the page is pinned for writing even if the caller only requests
 * IOPT_ACCESS_READ.
 */
static void pin_uses_prot_of_mapping(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr, charged = test_charged();
	struct page *page;

	uaddr = test_mmap(test, 1, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA, 1, &page,
						IOPT_ACCESS_READ));
	KUNIT_EXPECT_FALSE(test, is_zero_page(page));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());

	uaddr = test_mmap(test, 1, PROT_READ);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, COPY, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin_flags(access, COPY, 1, &page,
						      IOPT_ACCESS_READ));
}

/* With IOPT_ACCESS_UNALIGNED, any byte of a page selects the page. */
static void pin_unaligned(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 3), charged = test_charged();
	struct iopt_access *a = access->access;
	struct page *pages[3];

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(a, IOVA + 8, IOVA + PAGES(1) - 1, pages,
					0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(a, IOVA, IOVA + 8, pages, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(a, IOVA + 8, IOVA + PAGES(1) + 7, pages,
					0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(a, IOVA + PAGES(1), IOVA - 1, pages,
					IOPT_ACCESS_UNALIGNED));
	KUNIT_EXPECT_EQ(test, charged, test_charged());

	KUNIT_EXPECT_EQ(test, 0,
			iopt_access_pin(a, IOVA + PAGES(1) + 8,
					IOVA + PAGES(1) + 8, pages,
					IOPT_ACCESS_UNALIGNED));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(1)),
			page_to_pfn(pages[0]));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 0,
			iopt_access_pin(a, IOVA + PAGES(1) - 1, IOVA + PAGES(2),
					pages, IOPT_ACCESS_UNALIGNED));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr),
			page_to_pfn(pages[0]));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(2)),
			page_to_pfn(pages[2]));
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	/*
	 * A byte below the mapping does not select the first page of the
	 * mapping.
	 */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_access_pin(a, IOVA - 8, IOVA - 1, pages,
					IOPT_ACCESS_UNALIGNED));

	KUNIT_EXPECT_EQ(test, 1, iopt_access_unpin(a, IOVA + PAGES(2) - 1,
						   IOVA + PAGES(2) - 1));
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	KUNIT_EXPECT_EQ(test, 3, iopt_access_unpin(a, IOVA + 8,
						   IOVA + PAGES(2) + 1));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * Unpinning skips pages that are not pinned, and returns the number of pins
 * removed.
 */
static void unpin_skips_unpinned_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 6), charged = test_charged();

	KUNIT_EXPECT_EQ(test, 0, iopt_access_unpin(access->access, 0,
						   ULONG_MAX));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(3), 3));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(access, IOVA, 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(5), 1));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unpin(access, IOVA + PAGES(3), 2));
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	KUNIT_EXPECT_EQ(test, 3, iopt_access_unpin(access->access, 0,
						   ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_unpin(access->access, 0,
						   ULONG_MAX));
	KUNIT_EXPECT_EQ(test, charged, test_charged());

	/* Unpinning has no effect on pages that only a domain has pinned. */
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_unpin(access, IOVA, 7));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 3);
	test_validate(test);
}

/*
 * An access that does not own its pins can remove the pins of another such
 * access.
 */
static void unpin_by_another_access(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2), pfn;

	pfn = test_user_pfn(test, uaddr);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pin(one, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pin(two, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(two, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	test_access_destroy(two);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(one, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pins(pfn));
}

/* Reserved pages are pinned, but not charged. */
static void pin_of_reserved_page_is_uncharged(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2), charged = test_charged();
	unsigned long pfn = test_user_pfn(test, uaddr);
	struct page *page = pfn_to_page(pfn);

	SetPageReserved(page);
	test_set_memlock(PAGES(charged + 1));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	test_validate(test);
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 2);
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 2));
	ClearPageReserved(page);
}

/*
 * The charged pages may reach RLIMIT_MEMLOCK exactly. A page that an access or
 * a domain has pinned already is not charged again.
 */
static void pin_ENOMEM_at_limit(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	test_set_memlock(PAGES(charged + 2));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_pin(access, IOVA, 3));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_pin(access, IOVA + PAGES(1), 2));
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	/*
	 * To attach the domain, the other two pages would have to be pinned as
	 * well, which would exceed the limit.
	 */
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iopt_attach_domain(space->iopt,
					   &space->mock[0]->domain));
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	test_validate(test);
	test_set_memlock(PAGES(charged + 4));
	test_attach(test, space->mock[0]);
	test_set_memlock(0);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
}

/*
 * If a range would exceed the limit, the pages that fit are pinned and then
 * unpinned again. They are marked dirty, but are not returned to the caller.
 */
static void pin_beyond_limit_marks_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged, i;
	struct page *none = ERR_PTR(-1), *pages[4];
	struct iopt_dirty_query query = { .pgsize = PAGE_SIZE };
	u64 word;

	query.bitmap = (u64 __user *)test_touched(test, 1);
	charged = test_charged();
	memset_p((void **)pages, none, ARRAY_SIZE(pages));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	test_set_memlock(PAGES(charged + 2));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_pin_flags(access, IOVA, 4, pages,
						      0));
	for (i = 0; i != ARRAY_SIZE(pages); i++)
		KUNIT_EXPECT_PTR_EQ(test, i < 3 ? NULL : none, pages[i]);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_expect_pins(test, uaddr, 4, 0);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_read(space->iopt, IOVA,
						 IOVA + PAGES(4) - 1, &query,
						 0));
	KUNIT_ASSERT_EQ(test, 0, get_user(word, query.bitmap));
	KUNIT_EXPECT_EQ(test, 3, word);
	iopt_dirty_stop(space->iopt);
}

/*
 * A pin that would overflow iopt_area.nr_pins fails and leaves earlier pins
 * unchanged.
 */
static void pin_EOVERFLOW(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	area = test_area_at(space, IOVA);
	area->nr_pins = UINT_MAX - 3;
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, UINT_MAX - 3, area->nr_pins);
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_pin(access, IOVA, 1));
	area->nr_pins = 5;
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 3, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * If the pin of a reserved page would overflow iopt_area.nr_pins, the rollback
 * does not uncharge the page, because it was not charged.
 */
static void pin_EOVERFLOW_of_reserved_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 3), charged = test_charged();
	struct page *page = pfn_to_page(test_user_pfn(test, uaddr + PAGES(1)));
	struct iopt_area *area;

	SetPageReserved(page);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	area = test_area_at(space, IOVA);
	area->nr_pins = UINT_MAX - 1;
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_pin(access, IOVA, 3));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, UINT_MAX - 1, area->nr_pins);
	area->nr_pins = 0;
	test_expect_pins(test, uaddr, 3, 0);
	test_validate(test);
	ClearPageReserved(page);
}

static struct kunit_case access_pin_cases[] = {
	KUNIT_CASE(pin_is_all_or_nothing),
	KUNIT_CASE(pin_records_are_charged),
	KUNIT_CASE(pin_spans_mappings),
	KUNIT_CASE(pin_EPERM),
	KUNIT_CASE(pin_uses_prot_of_mapping),
	KUNIT_CASE(pin_unaligned),
	KUNIT_CASE(unpin_skips_unpinned_pages),
	KUNIT_CASE(unpin_by_another_access),
	KUNIT_CASE(pin_of_reserved_page_is_uncharged),
	KUNIT_CASE(pin_ENOMEM_at_limit),
	KUNIT_CASE(pin_beyond_limit_marks_dirty),
	KUNIT_CASE(pin_EOVERFLOW),
	KUNIT_CASE(pin_EOVERFLOW_of_reserved_page),
	{}
};

static struct kunit_suite access_pin_suite = {
	.name = "iopt-access-pin",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_pin_cases,
};

kunit_test_suite(access_pin_suite);
