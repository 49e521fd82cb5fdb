// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting: exact limits, exact counters.
 */
#include <linux/cred.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "../account.h"
#include "user_mm.h"

static void set_limit(unsigned long npages)
{
	current->signal->rlim[RLIMIT_MEMLOCK].rlim_cur =
		npages == RLIM_INFINITY ? RLIM_INFINITY : npages << PAGE_SHIFT;
}

static void user_limit_is_exact(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	unsigned long before = atomic_long_read(&current_user()->locked_vm);
	struct iopt_payer payer;

	iopt_payer_init_current(&payer, IOPT_ACCOUNT_USER);
	set_limit(before + 10);

	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(&payer, 11));
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));

	KUNIT_EXPECT_EQ(test, 0, iopt_charge(&payer, 10));
	KUNIT_EXPECT_EQ(test, before + 10,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 10, atomic64_read(&mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(&payer, 1));

	iopt_uncharge(&payer, 10);
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_destroy(&payer);
}

static void user_limit_is_read_at_each_charge(struct kunit *test)
{
	unsigned long before = atomic_long_read(&current_user()->locked_vm);
	struct iopt_payer payer;

	test_user_mm(test);
	iopt_payer_init_current(&payer, IOPT_ACCOUNT_USER);
	set_limit(before);
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(&payer, 1));
	set_limit(RLIM_INFINITY);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(&payer, 1));
	iopt_uncharge(&payer, 1);
	iopt_payer_destroy(&payer);
}

static void none_has_no_limit_but_shows(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	unsigned long before = atomic_long_read(&current_user()->locked_vm);
	struct iopt_payer payer;

	iopt_payer_init_current(&payer, IOPT_ACCOUNT_NONE);
	set_limit(0);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(&payer, 5));
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 5, atomic64_read(&mm->pinned_vm));
	iopt_uncharge(&payer, 5);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_destroy(&payer);
}

/* H14: a mapping keeps the mm_struct, not the address space. */
static void payer_does_not_keep_mm_alive(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	int users = atomic_read(&mm->mm_users);
	struct iopt_payer payer;

	iopt_payer_init_current(&payer, IOPT_ACCOUNT_USER);
	KUNIT_EXPECT_EQ(test, users, atomic_read(&mm->mm_users));
	iopt_payer_destroy(&payer);
}

static struct kunit_case account_cases[] = {
	KUNIT_CASE(user_limit_is_exact),
	KUNIT_CASE(user_limit_is_read_at_each_charge),
	KUNIT_CASE(none_has_no_limit_but_shows),
	KUNIT_CASE(payer_does_not_keep_mm_alive),
	{}
};

static struct kunit_suite account_suite = {
	.name = "iopt-account",
	.test_cases = account_cases,
};

kunit_test_suite(account_suite);
