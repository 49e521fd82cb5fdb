// SPDX-License-Identifier: GPL-2.0-only
/*
 * The effect of pinning on memory (gup.c): which pages it populates, copies or
 * makes dirty, and which pages it must not touch.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/uaccess.h>

#include "../gup.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "../pages_pin.h"
#include "access.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* Look up the PTE of a user address. Return false if it is not present. */
static bool user_pte(unsigned long uaddr, pte_t *entry)
{
	spinlock_t *ptl;	/* page table lock */
	pte_t *ptep;
	int rc;

	mmap_read_lock(current->mm);
	rc = follow_pte(current->mm, uaddr, &ptep, &ptl);
	if (!rc) {
		/* sparse does not see that follow_pte() takes the lock. */
		__acquire(ptl);
		*entry = *ptep;
		pte_unmap_unlock(ptep, ptl);
	}
	mmap_read_unlock(current->mm);
	return !rc;
}

/*
 * Replace a part of a mapping with anonymous memory, private or shared
 * according to @flags.
 */
static void mmap_over(struct kunit *test, unsigned long uaddr,
		      unsigned long npages, unsigned long flags)
{
	KUNIT_ASSERT_EQ(test, uaddr,
			vm_mmap(NULL, uaddr, PAGES(npages),
				PROT_READ | PROT_WRITE,
				flags | MAP_ANONYMOUS | MAP_FIXED, 0));
}

/**
 * struct refused_case - a map that requests more rights than the process has
 * @name: name of the case
 * @prot: protection of the user memory
 * @iommu_prot: permissions requested for the device
 */
struct refused_case {
	const char *name;
	int prot;
	int iommu_prot;
};

static const struct refused_case refused_cases[] = {
	{ "nothing allowed", PROT_NONE, IOMMU_READ },
	{ "nothing allowed, write", PROT_NONE, TEST_RW },
	{ "read-only, write", PROT_READ, TEST_RW },
	{ "write-only, read", PROT_WRITE, IOMMU_READ },
};

static void refused_case_name(const struct refused_case *refused, char *name)
{
	strscpy(name, refused->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(refused, refused_cases, refused_case_name);

/* A map that the VMA protection forbids must not fault the memory in. */
static void inaccessible_memory_is_not_faulted_in(struct kunit *test)
{
	const struct refused_case *refused = test->param_value;
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap(test, 2, refused->prot);
	unsigned long charged = test_charged();
	pte_t pte;

	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			test_map_prot(space->iopt, IOVA, uaddr, 2,
				      refused->iommu_prot));
	KUNIT_EXPECT_FALSE(test, user_pte(uaddr, &pte));
	KUNIT_EXPECT_FALSE(test, user_pte(uaddr + PAGES(1), &pte));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	test_munmap(test, uaddr, 2);
}

/*
 * A read-only map breaks copy-on-write in private memory, as a write would.
 * Shared memory in the rest of the range must still be faulted in for reading
 * only.
 */
static void shared_memory_after_private_is_only_read(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap(test, 4, PROT_READ | PROT_WRITE), i;
	pte_t pte;

	mmap_over(test, uaddr + PAGES(2), 2, MAP_SHARED);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 4,
					       IOMMU_READ));
	for (i = 0; i != 4; i++) {
		KUNIT_ASSERT_TRUE(test, user_pte(uaddr + PAGES(i), &pte));
		KUNIT_EXPECT_EQ(test, i < 2, !!pte_dirty(pte));
	}
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	test_munmap(test, uaddr, 4);
}

/*
 * A read-only map breaks copy-on-write in private memory even if shared memory
 * precedes it in the range.
 */
static void private_memory_after_shared_is_copied(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap(test, 4, PROT_READ | PROT_WRITE), i;
	unsigned long charged = test_charged(), value;

	mmap_over(test, uaddr, 2, MAP_SHARED);
	test_touch(test, uaddr, 2);
	for (i = 2; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0,
				copy_from_user(&value, (void __user *)
					       (uaddr + PAGES(i)),
					       sizeof(value)));
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 4,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	test_touch(test, uaddr, 4);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	test_munmap(test, uaddr, 4);
}

/*
 * A read-only map of a private file mapping pins the anonymous copy of a page,
 * not the page of the file.
 */
static void replaced_page_is_not_pinned(struct kunit *test)
{
	struct file *file = shmem_file_setup("iopt-test", PAGES(1), 0);
	struct test_space *space = test->priv;
	unsigned long uaddr, value;
	struct page *page;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(1), PROT_READ | PROT_WRITE, MAP_PRIVATE,
			0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&value, (void __user *)uaddr,
						sizeof(value)));
	page = find_get_page(file->f_mapping, 0);
	KUNIT_ASSERT_NOT_NULL(test, page);

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 1,
					       IOMMU_READ));
	KUNIT_EXPECT_NE(test, page_to_pfn(page),
			mock_domain_pfn(space->mock[0], IOVA));
	KUNIT_EXPECT_EQ(test, 0, test_pins(page_to_pfn(page)));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	put_page(page);
	test_munmap(test, uaddr, 1);
	fput(file);
}

static unsigned int nr_mkwrite;

static vm_fault_t noted_fault(struct vm_fault *vmf)
{
	vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static vm_fault_t noted_mkwrite(struct vm_fault *vmf)
{
	lock_page(vmf->page);
	nr_mkwrite++;
	return VM_FAULT_LOCKED;
}

static const struct vm_operations_struct noted_vm_ops = {
	.fault = noted_fault,
	.page_mkwrite = noted_mkwrite,
};

static int noted_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &noted_vm_ops;
	return 0;
}

static const struct file_operations noted_fops = { .mmap = noted_mmap };

/*
 * In a shared file mapping, a map calls vm_operations_struct.page_mkwrite for
 * each page that it faults in for writing, and for no page that it maps
 * read-only.
 */
static void file_is_notified_of_writes(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr;
	struct file *file;

	file = anon_inode_getfile("[iopt-noted]", &noted_fops, NULL, O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(3), PROT_READ | PROT_WRITE, MAP_SHARED,
			0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));

	nr_mkwrite = 0;
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 3,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, nr_mkwrite);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 3));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	KUNIT_EXPECT_EQ(test, 3, nr_mkwrite);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 3);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 3));
	test_munmap(test, uaddr, 3);
}

static int unwritable_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma_set_anonymous(vma);
	vma->vm_flags &= ~VM_MAYWRITE;
	return 0;
}

static const struct file_operations unwritable_fops = {
	.mmap = unwritable_mmap,
};

/* Map four pages of private memory that the process can never write to. */
static unsigned long map_unwritable(struct kunit *test)
{
	unsigned long uaddr;
	struct file *file;

	file = anon_inode_getfile("[iopt-zero]", &unwritable_fops, NULL,
				  O_RDONLY);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(4), PROT_READ, MAP_PRIVATE, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

/*
 * Private memory that the process can never write to keeps the zero page: the
 * mapping is a single run, which is neither pinned nor charged.
 */
static void zero_page_of_unwritable_memory(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = map_unwritable(test), charged, i;
	unsigned long zero = page_to_pfn(ZERO_PAGE(0));
	struct test_space *space = test->priv;
	struct iopt_run_iter iter;
	struct iopt_pages *pages;
	struct iopt_run run = {};

	charged = test_charged();
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 4,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, zero,
				mock_domain_pfn(space->mock[0],
						IOVA + PAGES(i)));
	pages = test_area_at(space, IOVA)->pages;
	mutex_lock(&pages->mutex);
	iopt_run_iter_start(&iter, &pages->runs, 0, 3);
	iopt_run_iter_next(&iter, &run);
	mutex_unlock(&pages->mutex);
	KUNIT_EXPECT_TRUE(test, run.kind == IOPT_RUN_ZERO);
	KUNIT_EXPECT_EQ(test, 4, run.count);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	test_munmap(test, uaddr, 4);
}

/*
 * The zero page is not pinned, so it does not count as lost if an IOMMU driver
 * fails to unmap it.
 */
static void zero_page_is_not_lost(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = map_unwritable(test);

	mock->domain.pgsize_bitmap = PAGE_SIZE;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 4,
					       IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 2));
	mock->short_unmap = 3;
	mock->fail_unmap = 2;
	iopt_detach_domain(space->iopt, &mock->domain);
	mock->attached = false;
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&space->iopt->nr_lost));
	test_validate(test);

	mock->short_unmap = 0;
	mock->fail_unmap = 0;
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iommu_unmap(&mock->domain,
						     IOVA + PAGES(3),
						     PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	test_munmap(test, uaddr, 4);
}

static void attach_by_kernel_thread(struct kunit *test, int prot)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread attach;

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 4,
					       prot));
	test_thread_attach(test, &attach, space->mock[0], NULL);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 4, atomic64_read(&current->mm->pinned_vm));
}

/*
 * An attach pins the memory of the process that created the mapping, whichever
 * thread attaches the domain.
 */
static void attach_pins_memory_of_mapper(struct kunit *test)
{
	attach_by_kernel_thread(test, TEST_RW);
}

/*
 * An attach from a kernel thread pins the memory of the process that created a
 * mapping, even if the mapping is read-only.
 */
static void attach_reads_memory_of_mapper(struct kunit *test)
{
	attach_by_kernel_thread(test, IOMMU_READ);
}

/*
 * A reserved page among contiguous pages is a separate run, because it is not
 * charged.
 */
static void reserved_page_is_a_separate_run(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 8);
	unsigned long charged = test_charged();
	struct page *page;

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	page = pfn_to_page(test_user_pfn(test, uaddr + PAGES(3)));
	SetPageReserved(page);
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 1, test_pins(page_to_pfn(page)));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(page_to_pfn(page)));
	ClearPageReserved(page);
}

/*
 * If charging a run would exceed RLIMIT_MEMLOCK, the map fails and unpins the
 * whole run.
 */
static void run_beyond_limit_is_unpinned(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 8);
	unsigned long charged = test_charged();

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	test_attach(test, space->mock[0]);
	test_set_memlock(PAGES(charged + 7));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_expect_pins(test, uaddr, 8, 0);
}

/*
 * Number of VMAs to fault in. It exceeds the number of consecutive faults that
 * a call may take without pinning a page.
 */
#define NPIECES	(IOPT_FAULTS_MAX + 8UL)

/*
 * Map pages that are alternately shared and private. Each page is a VMA of its
 * own, and thus takes a fault of its own.
 */
static unsigned long mmap_pieces(struct kunit *test)
{
	unsigned long uaddr = test_mmap(test, NPIECES, PROT_READ | PROT_WRITE);
	unsigned long i;

	for (i = 0; i < NPIECES; i += 2)
		mmap_over(test, uaddr + PAGES(i), 1, MAP_SHARED);
	return uaddr;
}

/* A map may take any number of faults if it pins pages in between. */
static void many_faults_of_a_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = mmap_pieces(test);

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, NPIECES));
	mock_expect_maps(space->mock[0], IOVA, uaddr, NPIECES);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NPIECES));
	test_munmap(test, uaddr, NPIECES);
}

/*
 * iopt_access_pin() may take any number of faults if it pins pages in between.
 */
static void many_faults_of_a_pin(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = mmap_pieces(test), i;
	struct page **pages = kunit_kcalloc(test, NPIECES, sizeof(*pages),
					    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, NPIECES));
	KUNIT_ASSERT_EQ(test, 0, test_pin_flags(access, IOVA, NPIECES, pages,
						0));
	for (i = 0; i != NPIECES; i++)
		KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(i)),
				page_to_pfn(pages[i]));
	KUNIT_EXPECT_EQ(test, NPIECES, test_unpin(access, IOVA, NPIECES));
	test_munmap(test, uaddr, NPIECES);
}

/*
 * iopt_pages_fault_in() fails with -EFAULT after IOPT_FAULTS_MAX consecutive
 * faults without progress.
 */
static void faults_without_progress_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap(test, 1, PROT_READ | PROT_WRITE);
	struct iopt_batch batch = {};
	struct iopt_pages *pages;
	unsigned int faults, i;
	pte_t pte;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	pages = test_area_at(space, IOVA)->pages;
	mutex_lock(&pages->mutex);
	faults = IOPT_FAULTS_MAX;
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_pages_fault_in(pages, 0, 0, &faults, &batch));
	KUNIT_EXPECT_FALSE(test, user_pte(uaddr, &pte));
	for (faults = 0, i = 0; i != IOPT_FAULTS_MAX; i++)
		KUNIT_EXPECT_EQ(test, 0, iopt_pages_fault_in(pages, 0, 0,
							     &faults, &batch));
	KUNIT_EXPECT_TRUE(test, user_pte(uaddr, &pte));
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_pages_fault_in(pages, 0, 0, &faults, &batch));
	mutex_unlock(&pages->mutex);
	test_munmap(test, uaddr, 1);
}

/*
 * Map with @prot, clear the dirty flags of the pages, which GUP might have set,
 * and unmap. Expect that the unmap has made all pages dirty if @dirty is true,
 * and none otherwise.
 */
static void expect_dirty(struct kunit *test, unsigned long uaddr,
			 unsigned long npages, int prot, bool dirty)
{
	struct test_space *space = test->priv;
	struct page *page;
	unsigned long i;

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, npages,
					       prot));
	for (i = 0; i != npages; i++) {
		page = pfn_to_page(test_user_pfn(test, uaddr + PAGES(i)));
		ClearPageDirty(page);
	}
	KUNIT_ASSERT_EQ(test, 0, test_unmap(space->iopt, IOVA, npages));
	for (i = 0; i != npages; i++) {
		page = pfn_to_page(test_user_pfn(test, uaddr + PAGES(i)));
		KUNIT_EXPECT_EQ(test, dirty, PageDirty(page));
	}
}

/* An unmap makes pages dirty only if the device could write to them. */
static void unmap_dirties_writable_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);

	test_attach(test, space->mock[0]);
	expect_dirty(test, uaddr, 1, IOMMU_READ, false);
	expect_dirty(test, uaddr, 1, IOMMU_READ | IOMMU_WRITE, true);
}

/* An unmap makes all pages of a writable run dirty. */
static void unmap_dirties_runs(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 8);

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	test_attach(test, space->mock[0]);
	expect_dirty(test, uaddr, 8, IOMMU_READ, false);
	expect_dirty(test, uaddr, 8, IOMMU_READ | IOMMU_WRITE, true);
}

/* Reserved pages are pinned like other pages, but not charged. */
static void reserved_pages_are_not_charged(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_mmap_shared(test, 3);
	unsigned long charged = test_charged();
	struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	struct vm_area_struct *vma;

	KUNIT_ASSERT_NOT_NULL(test, page);
	mmap_write_lock(current->mm);
	vma = vma_lookup(current->mm, uaddr);
	KUNIT_EXPECT_EQ(test, 0, vm_insert_page(vma, uaddr + PAGES(1), page));
	mmap_write_unlock(current->mm);
	test_touch(test, uaddr, 1);
	test_touch(test, uaddr + PAGES(2), 1);
	SetPageReserved(page);

	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 3,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, page_to_pfn(page),
			mock_domain_pfn(space->mock[0], IOVA + PAGES(1)));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 3);
	KUNIT_EXPECT_EQ(test, charged + 2, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 3));
	KUNIT_EXPECT_EQ(test, 0, test_pins(page_to_pfn(page)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());

	ClearPageReserved(page);
	test_munmap(test, uaddr, 3);
	put_page(page);
}

static struct kunit_case gup_cases[] = {
	KUNIT_CASE_PARAM(inaccessible_memory_is_not_faulted_in,
			 refused_gen_params),
	KUNIT_CASE(shared_memory_after_private_is_only_read),
	KUNIT_CASE(private_memory_after_shared_is_copied),
	KUNIT_CASE(replaced_page_is_not_pinned),
	KUNIT_CASE(file_is_notified_of_writes),
	KUNIT_CASE(zero_page_of_unwritable_memory),
	KUNIT_CASE(zero_page_is_not_lost),
	KUNIT_CASE(attach_reads_memory_of_mapper),
	KUNIT_CASE(reserved_page_is_a_separate_run),
	KUNIT_CASE(run_beyond_limit_is_unpinned),
	KUNIT_CASE(many_faults_of_a_map),
	KUNIT_CASE(many_faults_of_a_pin),
	KUNIT_CASE(faults_without_progress_EFAULT),
	KUNIT_CASE(unmap_dirties_writable_pages),
	KUNIT_CASE(unmap_dirties_runs),
	KUNIT_CASE(reserved_pages_are_not_charged),
	KUNIT_CASE(attach_pins_memory_of_mapper),
	{}
};

static struct kunit_suite gup_suite = {
	.name = "iopt-gup",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = gup_cases,
};

kunit_test_suite(gup_suite);
