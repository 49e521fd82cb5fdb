// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking (dirty.c) with concurrent calls: a call that has waited must
 * not rely on checks that it made before the wait.
 */
#include <linux/delay.h>
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "access.h"
#include "slow_memory.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

static u64 query_word(struct kunit *test, const struct iopt_dirty_query *query,
		      unsigned int i)
{
	u64 word;

	KUNIT_ASSERT_EQ(test, 0, get_user(word, query->bitmap + i));
	return word;
}

/**
 * struct unmap_call - arguments and result of iopt_unmap_dirty() in a thread
 * @pages: number of pages, starting at %IOVA
 * @query: destination and format of the report
 * @bytes: number of bytes that the call unmapped
 */
struct unmap_call {
	unsigned long pages;
	struct iopt_dirty_query query;
	unsigned long bytes;
};

static long call_unmap_dirty(struct test_thread *thread)
{
	struct unmap_call *unmap = thread->data;

	return iopt_unmap_dirty(thread->space->iopt, IOVA, IOVA +
				PAGES(unmap->pages) - 1, &unmap->query,
				&unmap->bytes);
}

/*
 * Start a map of 16 pages that blocks in the mock domain, and an unmap of 64
 * pages that waits for the map. The unmap reports dirty pages with one bit per
 * 16 pages.
 */
static void start_waiting_unmap(struct kunit *test, struct test_thread *map,
				struct test_thread *unmap,
				struct unmap_call *call)
{
	struct test_space *space = test->priv;

	*call = (struct unmap_call){ .pages = 64, .query =
				    test_dirty_query(test) };
	call->query.pgsize = PAGES(16);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_attach(test, space->mock[0]);
	test_thread_map_blocked(test, map, space->mock[0], IOVA,
				test_touched(test, 16), 16);
	test_thread_start(test, unmap, call_unmap_dirty, call, current->mm);
	test_thread_expect_waiting(unmap);
}

/*
 * An unmap leaves in place a mapping that is created after the unmap has
 * started, and does not fail because of it, even though the mapping is not
 * aligned to the page size of the report.
 */
static void unmap_leaves_later_mappings(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);
	struct test_thread map, unmap;
	struct unmap_call call;

	start_waiting_unmap(test, &map, &unmap, &call);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(17), uaddr,
					  1));
	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, PAGES(16), call.bytes);
	KUNIT_EXPECT_EQ(test, 1, space->mock[0]->nr_ptes);
	mock_expect_maps(space->mock[0], IOVA + PAGES(17), uaddr, 1);
	test_validate(test);
	/* A later unmap removes the mapping. */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(17), 1));
}

/*
 * An unmap that reports dirty pages fails if tracking stops while the unmap
 * waits for a map.
 */
static void stop_while_unmap_waits(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread map, unmap;
	struct unmap_call call;

	start_waiting_unmap(test, &map, &unmap, &call);
	iopt_dirty_stop(space->iopt);
	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, call.bytes);
	KUNIT_EXPECT_EQ(test, 16, space->mock[0]->nr_ptes);
	test_validate(test);
}

/*
 * An unmap that reports dirty pages fails if tracking stops while the unmap
 * waits for accesses to unpin.
 */
static void stop_while_accesses_unpin(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct unmap_call call = { .pages = 4, .query = test_dirty_query(test)
				  };
	struct test_thread unmap;

	access->keep = true;
	test_map_pinned(test, access, IOVA, 4, 1);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_thread_start(test, &unmap, call_unmap_dirty, &call, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&unmap);
	/* A read neither waits for a dying mapping nor reports its pages. */
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(space->iopt, IOVA, IOVA +
						 PAGES(4) - 1, &call.query,
						 IOPT_DIRTY_KEEP));
	KUNIT_EXPECT_EQ(test, 0, query_word(test, &call.query, 0));
	iopt_dirty_stop(space->iopt);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_thread_join(&unmap));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
}

/*
 * If an unmap fails to report dirty pages, callers that wait for the unmap
 * continue.
 */
static void failed_report_wakes_waiters(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct unmap_call call = { .pages = 16, .query = test_dirty_query(test)
				  };
	struct test_thread unmap, map;

	space->uaddr = test_touched(test, 16);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr, 16));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	/*
	 * The bitmap is not mapped in the process, so the unmap fails in a page
	 * fault. The fault blocks until this thread releases the mmap_lock.
	 */
	test_munmap(test, (unsigned long)call.query.bitmap, 1);
	mmap_write_lock(current->mm);
	test_thread_start(test, &unmap, call_unmap_dirty, &call, current->mm);
	while (test_area_at(space, IOVA)->state != IOPT_AREA_DYING)
		msleep(20);
	test_thread_map(test, &map, IOVA, space->uaddr, 16);
	test_thread_expect_waiting(&map);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, call.bytes);
	KUNIT_EXPECT_EQ(test, -EEXIST, test_thread_join(&map));
	test_validate(test);
}

static long call_read(struct test_thread *thread)
{
	return iopt_dirty_read(thread->space->iopt, IOVA, IOVA + PAGES(128) - 1,
			       thread->data, 0);
}

/*
 * Start a read of 128 pages at IOVA, which blocks before it writes the first
 * word of the bitmap. The mmap_lock is held on return, and the read continues
 * when the caller releases the lock.
 */
static void start_blocked_read(struct kunit *test, struct test_thread *read,
			       struct iopt_dirty_query *query)
{
	struct test_space *space = test->priv;

	space->uaddr = test_mmap(test, 128, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr,
					  128));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_mark_dirty(space, IOVA, 1);
	test_mark_dirty(space, IOVA + PAGES(127), 1);
	query->pgsize = PAGE_SIZE;
	query->bitmap = (void __user *)test_mmap(test, 1, PROT_READ |
						 PROT_WRITE);
	/*
	 * The bitmap is not populated, and holding the mmap_lock blocks its
	 * page fault.
	 */
	mmap_write_lock(current->mm);
	test_thread_start(test, read, call_read, query, current->mm);
	while (!READ_ONCE(test_area_at(space, IOVA)->nr_users))
		msleep(20);
	msleep(20);
}

/*
 * A read fails if tracking stops while the read is in progress. Tracking can
 * then be started again.
 */
static void stop_while_reading(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_dirty_query query;
	struct test_thread read;

	start_blocked_read(test, &read, &query);
	iopt_dirty_stop(space->iopt);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, -EINVAL, test_thread_join(&read));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_thread_run(test, call_read, &query,
						 current->mm));
	test_validate(test);
}

/*
 * An unmap waits for a read that is reporting the same mapping. The read does
 * not delay calls on other IOVAs.
 */
static void unmap_waits_for_read(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_thread read, unmap;
	struct iopt_dirty_query query;

	start_blocked_read(test, &read, &query);
	test_thread_unmap(test, &unmap, IOVA, 128, NULL);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, COPY, 0, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 1));
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&read));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 1, query_word(test, &query, 0));
	KUNIT_EXPECT_EQ(test, BIT_ULL(63), query_word(test, &query, 1));
}

/*
 * Pages that an untracked device can reach are reported as dirty while its
 * domain is being detached. They are dirty again after the detach, because the
 * device may have written to them since that report.
 */
static void dirty_while_untracked_device_is_removed(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	struct iopt_dirty_query query = test_dirty_query(test);
	struct io_pagetable *iopt = space->iopt;
	unsigned long last = IOVA + PAGES(4) - 1;
	struct unmap_call call = { .pages = 4, .query = test_dirty_query(test)
				  };
	struct test_thread detach;

	iopt_dirty_add_untracked(iopt);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));
	mock->block_iova = IOVA;
	test_thread_detach(test, &detach, mock, NULL);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(iopt, IOVA, last, &query, 0));
	KUNIT_EXPECT_EQ(test, 0xf, query_word(test, &query, 0));
	complete(&mock->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&detach));

	KUNIT_EXPECT_EQ(test, 0, test_thread_run(test, call_unmap_dirty, &call,
						 current->mm));
	KUNIT_EXPECT_EQ(test, 0xf, query_word(test, &call.query, 0));
	iopt_dirty_remove_untracked(iopt, false);
}

/*
 * If attach adds an area to a domain while an unmap of the area waits for an
 * access, and the space has an untracked device, the unmap reports all pages of
 * the area as dirty.
 */
static void unmap_reports_pages_of_new_domain(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr;
	struct unmap_call call = {
		.pages = 4,
		.query = test_dirty_query(test),
	};
	struct test_thread unmap;

	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	iopt_dirty_add_untracked(space->iopt);
	uaddr = test_map_pinned(test, access, IOVA, 4, 1);
	access->keep = true;
	test_thread_start(test, &unmap, call_unmap_dirty, &call, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&unmap);
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, PAGES(4), call.bytes);
	KUNIT_EXPECT_EQ(test, 0xf, query_word(test, &call.query, 0));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	iopt_dirty_remove_untracked(space->iopt, false);
	iopt_dirty_stop(space->iopt);
}

/* Number of pages that one page of a bitmap covers. */
#define PER_PAGE	(PAGE_SIZE * 8)

/*
 * If attach adds areas to a domain while an unmap reports their dirty pages,
 * the unmap reports again, because an untracked device may have written to
 * areas that were reported already.
 */
static void unmap_reports_again_after_attach(struct kunit *test)
{
	struct unmap_call call = {
		.query.pgsize = PAGE_SIZE,
		.pages = PER_PAGE + 4,
	};
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), bitmap;
	struct slow_memory slow;
	struct test_thread unmap;

	bitmap = test_slow_memory(test, &slow, 2);
	/*
	 * Populate the first page of the bitmap, so that the report blocks only
	 * at the second page.
	 */
	complete(&slow.resume);
	KUNIT_ASSERT_EQ(test, 0, put_user(0, (u64 __user *)bitmap));
	wait_for_completion(&slow.blocked);
	call.query.bitmap = (u64 __user *)bitmap;
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	iopt_dirty_add_untracked(space->iopt);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(PER_PAGE),
					  uaddr + PAGES(4), 4));
	test_thread_start(test, &unmap, call_unmap_dirty, &call, current->mm);
	wait_for_completion(&slow.blocked);
	KUNIT_EXPECT_EQ(test, 0, query_word(test, &call.query, 0));
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);
	complete_all(&slow.resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, PAGES(8), call.bytes);
	KUNIT_EXPECT_EQ(test, 0xf, query_word(test, &call.query, 0));
	KUNIT_EXPECT_EQ(test, 0xf, query_word(test, &call.query,
					      PER_PAGE / 64));
	iopt_dirty_remove_untracked(space->iopt, false);
	iopt_dirty_stop(space->iopt);
	test_munmap(test, bitmap, 2);
}

static struct kunit_case dirty_wait_cases[] = {
	KUNIT_CASE(dirty_while_untracked_device_is_removed),
	KUNIT_CASE(unmap_leaves_later_mappings),
	KUNIT_CASE(stop_while_unmap_waits),
	KUNIT_CASE(stop_while_accesses_unpin),
	KUNIT_CASE(failed_report_wakes_waiters),
	KUNIT_CASE(stop_while_reading),
	KUNIT_CASE(unmap_waits_for_read),
	KUNIT_CASE(unmap_reports_pages_of_new_domain),
	KUNIT_CASE(unmap_reports_again_after_attach),
	{}
};

static struct kunit_suite dirty_wait_suite = {
	.name = "iopt-dirty-wait",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = dirty_wait_cases,
};

kunit_test_suite(dirty_wait_suite);
