// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption of an orphan by another process (adopt.c): which process is charged
 * for the pages, and which memory iopt_access_rw() accesses.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/rcupdate.h>
#include <linux/sched/mm.h>
#include <linux/sched/user.h>
#include <linux/uaccess.h>

#include "access.h"
#include "account_cases.h"
#include "adopt.h"
#include "failing.h"
#include "thread.h"

#define IOVA	0x100000000UL

/**
 * struct old_process - process that created the mapping
 * @account: accounting mode of the mapping
 * @uaddr: user address of the mapped memory, 6 pages
 * @access: access that pins the last two of these pages
 * @user: user that the process runs as, or NULL for the test's user
 * @mm: memory of the process
 */
struct old_process {
	enum iopt_account account;
	unsigned long uaddr;
	struct test_access *access;
	struct user_struct *user;
	struct mm_struct *mm;
};

/* Map 6 pages at IOVA as the old process, and pin the last 2 of them. */
static long call_map_and_pin(struct test_thread *thread)
{
	struct old_process *old = thread->data;
	const struct cred *saved = NULL;
	struct cred *cred = NULL;
	unsigned long iova = IOVA, i;
	long rc;

	if (old->user) {
		cred = prepare_creds();
		if (!cred)
			return -ENOMEM;
		free_uid(cred->user);
		cred->user = get_uid(old->user);
		saved = override_creds(cred);
	}
	old->uaddr = vm_mmap(NULL, 0, PAGES(6), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	for (i = 0; i != 6; i++)
		put_user(i, (u64 __user *)(old->uaddr + PAGES(i)));
	rc = iopt_map_user(thread->space->iopt, &iova,
			   (void __user *)old->uaddr, PAGES(6), TEST_RW,
			   old->account, IOPT_MAP_FIXED);
	if (!rc)
		rc = test_pin(old->access, IOVA + PAGES(4), 2);
	if (saved) {
		revert_creds(saved);
		put_cred(cred);
	}
	return rc;
}

/*
 * Create a process that maps memory and pins some of it; see
 * call_map_and_pin(). The caller drops old->mm with mmput().
 */
static void old_process_map(struct kunit *test, struct old_process *old)
{
	old->access = test_access_create(test);
	old->mm = test_other_mm(test);
	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map_and_pin, old,
						 old->mm));
}

static void expect_charges(struct kunit *test, struct mm_struct *mm,
			   unsigned long n)
{
	const struct account_case *account = test->param_value;

	KUNIT_EXPECT_EQ(test, account->locked * n, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, account->pinned * n,
			atomic64_read(&mm->pinned_vm));
}

/*
 * Adoption by another process moves the charge to that process. If the
 * accounting mode has a limit per process, the limit of the new process
 * applies. Whether the old process is still @alive makes no difference. With
 * @attached, all 6 pages are charged; otherwise, only the 2 that the access has
 * pinned.
 */
static void adopt_by_another_process(struct kunit *test, bool alive,
				     bool attached)
{
	const struct account_case *account = test->param_value;
	struct test_space *space = test->priv;
	struct old_process old = { .account = account->account };
	unsigned long uaddr = test_touched(test, 6), user = test_charged();
	unsigned long n = attached ? 6 : 2, pfn;
	bool limited;

	limited = account->account == IOPT_ACCOUNT_MM ||
		  account->account == IOPT_ACCOUNT_MM_PINNED;
	if (attached)
		test_attach(test, space->mock[0]);
	old_process_map(test, &old);
	mmgrab(old.mm);
	expect_charges(test, old.mm, n);
	KUNIT_EXPECT_EQ(test, user + account->user * n, test_charged());
	KUNIT_ASSERT_EQ(test, 6, test_orphan(test, IOVA, 6));
	if (!alive)
		mmput(old.mm);
	pfn = mock_domain_pfn(space->mock[0], IOVA + PAGES(1));

	test_set_memlock(PAGES(n - 1));
	if (limited) {
		KUNIT_EXPECT_EQ(test, -ENOMEM,
				test_adopt_as(test, IOVA, 6, uaddr,
					      account->account));
		KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
		expect_charges(test, old.mm, n);
		expect_charges(test, current->mm, 0);
		test_set_memlock(PAGES(n));
	}
	/*
	 * Both processes run as the same user. That user is not charged twice.
	 */
	if (account->account == IOPT_ACCOUNT_USER)
		test_set_memlock(PAGES(user + n));
	KUNIT_EXPECT_EQ(test, 0, test_adopt_as(test, IOVA, 6, uaddr,
					       account->account));
	KUNIT_EXPECT_FALSE(test, iopt_has_orphans(space->iopt));
	expect_charges(test, old.mm, 0);
	expect_charges(test, current->mm, n);
	KUNIT_EXPECT_EQ(test, user + account->user * n, test_charged());
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(space->mock[0],
						   IOVA + PAGES(1)));
	if (pfn)
		KUNIT_EXPECT_EQ(test, 1, test_pins(pfn));

	/*
	 * Pages that are pinned after the adoption come from the new process
	 * and are charged to it.
	 */
	test_set_memlock(PAGES(user + 6));
	if (attached)
		test_detach(test, space->mock[0]);
	expect_charges(test, current->mm, 2);
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 4);
	expect_charges(test, current->mm, 6);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	expect_charges(test, current->mm, 0);
	expect_charges(test, old.mm, 0);
	KUNIT_EXPECT_EQ(test, user, test_charged());
	if (alive)
		mmput(old.mm);
	mmdrop(old.mm);
}

/*
 * Pages that a domain translates are charged to the new process even though the
 * old process is still alive.
 */
static void adopt_from_living_process(struct kunit *test)
{
	adopt_by_another_process(test, true, true);
}

/*
 * Adoption charges the new process for the pages that a domain translates, even
 * if the old process has already exited.
 */
static void adopt_from_dead_process(struct kunit *test)
{
	adopt_by_another_process(test, false, true);
}

/*
 * Without a domain, only the pages that an access has pinned are charged to the
 * new process.
 */
static void adopt_pins_of_accesses(struct kunit *test)
{
	adopt_by_another_process(test, true, false);
}

/*
 * With IOPT_ACCOUNT_USER, adoption moves the charge from the old user to the
 * new one and is subject to the limit of the adopting process.
 */
static void adopt_from_another_user(struct kunit *test)
{
	struct user_struct *other = alloc_uid(KUIDT_INIT(4711));
	struct test_space *space = test->priv;
	struct old_process old = {
		.account = IOPT_ACCOUNT_USER,
		.user = other,
	};
	unsigned long user = test_charged();

	KUNIT_ASSERT_NOT_NULL(test, other);
	test_attach(test, space->mock[0]);
	old_process_map(test, &old);
	KUNIT_EXPECT_EQ(test, 6, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	KUNIT_ASSERT_EQ(test, 6, test_orphan(test, IOVA, 6));

	test_set_memlock(PAGES(user + 5));
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_adopt(test, IOVA, 6, PAGES(1)));
	KUNIT_EXPECT_EQ(test, 6, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, 6, atomic64_read(&old.mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));

	test_set_memlock(PAGES(user + 6));
	KUNIT_EXPECT_EQ(test, 0, test_adopt(test, IOVA, 6, PAGES(1)));
	KUNIT_EXPECT_EQ(test, 0, atomic_long_read(&other->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&old.mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, user + 6, test_charged());
	KUNIT_EXPECT_EQ(test, 6, atomic64_read(&current->mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, user, test_charged());
	/*
	 * The old payer was freed. The credentials that the old process used
	 * drop their reference to the user after a grace period.
	 */
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&other->__count));
	mmput(old.mm);
	free_uid(other);
}

/*
 * After an adoption, iopt_access_rw() accesses the memory of the new process.
 */
static void rw_uses_memory_of_new_owner(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct old_process old = { .account = IOPT_ACCOUNT_MM };
	unsigned long uaddr = test_touched(test, 6);

	KUNIT_ASSERT_EQ(test, 0, put_user(55ULL, (u64 __user *)uaddr));
	old_process_map(test, &old);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_read_as(test, old.access, IOVA,
						    current->mm));
	KUNIT_ASSERT_EQ(test, 6, test_orphan(test, IOVA, 6));
	KUNIT_ASSERT_EQ(test, 0, test_adopt_as(test, IOVA, 6, uaddr,
					       IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_EQ(test, 55, test_read_as(test, old.access, IOVA,
					       current->mm));
	KUNIT_EXPECT_EQ(test, 55, test_read_as(test, old.access, IOVA, NULL));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_read_as(test, old.access, IOVA,
						    old.mm));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, 0, current->mm->locked_vm);
	mmput(old.mm);
}

/* An adoption that fails to allocate the new payer changes nothing. */
static void adopt_ENOMEM(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct old_process old = { .account = IOPT_ACCOUNT_MM };
	unsigned long uaddr = test_touched(test, 6);

	test_needs_failing_allocations(test);
	old_process_map(test, &old);
	KUNIT_ASSERT_EQ(test, 6, test_orphan(test, IOVA, 6));
	test_fail_allocation(1);
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_adopt_as(test, IOVA, 6, uaddr,
						     IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_FALSE(test, test_fail_end());
	KUNIT_EXPECT_TRUE(test, iopt_has_orphans(space->iopt));
	KUNIT_EXPECT_EQ(test, 2, old.mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 6));
	KUNIT_EXPECT_EQ(test, 0, old.mm->locked_vm);
	mmput(old.mm);
}

static struct kunit_case adopt_charge_cases[] = {
	KUNIT_CASE_PARAM(adopt_from_living_process, account_gen_params),
	KUNIT_CASE_PARAM(adopt_from_dead_process, account_gen_params),
	KUNIT_CASE_PARAM(adopt_pins_of_accesses, account_gen_params),
	KUNIT_CASE(adopt_from_another_user),
	KUNIT_CASE(rw_uses_memory_of_new_owner),
	KUNIT_CASE(adopt_ENOMEM),
	{}
};

static struct kunit_suite adopt_charge_suite = {
	.name = "iopt-adopt-charge",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = adopt_charge_cases,
};

kunit_test_suite(adopt_charge_suite);
