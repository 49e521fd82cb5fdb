// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user address space for KUnit tests.
 *
 * The thread of the test case borrows a fresh mm, so that current->mm, GUP and
 * copies to user memory work as for a process. It goes with the test case: if
 * that ends early, the exit of its thread puts the mm instead.
 */
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "user_mm.h"

static void user_mm_free(struct kunit_resource *res)
{
	struct mm_struct *mm = res->data;

	if (current->mm != mm)
		return;
	kthread_unuse_mm(mm);
	mmput(mm);
}

/*
 * Give the test case an mm. Memory it mapped must not be pinned any more at
 * the end.
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

/* Map anonymous memory, not yet there. */
unsigned long test_mmap(struct kunit *test, unsigned long npages, int prot)
{
	unsigned long uaddr = vm_mmap(NULL, 0, npages << PAGE_SHIFT, prot,
				      MAP_PRIVATE | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	return uaddr;
}

void test_munmap(struct kunit *test, unsigned long uaddr, unsigned long npages)
{
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(uaddr, npages << PAGE_SHIFT));
}

/* Write to each page, odd ones first so that they do not lie in a row. */
void test_touch(struct kunit *test, unsigned long uaddr, unsigned long npages)
{
	unsigned long i, odd;

	for (odd = 2; odd--;)
		for (i = odd; i < npages; i += 2)
			KUNIT_ASSERT_EQ(test, 0,
					put_user(i, (unsigned long __user *)
						 (uaddr + (i << PAGE_SHIFT))));
}

/* Writable memory that is there. */
unsigned long test_touched(struct kunit *test, unsigned long npages)
{
	unsigned long uaddr = test_mmap(test, npages, PROT_READ | PROT_WRITE);

	test_touch(test, uaddr, npages);
	return uaddr;
}

/* The page frame behind user memory. */
unsigned long test_user_pfn(struct kunit *test, unsigned long uaddr)
{
	unsigned long pfn;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 1, get_user_pages_fast(uaddr, 1, 0, &page));
	pfn = page_to_pfn(page);
	put_page(page);
	return pfn;
}

/* How many pins a page frame that is not part of a large folio has. */
unsigned int test_pins(unsigned long pfn)
{
	return page_ref_count(pfn_to_page(pfn)) / GUP_PIN_COUNTING_BIAS;
}
