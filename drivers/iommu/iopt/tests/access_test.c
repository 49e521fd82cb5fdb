// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses and unmaps: who is told of what, and who waits for whom.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mman.h>
#include <linux/prandom.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "../pages.h"
#include "access.h"
#include "failing.h"
#include "thread.h"

#define IOVA	0x100000000UL

static void expect_told(struct kunit *test, struct test_access *access,
			unsigned int i, unsigned long start,
			unsigned long npages)
{
	KUNIT_ASSERT_LT(test, i, access->nr_told);
	KUNIT_EXPECT_EQ(test, start, access->told[i].start);
	KUNIT_EXPECT_EQ(test, start + PAGES(npages) - 1, access->told[i].last);
}

static void create_ENOMEM(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_access *access;

	test_needs_failing_allocations(test);
	test_fail_allocation(1);
	access = iopt_access_create(space->iopt, NULL, NULL);
	KUNIT_EXPECT_FALSE(test, test_fail_end());
	KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR(access));
	KUNIT_EXPECT_TRUE(test, list_empty(&space->iopt->accesses));
}

/* Who cannot be told of an unmap must not pin, but may read. */
static void pin_without_ops_EINVAL(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);
	struct iopt_access *access;
	struct page *page;
	u64 value = 1;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	access = iopt_access_create(space->iopt, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_pin(access, IOVA, IOVA + PAGES(1) - 1,
					&page, 0));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access, IOVA, &value, 8, 0));
	KUNIT_EXPECT_EQ(test, 0, value);
	KUNIT_EXPECT_EQ(test, 0, iopt_access_unpin(access, IOVA, IOVA));

	/* Nor is it in the way of others who are told. */
	KUNIT_ASSERT_EQ(test, 0, test_pin(test_access_create(test), IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));
	iopt_access_destroy(access);
}

/*
 * T1-92, T1-158: each mapping that is pinned is told of as a whole, to every
 * access, and others are not.
 */
static void unmap_tells(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	unsigned long uaddr = test_touched(test, 12), bytes, i;

	test_attach(test, space->mock[0]);
	for (i = 0; i != 3; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(4 * i),
					 uaddr + PAGES(4 * i), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(2), 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA + PAGES(8), 1));

	/* What is refused is no reason to tell anybody. */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, IOVA, 3));
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, IOVA, 11));
	KUNIT_EXPECT_EQ(test, 0, one->nr_told);

	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, IOVA - PAGES(5),
					    IOVA + PAGES(20) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(12), bytes);
	KUNIT_EXPECT_EQ(test, 2, one->nr_told);
	expect_told(test, one, 0, IOVA, 4);
	expect_told(test, one, 1, IOVA + PAGES(8), 4);
	KUNIT_EXPECT_EQ(test, 2, two->nr_told);
	expect_told(test, two, 0, IOVA, 4);
	expect_told(test, two, 1, IOVA + PAGES(8), 4);
	for (i = 0; i != 12; i++)
		KUNIT_EXPECT_EQ(test, 0,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));

	/* Pinned and unpinned again is not pinned. */
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 4));
	KUNIT_ASSERT_EQ(test, 4, test_unpin(one, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, one->nr_told);
}

/* T1-136: detaching a domain is nothing to be told of. */
static void detach_tells_nobody(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2);

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, access->nr_told);
	KUNIT_EXPECT_EQ(test, 1, test_pins(test_user_pfn(test, uaddr)));
}

/* The last mapping of the address space. */
static void unmap_tells_of_last_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2), iova = -PAGES(2), bytes;
	struct page *pages[2];

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, iova, uaddr, 2));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_pin(access->access, iova,
						 ULONG_MAX, pages, 0));
	KUNIT_EXPECT_EQ(test, test_user_pfn(test, uaddr + PAGES(1)),
			page_to_pfn(pages[1]));
	KUNIT_EXPECT_EQ(test, 2, iopt_access_unpin(access->access, iova,
						   ULONG_MAX));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_pin(access->access, iova,
						 ULONG_MAX, pages, 0));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(2), bytes);
	expect_told(test, access, 0, iova, 2);
}

static void try_everything(struct test_access *access, unsigned long start,
			   unsigned long last)
{
	struct io_pagetable *iopt = access->space->iopt;
	unsigned long iova = IOVA + PAGES(8), bytes;
	struct iopt_range range;
	struct page *page;
	u64 value = 42;

	/* The mapping that goes takes no new pins, but is still there. */
	WARN_ON(iopt_access_pin(access->access, start, start + PAGES(1) - 1,
				&page, 0) != -ENOENT);
	WARN_ON(iopt_access_rw(access->access, start, &value, 8, 0) !=
		-ENOENT);
	WARN_ON(!iopt_find_mapping(iopt, start, last, &range));
	/* Others are as ever. */
	WARN_ON(iopt_access_pin(access->access, iova, iova + PAGES(1) - 1,
				&page, 0));
	WARN_ON(iopt_access_rw(access->access, iova, &value, 8,
			       IOPT_ACCESS_WRITE));
	WARN_ON(iopt_access_unpin(access->access, iova, iova) != 1);
	WARN_ON(iopt_unmap(iopt, iova, iova + PAGES(4) - 1, &bytes));
	WARN_ON(test_map(iopt, iova, access->space->uaddr, 4));
	WARN_ON(iopt_dirty_start(iopt));
	iopt_dirty_stop(iopt);
	WARN_ON(iopt_validate(iopt));
}

/* H1, T1-157: a callback may do what it wants with the engine. */
static void callback_may_do_everything(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8);

	space->uaddr = uaddr + PAGES(4);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(8),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	access->also = try_everything;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 1, access->nr_told);
	mock_expect_maps(space->mock[0], IOVA + PAGES(8), uaddr + PAGES(4), 4);
}

static long call_unmap(struct test_thread *thread)
{
	return test_unmap(thread->space->iopt, IOVA, 4);
}

/* Unpinning later, by another thread, lets the unmap go on. */
static void unmap_waits_for_unpin(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	access->keep = true;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	test_thread_start(test, &thread, call_unmap, NULL, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&thread);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	/* Others are not held up meanwhile. */
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4), uaddr,
					  1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(4), 1));
	test_validate(test);
	test_thread_expect_waiting(&thread);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 1, access->nr_told);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/* E5: killed while it waits, and everything works on, with what is pinned. */
static void unmap_EINTR_leaves_mapping(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	access->keep = true;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	test_thread_start(test, &thread, call_unmap, NULL, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&thread);
	test_thread_kill(&thread);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&thread));

	mock_expect_maps(mock, IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 4));
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 4));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, access->nr_told);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

static void use_as_ever(struct test_access *access, unsigned long start,
			unsigned long last)
{
	struct io_pagetable *iopt = access->space->iopt;
	bool out = access->nr_told == iopt->policy.notices;
	int rc = out ? -ENOENT : 0;
	struct page *page;
	u64 value = 42;

	/* Only the last notice keeps everybody out. */
	WARN_ON(iopt_access_rw(access->access, start, &value, 8,
			       IOPT_ACCESS_WRITE) != rc);
	WARN_ON(iopt_access_pin(access->access, last + 1 - PAGES(1), last,
				&page, 0) != rc);
	/* What is there is in the way, and nobody waits for it. */
	if (!out)
		WARN_ON(test_map(iopt, start, access->space->uaddr, 1) !=
			-EEXIST);
	access->keep = !out;
}

/* T1-94, T1-151: who does not unpin is told as often as the policy says. */
static void unmap_tells_again(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();

	space->iopt->policy.notices = 4;
	space->uaddr = uaddr;
	access->also = use_as_ever;
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 4, access->nr_told);
	expect_told(test, access, 3, IOVA, 4);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);

	/* Who unpins is told no more, and who has nothing pinned never. */
	access->also = NULL;
	access->keep = false;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 5, access->nr_told);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 5, access->nr_told);
}

/* After the last notice it waits, and a kill brings all back. */
static void unmap_waits_after_last_notice(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread thread;

	space->iopt->policy.notices = 3;
	access->keep = true;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	test_thread_start(test, &thread, call_unmap, NULL, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&thread);
	KUNIT_EXPECT_EQ(test, 3, access->nr_told);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA, 1));
	test_thread_kill(&thread);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&thread));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 4, access->nr_told);
}

/*
 * T1-94: calls that are at work count as notices do, or one after another could
 * keep the mapping.
 */
static void calls_at_work_count(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), i;
	struct test_thread unmap;
	struct iopt_area *area;
	u64 value = 42;

	space->iopt->policy.notices = 3;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&space->iopt->lock);
	area->nr_users++;
	mutex_unlock(&space->iopt->lock);
	test_thread_start(test, &unmap, call_unmap, NULL, NULL);
	/* Each call that leaves wakes the unmap, which finds the first one. */
	for (i = 0; i != 4; i++) {
		test_thread_expect_waiting(&unmap);
		KUNIT_EXPECT_EQ(test, i < 2 ? 0 : -ENOENT,
				iopt_access_rw(access->access, IOVA, &value, 8,
					       IOPT_ACCESS_WRITE));
	}
	mutex_lock(&space->iopt->lock);
	iopt_area_leave(space->iopt, area);
	mutex_unlock(&space->iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, access->nr_told);
}

/* H4: who lets go at the first notice cannot come back while it is unmapped. */
static void nobody_enters_after_letting_go(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct mock_domain *mock = space->mock[0];
	struct test_thread unmap;
	u64 value = 42;

	space->iopt->policy.notices = 3;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	mock->block_iova = IOVA;
	test_thread_start(test, &unmap, call_unmap, NULL, NULL);
	wait_for_completion(&mock->blocked);
	KUNIT_EXPECT_EQ(test, 1, access->nr_told);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_access_rw(access->access, IOVA, &value, 8,
				       IOPT_ACCESS_WRITE));
	complete(&mock->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
}

static long call_attach(struct test_thread *thread)
{
	struct mock_domain *mock = thread->space->mock[1];
	int rc = iopt_attach_domain(thread->space->iopt, &mock->domain);

	mock->attached = !rc;
	return rc;
}

/* Start an unmap of 4 pages that waits for pins, and an attach meanwhile. */
static void start_unmap_and_attach(struct kunit *test,
				   struct test_access *access,
				   struct test_thread *unmap,
				   struct test_thread *attach)
{
	struct test_space *space = test->priv;

	access->keep = true;
	space->uaddr = test_touched(test, 4);
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	test_thread_start(test, unmap, call_unmap, NULL, NULL);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(unmap);
	test_thread_start(test, attach, call_attach, NULL, current->mm);
	msleep(50);
}

/* H4: a domain that comes meanwhile has the mapping if the unmap fails. */
static void attach_meets_killed_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_kill(&unmap);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_maps(space->mock[0], IOVA, space->uaddr, 4);
	mock_expect_maps(space->mock[1], IOVA, space->uaddr, 4);
	test_validate(test);
}

/* Otherwise it has not. */
static void attach_meets_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	start_unmap_and_attach(test, access, &unmap, &attach);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	mock_expect_empty(space->mock[1], IOVA, 4);
	test_validate(test);
}

/* It depends on the unmap, too, whether the domain's pages are too large. */
static void coarse_domain_meets_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_kill(&unmap);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	test_detach(test, space->mock[0]);

	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	reinit_completion(&access->called);
	start_unmap_and_attach(test, access, &unmap, &attach);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	test_validate(test);
}

/*
 * An attach waits for an unmap of what the domain cannot translate. It can be
 * killed, and then there is no domain.
 */
static void killed_attach_meets_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct test_thread unmap, attach;

	space->mock[1]->domain.pgsize_bitmap = SZ_64K;
	start_unmap_and_attach(test, access, &unmap, &attach);
	test_thread_kill(&attach);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	test_thread_expect_waiting(&unmap);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	test_validate(test);
}

/* An unmap of several mappings unmaps none before all are free. */
static void unmap_of_several_is_one(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct mock_domain *mock = space->mock[0];
	struct test_thread thread;

	access->keep = true;
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(2),
					  uaddr + PAGES(2), 2));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	test_thread_start(test, &thread, call_unmap, NULL, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(&thread);
	expect_told(test, access, 0, IOVA + PAGES(2), 2);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_ptes);
	test_thread_kill(&thread);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&thread));
	mock_expect_maps(mock, IOVA, uaddr, 4);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	access->keep = false;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
}

/* Return once @nr calls are at work in an area. */
static void wait_for_users(struct test_space *space, struct iopt_area *area,
			   unsigned int nr)
{
	while (READ_ONCE(area->nr_users) != nr)
		msleep(20);
}

static long call_pin(struct test_thread *thread)
{
	return test_pin(thread->data, IOVA, 4);
}

/* A pin that is on its way when the unmap comes pins nothing. */
static void unmap_meets_pin_in_flight(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct test_thread pin, unmap;
	struct iopt_area *area;
	long rc;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	area = test_area_at(space, IOVA);
	mutex_lock(&area->pages->mutex);
	test_thread_start(test, &pin, call_pin, access, current->mm);
	wait_for_users(space, area, 1);
	test_thread_start(test, &unmap, call_unmap, NULL, current->mm);
	test_thread_expect_waiting(&unmap);
	mutex_unlock(&area->pages->mutex);
	rc = test_thread_join(&pin);
	KUNIT_EXPECT_EQ(test, -ENOENT, rc);
	if (!rc)
		test_unpin(access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, access->nr_told);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

static long call_pin_unlocked(struct test_thread *thread)
{
	struct test_access *access = thread->data;
	struct page *pages[4];

	return iopt_access_pin(access->access, IOVA, IOVA + PAGES(4) - 1,
			       pages, 0);
}

/*
 * T1-141: a pin of several mappings has all or nothing too when one of them
 * goes while it still pins the other one.
 */
static void unmap_meets_pin_of_several(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	struct iopt_area *second;
	struct test_thread pin, unmap;
	long rc;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(2),
					  uaddr + PAGES(2), 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	second = test_area_at(space, IOVA + PAGES(2));
	mutex_lock(&second->pages->mutex);
	test_thread_start(test, &pin, call_pin_unlocked, access, current->mm);
	wait_for_users(space, second, 1);
	test_thread_start(test, &unmap, call_unmap, NULL, current->mm);
	while (!wq_has_sleeper(&space->iopt->settled))
		msleep(20);
	mutex_unlock(&second->pages->mutex);

	rc = test_thread_join(&pin);
	KUNIT_EXPECT_EQ(test, -ENOENT, rc);
	if (!rc)
		test_unpin(access, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

static long call_destroy(struct test_thread *thread)
{
	test_access_destroy(thread->data);
	return 0;
}

/* T1-156: no callback runs when an access is gone. */
static void destroy_waits_for_callback(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread unmap, destroy;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 1));
	two->block = true;
	test_thread_start(test, &unmap, call_unmap, NULL, current->mm);
	wait_for_completion(&two->called);
	test_thread_start(test, &destroy, call_destroy, two, current->mm);
	msleep(50);
	KUNIT_EXPECT_FALSE(test, completion_done(&destroy.done));
	complete(&two->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&destroy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
}

/* Who destroys an access, or creates one, waits for no callback of another. */
static void destroy_waits_for_own_callbacks_only(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *one = test_access_create(test);
	struct test_access *two = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct test_thread unmap, destroy;
	struct test_access *three;
	bool destroyed;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(one, IOVA, 1));
	two->block = true;
	test_thread_start(test, &unmap, call_unmap, NULL, current->mm);
	wait_for_completion(&two->called);
	/* It would be notified next. */
	test_thread_start(test, &destroy, call_destroy, one, current->mm);
	destroyed = wait_for_completion_timeout(&destroy.done, 5 * HZ);
	KUNIT_EXPECT_TRUE(test, destroyed);
	if (destroyed) {
		complete(&destroy.done);
		three = test_access_create(test);
		KUNIT_EXPECT_EQ(test, 0, three->nr_told);
	}
	complete(&two->go_on);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&destroy));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

#define STRESS_IOVAS	24U
#define STRESS_PAGES	16U
#define STRESS_CALLS	2500U

/**
 * struct stress - what one thread of the stress does
 * @access: of the thread, if it pins
 * @call: one call; false if its result is wrong
 * @uaddr: the memory
 * @rnd: where chance comes from
 * @done: calls that succeeded
 * @mock: the domain of the thread, if it attaches
 */
struct stress {
	struct test_access *access;
	bool (*call)(struct test_thread *thread, struct stress *stress);
	unsigned long uaddr;
	struct rnd_state rnd;
	unsigned int done;
	struct mock_domain *mock;
};

static unsigned int dice(struct stress *stress, unsigned int n)
{
	return prandom_u32_state(&stress->rnd) % n;
}

static bool stress_map(struct test_thread *thread, struct stress *stress)
{
	unsigned int n = dice(stress, 4) + 1;
	unsigned int iova = dice(stress, STRESS_IOVAS - n + 1);
	int rc = test_map(thread->space->iopt, PAGES(iova), stress->uaddr +
			  PAGES(dice(stress, STRESS_PAGES - n + 1)), n);

	stress->done += !rc;
	return !rc || rc == -EEXIST;
}

static bool stress_unmap(struct test_thread *thread, struct stress *stress)
{
	unsigned int n = dice(stress, 8) + 1;
	unsigned int iova = dice(stress, STRESS_IOVAS - n + 1);
	unsigned long bytes;
	int rc;

	rc = iopt_unmap(thread->space->iopt, PAGES(iova),
			PAGES(iova + n) - 1, &bytes);
	stress->done += !rc;
	return !rc || rc == -ENOENT;
}

/* What is pinned is pinned until it is unpinned, whatever others do. */
static bool stress_pin(struct test_thread *thread, struct stress *stress)
{
	struct test_access *access = stress->access;
	unsigned int n = dice(stress, 3) + 1, i;
	unsigned long iova = PAGES(dice(stress, STRESS_IOVAS - n + 1));
	struct page *pages[3];
	bool good = true;
	int rc;

	mutex_lock(&access->lock);
	rc = iopt_access_pin(access->access, iova, iova + PAGES(n) - 1, pages,
			     0);
	for (i = 0; !rc && i != n; i++)
		good = good && page_maybe_dma_pinned(pages[i]);
	mutex_unlock(&access->lock);
	if (!rc && dice(stress, 2))
		usleep_range(10, 100);
	if (!rc && dice(stress, 2))
		test_unpin(access, iova, n);
	stress->done += !rc;
	return good && (!rc || rc == -ENOENT);
}

static bool stress_rw(struct test_thread *thread, struct stress *stress)
{
	unsigned long iova = dice(stress, PAGES(STRESS_IOVAS));
	u64 value = 1;
	int rc;

	rc = iopt_access_rw(stress->access->access, iova, &value, 8,
			    IOPT_ACCESS_WRITE);
	stress->done += !rc;
	return !rc || rc == -ENOENT;
}

static bool stress_create(struct test_thread *thread, struct stress *stress)
{
	static const struct iopt_access_ops ops = {};
	struct iopt_access *access;

	access = iopt_access_create(thread->space->iopt, NULL, (void *)&ops);
	if (IS_ERR(access))
		return PTR_ERR(access) == -ENOMEM;
	usleep_range(10, 50);
	iopt_access_destroy(access);
	stress->done++;
	return true;
}

static bool stress_attach(struct test_thread *thread, struct stress *stress)
{
	struct iommu_domain *domain = &stress->mock->domain;

	if (dice(stress, 20))
		return true;
	if (iopt_attach_domain(thread->space->iopt, domain))
		return false;
	usleep_range(50, 500);
	iopt_detach_domain(thread->space->iopt, domain);
	stress->done++;
	return stress->mock->nr_ptes == 0;
}

static bool stress_dirty(struct test_thread *thread, struct stress *stress)
{
	struct io_pagetable *iopt = thread->space->iopt;

	if (dice(stress, 20))
		return !iopt_validate(iopt);
	if (iopt_dirty_start(iopt))
		return true;
	usleep_range(50, 500);
	iopt_dirty_stop(iopt);
	stress->done++;
	return true;
}

static long stress_main(struct test_thread *thread)
{
	struct stress *stress = thread->data;
	unsigned int i;

	for (i = 0; i != STRESS_CALLS; i++) {
		if (!stress->call(thread, stress))
			return i + 1;
		if (dice(stress, 4))
			cond_resched();
		else
			usleep_range(10, 50);
	}
	return 0;
}

/*
 * T1-169: several unmap while others pin in what they unmap, unpin in
 * callbacks and outside, create and destroy accesses, attach and track.
 */
static void everybody_unmaps_and_pins(struct kunit *test)
{
	static bool (* const calls[])(struct test_thread *, struct stress *) = {
		stress_map, stress_map, stress_unmap, stress_unmap, stress_pin,
		stress_pin, stress_rw, stress_create, stress_attach,
		stress_dirty,
	};
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, STRESS_PAGES), bytes, i;
	unsigned long charged = test_charged();
	struct test_thread *threads;
	struct stress *stress;

	stress = kunit_kcalloc(test, ARRAY_SIZE(calls), sizeof(*stress),
			       GFP_KERNEL);
	threads = kunit_kcalloc(test, ARRAY_SIZE(calls), sizeof(*threads),
				GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, stress && threads);
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		stress[i].call = calls[i];
		stress[i].uaddr = uaddr;
		stress[i].access = access;
		stress[i].mock = space->mock[0];
		prandom_seed_state(&stress[i].rnd, 99 + i);
	}
	for (i = 0; i != ARRAY_SIZE(calls); i++)
		test_thread_start(test, &threads[i], stress_main, &stress[i],
				  current->mm);
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&threads[i]));
		KUNIT_EXPECT_GE(test, stress[i].done, 20);
	}
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	for (i = 0; i != STRESS_PAGES; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr +
								 PAGES(i))));
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(create_ENOMEM),
	KUNIT_CASE(pin_without_ops_EINVAL),
	KUNIT_CASE(unmap_tells),
	KUNIT_CASE(detach_tells_nobody),
	KUNIT_CASE(unmap_tells_of_last_page),
	KUNIT_CASE(callback_may_do_everything),
	KUNIT_CASE(unmap_waits_for_unpin),
	KUNIT_CASE(unmap_EINTR_leaves_mapping),
	KUNIT_CASE(unmap_tells_again),
	KUNIT_CASE(unmap_waits_after_last_notice),
	KUNIT_CASE(calls_at_work_count),
	KUNIT_CASE(nobody_enters_after_letting_go),
	KUNIT_CASE(attach_meets_killed_unmap),
	KUNIT_CASE(attach_meets_unmap),
	KUNIT_CASE(coarse_domain_meets_unmap),
	KUNIT_CASE(killed_attach_meets_unmap),
	KUNIT_CASE(unmap_of_several_is_one),
	KUNIT_CASE(unmap_meets_pin_in_flight),
	KUNIT_CASE(unmap_meets_pin_of_several),
	KUNIT_CASE(destroy_waits_for_callback),
	KUNIT_CASE(destroy_waits_for_own_callbacks_only),
	KUNIT_CASE(everybody_unmaps_and_pins),
	{}
};

static struct kunit_suite access_suite = {
	.name = "iopt-access",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_cases,
};

kunit_test_suite(access_suite);
