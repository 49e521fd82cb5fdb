// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delays between callers: a call that blocks does not delay maps, unmaps,
 * accesses and queries at other IOVAs, unless they use the same pages or need
 * the mmap_lock that the call holds.
 *
 * In most test cases, a second thread makes a call that blocks, either while it
 * programs the mock domain or in a page fault while it pins. Meanwhile the test
 * case checks that independent calls return, and that dependent calls wait. No
 * test case relies on timing.
 */
#include <linux/delay.h>
#include <linux/mman.h>

#include "access.h"
#include "slow_memory.h"
#include "thread.h"

#define IOVA	0x100000000UL

/* A blocked map does not delay a map, unmap or query of another range. */
static void blocked_map_delays_no_other_range(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct iopt_range range[2];
	struct test_thread thread;

	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, &thread, space->mock[0], IOVA, uaddr, 8);

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 0, uaddr + PAGES(8), 8));
	mock_expect_maps(space->mock[0], 0, uaddr + PAGES(8), 8);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, 0, 8));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, 0, 8));

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
}

/*
 * Attach does not wait for a blocked map of IOVAs that the new domain can
 * translate. Once the map resumes, it adds its area to the new domain, too.
 */
static void blocked_map_delays_no_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct test_thread thread;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr + PAGES(8), 8));
	test_thread_map_blocked(test, &thread, space->mock[0], IOVA, uaddr, 8);

	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], 0, uaddr + PAGES(8), 8);
	mock_expect_empty(space->mock[1], IOVA, 8);

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	test_validate(test);
}

/* Maps and unmaps of other areas do not wait for a blocked attach. */
static void blocked_attach_delays_no_map(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 24);
	struct test_thread thread;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr + PAGES(8), 8));

	space->mock[1]->block_iova = IOVA;
	test_thread_attach(test, &thread, space->mock[1], current->mm);
	wait_for_completion(&space->mock[1]->blocked);

	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, 2 * IOVA,
					  uaddr + PAGES(16), 8));
	mock_expect_maps(space->mock[0], 2 * IOVA, uaddr + PAGES(16), 8);
	mock_expect_maps(space->mock[1], 2 * IOVA, uaddr + PAGES(16), 8);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, 0, 8));
	mock_expect_empty(space->mock[1], 0, 8);
	test_validate(test);

	complete(&space->mock[1]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, 16, space->mock[1]->nr_ptes);
}

/*
 * If a domain is attached while a map is blocked, and the map then fails in
 * that domain, the map removes its translations from all domains.
 */
static void map_fails_in_new_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct test_thread thread;

	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, &thread, space->mock[0], IOVA, uaddr, 8);
	test_attach(test, space->mock[1]);
	space->mock[1]->fail_map = 1;

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	test_validate(test);
}

/*
 * Expect that calls on other ranges return while a thread waits for a page. The
 * memory at @uaddr is present, and charged with IOPT_ACCOUNT_USER, so that no
 * call takes the mmap_lock for writing: the thread holds it for reading. A call
 * that waits for the thread hangs the test case, because the page arrives only
 * after this function has returned.
 */
static void expect_others_return(struct kunit *test, unsigned long uaddr)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct iopt_access *access;
	struct iopt_range range;
	unsigned long iova = 0, word = 1;
	struct page *pages[4];

	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, 0, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 0, test_map_prot(iopt, PAGES(8), uaddr, 8,
					       IOMMU_READ));
	KUNIT_EXPECT_EQ(test, 0, iopt_copy(iopt, &iova, iopt, PAGES(2),
					   PAGES(4), TEST_RW, 0));
	KUNIT_EXPECT_EQ(test, test_align_iova(PAGES(16), uaddr + PAGES(2),
					      PAGES(4)), iova);
	KUNIT_EXPECT_TRUE(test, iopt_find_mapping(iopt, 0, ULONG_MAX, &range));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	test_validate(test);

	access = iopt_access_create(iopt, &test_no_unmap_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_pin(access, PAGES(2),
						 PAGES(6) - 1, pages, 0));
	KUNIT_EXPECT_EQ(test, 4, iopt_access_unpin(access, PAGES(2),
						   PAGES(6) - 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access, PAGES(3), &word,
						sizeof(word),
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(iopt));
	iopt_dirty_stop(iopt);
	iopt_access_destroy(access);

	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, iova, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, 0, 16));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, 0, 8));
}

/*
 * A map that is blocked in a page fault does not delay calls on other ranges.
 */
static void map_in_fault_delays_no_other_range(struct kunit *test)
{
	unsigned long uaddr = test_touched(test, 8), bytes;
	struct test_space *space = test->priv;
	struct slow_memory slow;
	struct test_thread thread;

	test_attach(test, space->mock[0]);
	test_thread_map(test, &thread, IOVA, test_slow_memory(test, &slow, 8),
			8);
	wait_for_completion(&slow.blocked);
	expect_others_return(test, uaddr);
	/* An attach of another domain does not wait either. */
	test_attach(test, space->mock[1]);
	expect_others_return(test, uaddr);
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_FALSE(test, completion_done(&thread.done));

	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 8, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

/*
 * iopt_try_attach_domain() does not wait for a mapping that is outside the
 * aperture and is still being pinned. The caller can therefore hold a lock that
 * it also takes to detach. iopt_attach_wait() waits for the mapping, but
 * neither delays a detach nor reserves IOVAs.
 */
static void map_in_fault_delays_no_try_attach(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct mock_domain *mock = space->mock[1];
	struct test_thread map, attach;
	struct iopt_range range;
	struct slow_memory slow;

	test_attach(test, space->mock[0]);
	test_thread_map(test, &map, IOVA, test_slow_memory(test, &slow, 8), 8);
	wait_for_completion(&slow.blocked);
	mock->domain.geometry.aperture_end = IOVA - 1;
	KUNIT_EXPECT_EQ(test, 1, iopt_try_attach_domain(iopt, &mock->domain));
	test_thread_attach_wait(test, &attach, space->mock[1]);
	test_thread_expect_waiting(&attach);
	KUNIT_EXPECT_EQ(test, 1, iopt_try_attach_domain(iopt, &mock->domain));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range.last);
	KUNIT_EXPECT_FALSE(test, completion_done(&attach.done));

	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_try_attach_domain(iopt, &mock->domain));

	/*
	 * Once the mapping is removed, iopt_attach_wait() returns 0 without
	 * having reserved any IOVAs, and the domain can be attached.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, iopt_attach_wait(iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range.last);
	KUNIT_EXPECT_EQ(test, 0, iopt_try_attach_domain(iopt, &mock->domain));
	mock->attached = true;
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, &range, 1));
	KUNIT_EXPECT_EQ(test, IOVA - 1, range.last);
}

/*
 * An attach that is blocked in a page fault does not delay maps, unmaps,
 * accesses and queries of other ranges.
 */
static void attach_in_fault_delays_no_other_range(struct kunit *test)
{
	unsigned long uaddr = test_touched(test, 8), slow_uaddr, bytes;
	struct test_space *space = test->priv;
	struct slow_memory slow;
	struct test_thread thread;

	slow_uaddr = test_slow_memory(test, &slow, 8);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, slow_uaddr, 8));
	test_thread_attach(test, &thread, space->mock[1], current->mm);
	wait_for_completion(&slow.blocked);
	expect_others_return(test, uaddr);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_FALSE(test, completion_done(&thread.done));

	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 8, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
}

static long call_pin(struct test_thread *thread)
{
	struct iopt_access *access;
	struct page *pages[8];
	int rc;

	access = iopt_access_create(thread->space->iopt, &test_no_unmap_ops,
				    NULL);
	if (IS_ERR(access))
		return PTR_ERR(access);
	rc = iopt_access_pin(access, IOVA, IOVA + PAGES(8) - 1, pages, 0);
	if (!rc && iopt_access_unpin(access, IOVA, IOVA + PAGES(8) - 1) != 8)
		rc = -EBADE;
	iopt_access_destroy(access);
	return rc;
}

/*
 * A pin that is blocked in a page fault delays an unmap of the same range, but
 * no calls on other ranges.
 */
static void pin_in_fault_delays_no_other_range(struct kunit *test)
{
	unsigned long uaddr = test_touched(test, 8), slow_uaddr;
	struct test_space *space = test->priv;
	struct test_thread pin, unmap;
	struct slow_memory slow;

	slow_uaddr = test_slow_memory(test, &slow, 8);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, slow_uaddr, 8));
	test_thread_start(test, &pin, call_pin, NULL, current->mm);
	wait_for_completion(&slow.blocked);
	expect_others_return(test, uaddr);
	test_thread_unmap(test, &unmap, IOVA, 8, current->mm);
	test_thread_expect_waiting(&unmap);
	expect_others_return(test, uaddr);
	KUNIT_EXPECT_FALSE(test, completion_done(&pin.done));

	complete_all(&slow.resume);
	/* The unmap started before the pin completed, so the pin fails. */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_thread_join(&pin));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
}

/*
 * Hold the mmap_lock for writing. mock->blocked is completed once the lock is
 * held, and the lock is released once the test completes mock->resume. The
 * second mock domain is used only for these two completions.
 */
static long call_hold_mmap_lock(struct test_thread *thread)
{
	struct mock_domain *mock = thread->space->mock[1];

	mmap_write_lock(thread->mm);
	complete(&mock->blocked);
	wait_for_completion(&mock->resume);
	mmap_write_unlock(thread->mm);
	return 0;
}

/*
 * With IOPT_ACCOUNT_USER, memory that is present can be mapped for writing even
 * while another thread holds the mmap_lock for writing.
 */
static void map_of_present_memory_needs_no_mmap_lock(struct kunit *test)
{
	unsigned long uaddr = test_touched(test, 8), absent;
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct test_thread thread, keeper;

	if (!IS_ENABLED(CONFIG_HAVE_FAST_GUP))
		kunit_skip(test, "no fast GUP");
	absent = test_mmap(test, 8, PROT_READ | PROT_WRITE);
	test_attach(test, space->mock[0]);
	test_thread_start(test, &keeper, call_hold_mmap_lock, NULL,
			  current->mm);
	wait_for_completion(&space->mock[1]->blocked);
	test_thread_map(test, &thread, IOVA, absent, 8);
	while (!rwsem_is_contended(&current->mm->mmap_lock))
		msleep(20);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, 0, uaddr, 8));
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, 0, 8));
	KUNIT_EXPECT_FALSE(test, completion_done(&thread.done));
	complete(&space->mock[1]->resume);

	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&keeper));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(iopt, IOVA, 8));
}

static struct kunit_case delay_cases[] = {
	KUNIT_CASE(blocked_map_delays_no_other_range),
	KUNIT_CASE(blocked_map_delays_no_attach),
	KUNIT_CASE(blocked_attach_delays_no_map),
	KUNIT_CASE(map_fails_in_new_domain),
	KUNIT_CASE(map_in_fault_delays_no_other_range),
	KUNIT_CASE(map_in_fault_delays_no_try_attach),
	KUNIT_CASE(attach_in_fault_delays_no_other_range),
	KUNIT_CASE(pin_in_fault_delays_no_other_range),
	KUNIT_CASE(map_of_present_memory_needs_no_mmap_lock),
	{}
};

static struct kunit_suite delay_suite = {
	.name = "iopt-delay",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = delay_cases,
};

kunit_test_suite(delay_suite);
