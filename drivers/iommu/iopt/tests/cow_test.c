// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copy-on-write (gup.c): through a read-only mapping, a device sees what the
 * process writes after the map. This also holds for memory that was untouched,
 * had only been read, or was part of a private file mapping at the time of the
 * map.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/uaccess.h>

#include "access.h"
#include "space.h"

#define IOVA	0x100000000UL

/**
 * struct memory_case - state of a process's memory before the map
 * @name: name of the case
 * @file: the memory is a private mapping of a file
 * @read: the process has read the memory
 * @write: the process has written to the memory
 * @prot: protection of the memory in the process
 */
struct memory_case {
	const char *name;
	bool file;
	bool read;
	bool write;
	int prot;
};

static const struct memory_case memory_cases[] = {
	{ "untouched", .prot = PROT_READ | PROT_WRITE },
	{ "only read", .read = true, .prot = PROT_READ | PROT_WRITE },
	{ "written to", .write = true, .prot = PROT_READ | PROT_WRITE },
	{ "read-only", .read = true, .prot = PROT_READ },
	{ "private file", .file = true, .prot = PROT_READ | PROT_WRITE },
	{ "private file, read", .file = true, .read = true,
	  .prot = PROT_READ | PROT_WRITE },
	{ "private file, written", .file = true, .write = true,
	  .prot = PROT_READ | PROT_WRITE },
	{ "private file, read-only", .file = true, .prot = PROT_READ },
};

static void memory_case_name(const struct memory_case *memory, char *name)
{
	strscpy(name, memory->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(memory, memory_cases, memory_case_name);

#define COW_PAGES	3UL

static unsigned long memory_make(struct kunit *test,
				 const struct memory_case *memory)
{
	unsigned long uaddr, i, value;
	struct file *file = NULL;

	if (memory->file) {
		file = shmem_file_setup("iopt-test", PAGES(COW_PAGES), 0);
		KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	}
	uaddr = vm_mmap(file, 0, PAGES(COW_PAGES), memory->prot,
			MAP_PRIVATE | (file ? 0 : MAP_ANONYMOUS), 0);
	if (file)
		fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	for (i = 0; i != COW_PAGES && memory->read; i++)
		KUNIT_ASSERT_EQ(test, 0,
				copy_from_user(&value, (void __user *)
					       (uaddr + PAGES(i)),
					       sizeof(value)));
	if (memory->write)
		test_touch(test, uaddr, COW_PAGES);
	return uaddr;
}

/*
 * The domain translates to the pages of the process, even after the process has
 * written to them. Each page is pinned and charged once.
 */
static void domain_maps_pages_of_process(struct kunit *test)
{
	const struct memory_case *memory = test->param_value;
	unsigned long uaddr = memory_make(test, memory);
	struct test_space *space = test->priv;
	unsigned long charged = test_charged();

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr,
					       COW_PAGES, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, charged + COW_PAGES, test_charged());
	if (memory->prot & PROT_WRITE)
		test_touch(test, uaddr, COW_PAGES);
	mock_expect_maps(space->mock[0], IOVA, uaddr, COW_PAGES);
	KUNIT_EXPECT_EQ(test, IOMMU_READ,
			mock_domain_prot(space->mock[0], IOVA));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, COW_PAGES));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_munmap(test, uaddr, COW_PAGES);
}

/*
 * The pages that an access has pinned are still those of the process after the
 * process has written to them. A domain that is attached afterwards translates
 * to the same pages.
 */
static void access_pins_pages_of_process(struct kunit *test)
{
	const struct memory_case *memory = test->param_value;
	unsigned long uaddr = memory_make(test, memory), i;
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct page *pages[COW_PAGES];

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr,
					       COW_PAGES, IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, test_pin_flags(access, IOVA, COW_PAGES, pages,
						IOPT_ACCESS_READ));
	if (memory->prot & PROT_WRITE)
		test_touch(test, uaddr, COW_PAGES);
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, COW_PAGES);
	for (i = 0; i != COW_PAGES; i++)
		KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(i)),
				page_to_pfn(pages[i]));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, COW_PAGES, test_unpin(access, IOVA, COW_PAGES));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, COW_PAGES));
	test_munmap(test, uaddr, COW_PAGES);
}

/* In a shared mapping, the page of the file is pinned, and not a copy of it. */
static void shared_memory_is_not_copied(struct kunit *test)
{
	struct file *file = shmem_file_setup("iopt-test", PAGES(1), 0);
	struct test_space *space = test->priv;
	unsigned long uaddr;
	struct page *page;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(1), PROT_READ, MAP_SHARED, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 1,
					       IOMMU_READ));
	page = find_get_page(file->f_mapping, 0);
	KUNIT_ASSERT_NOT_NULL(test, page);
	KUNIT_EXPECT_EQ(test, page_to_pfn(page),
			mock_domain_pfn(space->mock[0], IOVA));
	put_page(page);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	test_munmap(test, uaddr, 1);
	fput(file);
}

/*
 * While a domain is attached, a read-only map of anonymous memory that the
 * process cannot read fails.
 */
static void unreadable_memory_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap(test, 1, PROT_NONE);
	unsigned long charged = test_charged();

	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_map_prot(space->iopt, IOVA, uaddr,
						     1, IOMMU_READ));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_munmap(test, uaddr, 1);
}

static struct kunit_case cow_cases[] = {
	KUNIT_CASE_PARAM(domain_maps_pages_of_process, memory_gen_params),
	KUNIT_CASE_PARAM(access_pins_pages_of_process, memory_gen_params),
	KUNIT_CASE(shared_memory_is_not_copied),
	KUNIT_CASE(unreadable_memory_EFAULT),
	{}
};

static struct kunit_suite cow_suite = {
	.name = "iopt-cow",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = cow_cases,
};

kunit_test_suite(cow_suite);
