// SPDX-License-Identifier: GPL-2.0-only
/* Accounting (account.c): limits, counters, and the lifetime of payers. */
#include <linux/cred.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>

#include "../account.h"
#include "../locked_vm.h"
#include "thread.h"
#include "user_mm.h"

static struct iopt_payer *payer_alloc(struct kunit *test,
				      enum iopt_account account)
{
	struct iopt_payer *payer = iopt_payer_alloc_current(account,
							    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, payer);
	return payer;
}

/* Uncharge pages, and lower VmLck before returning. */
static void uncharge(struct iopt_payer *payer, unsigned long npages)
{
	iopt_uncharge(payer, npages);
	iopt_payer_sync(payer);
}

/*
 * IOPT_ACCOUNT_USER applies RLIMIT_MEMLOCK to all pages that are charged to the
 * user. Charges may reach the limit exactly, and a failed charge changes no
 * counter.
 */
static void user_limit_is_exact(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	unsigned long before = test_charged();
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);

	test_set_memlock(PAGES(before + 10));

	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 11));
	KUNIT_EXPECT_EQ(test, before, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));

	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 10));
	KUNIT_EXPECT_EQ(test, before + 10, test_charged());
	KUNIT_EXPECT_EQ(test, 10, atomic64_read(&mm->pinned_vm));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));

	uncharge(payer, 10);
	KUNIT_EXPECT_EQ(test, before, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_put(payer);
}

/* A new limit takes effect at the next charge. */
static void user_limit_is_read_at_each_charge(struct kunit *test)
{
	unsigned long before = test_charged();
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);

	test_set_memlock(PAGES(before));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));
	test_set_memlock(RLIM_INFINITY);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 1));
	uncharge(payer, 1);
	iopt_payer_put(payer);
}

/* IOPT_ACCOUNT_NONE has no limit, but counts pages in VmPin. */
static void none_is_unlimited_but_counted(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	unsigned long before = test_charged();
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_NONE);

	test_set_memlock(0);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 5));
	KUNIT_EXPECT_EQ(test, before, test_charged());
	KUNIT_EXPECT_EQ(test, 5, atomic64_read(&mm->pinned_vm));
	uncharge(payer, 5);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	iopt_payer_put(payer);
}

/*
 * A payer takes a reference on mm_count, not on mm_users, so that it does not
 * keep the address space alive.
 */
static void payer_holds_no_mm_users(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	int users = atomic_read(&mm->mm_users);
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);

	KUNIT_EXPECT_EQ(test, users, atomic_read(&mm->mm_users));
	iopt_payer_put(payer);
}

/*
 * IOPT_ACCOUNT_MM applies RLIMIT_MEMLOCK to VmLck, the sum of charged and
 * mlock()ed pages. Charges may reach the limit exactly.
 */
static void mm_limit_is_exact(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_MM);

	mm->locked_vm = 3;
	test_set_memlock(PAGES(10));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 8));
	KUNIT_EXPECT_EQ(test, 3, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 7));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&mm->pinned_vm));
	uncharge(payer, 7);
	KUNIT_EXPECT_EQ(test, 3, mm->locked_vm);
	mm->locked_vm = 0;
	iopt_payer_put(payer);
}

/*
 * Uncharged pages do not count against the limit, even before VmLck is lowered.
 */
static void uncharged_pages_can_be_charged_again(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_MM);

	test_set_memlock(PAGES(10));
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
	iopt_uncharge(payer, 7);
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 7));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));
	KUNIT_EXPECT_FALSE(test, iopt_payer_is_unsynced(payer));
	uncharge(payer, 10);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	iopt_payer_put(payer);
}

/*
 * Pages that one payer has uncharged do not count against the limit of another
 * payer of the same process, even before VmLck is lowered, and whatever the
 * accounting mode of the first payer is.
 */
static void uncharged_pages_can_be_charged_to_another(struct kunit *test)
{
	static const enum iopt_account modes[] = {
		IOPT_ACCOUNT_MM,
		IOPT_ACCOUNT_MM_PINNED,
		IOPT_ACCOUNT_MM_UNLIMITED,
	};
	struct mm_struct *mm = current->mm;
	struct iopt_payer *before, *payer;
	unsigned int i;

	for (i = 0; i != ARRAY_SIZE(modes); i++) {
		before = payer_alloc(test, modes[i]);
		payer = payer_alloc(test, IOPT_ACCOUNT_MM);
		test_set_memlock(PAGES(10));
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(before, 10));
		iopt_uncharge(before, 10);
		KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
		KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 10));
		KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
		KUNIT_EXPECT_FALSE(test, iopt_payer_is_unsynced(before));
		iopt_payer_put(before);
		KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, 1));
		uncharge(payer, 10);
		KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
		iopt_payer_put(payer);
	}
}

static long call_sync(struct test_thread *thread)
{
	iopt_payer_sync(thread->data);
	return 0;
}

/*
 * If a thread is killed while it waits for the mmap_lock in order to lower
 * VmLck, a worker lowers VmLck later.
 */
static void killed_sync_is_deferred(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	struct iopt_payer *payer;
	struct test_thread sync;

	payer = payer_alloc(test, IOPT_ACCOUNT_MM);
	test_set_memlock(PAGES(10));
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
	iopt_uncharge(payer, 10);
	mmap_read_lock(mm);
	test_thread_start(test, &sync, call_sync, payer, mm);
	while (!mmap_lock_is_contended(mm))
		msleep(20);
	test_thread_kill(&sync);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&sync));
	KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
	mmap_read_unlock(mm);
	flush_work(&payer->locked_vm->sync);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	KUNIT_EXPECT_FALSE(test, iopt_payer_is_unsynced(payer));
	iopt_payer_put(payer);
}

static long call_try_sync(struct test_thread *thread)
{
	iopt_payer_try_sync(thread->data);
	return 0;
}

/*
 * If the mmap_lock is taken, calls that must not wait for it let a worker lower
 * VmLck: iopt_payer_try_sync(), and iopt_payer_sync() in a thread that does not
 * use the payer's mm.
 */
static void sync_is_deferred_if_lock_is_busy(struct kunit *test)
{
	static long (*const calls[])(struct test_thread *) = {
		call_try_sync,
		call_try_sync,
		call_sync,
	};
	struct mm_struct *mm = current->mm;
	/* The last two threads do not use the payer's mm. */
	struct mm_struct *mms[] = { mm, NULL, NULL };
	struct iopt_payer *payer;
	unsigned int i;

	payer = payer_alloc(test, IOPT_ACCOUNT_MM);
	test_set_memlock(PAGES(10));
	for (i = 0; i != ARRAY_SIZE(calls); i++) {
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
		iopt_uncharge(payer, 10);
		mmap_read_lock(mm);
		test_thread_run(test, calls[i], payer, mms[i]);
		KUNIT_EXPECT_EQ(test, 10, mm->locked_vm);
		mmap_read_unlock(mm);
		flush_work(&payer->locked_vm->sync);
		KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);

		/* The call itself lowers VmLck if the lock is free. */
		KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 10));
		iopt_uncharge(payer, 10);
		test_thread_run(test, calls[i], payer, mms[i]);
		KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	}
	iopt_payer_put(payer);
}

/* Allocate a payer for another mm, and charge pages to it. */
static struct iopt_payer *charge_other(struct kunit *test,
				       struct mm_struct *other,
				       unsigned long npages)
{
	struct mm_struct *mm = current->mm;
	struct iopt_payer *payer;

	kthread_unuse_mm(mm);
	kthread_use_mm(other);
	payer = payer_alloc(test, IOPT_ACCOUNT_MM);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, npages));
	kthread_unuse_mm(other);
	kthread_use_mm(mm);
	return payer;
}

/*
 * An operation that uncharges payers of several processes lowers VmLck of each
 * of them.
 */
static void each_noted_payer_is_synced(struct kunit *test)
{
	struct mm_struct *mms[] = { current->mm, test_other_mm(test) };
	struct iopt_payer *payer[2], *noted = NULL;
	unsigned int i;

	test_set_memlock(PAGES(10));
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		payer[i] = charge_other(test, mms[i], 5);
		KUNIT_EXPECT_EQ(test, 5, mms[i]->locked_vm);
	}
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		iopt_uncharge(payer[i], 5);
		iopt_payer_sync_later(&noted, payer[i]);
		iopt_payer_sync_later(&noted, payer[i]);
		KUNIT_EXPECT_EQ(test, 2, refcount_read(&payer[i]->users));
	}
	KUNIT_EXPECT_EQ(test, 0, mms[0]->locked_vm);
	KUNIT_EXPECT_EQ(test, 5, mms[1]->locked_vm);
	iopt_payer_sync_noted(noted);
	iopt_payer_sync_noted(NULL);
	KUNIT_EXPECT_EQ(test, 0, mms[1]->locked_vm);
	for (i = 0; i != ARRAY_SIZE(payer); i++) {
		KUNIT_EXPECT_EQ(test, 1, refcount_read(&payer[i]->users));
		iopt_payer_put(payer[i]);
	}
	mmput(mms[1]);
}

/*
 * Each mm has an iopt_locked_vm of its own, even if several mms share a bucket
 * of the hash table. The test uses more mms than the table has buckets.
 */
static void locked_vm_belongs_to_mm(struct kunit *test)
{
	struct iopt_locked_vm *locked_vm[65];
	struct mm_struct *mms;
	unsigned int i;

	mms = kunit_kcalloc(test, ARRAY_SIZE(locked_vm), sizeof(*mms),
			    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, mms);
	for (i = 0; i != ARRAY_SIZE(locked_vm); i++) {
		atomic_set(&mms[i].mm_count, 1);
		locked_vm[i] = iopt_locked_vm_get(&mms[i], GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, locked_vm[i]);
		KUNIT_EXPECT_PTR_EQ(test, &mms[i], locked_vm[i]->mm);
	}
	for (i = 0; i != ARRAY_SIZE(locked_vm); i++) {
		KUNIT_EXPECT_PTR_EQ(test, locked_vm[i],
				    iopt_locked_vm_get(&mms[i], GFP_KERNEL));
		iopt_locked_vm_put(locked_vm[i]);
		iopt_locked_vm_put(locked_vm[i]);
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&mms[i].mm_count));
	}
}

/* IOPT_ACCOUNT_MM_UNLIMITED counts pages in VmLck without a limit. */
static void mm_unlimited_is_counted(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_MM_UNLIMITED);

	test_set_memlock(0);
	KUNIT_EXPECT_EQ(test, 0, iopt_charge(payer, 5));
	KUNIT_EXPECT_EQ(test, 5, mm->locked_vm);
	uncharge(payer, 5);
	KUNIT_EXPECT_EQ(test, 0, mm->locked_vm);
	iopt_payer_put(payer);
}

/* A charge fails if the sum of charges would wrap. */
static void charge_that_overflows_ENOMEM(struct kunit *test)
{
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);
	unsigned long charged = test_charged();

	test_set_memlock(RLIM_INFINITY);
	KUNIT_ASSERT_EQ(test, 0, iopt_charge(payer, 1));
	KUNIT_EXPECT_EQ(test, -ENOMEM, iopt_charge(payer, ULONG_MAX));
	KUNIT_EXPECT_EQ(test, charged + 1, test_charged());
	uncharge(payer, 1);
	iopt_payer_put(payer);
}

/*
 * A payer holds references to its process, mm and user until the last reference
 * to the payer is dropped.
 */
static void payer_holds_references(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	const struct cred *before = test_be_user(test, 4711);
	int tasks = refcount_read(&current->group_leader->usage);
	int users = refcount_read(&current_user()->__count);
	int mms = atomic_read(&mm->mm_count);
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);

	KUNIT_EXPECT_PTR_EQ(test, payer, iopt_payer_get(payer));
	iopt_payer_put(payer);
	iopt_payer_put(NULL);
	/*
	 * On SMP, mm_count is not exact: idle CPUs may hold lazy TLB references
	 * for a while.
	 */
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

static bool is_current_payer(struct iopt_payer *payer,
			     enum iopt_account account)
{
	struct iopt_payer __rcu *from = RCU_INITIALIZER(payer);
	struct iopt_payer *found = iopt_payer_get_current(&from, account);

	if (found)
		iopt_payer_put(found);
	return found && found == payer;
}

/* A payer is reused only for the same process, user and accounting mode. */
static void payer_is_reused(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	const struct cred *before;
	struct iopt_payer *payer = payer_alloc(test, IOPT_ACCOUNT_USER);

	KUNIT_EXPECT_TRUE(test, is_current_payer(payer, IOPT_ACCOUNT_USER));
	KUNIT_EXPECT_FALSE(test, is_current_payer(payer, IOPT_ACCOUNT_MM));
	KUNIT_EXPECT_FALSE(test, is_current_payer(NULL, IOPT_ACCOUNT_USER));
	before = test_be_user(test, 4711);
	KUNIT_EXPECT_FALSE(test, is_current_payer(payer, IOPT_ACCOUNT_USER));
	revert_creds(before);

	kthread_unuse_mm(mm);
	KUNIT_EXPECT_FALSE(test, is_current_payer(payer, IOPT_ACCOUNT_USER));
	kthread_use_mm(mm);

	/*
	 * A payer with a refcount of 0 is about to be freed, and is not reused.
	 */
	KUNIT_EXPECT_EQ(test, 1, refcount_read(&payer->users));
	refcount_set(&payer->users, 0);
	KUNIT_EXPECT_FALSE(test, is_current_payer(payer, IOPT_ACCOUNT_USER));
	refcount_set(&payer->users, 1);
	iopt_payer_put(payer);
}

static struct kunit_case account_cases[] = {
	KUNIT_CASE(user_limit_is_exact),
	KUNIT_CASE(user_limit_is_read_at_each_charge),
	KUNIT_CASE(none_is_unlimited_but_counted),
	KUNIT_CASE(payer_holds_no_mm_users),
	KUNIT_CASE(mm_limit_is_exact),
	KUNIT_CASE(mm_unlimited_is_counted),
	KUNIT_CASE(uncharged_pages_can_be_charged_again),
	KUNIT_CASE(uncharged_pages_can_be_charged_to_another),
	KUNIT_CASE(killed_sync_is_deferred),
	KUNIT_CASE(sync_is_deferred_if_lock_is_busy),
	KUNIT_CASE(each_noted_payer_is_synced),
	KUNIT_CASE(locked_vm_belongs_to_mm),
	KUNIT_CASE(charge_that_overflows_ENOMEM),
	KUNIT_CASE(payer_holds_references),
	KUNIT_CASE(payer_is_reused),
	{}
};

static int account_init(struct kunit *test)
{
	test_user_mm(test);
	return 0;
}

static void account_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, 0, test_threads_unjoined());
}

static struct kunit_suite account_suite = {
	.name = "iopt-account",
	.init = account_init,
	.exit = account_exit,
	.test_cases = account_cases,
};

kunit_test_suite(account_suite);
