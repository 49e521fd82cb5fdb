// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping of memory without struct page (gup.c), such as device memory that a
 * driver has mapped into the process with remap_pfn_range().
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sizes.h>

#include "../validate.h"
#include "access.h"

#define IOVA	0x100000000UL

/* Page frame beyond the end of the machine's memory. */
#define NO_PAGE	BIT(25)

/* Map device memory into the process, as the mmap() of a driver does. */
static void user_pfnmap(struct kunit *test, unsigned long uaddr,
			unsigned long pfn, unsigned long npages, pgprot_t prot)
{
	struct vm_area_struct *vma;

	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, uaddr);
	KUNIT_EXPECT_EQ(test, 0, remap_pfn_range(vma, uaddr, pfn,
						 PAGES(npages), prot));
	mmap_write_unlock(current->mm);
}

/*
 * Allocate a space that accepts memory without struct page, and attach a
 * domain.
 */
static struct io_pagetable *pfnmap_space(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX, .pfnmap = true,
	};
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = iopt_alloc(&policy);

	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	KUNIT_ASSERT_EQ(test, 0, iopt_set_max_iopte(iopt, SZ_2M));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_attach_domain(iopt, &space->mock[0]->domain));
	return iopt;
}

static void pfnmap_space_free(struct kunit *test, struct io_pagetable *iopt)
{
	struct test_space *space = test->priv;

	iopt_detach_domain(iopt, &space->mock[0]->domain);
	iopt_free(iopt);
}

/*
 * Memory without struct page is neither pinned nor charged, and each IOVA page
 * translates to its own page frame.
 */
static void pfnmap_maps(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = pfnmap_space(test);
	unsigned long uaddr = test_mmap_shared(test, 6), i;
	unsigned long charged = test_charged();
	const unsigned long pfn[] = {
		NO_PAGE, NO_PAGE + 1, NO_PAGE + 7, NO_PAGE + 8, NO_PAGE + 5,
	};

	for (i = 0; i != ARRAY_SIZE(pfn); i++)
		user_pfnmap(test, uaddr + PAGES(i), pfn[i], 1, PAGE_SHARED);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 5));
	for (i = 0; i != ARRAY_SIZE(pfn); i++)
		KUNIT_EXPECT_EQ(test, pfn[i],
				mock_domain_pfn(space->mock[0],
						IOVA + PAGES(i)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 5));
	/* The map fails if the last page is not mapped in the process. */
	test_munmap(test, uaddr + PAGES(5), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_map(iopt, IOVA, uaddr, 6));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	pfnmap_space_free(test, iopt);
}

/*
 * Mapping memory without struct page fails if the policy does not allow it, or
 * if the process cannot write to memory that is mapped for writing.
 */
static void pfnmap_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = pfnmap_space(test);
	unsigned long uaddr = test_mmap_shared(test, 3);
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	user_pfnmap(test, uaddr, NO_PAGE, 1, PAGE_SHARED);
	user_pfnmap(test, uaddr + PAGES(1), NO_PAGE + 1, 1, PAGE_READONLY);
	user_pfnmap(test, uaddr + PAGES(2), page_to_pfn(page), 1, PAGE_SHARED);

	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map(iopt, IOVA, uaddr + PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 0, test_map_prot(iopt, IOVA, uaddr, 2,
					       IOMMU_READ));
	/*
	 * A PFN mapping of the kernel's own memory is rejected: the engine
	 * holds no reference to the page, which could be freed while a device
	 * can reach it.
	 */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map(iopt, 2 * IOVA, uaddr + PAGES(2), 1));
	pfnmap_space_free(test, iopt);

	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	test_munmap(test, uaddr, 3);
	put_page(page);
}

/*
 * I/O pages up to the size limit of the space are used even where they cross
 * the boundary of a batch.
 */
static void pfnmap_large_iopages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = pfnmap_space(test);
	unsigned long uaddr = test_mmap_shared(test, 1124);

	user_pfnmap(test, uaddr, NO_PAGE - 100, 1124, PAGE_SHARED);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, SZ_1G - PAGES(100), uaddr,
					  1124));
	KUNIT_EXPECT_EQ(test, 2, space->mock[0]->nr_large);
	KUNIT_EXPECT_EQ(test, 1124, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, NO_PAGE + 1023,
			mock_domain_pfn(space->mock[0], SZ_1G + PAGES(1023)));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, SZ_1G - PAGES(100), 1124));
	pfnmap_space_free(test, iopt);
}

/*
 * An access cannot pin memory without struct page, whether or not a domain
 * translates it.
 */
static void pin_pfnmap_EINVAL(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX, .pfnmap = true,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4), io, charged;
	struct test_access *access;

	test_space_replace(test, &policy);
	access = test_access_create(test);

	/*
	 * Replace two pages in the middle of ordinary memory with memory
	 * without struct page.
	 */
	io = uaddr + PAGES(1);
	test_munmap(test, io, 2);
	KUNIT_ASSERT_EQ(test, io,
			vm_mmap(NULL, io, PAGES(2), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, 0));
	user_pfnmap(test, io, NO_PAGE, 2, PAGE_SHARED);

	charged = test_charged();
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	test_validate(test);
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, NO_PAGE + 1,
			mock_domain_pfn(space->mock[0], IOVA + PAGES(2)));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	test_validate(test);
}

static struct kunit_case pfnmap_cases[] = {
	KUNIT_CASE(pfnmap_maps),
	KUNIT_CASE(pfnmap_EFAULT),
	KUNIT_CASE(pfnmap_large_iopages),
	KUNIT_CASE(pin_pfnmap_EINVAL),
	{}
};

static struct kunit_suite pfnmap_suite = {
	.name = "iopt-pfnmap",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pfnmap_cases,
};

kunit_test_suite(pfnmap_suite);
