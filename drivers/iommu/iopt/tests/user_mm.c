// SPDX-License-Identifier: GPL-2.0-only
/*
 * User address space for KUnit tests.
 *
 * The thread of the test case uses a fresh mm, so that current->mm, GUP and
 * copies to user memory work as in a process. The mm is dropped at the end of
 * the test case, or when the thread exits if the test case is aborted.
 */
#include <linux/anon_inodes.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/uaccess.h>

#include "user_mm.h"

static void user_mm_free(struct kunit_resource *res)
{
	struct mm_struct *mm = res->data;

	if (current->mm != mm)
		return;
	kthread_unuse_mm(mm);
	/* The engine must not hold a reference to mm_users. */
	WARN_ON(atomic_read(&mm->mm_users) != 1);
	mmput(mm);
}

/*
 * Give the test case an mm. By the end of the test case, the memory of the mm
 * must be unpinned and all other references to mm_users must have been dropped.
 */
struct mm_struct *test_user_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	kthread_use_mm(mm);
	kunit_alloc_resource(test, NULL, user_mm_free, GFP_KERNEL, mm);
	return mm;
}

/* Run as another user until the return value is passed to revert_creds(). */
const struct cred *test_be_user(struct kunit *test, unsigned int uid)
{
	struct user_struct *user = alloc_uid(KUIDT_INIT(uid));
	struct cred *cred = prepare_creds();
	const struct cred *before;

	KUNIT_ASSERT_NOT_NULL(test, user);
	KUNIT_ASSERT_NOT_NULL(test, cred);
	free_uid(cred->user);
	cred->user = user;
	before = override_creds(cred);
	put_cred(cred);
	return before;
}

/* Map private anonymous memory without populating it. */
unsigned long test_mmap(struct kunit *test, unsigned long npages, int prot)
{
	unsigned long uaddr = vm_mmap(NULL, 0, npages << PAGE_SHIFT, prot,
				      MAP_PRIVATE | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

/* Map shared anonymous memory without populating it. */
unsigned long test_mmap_shared(struct kunit *test, unsigned long npages)
{
	unsigned long uaddr = vm_mmap(NULL, 0, npages << PAGE_SHIFT,
				      PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

void test_munmap(struct kunit *test, unsigned long uaddr, unsigned long npages)
{
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(uaddr, npages << PAGE_SHIFT));
}

/*
 * Write the index of each page to the first word of the page. Odd pages are
 * written first, so that adjacent pages are usually not physically contiguous.
 */
void test_touch(struct kunit *test, unsigned long uaddr, unsigned long npages)
{
	unsigned long i, odd;

	for (odd = 2; odd--;)
		for (i = odd; i < npages; i += 2)
			KUNIT_ASSERT_EQ(test, 0,
					put_user(i, (unsigned long __user *)
						 (uaddr + (i << PAGE_SHIFT))));
}

/* Map writable memory and populate it. */
unsigned long test_touched(struct kunit *test, unsigned long npages)
{
	unsigned long uaddr = test_mmap(test, npages, PROT_READ | PROT_WRITE);

	test_touch(test, uaddr, npages);
	return uaddr;
}

/**
 * struct contiguous - physically contiguous pages
 * @first: first page
 * @order: base-2 logarithm of half the number of pages
 */
struct contiguous {
	struct page *first;
	unsigned int order;
};

#define CONTIGUOUS_TRIES	64U

static void contiguous_free(struct kunit_resource *res)
{
	struct contiguous *block = res->data;
	unsigned long i;

	for (i = 0; i != 2UL << block->order; i++)
		put_page(block->first + i);
	kfree(block);
}

/*
 * Find two physically adjacent blocks, and free all other blocks. Return the
 * first page of the lower block, or NULL if no two blocks are adjacent.
 */
static struct page *find_neighbours(struct page **block, unsigned int nr,
				    unsigned int order)
{
	struct page *first = NULL;
	unsigned int i, j;

	for (i = 0; i != nr && !first; i++)
		for (j = 0; j != nr && !first; j++)
			if (page_to_pfn(block[j]) ==
			    page_to_pfn(block[i]) + (1UL << order))
				first = block[i];
	for (i = 0; i != nr; i++)
		if (!first || (block[i] != first &&
			       block[i] != first + (1UL << order)))
			__free_pages(block[i], order);
	return first;
}

/*
 * Allocate two physically adjacent blocks and split them into pages. Return the
 * first page, or NULL on failure.
 */
static struct page *alloc_neighbours(unsigned int order)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;
	struct page *block[CONTIGUOUS_TRIES], *first = NULL;
	unsigned int nr;

	/*
	 * Try a single block of twice the size first, because blocks that are
	 * allocated separately are rarely adjacent in fragmented memory.
	 */
	if (order + 1 < MAX_ORDER)
		first = alloc_pages(gfp, order + 1);
	if (first) {
		split_page(first, order + 1);
		return first;
	}
	for (nr = 0; nr != CONTIGUOUS_TRIES; nr++) {
		block[nr] = alloc_pages(gfp, order);
		if (!block[nr])
			break;
	}
	first = find_neighbours(block, nr, order);
	if (first) {
		split_page(first, order);
		split_page(first + (1UL << order), order);
	}
	return first;
}

static int contiguous_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct contiguous *block = file->private_data;
	unsigned long i;
	int rc = 0;

	for (i = 0; !rc && i != vma_pages(vma); i++)
		rc = vm_insert_page(vma, vma->vm_start + (i << PAGE_SHIFT),
				    block->first + i);
	return rc;
}

static const struct file_operations contiguous_fops = {
	.mmap = contiguous_mmap,
};

/*
 * Map and populate writable, physically contiguous memory of a device driver.
 * The memory may be up to twice as large as the largest block of the page
 * allocator. Return 0 if no such memory is available.
 */
unsigned long test_contiguous(struct kunit *test, unsigned long npages)
{
	struct contiguous *found;
	unsigned long uaddr;
	struct file *file;

	found = kzalloc(sizeof(*found), GFP_KERNEL);
	if (!found)
		return 0;
	found->order = order_base_2(DIV_ROUND_UP(npages, 2));
	found->first = alloc_neighbours(found->order);
	if (!found->first) {
		kfree(found);
		return 0;
	}
	kunit_alloc_resource(test, NULL, contiguous_free, GFP_KERNEL, found);

	file = anon_inode_getfile("[iopt-test]", &contiguous_fops, found,
				  O_RDWR);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, npages << PAGE_SHIFT, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	fput(file);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

/* Return the pfn of the page at a user address. */
unsigned long test_user_pfn(struct kunit *test, unsigned long uaddr)
{
	unsigned long pfn;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 1, get_user_pages_fast(uaddr, 1, 0, &page));
	pfn = page_to_pfn(page);
	put_page(page);
	return pfn;
}

/* Return the pin count of a page frame that is not part of a large folio. */
unsigned int test_pins(unsigned long pfn)
{
	return page_ref_count(pfn_to_page(pfn)) / GUP_PIN_COUNTING_BIAS;
}

/* Expect that each of the @npages pages at @uaddr is pinned @pins times. */
void test_expect_pins(struct kunit *test, unsigned long uaddr,
		      unsigned long npages, unsigned int pins)
{
	unsigned long i;

	for (i = 0; i != npages; i++)
		KUNIT_EXPECT_EQ(test, pins,
				test_pins(test_user_pfn(test, uaddr +
							(i << PAGE_SHIFT))));
}

void test_set_memlock(unsigned long bytes)
{
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur = bytes;
}
