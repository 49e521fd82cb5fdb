// SPDX-License-Identifier: GPL-2.0-only
/*
 * Orphans (adopt.c): which mappings can become orphans, which calls fail for an
 * orphan, and how the same process adopts an orphan at another address.
 */
#include <linux/uaccess.h>

#include "../io_pagetable.h"
#include "access.h"
#include "adopt.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/* iopt_orphan() makes orphans of all mappings of the interval, or of none. */
static void orphan_is_all_or_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 12), bytes = 1, i;

	/*
	 * The call fails with -ENOENT if the interval contains no mapping,
	 * unless it is the whole address space.
	 */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(space->iopt, 0, ULONG_MAX,
					     &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);

	test_attach(test, space->mock[0]);
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(4 * i),
					 uaddr + PAGES(4 * i), 4));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_orphan(test, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_orphan(test, IOVA + PAGES(1), 7));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_orphan(test, IOVA, 11));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_orphan(test, IOVA + PAGES(12), 4));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));

	KUNIT_EXPECT_EQ(test, 4, test_orphan(test, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_orphan(test, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_orphan(test, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_adopt(test, IOVA + PAGES(4), 4, uaddr));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 12, test_orphan(test, IOVA - PAGES(1), 20));
	KUNIT_EXPECT_EQ(test, 3, space->iopt->nr_orphans);

	/* An orphan can be unmapped, which lowers nr_orphans. */
	mock_expect_maps(space->mock[0], IOVA, uaddr, 12);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
}

/* A mapping cannot become an orphan while a copy shares its pages. */
static void shared_pages_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);

	test_map_adjacent(test, IOVA, uaddr, 2, 4);
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA + PAGES(6),
					   1));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_orphan(test, IOVA, 8));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_orphan(test, COPY, 1));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_EXPECT_EQ(test, 8, test_orphan(test, IOVA, 8));
}

/*
 * An orphan cannot be pinned, read or copied, and while a space has an orphan,
 * no domain can be attached. Attached domains still translate the orphan and
 * can be detached, and accesses can unpin its pages.
 */
static void use_of_orphan_EBUSY(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8);
	u64 value = 1;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));

	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA + PAGES(3), 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, iopt_access_rw(access->access, IOVA,
						     &value, 8, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			test_copy(space->iopt, COPY, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iopt_attach_domain(space->iopt,
					   &space->mock[1]->domain));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	test_validate(test);

	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(4), 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, test_pin(access, IOVA + PAGES(3), 2));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 2, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);

	KUNIT_EXPECT_EQ(test, 0, test_adopt(test, IOVA, 4, uaddr));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 8));
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/* Only an orphan can be adopted, and only as a whole. */
static void adopt_errnos(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);

	test_map_adjacent(test, IOVA, uaddr, 2, 4);
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_adopt(test, IOVA - PAGES(4), 4,
						  uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA + PAGES(4), 4,
						  uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA, 3, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA, 5, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA + PAGES(1), 3,
						  uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA - PAGES(1), 5,
						  uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA, 4, uaddr + 8));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_adopt(space->iopt, IOVA, IOVA - 1,
				   (void __user *)uaddr, IOPT_ACCOUNT_USER));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_adopt(test, IOVA, 4, -PAGES(3)));
	KUNIT_EXPECT_EQ(test, 1, space->iopt->nr_orphans);
	KUNIT_EXPECT_EQ(test, 0, test_adopt(test, IOVA, 4, uaddr));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_adopt(test, IOVA, 4, uaddr));
}

/* A mapping that ends at the last byte of the address space can be adopted. */
static void adopt_last_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1), bytes;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGES(1), uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(space->iopt, -PAGES(1), ULONG_MAX,
					     &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(1), bytes);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_adopt(space->iopt, -PAGES(1), ULONG_MAX,
				   (void __user *)uaddr, IOPT_ACCOUNT_USER));
}

/*
 * Adoption by the same process changes only the user address: it charges
 * nothing, and ignores the accounting mode. Pinned pages stay pinned, and pages
 * that are pinned later come from the new address.
 */
static void adopt_at_another_address(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long old = test_touched(test, 4), new = test_touched(test, 4);
	unsigned long charged = test_charged();
	struct page *page;
	u64 value = 0;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, old, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));
	test_set_memlock(0);
	/* An adoption does not access the new address. */
	KUNIT_EXPECT_EQ(test, 0, test_adopt_as(test, IOVA, 4, PAGES(1),
					       IOPT_ACCOUNT_MM));
	KUNIT_ASSERT_EQ(test, 4, test_orphan(test, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_adopt_as(test, IOVA, 4, new,
					       IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	KUNIT_EXPECT_EQ(test, 4, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	mock_expect_maps(space->mock[0], IOVA, old, 4);

	/*
	 * A pin returns the page that is pinned already, but iopt_access_rw()
	 * accesses the new address.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA, 1, &page, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, old), page_to_pfn(page));
	value = 77;
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA, &value, 8,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0, copy_from_user(&value, (void __user *)new,
						8));
	KUNIT_EXPECT_EQ(test, 77, value);

	test_set_memlock(PAGES(charged + 4));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 1,
						&page, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, new + PAGES(1)),
			page_to_pfn(page));
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, new + PAGES(3)),
			mock_domain_pfn(space->mock[1], IOVA + PAGES(3)));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, old + PAGES(2)),
			mock_domain_pfn(space->mock[1], IOVA + PAGES(2)));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
}

static struct kunit_case adopt_cases[] = {
	KUNIT_CASE(orphan_is_all_or_nothing),
	KUNIT_CASE(shared_pages_EBUSY),
	KUNIT_CASE(use_of_orphan_EBUSY),
	KUNIT_CASE(adopt_errnos),
	KUNIT_CASE(adopt_last_page),
	KUNIT_CASE(adopt_at_another_address),
	{}
};

static struct kunit_suite adopt_suite = {
	.name = "iopt-adopt",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = adopt_cases,
};

kunit_test_suite(adopt_suite);
