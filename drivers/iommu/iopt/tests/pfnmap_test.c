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

/* Map memory that may have no struct page. */
static int map_pfns(struct io_pagetable *iopt, unsigned long iova,
		    unsigned long uaddr, unsigned long npages, int prot)
{
	return iopt_map_user(iopt, &iova, (void __user *)uaddr, PAGES(npages),
			     prot, IOPT_ACCOUNT_USER,
			     IOPT_MAP_FIXED | IOPT_MAP_PFNMAP);
}

/*
 * Memory without struct page is neither pinned nor charged, and each IOVA page
 * translates to its own page frame.
 */
static void pfnmap_maps(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_mmap_shared(test, 6), i;
	unsigned long charged = test_charged();
	const unsigned long pfn[] = {
		NO_PAGE, NO_PAGE + 1, NO_PAGE + 7, NO_PAGE + 8, NO_PAGE + 5,
	};

	test_attach(test, space->mock[0]);
	for (i = 0; i != ARRAY_SIZE(pfn); i++)
		user_pfnmap(test, uaddr + PAGES(i), pfn[i], 1, PAGE_SHARED);
	KUNIT_EXPECT_EQ(test, 0, map_pfns(iopt, IOVA, uaddr, 5, TEST_RW));
	for (i = 0; i != ARRAY_SIZE(pfn); i++)
		KUNIT_EXPECT_EQ(test, pfn[i],
				mock_domain_pfn(space->mock[0],
						IOVA + PAGES(i)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 5));
	/* The map fails if the last page is not mapped in the process. */
	test_munmap(test, uaddr + PAGES(5), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			map_pfns(iopt, IOVA, uaddr, 6, TEST_RW));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
}

/*
 * Memory without struct page cannot be mapped without IOPT_MAP_PFNMAP. It also
 * cannot be mapped with IOMMU_WRITE if the process cannot write to it.
 */
static void pfnmap_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_mmap_shared(test, 3);
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	test_attach(test, space->mock[0]);
	user_pfnmap(test, uaddr, NO_PAGE, 1, PAGE_SHARED);
	user_pfnmap(test, uaddr + PAGES(1), NO_PAGE + 1, 1, PAGE_READONLY);
	user_pfnmap(test, uaddr + PAGES(2), page_to_pfn(page), 1, PAGE_SHARED);

	KUNIT_EXPECT_EQ(test, -EFAULT,
			map_pfns(iopt, IOVA, uaddr + PAGES(1), 1, TEST_RW));
	KUNIT_EXPECT_EQ(test, 0, map_pfns(iopt, IOVA, uaddr, 2, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 2));
	/*
	 * A PFN mapping of the kernel's own memory is rejected: the engine
	 * holds no reference to the page, which could be freed while a device
	 * can reach it.
	 */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			map_pfns(iopt, IOVA, uaddr + PAGES(2), 1, TEST_RW));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_map(iopt, IOVA, uaddr, 1));
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
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_mmap_shared(test, 1124);

	KUNIT_ASSERT_EQ(test, 0, iopt_set_max_iopte(iopt, SZ_2M));
	test_attach(test, space->mock[0]);
	user_pfnmap(test, uaddr, NO_PAGE - 100, 1124, PAGE_SHARED);
	KUNIT_EXPECT_EQ(test, 0, map_pfns(iopt, SZ_1G - PAGES(100), uaddr, 1124,
					  TEST_RW));
	KUNIT_EXPECT_EQ(test, 2, space->mock[0]->nr_large);
	KUNIT_EXPECT_EQ(test, 1124, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, NO_PAGE + 1023,
			mock_domain_pfn(space->mock[0], SZ_1G + PAGES(1023)));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, SZ_1G - PAGES(100), 1124));
}

/*
 * An access cannot pin memory without struct page, whether or not a domain
 * translates it.
 */
static void pin_pfnmap_EINVAL(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), io, charged;
	struct test_space *space = test->priv;

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
	KUNIT_ASSERT_EQ(test, 0,
			map_pfns(space->iopt, IOVA, uaddr, 4, TEST_RW));
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
