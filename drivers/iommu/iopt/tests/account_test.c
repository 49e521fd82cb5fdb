// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting: exact limits, exact counters.
 */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "../account.h"
#include "thread.h"
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
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(before + 10);

	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 11));
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));

	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 10));
	KUNIT_EXPECT_EQ(test, before + 10,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 10, atomic64_read(&mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));

	iopt_uncharge(payer, 10);
	iopt_settle(payer);
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_put(payer);
}

static void user_limit_is_read_at_each_charge(struct kunit *test)
{
	unsigned long before = atomic_long_read(&current_user()->locked_vm);
	struct iopt_payer *payer;

	test_user_mm(test);
	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(before);
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));
	set_limit(RLIM_INFINITY);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 1));
	iopt_uncharge(payer, 1);
	iopt_settle(payer);
	iopt_payer_put(payer);
}

static void none_has_no_limit_but_shows(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	unsigned long before = atomic_long_read(&current_user()->locked_vm);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_NONE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(0);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 5));
	KUNIT_EXPECT_EQ(test, before,
			atomic_long_read(&current_user()->locked_vm));
	KUNIT_EXPECT_EQ(test, 5, atomic64_read(&mm->pinned_vm));
	iopt_uncharge(payer, 5);
	iopt_settle(payer);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_put(payer);
}

/* H14: a mapping keeps the mm_struct, not the address space. */
static void payer_does_not_keep_mm_alive(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	int users = atomic_read(&mm->mm_users);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	KUNIT_EXPECT_EQ(test, users, atomic_read(&mm->mm_users));
	iopt_payer_put(payer);
}

/* VmLck: what a process may lock it may map, with what mlock() took. */
static void mm_limit_is_exact(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_MM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	mm->locked_vm = 3;
	set_limit(10);
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 8));
	KUNIT_EXPECT_EQ(test, 3, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 7));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_uncharge(payer, 7);
	iopt_settle(payer);
	KUNIT_EXPECT_EQ(test, 3, mm->locked_vm);
	mm->locked_vm = 0;
	iopt_payer_put(payer);
}

/* What is uncharged gives room, though VmLck does not show it yet. */
static void uncharged_gives_room(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_MM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(10);
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
	iopt_uncharge(payer, 7);
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 7));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));
	KUNIT_EXPECT_FALSE(test, iopt_is_unsettled(payer));
	iopt_uncharge(payer, 10);
	iopt_settle(payer);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	iopt_payer_put(payer);
}

static long call_settle(struct test_thread *thread)
{
	iopt_settle(thread->data);
	return 0;
}

/* Who is killed while waiting for the mmap_lock leaves nothing charged. */
static void killed_settles_later(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	struct iopt_payer *payer;
	struct test_thread settle;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_MM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(10);
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
	iopt_uncharge(payer, 10);
	mmap_read_lock(mm);
	test_thread_start(test, &settle, call_settle, payer, mm);
	while (!mmap_lock_is_contended(mm))
		msleep(20);
	test_thread_kill(&settle);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&settle));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	mmap_read_unlock(mm);
	flush_work(&payer->settle);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	KUNIT_EXPECT_FALSE(test, iopt_is_unsettled(payer));
	iopt_payer_put(payer);
}

static long call_try_settle(struct test_thread *thread)
{
	iopt_try_settle(thread->data);
	return 0;
}

/* A caller that must not wait for the mmap_lock leaves it to a worker. */
static void busy_lock_settles_later(struct kunit *test)
{
	static long (* const calls[])(struct test_thread *) = {
		call_try_settle, call_try_settle, call_settle,
	};
	struct mm_struct *mm = test_user_mm(test);
	/* The last call is that of another process. */
	struct mm_struct *mms[] = { mm, NULL, NULL };
	struct iopt_payer *payer;
	unsigned int i;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_MM, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(10);
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
		iopt_uncharge(payer, 10);
		mmap_read_lock(mm);
		test_thread_run(test, calls[i], payer, mms[i]);
		KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
		mmap_read_unlock(mm);
		flush_work(&payer->settle);
		KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);

		/* If it is free nothing is left to do. */
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
		iopt_uncharge(payer, 10);
		test_thread_run(test, calls[i], payer, mms[i]);
		KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	}
	iopt_payer_put(payer);
}

/* Of several payers that an operation uncharges none is forgotten. */
static void each_noted_payer_is_settled(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	struct iopt_payer *payer[2], *noted = NULL;
	unsigned int i;

	set_limit(10);
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		payer[i] = iopt_payer_alloc_current(IOPT_ACCOUNT_MM,
						    GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, payer[i]);
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer[i], 5));
	}
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		iopt_uncharge(payer[i], 5);
		iopt_settle_later(&noted, payer[i]);
		iopt_settle_later(&noted, payer[i]);
		KUNIT_EXPECT_EQ(test, 2, refcount_read(&payer[i]->users));
	}
	KUNIT_EXPECT_EQ(test, 5, mm->locked_vm);
	iopt_settle_noted(noted);
	iopt_settle_noted(NULL);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		KUNIT_EXPECT_EQ(test, 1, refcount_read(&payer[i]->users));
		iopt_payer_put(payer[i]);
	}
}

/* CAP_IPC_LOCK: counted, without a limit. */
static void mm_unlimited_is_counted(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_MM_UNLIMITED, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(0);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 5));
	KUNIT_EXPECT_EQ(test, 5, mm->locked_vm);
	iopt_uncharge(payer, 5);
	iopt_settle(payer);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	iopt_payer_put(payer);
}

/* A sum that wraps is no small one. */
static void limit_of_huge_sums(struct kunit *test)
{
	struct iopt_payer *payer;

	test_user_mm(test);
	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	set_limit(RLIM_INFINITY);
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 1));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, ULONG_MAX));
	set_limit(atomic_long_read(&current_user()->locked_vm));
	iopt_uncharge(payer, 1);
	iopt_settle(payer);
	iopt_payer_put(payer);
}

/* The process, its memory and its user are let go with the last reference. */
static void payer_keeps_and_puts(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	const struct cred *before = test_be_user(test, 4711);
	int tasks = refcount_read(&current->group_leader->usage);
	int users = refcount_read(&current_user()->__count);
	int mms = atomic_read(&mm->mm_count);
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	KUNIT_EXPECT_PTR_EQ(test, payer, iopt_payer_get(payer));
	iopt_payer_put(payer);
	iopt_payer_put(NULL);
	/* On other processors, idle threads borrow an mm for a while. */
	if (!IS_ENABLED(CONFIG_SMP))
		KUNIT_EXPECT_EQ(test, mms + 1, atomic_read(&mm->mm_count));
	KUNIT_EXPECT_EQ(test, tasks + 1,
			refcount_read(&current->group_leader->usage));
	KUNIT_EXPECT_EQ(test, users + 1,
			refcount_read(&current_user()->__count));
	iopt_payer_put(payer);
	if (!IS_ENABLED(CONFIG_SMP))
		KUNIT_EXPECT_EQ(test, mms, atomic_read(&mm->mm_count));
	KUNIT_EXPECT_EQ(test, tasks,
			refcount_read(&current->group_leader->usage));
	KUNIT_EXPECT_EQ(test, users, refcount_read(&current_user()->__count));
	revert_creds(before);
}

static bool pays_now(struct iopt_payer *payer, enum iopt_account account)
{
	struct iopt_payer __rcu *from = RCU_INITIALIZER(payer);
	struct iopt_payer *found = iopt_payer_get_current(&from, account);

	if (found)
		iopt_payer_put(found);
	return found && found == payer;
}

/* Only the same process, as the same user, with the same limit is the same. */
static void payer_of_whom(struct kunit *test)
{
	struct mm_struct *mm = test_user_mm(test);
	const struct cred *before;
	struct iopt_payer *payer;

	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_USER, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	KUNIT_EXPECT_TRUE(test, pays_now(payer, IOPT_ACCOUNT_USER));
	KUNIT_EXPECT_FALSE(test, pays_now(payer, IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_FALSE(test, pays_now(NULL, IOPT_ACCOUNT_USER));
	before = test_be_user(test, 4711);
	KUNIT_EXPECT_FALSE(test, pays_now(payer, IOPT_ACCOUNT_USER));
	revert_creds(before);

	kthread_unuse_mm(mm);
	KUNIT_EXPECT_FALSE(test, pays_now(payer, IOPT_ACCOUNT_USER));
	kthread_use_mm(mm);

	/* Who just let go of the last reference frees it. */
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&payer->users));
	refcount_set(&payer->users, 0);
	KUNIT_EXPECT_FALSE(test, pays_now(payer, IOPT_ACCOUNT_USER));
	refcount_set(&payer->users, 1);
	iopt_payer_put(payer);
}

static struct kunit_case account_cases[] = {
	KUNIT_CASE(user_limit_is_exact),
	KUNIT_CASE(user_limit_is_read_at_each_charge),
	KUNIT_CASE(none_has_no_limit_but_shows),
	KUNIT_CASE(payer_does_not_keep_mm_alive),
	KUNIT_CASE(mm_limit_is_exact),
	KUNIT_CASE(mm_unlimited_is_counted),
	KUNIT_CASE(uncharged_gives_room),
	KUNIT_CASE(killed_settles_later),
	KUNIT_CASE(busy_lock_settles_later),
	KUNIT_CASE(each_noted_payer_is_settled),
	KUNIT_CASE(limit_of_huge_sums),
	KUNIT_CASE(payer_keeps_and_puts),
	KUNIT_CASE(payer_of_whom),
	{}
};

static struct kunit_suite account_suite = {
	.name = "iopt-account",
	.test_cases = account_cases,
};

kunit_test_suite(account_suite);
