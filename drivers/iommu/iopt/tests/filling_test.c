// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that must be faulted in before they can be pinned, from a file on a
 * filesystem that does not respond.
 *
 * A second thread needs such a page and waits. No other call may wait for the
 * page unless it needs the same one; a case in which one does hangs. Pages that
 * are pinned meanwhile are charged, and the waiting thread can be killed.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>

#include "../io_pagetable.h"
#include "../page_claim.h"
#include "../pages.h"
#include "access.h"
#include "slow_memory.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* Map @npages of a file. All pages but @slow->page are populated. */
static unsigned long slow_page(struct kunit *test, struct slow_memory *slow,
			       unsigned long npages)
{
	unsigned long uaddr = test_slow_file(test, slow, npages,
					     PROT_READ | PROT_WRITE,
					     MAP_SHARED);
	unsigned long i;

	for (i = 0; i != npages; i++)
		if (i != slow->page)
			test_touch(test, uaddr + PAGES(i), 1);
	return uaddr;
}

/* Map 8 pages at IOVA, and copy the first 4 into another space. */
static struct io_pagetable *map_and_share(struct kunit *test,
					  unsigned long uaddr)
{
	struct io_pagetable *other = test_iopt_alloc(test);
	struct test_space *space = test->priv;
	unsigned long iova = IOVA;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(other, &iova, space->iopt, IOVA,
					   PAGES(4), TEST_RW, IOPT_MAP_FIXED));
	return other;
}

static long call_map(struct test_thread *thread)
{
	return test_map(thread->space->iopt, IOVA, *(unsigned long *)thread->data,
			8);
}

static long call_attach(struct test_thread *thread)
{
	return iopt_attach_domain(thread->space->iopt,
				  &thread->space->mock[0]->domain);
}

/*
 * The limit includes the pages that a map has pinned while it waits for another
 * one.
 */
static void limit_holds_while_a_map_waits(struct kunit *test)
{
	unsigned long charged = test_charged(), few = test_touched(test, 2);
	struct test_space *space = test->priv;
	struct slow_memory slow = { .page = 7 };
	struct rlimit *limit = &current->signal->rlim[RLIMIT_MEMLOCK];
	unsigned long before = limit->rlim_cur, uaddr;
	struct test_thread map;

	uaddr = slow_page(test, &slow, 8);
	test_attach(test, space->mock[0]);
	test_thread_start(test, &map, call_map, &uaddr, current->mm);
	wait_for_completion(&slow.blocked);

	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());
	limit->rlim_cur = PAGES(charged + 8);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(space->iopt, 0, few, 2));
	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 0, few, 1));
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, 0, 1));
	limit->rlim_cur = before;

	complete_all(&slow.go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_munmap(test, uaddr, 8);
}

/*
 * A space that shares the pages can unmap, detach and attach while the attach
 * of a domain to another space waits for one of the pages.
 */
static void sharing_space_does_not_wait(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	unsigned long uaddr, bytes, charged = test_charged();
	unsigned long iova = IOVA + PAGES(4);
	struct slow_memory slow = { .page = 5 };
	struct io_pagetable *other;
	struct test_thread attach;

	uaddr = slow_page(test, &slow, 8);
	other = map_and_share(test, uaddr);
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(other, &iova, space->iopt,
					   IOVA + PAGES(6), PAGES(2), TEST_RW,
					   IOPT_MAP_FIXED));
	KUNIT_ASSERT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	KUNIT_EXPECT_EQ(test, charged + 6, test_charged());

	test_thread_start(test, &attach, call_attach, NULL, current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, IOVA, IOVA + PAGES(4) - 1,
					    &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(4), bytes);
	iopt_detach_domain(other, &mock->domain);
	KUNIT_EXPECT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	KUNIT_EXPECT_EQ(test, 2, mock->nr_ptes);
	iopt_detach_domain(other, &mock->domain);
	iopt_free(other);
	KUNIT_EXPECT_FALSE(test, completion_done(&attach.done));

	/* A killed attach unpins the pages that it had pinned. */
	test_thread_kill(&attach);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	test_munmap(test, uaddr, 8);
}

/**
 * struct pin_call - pages that a thread pins
 * @access: access that pins them
 * @iova: first IOVA
 * @npages: number of pages
 */
struct pin_call {
	struct test_access *access;
	unsigned long iova;
	unsigned long npages;
};

static long call_pin(struct test_thread *thread)
{
	const struct pin_call *call = thread->data;
	struct page *pages[8];

	return test_pin_flags(call->access, call->iova, call->npages, pages, 0);
}

/*
 * Accesses can pin the other pages while a call waits for one. Calls that wait
 * for the same page all pin the same one.
 */
static void accesses_pin_around_a_page(struct kunit *test)
{
	unsigned long uaddr, charged = test_charged(), i;
	struct test_space *space = test->priv;
	struct slow_memory slow = { .page = 3 };
	struct test_access *access = test_access_create(test);
	struct test_thread one, two;
	struct pin_call call[2];

	uaddr = slow_page(test, &slow, 8);
	for (i = 0; i != ARRAY_SIZE(call); i++)
		call[i] = (struct pin_call){ test_access_create(test), IOVA, 8 };
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	test_thread_start(test, &one, call_pin, &call[0], current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 3));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());

	/*
	 * Another call that needs the page waits too, and the page is pinned
	 * once.
	 */
	reinit_completion(&slow.blocked);
	test_thread_start(test, &two, call_pin, &call[1], current->mm);
	wait_for_completion(&slow.blocked);
	complete_all(&slow.go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&one));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&two));
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	for (i = 0; i != 8; i++)
		KUNIT_EXPECT_EQ(test, 1,
				test_pins(test_user_pfn(test,
							uaddr + PAGES(i))));

	KUNIT_EXPECT_EQ(test, 8, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 8, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 7, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	test_munmap(test, uaddr, 8);
}

/*
 * A page of a writable mapping becomes dirty when the last holder drops it,
 * even if that holder is read-only.
 */
static void last_holder_may_be_read_only(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = vm_mmap(NULL, 0, PAGES(1), PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, 0);
	unsigned long iova = IOVA + PAGES(1);
	struct page *page;

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	test_touch(test, uaddr, 1);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(space->iopt, &iova, space->iopt,
					   IOVA, PAGES(1), IOMMU_READ,
					   IOPT_MAP_FIXED));
	page = pfn_to_page(mock_domain_pfn(space->mock[0], IOVA));
	get_page(page);
	/* Simulate writeback before the device writes to the page again. */
	ClearPageDirty(page);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	KUNIT_EXPECT_FALSE(test, PageDirty(page));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, iova, 1));
	KUNIT_EXPECT_TRUE(test, PageDirty(page));
	put_page(page);
	test_munmap(test, uaddr, 1);
}

/**
 * struct copy_call - copy that a thread makes into another space
 * @to: destination space
 * @iova: IOVA in both the destination and the source
 * @npages: number of pages
 */
struct copy_call {
	struct io_pagetable *to;
	unsigned long iova;
	unsigned long npages;
};

static long call_copy(struct test_thread *thread)
{
	const struct copy_call *call = thread->data;
	unsigned long iova = call->iova;

	return iopt_copy(call->to, &iova, thread->space->iopt, iova,
			 PAGES(call->npages), IOMMU_READ, IOPT_MAP_FIXED);
}

/*
 * A holder of some pages of a hole waits for the caller that is pinning all of
 * them. Each of them then finds every page at its index, and keeps its pages
 * when the other holder is removed.
 */
static void holder_comes_while_pinning(struct kunit *test, unsigned long uaddr)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other[2] = {
		test_other_space(test, space->mock[0]),
		test_other_space(test, space->mock[1]),
	};
	struct copy_call whole = { other[0], IOVA, 32 };
	struct copy_call part = { other[1], IOVA + PAGES(8), 8 };
	struct copy_call behind = { other[0], IOVA + PAGES(32), 32 };
	struct test_thread one, two;
	struct iopt_pages *pages;
	unsigned long bytes;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 64,
					       IOMMU_READ));
	pages = test_area_at(space, IOVA)->pages;
	/* The record extends beyond the hole that is filled. */
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_copy, &behind,
						 current->mm));

	/*
	 * Holding the mmap_lock stops a read-only pin, which looks up the VMA
	 * first.
	 */
	mmap_write_lock(current->mm);
	test_thread_start(test, &one, call_copy, &whole, current->mm);
	while (!rwsem_is_contended(&current->mm->mmap_lock))
		msleep(20);
	test_thread_start(test, &two, call_copy, &part, current->mm);
	while (!READ_ONCE(pages->nr_waiting))
		msleep(20);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&one));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&two));

	KUNIT_EXPECT_EQ(test, 64, pages->nr_charged);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 64);
	mock_expect_maps(space->mock[1], IOVA + PAGES(8), uaddr + PAGES(8), 8);
	KUNIT_EXPECT_EQ(test, 64, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 8, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other[0], IOVA,
					    IOVA + PAGES(32) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, 40, pages->nr_charged);
	for (i = 0; i != 32; i++)
		KUNIT_EXPECT_EQ(test, i >= 8 && i < 16,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	for (i = 0; i != 2; i++)
		test_other_free(test, other[i], space->mock[i]);
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 64));
}

/* Scattered pages take a run for each page. */
static void holder_comes_while_its_pages_are_pinned(struct kunit *test)
{
	holder_comes_while_pinning(test, test_touched(test, 64));
}

/*
 * A run of contiguous pages is cut where the slice of the waiting holder ends.
 */
static void holder_comes_while_a_run_is_pinned(struct kunit *test)
{
	unsigned long uaddr = test_contiguous(test, 64);

	if (!uaddr)
		kunit_skip(test, "no contiguous memory to be had");
	holder_comes_while_pinning(test, uaddr);
}

/*
 * A holder that waits for a page keeps the pages that it has found, even if the
 * holder that pinned them drops them.
 */
static void waiting_holder_keeps_what_others_drop(struct kunit *test)
{
	unsigned long uaddr, bytes, charged = test_charged(), i;
	struct io_pagetable *other;
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	struct slow_memory slow = { .page = 5 };
	struct test_thread attach;
	struct iopt_pages *pages;

	uaddr = slow_page(test, &slow, 8);
	other = map_and_share(test, uaddr);
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());

	test_thread_start(test, &attach, call_attach, NULL, current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 1, pages->nr_filling);
	KUNIT_EXPECT_EQ(test, charged + 5, test_charged());
	/*
	 * iopt_validate() of the other space accepts the hole that the holder
	 * waits for.
	 */
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, charged + 5, test_charged());
	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, 1,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	iopt_detach_domain(other, &mock->domain);
	iopt_free(other);

	complete_all(&slow.go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	space->mock[0]->attached = true;
	KUNIT_EXPECT_EQ(test, 0, pages->nr_filling);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_munmap(test, uaddr, 8);
}

static long call_map_one(struct test_thread *thread)
{
	return test_map_prot(thread->space->iopt, IOVA,
			     *(unsigned long *)thread->data, 1, IOMMU_READ);
}

/*
 * In a read-only private mapping of a file, a page that had to be waited for is
 * copied, and the copy is pinned.
 */
static void page_that_was_waited_for_is_copied(struct kunit *test)
{
	unsigned long uaddr, charged = test_charged();
	struct test_space *space = test->priv;
	struct slow_memory slow = {};
	struct test_thread map;
	struct page *page;

	uaddr = test_slow_file(test, &slow, 1, PROT_READ, MAP_PRIVATE);
	test_attach(test, space->mock[0]);
	test_thread_start(test, &map, call_map_one, &uaddr, current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	complete_all(&slow.go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 1);
	page = pfn_to_page(mock_domain_pfn(space->mock[0], IOVA));
	KUNIT_EXPECT_TRUE(test, PageAnon(page));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	test_munmap(test, uaddr, 1);
}

/**
 * struct helped - file in which the faults of only one task succeed at once
 * @helper: the task that faults without blocking
 * @blocked: completed when a fault of another task blocks
 * @go_on: completed by the test to resume that fault, which waits with the
 *         mmap_lock released
 * @uaddr: user address of the file
 */
struct helped {
	struct task_struct *helper;
	struct completion blocked;
	struct completion go_on;
	unsigned long uaddr;
};

/*
 * More than the number of successive faults that a call may make without
 * progress.
 */
#define NR_HELPED	(IOPT_FAULTS_MAX + 8UL)

static vm_fault_t helped_fault(struct vm_fault *vmf)
{
	struct helped *helped = vmf->vma->vm_private_data;

	if (current == helped->helper) {
		vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		return vmf->page ? 0 : VM_FAULT_OOM;
	}
	mmap_read_unlock(vmf->vma->vm_mm);
	complete(&helped->blocked);
	wait_for_completion(&helped->go_on);
	return VM_FAULT_RETRY;
}

static const struct vm_operations_struct helped_vm_ops = {
	.fault = helped_fault,
};

static int helped_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &helped_vm_ops;
	return 0;
}

static const struct file_operations helped_fops = { .mmap = helped_mmap };

/* Map each page separately, so that a fault covers one page only. */
static void helped_map(struct kunit *test, struct helped *helped)
{
	struct file *file = anon_inode_getfile("[iopt-helped]", &helped_fops,
					       helped, O_RDWR);
	unsigned long i;

	helped->helper = current;
	init_completion(&helped->blocked);
	init_completion(&helped->go_on);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	helped->uaddr = test_mmap(test, NR_HELPED, PROT_READ | PROT_WRITE);
	for (i = 0; i != NR_HELPED; i++)
		KUNIT_ASSERT_EQ(test, helped->uaddr + PAGES(i),
				vm_mmap(file, helped->uaddr + PAGES(i),
					PAGES(1), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, 0));
	fput(file);
}

/*
 * Make @call in a thread. While each of its faults blocks, another caller pins
 * the page.
 */
static void pin_each_page_first(struct kunit *test,
				long (*call)(struct test_thread *thread),
				void *data, struct helped *helped)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other = test_other_space(test, space->mock[1]);
	unsigned long i, iova = IOVA;
	struct test_thread thread;

	test_thread_start(test, &thread, call, data, current->mm);
	for (i = 0; i != NR_HELPED; i++, iova += PAGE_SIZE) {
		while (!try_wait_for_completion(&helped->blocked) &&
		       !completion_done(&thread.done))
			msleep(20);
		if (completion_done(&thread.done))
			break;
		KUNIT_EXPECT_EQ(test, 0, iopt_copy(other, &iova, space->iopt,
						   iova, PAGE_SIZE, TEST_RW,
						   IOPT_MAP_FIXED));
		complete(&helped->go_on);
	}
	KUNIT_EXPECT_EQ(test, NR_HELPED, i);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	test_other_free(test, other, space->mock[1]);
}

/*
 * A holder does not run out of faults if other callers pin the pages that it
 * needs.
 */
static void holder_is_helped_by_others(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other = test_other_space(test, space->mock[0]);
	struct copy_call copy = { other, IOVA, NR_HELPED };
	struct helped helped;

	helped_map(test, &helped);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, helped.uaddr,
					  NR_HELPED));
	pin_each_page_first(test, call_copy, &copy, &helped);
	mock_expect_maps(space->mock[0], IOVA, helped.uaddr, NR_HELPED);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NR_HELPED));
	test_munmap(test, helped.uaddr, NR_HELPED);
}

static long call_pin_helped(struct test_thread *thread)
{
	struct page *pages[NR_HELPED];

	return test_pin_flags(thread->data, IOVA, NR_HELPED, pages, 0);
}

/* An access does not run out of faults either. */
static void access_is_helped_by_others(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct helped helped;

	helped_map(test, &helped);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, helped.uaddr,
					  NR_HELPED));
	pin_each_page_first(test, call_pin_helped, access, &helped);
	KUNIT_EXPECT_EQ(test, NR_HELPED, test_unpin(access, IOVA, NR_HELPED));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NR_HELPED));
	test_munmap(test, helped.uaddr, NR_HELPED);
}

/*
 * More than the number of runs that a caller skips between checks for signals.
 */
#define NR_RUNS		1100UL

static long call_hold_killed(struct test_thread *thread)
{
	struct interval_tree_node slice = { .last = NR_RUNS - 1 };
	unsigned long lost = 0;

	send_sig(SIGKILL, current, 1);
	return iopt_pages_hold(thread->data, &slice, false, &lost);
}

static void set_reserved(struct kunit *test, unsigned long uaddr,
			 bool reserved)
{
	unsigned long i;

	for (i = 0; i < NR_RUNS; i += 2) {
		struct page *page = pfn_to_page(test_user_pfn(test, uaddr +
							      PAGES(i)));

		if (reserved)
			SetPageReserved(page);
		else
			ClearPageReserved(page);
	}
}

/*
 * A caller that needs many pages can be killed even if other holders have all
 * of them.
 */
static void holder_of_held_pages_can_be_killed(struct kunit *test)
{
	unsigned long charged = test_charged(), uaddr;
	struct test_space *space = test->priv;
	struct iopt_pages *pages;

	uaddr = test_touched(test, NR_RUNS);
	/* Neighbours differ in kind, so that each page is a run. */
	set_reserved(test, uaddr, true);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, NR_RUNS));
	KUNIT_EXPECT_EQ(test, charged + NR_RUNS / 2, test_charged());
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_run(test, call_hold_killed,
						      pages, current->mm));
	KUNIT_EXPECT_EQ(test, charged + NR_RUNS / 2, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NR_RUNS));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	set_reserved(test, uaddr, false);
}

static struct kunit_case filling_cases[] = {
	KUNIT_CASE(limit_holds_while_a_map_waits),
	KUNIT_CASE(sharing_space_does_not_wait),
	KUNIT_CASE(accesses_pin_around_a_page),
	KUNIT_CASE(holder_comes_while_its_pages_are_pinned),
	KUNIT_CASE(holder_comes_while_a_run_is_pinned),
	KUNIT_CASE(waiting_holder_keeps_what_others_drop),
	KUNIT_CASE(page_that_was_waited_for_is_copied),
	KUNIT_CASE(last_holder_may_be_read_only),
	KUNIT_CASE(holder_is_helped_by_others),
	KUNIT_CASE(access_is_helped_by_others),
	KUNIT_CASE(holder_of_held_pages_can_be_killed),
	{}
};

static struct kunit_suite filling_suite = {
	.name = "iopt-filling",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = filling_cases,
};

kunit_test_suite(filling_suite);
