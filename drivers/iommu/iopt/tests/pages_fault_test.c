// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page faults during pinning (pages_pin.c), in a file on a filesystem that does
 * not respond.
 *
 * In most test cases, a second thread blocks in a fault on a page of the file.
 * Calls that do not need this page must not wait for it: a test case hangs if
 * they do. While the thread is blocked, the pages that it has already pinned
 * are charged, and the thread is killable.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mman.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>

#include "../pages.h"
#include "../pages_pin.h"
#include "../validate.h"
#include "access.h"
#include "slow_memory.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* Map @npages pages of a file. All of them except @slow->page are populated. */
static unsigned long map_slow_page(struct kunit *test, struct slow_memory *slow,
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

/*
 * Map 8 pages at IOVA, and copy the mapping of the first 4 pages into a new
 * space. Return the new space.
 */
static struct io_pagetable *map_and_copy(struct kunit *test,
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

/*
 * Pages that a map has already pinned count towards RLIMIT_MEMLOCK while the
 * map waits for another page to be faulted in.
 */
static void limit_includes_pages_of_waiting_map(struct kunit *test)
{
	unsigned long charged = test_charged(), few = test_touched(test, 2);
	struct test_space *space = test->priv;
	struct slow_memory slow = { .page = 7 };
	unsigned long uaddr;
	struct test_thread map;

	uaddr = map_slow_page(test, &slow, 8);
	test_attach(test, space->mock[0]);
	test_thread_map(test, &map, IOVA, uaddr, 8);
	wait_for_completion(&slow.blocked);

	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());
	test_set_memlock(PAGES(charged + 8));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(space->iopt, 0, few, 2));
	KUNIT_EXPECT_EQ(test, charged + 7, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 0, few, 1));
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, 0, 1));
	test_set_memlock(RLIM_INFINITY);

	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_munmap(test, uaddr, 8);
}

/*
 * While the attach of a domain to one space waits for a page to be faulted in,
 * another space that shares the pages can unmap, detach and attach.
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

	uaddr = map_slow_page(test, &slow, 8);
	other = map_and_copy(test, uaddr);
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(other, &iova, space->iopt,
					   IOVA + PAGES(6), PAGES(2), TEST_RW,
					   IOPT_MAP_FIXED));
	KUNIT_ASSERT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	KUNIT_EXPECT_EQ(test, charged + 6, test_charged());

	test_thread_attach(test, &attach, space->mock[0], current->mm);
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

/*
 * While a call waits for a page to be faulted in, accesses can pin the other
 * pages. Several calls that wait for the same page pin it only once.
 */
static void pin_does_not_wait_for_other_pages(struct kunit *test)
{
	unsigned long uaddr, charged = test_charged();
	struct test_space *space = test->priv;
	struct slow_memory slow = { .page = 3 };
	struct test_access *access = test_access_create(test);
	struct test_thread one, two;

	uaddr = map_slow_page(test, &slow, 8);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	test_thread_pin(test, &one, test_access_create(test), IOVA, 8);
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
	test_thread_pin(test, &two, test_access_create(test), IOVA, 8);
	wait_for_completion(&slow.blocked);
	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&one));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&two));
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());
	test_expect_pins(test, uaddr, 8, 1);

	KUNIT_EXPECT_EQ(test, 8, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 8, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 7, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	test_munmap(test, uaddr, 8);
}

/*
 * While a holder waits for a page to be faulted in, the pages that it found
 * pinned stay pinned, even if the holder that pinned them is removed.
 */
static void waiting_holder_keeps_found_pages(struct kunit *test)
{
	unsigned long uaddr, bytes, charged = test_charged();
	struct io_pagetable *other;
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[1];
	struct slow_memory slow = { .page = 5 };
	struct test_thread attach;
	struct iopt_pages *pages;

	uaddr = map_slow_page(test, &slow, 8);
	other = map_and_copy(test, uaddr);
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());

	test_thread_attach(test, &attach, space->mock[0], current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 1, pages->nr_filling);
	KUNIT_EXPECT_EQ(test, charged + 5, test_charged());
	/*
	 * iopt_validate() of the other space accepts the hole at the page that
	 * the holder waits for.
	 */
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, charged + 5, test_charged());
	test_expect_pins(test, uaddr, 4, 1);
	iopt_detach_domain(other, &mock->domain);
	iopt_free(other);

	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
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
 * If a page of a read-only private file mapping has to be faulted in, it is
 * replaced with an anonymous copy before it is pinned.
 */
static void private_page_is_copied_after_fault(struct kunit *test)
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
	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 1);
	page = pfn_to_page(mock_domain_pfn(space->mock[0], IOVA));
	KUNIT_EXPECT_TRUE(test, PageAnon(page));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	test_munmap(test, uaddr, 1);
}

/**
 * struct blocking_file - file in which page faults block for all tasks but one
 * @exempt: task that faults without blocking
 * @blocked: completed when a fault of another task blocks
 * @resume: completed by the test to resume the blocked fault, which waits
 *          without the mmap_lock
 * @uaddr: user address at which the file is mapped
 */
struct blocking_file {
	struct task_struct *exempt;
	struct completion blocked;
	struct completion resume;
	unsigned long uaddr;
};

/* Number of faults: more than a call may take in a row without progress. */
#define NR_BLOCKING	(IOPT_FAULTS_MAX + 8UL)

static vm_fault_t blocking_fault(struct vm_fault *vmf)
{
	struct blocking_file *blocking = vmf->vma->vm_private_data;

	if (current == blocking->exempt) {
		vmf->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		return vmf->page ? 0 : VM_FAULT_OOM;
	}
	mmap_read_unlock(vmf->vma->vm_mm);
	complete(&blocking->blocked);
	wait_for_completion(&blocking->resume);
	return VM_FAULT_RETRY;
}

static const struct vm_operations_struct blocking_vm_ops = {
	.fault = blocking_fault,
};

static int blocking_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_private_data = file->private_data;
	vma->vm_ops = &blocking_vm_ops;
	return 0;
}

static const struct file_operations blocking_fops = { .mmap = blocking_mmap };

/* Map each page as a VMA of its own, so that a fault covers a single page. */
static void blocking_file_map(struct kunit *test,
			      struct blocking_file *blocking)
{
	struct file *file = anon_inode_getfile("[iopt-blocking]",
					       &blocking_fops, blocking,
					       O_RDWR);
	unsigned long i;

	blocking->exempt = current;
	init_completion(&blocking->blocked);
	init_completion(&blocking->resume);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	blocking->uaddr = test_mmap(test, NR_BLOCKING, PROT_READ | PROT_WRITE);
	for (i = 0; i != NR_BLOCKING; i++)
		KUNIT_ASSERT_EQ(test, blocking->uaddr + PAGES(i),
				vm_mmap(file, blocking->uaddr + PAGES(i),
					PAGES(1), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_FIXED, 0));
	fput(file);
}

/*
 * Each time a fault of the thread blocks, pin the page through another space
 * before resuming the fault. Join the thread at the end.
 */
static void pin_each_page_first(struct kunit *test, struct test_thread *thread,
				struct blocking_file *blocking)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other = test_other_space(test, space->mock[1]);
	unsigned long i, iova = IOVA;

	for (i = 0; i != NR_BLOCKING; i++, iova += PAGE_SIZE) {
		while (!try_wait_for_completion(&blocking->blocked) &&
		       !completion_done(&thread->done))
			msleep(20);
		if (completion_done(&thread->done))
			break;
		KUNIT_EXPECT_EQ(test, 0, iopt_copy(other, &iova, space->iopt,
						   iova, PAGE_SIZE, TEST_RW,
						   IOPT_MAP_FIXED));
		complete(&blocking->resume);
	}
	KUNIT_EXPECT_EQ(test, NR_BLOCKING, i);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(thread));
	test_other_free(test, other, space->mock[1]);
}

/*
 * A holder makes progress if other callers pin the pages that it needs, and
 * thus does not fail after IOPT_FAULTS_MAX faults.
 */
static void progress_of_others_counts_for_holder(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other = test_other_space(test, space->mock[0]);
	struct test_thread thread;
	struct blocking_file blocking;

	blocking_file_map(test, &blocking);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, blocking.uaddr,
					  NR_BLOCKING));
	test_thread_copy_to(test, &thread, other, IOVA, NR_BLOCKING);
	pin_each_page_first(test, &thread, &blocking);
	mock_expect_maps(space->mock[0], IOVA, blocking.uaddr, NR_BLOCKING);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NR_BLOCKING));
	test_munmap(test, blocking.uaddr, NR_BLOCKING);
}

static long call_pin_all(struct test_thread *thread)
{
	struct page *pages[NR_BLOCKING];

	return test_pin_flags(thread->data, IOVA, NR_BLOCKING, pages, 0);
}

/*
 * An access makes progress if other callers pin the pages that it needs, and
 * thus does not fail after IOPT_FAULTS_MAX faults.
 */
static void progress_of_others_counts_for_access(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	struct test_thread thread;
	struct blocking_file blocking;

	blocking_file_map(test, &blocking);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, blocking.uaddr,
					  NR_BLOCKING));
	test_thread_start(test, &thread, call_pin_all, access, current->mm);
	pin_each_page_first(test, &thread, &blocking);
	KUNIT_EXPECT_EQ(test, NR_BLOCKING, test_unpin(access, IOVA,
						      NR_BLOCKING));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NR_BLOCKING));
	test_munmap(test, blocking.uaddr, NR_BLOCKING);
}

/* Number of runs: more than a holder visits between two checks for signals. */
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
 * iopt_pages_hold() of many pages is killable, even if another holder has
 * pinned all of them.
 */
static void holder_of_held_pages_is_killable(struct kunit *test)
{
	unsigned long charged = test_charged(), uaddr;
	struct test_space *space = test->priv;
	struct iopt_pages *pages;

	uaddr = test_touched(test, NR_RUNS);
	/*
	 * Adjacent pages differ in kind, so that each page is a run of its own.
	 */
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

static struct kunit_case pages_fault_cases[] = {
	KUNIT_CASE(limit_includes_pages_of_waiting_map),
	KUNIT_CASE(sharing_space_does_not_wait),
	KUNIT_CASE(pin_does_not_wait_for_other_pages),
	KUNIT_CASE(waiting_holder_keeps_found_pages),
	KUNIT_CASE(private_page_is_copied_after_fault),
	KUNIT_CASE(progress_of_others_counts_for_holder),
	KUNIT_CASE(progress_of_others_counts_for_access),
	KUNIT_CASE(holder_of_held_pages_is_killable),
	{}
};

static struct kunit_suite pages_fault_suite = {
	.name = "iopt-pages-fault",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pages_fault_cases,
};

kunit_test_suite(pages_fault_suite);
