// SPDX-License-Identifier: GPL-2.0-only
/*
 * iopt_copy(): which ranges can be copied, how long the pages that mappings
 * share stay pinned, and the errnos of a failed copy.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "../validate.h"
#include "space.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/* A page is pinned and charged once, however many copies map it. */
static void copy_shares_pins(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	unsigned long charged = test_charged();
	unsigned long pfn = test_user_pfn(test, uaddr);

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA, 8));
	mock_expect_maps(space->mock[0], COPY, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	test_validate(test);

	/* The original mapping may be unmapped before the copy. */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	mock_expect_maps(space->mock[0], COPY, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(pfn));
}

/* A copy of a slice keeps only the pages of that slice pinned. */
static void copy_of_slices(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 10), i;
	unsigned long charged = test_charged();

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 10));
	KUNIT_EXPECT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA + PAGES(2),
					   3));
	KUNIT_EXPECT_EQ(test, 0, test_copy(space->iopt, COPY + PAGES(8), IOVA +
					   PAGES(4), 2));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 10));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	for (i = 0; i != 10; i++)
		KUNIT_EXPECT_EQ(test, i >= 2 && i <= 5,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	mock_expect_maps(space->mock[0], COPY, uaddr + PAGES(2), 3);
	mock_expect_maps(space->mock[0], COPY + PAGES(8), uaddr + PAGES(4), 2);
	test_validate(test);

	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 3));
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	mock_expect_maps(space->mock[0], COPY + PAGES(8), uaddr + PAGES(4), 2);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY + PAGES(8), 2));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * A copied range may span several mappings, and may start or end in the middle
 * of a mapping.
 */
static void copy_spans_mappings(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 12), iova = 0;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8),
					  uaddr + PAGES(8), 4));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(space->iopt, &iova, space->iopt,
				  IOVA + PAGES(3), PAGES(6), IOMMU_READ, 0));
	KUNIT_EXPECT_EQ(test, test_align_iova(PAGES(1), uaddr + PAGES(3),
					      PAGES(6)), iova);
	mock_expect_maps(space->mock[0], iova, uaddr + PAGES(3), 6);
	KUNIT_EXPECT_EQ(test, IOMMU_READ,
			mock_domain_prot(space->mock[0], iova));
	/* The copy consists of one mapping for each source mapping. */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, iova + PAGES(1), 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, iova, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, iova + PAGES(5), 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 12));
}

/*
 * A copy into another space pins the pages if that space has a domain, even if
 * the source space has none, and counts towards the destination's limit on
 * mappings.
 */
static void copy_into_another_space(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = 1,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4), iova = COPY;
	struct io_pagetable *other = iopt_alloc(&policy);

	KUNIT_ASSERT_FALSE(test, IS_ERR(other));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_attach_domain(other, &space->mock[0]->domain));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(other, &iova, space->iopt, IOVA, PAGES(4),
				  TEST_RW, IOPT_MAP_FIXED));
	mock_expect_maps(space->mock[0], COPY, uaddr, 4);
	iova += PAGES(4);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			iopt_copy(other, &iova, space->iopt, IOVA, PAGES(4),
				  TEST_RW, IOPT_MAP_FIXED));
	/* A page is pinned once, even for domains of different spaces. */
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 4, atomic64_read(&current->mm->pinned_vm));
	test_validate(test);
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));

	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	mock_expect_maps(space->mock[0], COPY, uaddr, 4);
	iopt_detach_domain(other, &space->mock[0]->domain);
	iopt_free(other);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* A failed copy returns the documented errno and adds no mapping. */
static void copy_errnos(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 4), bytes;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(iopt, IOVA + PAGES(4), uaddr, 4,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_copy(iopt, COPY, IOVA - PAGES(1),
						 2));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_copy(iopt, COPY, IOVA + PAGES(7),
						 2));
	KUNIT_EXPECT_EQ(test, -EPERM, test_copy(iopt, COPY, IOVA + PAGES(3),
						2));
	KUNIT_EXPECT_EQ(test, 0, test_copy_prot(iopt, COPY, IOVA + PAGES(3), 2,
						IOMMU_READ));
	KUNIT_EXPECT_EQ(test, -EEXIST, test_copy(iopt, COPY + PAGES(1), IOVA,
						 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_copy(iopt, COPY, IOVA, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_copy(iopt, COPY, IOVA + 1, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_copy(iopt, COPY + 1, IOVA, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_copy_prot(iopt, COPY, IOVA, 1, 0));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_copy(iopt, -PAGES(1), IOVA, 2));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, test_copy(iopt, COPY, -PAGES(1), 2));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(10), bytes);
}

/*
 * A copy of a slice can be adopted after the original is unmapped. iopt_adopt()
 * then takes the user address of the first page of the slice.
 */
static void copy_is_adopted_at_address_of_slice(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 8);
	unsigned long moved = test_touched(test, 2), bytes;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, test_copy(iopt, COPY, IOVA + PAGES(5), 2));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, iopt_orphan(iopt, COPY, COPY + PAGES(2) - 1,
					     &bytes));
	KUNIT_EXPECT_EQ(test, 0, iopt_adopt(iopt, COPY, COPY + PAGES(2) - 1,
					    (void __user *)moved,
					    IOPT_ACCOUNT_USER));
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], COPY, moved, 2);
}

/*
 * A page that was pinned for writing is marked dirty when its last holder is
 * removed, even if that holder is a read-only mapping.
 */
static void last_read_only_holder_dirties_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap_shared(test, 1);
	struct page *page;

	test_touch(test, uaddr, 1);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_ASSERT_EQ(test, 0, test_copy_prot(space->iopt, COPY, IOVA, 1,
						IOMMU_READ));
	page = pfn_to_page(mock_domain_pfn(space->mock[0], IOVA));
	get_page(page);
	/* Simulate writeback before the device writes to the page again. */
	ClearPageDirty(page);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
	test_munmap(test, uaddr, 1);
}

static struct kunit_case copy_cases[] = {
	KUNIT_CASE(copy_shares_pins),
	KUNIT_CASE(copy_of_slices),
	KUNIT_CASE(copy_spans_mappings),
	KUNIT_CASE(copy_into_another_space),
	KUNIT_CASE(copy_errnos),
	KUNIT_CASE(copy_is_adopted_at_address_of_slice),
	KUNIT_CASE(last_read_only_holder_dirties_page),
	{}
};

static struct kunit_suite copy_suite = {
	.name = "iopt-copy",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = copy_cases,
};

kunit_test_suite(copy_suite);
