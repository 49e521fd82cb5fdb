// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that accesses have pinned (access_pins.c): which page is pinned, and
 * how many times it is pinned and charged while domains are attached and
 * detached.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmstat.h>

#include "../access_pins.h"
#include "../account.h"
#include "../pages.h"
#include "access.h"
#include "account_cases.h"
#include "failing.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

/*
 * However often an access pins an IOVA, the page is pinned and charged only
 * once, and each call returns the same page.
 */
static void page_is_pinned_once(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), i, charged;
	struct page *pages[4];
	unsigned int round;

	charged = test_charged();
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	for (round = 0; round != 3; round++) {
		KUNIT_ASSERT_EQ(test, 0, test_pin_flags(access, IOVA, 4, pages,
							0));
		for (i = 0; i != 4; i++) {
			unsigned long pfn = test_user_pfn(test, uaddr +
							  PAGES(i));

			KUNIT_EXPECT_EQ(test, pfn, page_to_pfn(pages[i]));
			KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
		}
		KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
		test_validate(test);
	}
	KUNIT_EXPECT_EQ(test, 4, atomic64_read(&current->mm->pinned_vm));

	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 3, test_unpin(access, IOVA + PAGES(1), 3));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, test_pins(page_to_pfn(pages[0])));
	KUNIT_EXPECT_EQ(test, 0, test_pins(page_to_pfn(pages[1])));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pins(page_to_pfn(pages[i])));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_validate(test);
}

static void expect_charges(struct kunit *test, unsigned long user,
			   unsigned long n)
{
	const struct account_case *account = test->param_value;

	KUNIT_EXPECT_EQ(test, user + account->user * n, test_charged());
	KUNIT_EXPECT_EQ(test, account->locked * n, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, account->pinned * n,
			atomic64_read(&current->mm->pinned_vm));
	test_validate(test);
}

/*
 * Without a domain, only the pages that an access has pinned are charged. With
 * a domain, all pages of the mapping are charged. A page is uncharged once its
 * last pin has been removed and the last domain has been detached.
 */
static void pin_charges(struct kunit *test)
{
	const struct account_case *account = test->param_value;
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), user = test_charged();
	unsigned long iova = IOVA;

	test_set_memlock(PAGES(user + 4));
	if (account->account == IOPT_ACCOUNT_NONE ||
	    account->account == IOPT_ACCOUNT_MM_UNLIMITED)
		test_set_memlock(0);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_map_user(space->iopt, &iova, (void __user *)uaddr,
				      PAGES(4), TEST_RW, account->account,
				      IOPT_MAP_FIXED));
	expect_charges(test, user, 0);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 2));
	expect_charges(test, user, 2);
	test_attach(test, space->mock[0]);
	expect_charges(test, user, 4);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	expect_charges(test, user, 4);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(1), 1));
	expect_charges(test, user, 4);
	test_attach(test, space->mock[1]);
	test_detach(test, space->mock[0]);
	expect_charges(test, user, 4);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	test_detach(test, space->mock[1]);
	expect_charges(test, user, 2);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(2), 1));
	expect_charges(test, user, 1);
	test_attach(test, space->mock[0]);
	expect_charges(test, user, 4);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	expect_charges(test, user, 4);
	test_detach(test, space->mock[0]);
	expect_charges(test, user, 0);

	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	expect_charges(test, user, 0);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
}

/* A pin that fails at the third page uncharges the first two. */
static void failed_pin_charges_nothing(struct kunit *test)
{
	const struct account_case *account = test->param_value;
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), user = test_charged();
	unsigned long iova = IOVA;

	test_munmap(test, uaddr + PAGES(2), 1);
	KUNIT_ASSERT_EQ(test, 0,
			iopt_map_user(space->iopt, &iova, (void __user *)uaddr,
				      PAGES(4), TEST_RW, account->account,
				      IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin(access, IOVA, 4));
	expect_charges(test, user, 0);
}

/* Replace the page that the process has at a user address. */
static void replace_page(struct kunit *test, unsigned long uaddr)
{
	test_munmap(test, uaddr, 1);
	KUNIT_ASSERT_EQ(test, uaddr,
			vm_mmap(NULL, uaddr, PAGE_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0));
	test_touch(test, uaddr, 1);
}

/*
 * Until the last unpin, a pinned IOVA keeps its page even if the process
 * replaces the page in its own address space. Domains that are attached
 * meanwhile translate to the pinned page, too.
 */
static void domain_maps_pinned_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	unsigned long old = test_user_pfn(test, uaddr + PAGES(1)), new;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	replace_page(test, uaddr + PAGES(1));
	new = test_user_pfn(test, uaddr + PAGES(1));
	KUNIT_ASSERT_NE(test, old, new);

	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 1,
						&page, 0));
	KUNIT_EXPECT_EQ(test, old, page_to_pfn(page));
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 1);
	mock_expect_maps(space->mock[1], IOVA + PAGES(2), uaddr + PAGES(2), 2);
	KUNIT_EXPECT_EQ(test, old, mock_domain_pfn(space->mock[0],
						   IOVA + PAGES(1)));
	KUNIT_EXPECT_EQ(test, old, mock_domain_pfn(space->mock[1],
						   IOVA + PAGES(1)));
	KUNIT_EXPECT_EQ(test, 0, test_pins(new));
	KUNIT_EXPECT_EQ(test, 1, test_pins(old));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	test_validate(test);

	/*
	 * The domains keep the page pinned after the access has unpinned it.
	 * Another pin by the access returns the same page and does not pin it a
	 * second time.
	 */
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 1, test_pins(old));
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 1,
						&page, 0));
	KUNIT_EXPECT_EQ(test, old, page_to_pfn(page));
	test_detach(test, space->mock[0]);
	test_detach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 1, test_pins(old));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());

	/* After the last unpin, a pin returns the new page of the process. */
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, IOVA + PAGES(1), 1,
						&page, 0));
	KUNIT_EXPECT_EQ(test, new, page_to_pfn(page));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(1), 1));
}

/*
 * Attach succeeds even if the process has unmapped some of its memory, as long
 * as accesses have pinned all pages of that memory.
 */
static void attach_needs_no_memory_of_pinned_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 3), charged = test_charged();
	unsigned long pfn = test_user_pfn(test, uaddr + PAGES(2));

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 1));
	test_munmap(test, uaddr + PAGES(1), 2);
	/* Attach fails at the unmapped page that is not pinned. */
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_attach_domain(space->iopt,
					   &space->mock[0]->domain));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	test_validate(test);

	replace_page(test, uaddr + PAGES(1));
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(space->mock[0],
						   IOVA + PAGES(2)));
	KUNIT_EXPECT_EQ(test, charged + 3, test_charged());
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 3));
}

/* The last unpin marks a page dirty only if the mapping is writable. */
static void unpin_dirties_writable_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2);
	struct page *rw, *ro;

	rw = pfn_to_page(test_user_pfn(test, uaddr));
	ro = pfn_to_page(test_user_pfn(test, uaddr + PAGES(1)));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA + PAGES(1),
					       uaddr + PAGES(1), 1,
					       IOMMU_READ));
	ClearPageDirty(rw);
	ClearPageDirty(ro);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_FALSE(test, PageDirty(rw));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_TRUE(test, PageDirty(rw));
	KUNIT_EXPECT_FALSE(test, PageDirty(ro));

	/*
	 * If a domain is detached first, the last unpin marks the page dirty.
	 */
	ClearPageDirty(rw);
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_FALSE(test, PageDirty(rw));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_TRUE(test, PageDirty(rw));
	KUNIT_EXPECT_FALSE(test, PageDirty(ro));

	/* If the access unpins first, the detach marks the page dirty. */
	ClearPageDirty(rw);
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_FALSE(test, PageDirty(rw));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_TRUE(test, PageDirty(rw));
	KUNIT_EXPECT_FALSE(test, PageDirty(ro));
}

/*
 * Detach marks all pages of a run dirty, except for the page that an access
 * still has pinned.
 */
static void detach_dirties_all_but_pinned_page(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_contiguous(test, 8), i;
	struct page *pages[8];

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	for (i = 0; i != 8; i++) {
		pages[i] = pfn_to_page(test_user_pfn(test, uaddr + PAGES(i)));
		ClearPageDirty(pages[i]);
	}
	test_detach(test, space->mock[0]);
	for (i = 0; i != 8; i++)
		KUNIT_EXPECT_EQ(test, i != 3, PageDirty(pages[i]));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_TRUE(test, PageDirty(pages[3]));
}

/*
 * A mapping and its copy share pinned pages: a pin through the copy returns the
 * page that is pinned already, even if the process has replaced it.
 */
static void copies_share_pins(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	unsigned long pfn = test_user_pfn(test, uaddr);
	struct page *page;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 1));
	replace_page(test, uaddr);
	KUNIT_EXPECT_EQ(test, 0, test_pin_flags(access, COPY, 1, &page, 0));
	KUNIT_EXPECT_EQ(test, pfn, page_to_pfn(page));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	/*
	 * The mapping through which the page was first pinned can be unmapped
	 * while the pin through the copy remains.
	 */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, COPY, 4));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * Unpinning the whole range of a mapping does not remove pins that were made
 * through another mapping of the same pages.
 */
static void unpin_leaves_other_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4), charged = test_charged();
	unsigned long pfn = test_user_pfn(test, uaddr);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA, 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, COPY + PAGES(2), 1));
	/* The access is notified and unpins the whole range of the copy. */
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, COPY, 4));
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	KUNIT_EXPECT_EQ(test, 1, test_area_at(space, IOVA)->nr_pins);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, test_area_at(space, IOVA)->nr_pins);
}

static long call_map(struct test_thread *thread)
{
	unsigned long iova = IOVA, uaddr, i;

	uaddr = vm_mmap(NULL, 0, PAGES(4), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, 0);
	for (i = 0; i != 4; i++)
		if (put_user(i, (u64 __user *)(uaddr + PAGES(i))))
			return -EFAULT;
	return iopt_map_user(thread->space->iopt, &iova, (void __user *)uaddr,
			     PAGES(4), TEST_RW, IOPT_ACCOUNT_MM,
			     IOPT_MAP_FIXED) ?:
	       test_pin(thread->data, IOVA, 1);
}

/*
 * After the process has exited, pages that are pinned already can be pinned
 * again. Pinning any other page fails with -ESRCH.
 */
static void pin_of_dead_process(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct mm_struct *mm = test_other_mm(test);

	mmgrab(mm);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map, access, mm));
	KUNIT_EXPECT_EQ(test, 1, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 2, mm->locked_vm);
	mmput(mm);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, -ESRCH, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, -ESRCH, test_pin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, -ESRCH,
			iopt_attach_domain(space->iopt,
					   &space->mock[0]->domain));
	KUNIT_EXPECT_EQ(test, 2, mm->locked_vm);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	mmdrop(mm);
}

#define NFAIL	24UL

/* Expect that every second page, and no other, is pinned and charged. */
static void expect_pinned(struct kunit *test, unsigned long uaddr,
			  unsigned long charged)
{
	unsigned long i;

	test_validate(test);
	for (i = 0; i != NFAIL; i++)
		KUNIT_EXPECT_EQ(test, i & 1,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	KUNIT_EXPECT_EQ(test, charged + NFAIL / 2, test_charged());
}

/* A pin or an attach that fails at the n-th allocation changes nothing. */
static void fails_at_nth_allocation(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, NFAIL), i;
	unsigned long charged = test_charged();
	unsigned int n, repeated = 0;
	bool unused;
	int rc;

	test_needs_failing_allocations(test);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, NFAIL));
	for (i = 1; i < NFAIL; i += 2)
		KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(i), 1));
	/*
	 * The call may succeed despite a failed allocation, because some
	 * allocations are retried or optional.
	 */
	for (n = 1, unused = false; !unused && n != 500;
	     n = test_fail_next(n, rc, &repeated)) {
		test_fail_allocation(n);
		rc = test_pin(access, IOVA, NFAIL);
		unused = test_fail_end();
		if (!rc)
			KUNIT_EXPECT_EQ(test, NFAIL,
					test_unpin(access, IOVA, NFAIL));
		else
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
		expect_pinned(test, uaddr, charged);
	}
	/*
	 * Each page without a pin record needs at least one allocation: records
	 * are allocated in bulk only for adjacent pages.
	 */
	KUNIT_EXPECT_GE(test, n, NFAIL / 2);
	KUNIT_EXPECT_EQ(test, 0, rc);

	repeated = 0;
	for (n = 1, unused = false; !unused && n != 500;
	     n = test_fail_next(n, rc, &repeated)) {
		test_fail_allocation(n);
		rc = iopt_attach_domain(space->iopt, &space->mock[0]->domain);
		unused = test_fail_end();
		if (!rc) {
			if (unused)
				break;
			iopt_detach_domain(space->iopt,
					   &space->mock[0]->domain);
		} else {
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
		}
		KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
		expect_pinned(test, uaddr, charged);
	}
	KUNIT_EXPECT_GE(test, n, 4);
	KUNIT_EXPECT_EQ(test, 0, rc);
	space->mock[0]->attached = !rc;
	mock_expect_maps(space->mock[0], IOVA, uaddr, NFAIL);
}

/* Unpinning pages that are charged to VmLck leaks no reference to the payer. */
static void unpin_keeps_no_reference_to_payer(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long iova = IOVA, uaddr = test_touched(test, 1);
	struct iopt_payer *payer;
	unsigned int users;

	KUNIT_ASSERT_EQ(test, 0,
			iopt_map_user(space->iopt, &iova, (void __user *)uaddr,
				      PAGE_SIZE, TEST_RW, IOPT_ACCOUNT_MM,
				      IOPT_MAP_FIXED));
	payer = test_area_at(space, IOVA)->pages->payer;
	users = refcount_read(&payer->users);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 1, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	KUNIT_EXPECT_EQ(test, users, refcount_read(&payer->users));
}

/*
 * Return the size of the unreclaimable slab memory in bytes. Pin records that
 * were freed do not count, unless their slab also has records in use.
 */
static unsigned long slab_bytes(void)
{
	/* This also frees the cache's objects in the quarantine of KASAN. */
	kmem_cache_shrink(iopt_pin_cache);
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) *
	       PAGE_SIZE;
}

/* A call allocates pin records in bulk and frees those that it did not use. */
static void spare_records_are_freed(struct kunit *test)
{
	const unsigned long nr = 16, rounds = 4000;
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, nr), before, i;

	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		kunit_skip(test, "kmemleak uses much slab memory, and finds leaks itself");
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, nr));
	test_attach(test, space->mock[0]);
	/* In the loop below, only the first page needs a new record. */
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), nr - 1));
	before = slab_bytes();
	for (i = 0; i != rounds; i++) {
		KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, nr));
		KUNIT_ASSERT_EQ(test, nr, test_unpin(access, IOVA, nr));
		cond_resched();
	}
	KUNIT_EXPECT_LT(test, slab_bytes(),
			before + rounds * (nr - 1) / 2 *
				 sizeof(struct iopt_pin));
}

static struct kunit_case access_pins_cases[] = {
	KUNIT_CASE(page_is_pinned_once),
	KUNIT_CASE(spare_records_are_freed),
	KUNIT_CASE_PARAM(pin_charges, account_gen_params),
	KUNIT_CASE_PARAM(failed_pin_charges_nothing, account_gen_params),
	KUNIT_CASE(domain_maps_pinned_page),
	KUNIT_CASE(attach_needs_no_memory_of_pinned_pages),
	KUNIT_CASE(unpin_dirties_writable_pages),
	KUNIT_CASE(detach_dirties_all_but_pinned_page),
	KUNIT_CASE(pin_of_dead_process),
	KUNIT_CASE(fails_at_nth_allocation),
	KUNIT_CASE(copies_share_pins),
	KUNIT_CASE(unpin_leaves_other_copy),
	KUNIT_CASE(unpin_keeps_no_reference_to_payer),
	{}
};

static struct kunit_suite access_pins_suite = {
	.name = "iopt-access-pins",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = access_pins_cases,
};

kunit_test_suite(access_pins_suite);
