// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting of pinned pages.
 *
 * The payer of a mapping is the process that made it and its user, fixed at
 * that time. Pages are charged batch by batch, after a batch was pinned and
 * before the next one: the limit holds while memory is pinned, and what is
 * charged never exceeds what is pinned. So two callers whose sum fits the limit
 * both succeed. A charge that does not fit changes nothing.
 *
 * VmLck is changed under the mmap_lock, which a page fault of the process may hold
 * for ever. So it is not lowered where pages are unpinned. Until it is lowered the
 * pages are unsettled, and a caller that charges the same payer settles them first,
 * so that they take away no room. A caller waits for the mmap_lock of its own
 * process only, and only when no other thread waits for the caller: otherwise it
 * takes the lock if that is free, and leaves the rest to a worker.
 *
 * Each map has pages of its own and is charged by itself, however often the
 * same memory is mapped. Which of its pages were charged stands in the kinds of
 * the runs, so that as many are uncharged.
 *
 * A payer keeps the mm_struct and not the address space: a process could never
 * exit otherwise if its memory keeps the file that keeps the mapping.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "account.h"

static struct workqueue_struct *settle_wq;

static void payer_settle_locked(struct iopt_payer *payer)
{
	unsigned long npages = atomic_long_xchg(&payer->unsettled, 0);

	mmap_assert_write_locked(payer->mm);
	if (npages)
		__account_locked_vm(payer->mm, npages, false, payer->task,
				    true);
}

static void payer_settle_work(struct work_struct *work)
{
	struct iopt_payer *payer = container_of(work, struct iopt_payer,
						settle);

	mmap_write_lock(payer->mm);
	payer_settle_locked(payer);
	mmap_write_unlock(payer->mm);
	iopt_payer_put(payer);
}

/**
 * iopt_account_init() - prepare accounting
 *
 * Context: module initialisation.
 * Return: 0 or -ENOMEM.
 */
int iopt_account_init(void)
{
	settle_wq = alloc_workqueue("iopt", WQ_UNBOUND, 0);
	return settle_wq ? 0 : -ENOMEM;
}

/**
 * iopt_account_exit() - undo iopt_account_init()
 *
 * Context: module exit, also if the initialisation failed. Waits until all is
 * settled.
 */
void iopt_account_exit(void)
{
	if (settle_wq)
		destroy_workqueue(settle_wq);
}

/**
 * iopt_payer_alloc_current - make the current process a payer
 * @account: what its limit is
 * @gfp: allocation flags
 *
 * Context: process context with an mm, may sleep if @gfp does.
 * Return: the payer with one reference, or NULL.
 */
struct iopt_payer *iopt_payer_alloc_current(enum iopt_account account,
					    gfp_t gfp)
{
	struct iopt_payer *payer = kzalloc(sizeof(*payer), gfp);

	if (!payer)
		return NULL;
	refcount_set(&payer->users, 1);
	payer->account = account;
	payer->mm = current->mm;
	mmgrab(payer->mm);
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
	INIT_WORK(&payer->settle, payer_settle_work);
	return payer;
}

/* Would the current process pay as this one? */
static bool payer_is_current(const struct iopt_payer *payer,
			     enum iopt_account account)
{
	return payer && payer->account == account &&
	       payer->mm == current->mm &&
	       payer->task == current->group_leader &&
	       payer->user == current_user();
}

/**
 * iopt_payer_get - take a reference
 * @payer: the payer
 *
 * Context: any.
 * Return: @payer.
 */
struct iopt_payer *iopt_payer_get(struct iopt_payer *payer)
{
	refcount_inc(&payer->users);
	return payer;
}

/**
 * iopt_payer_get_current - take a reference if the current process pays so
 * @from: where a payer or NULL is; it may be replaced meanwhile
 * @account: what the limit is to be
 *
 * Context: process context.
 * Return: the payer, if a new one would be the same, or NULL.
 */
struct iopt_payer *iopt_payer_get_current(struct iopt_payer __rcu **from,
					  enum iopt_account account)
{
	struct iopt_payer *payer;

	rcu_read_lock();
	payer = rcu_dereference(*from);
	if (!payer_is_current(payer, account) ||
	    !refcount_inc_not_zero(&payer->users))
		payer = NULL;
	rcu_read_unlock();
	return payer;
}

/**
 * iopt_payer_put - drop a reference
 * @payer: the payer, with nothing charged any more if it is the last one; or
 *         NULL
 *
 * Context: process context.
 */
void iopt_payer_put(struct iopt_payer *payer)
{
	if (!payer || !refcount_dec_and_test(&payer->users))
		return;
	WARN_ON(iopt_is_unsettled(payer));
	free_uid(payer->user);
	put_task_struct(payer->task);
	mmdrop(payer->mm);
	kfree_rcu(payer, rcu);
}

static unsigned long payer_limit(const struct iopt_payer *payer)
{
	return task_rlimit(payer->task, RLIMIT_MEMLOCK) >> PAGE_SHIFT;
}

static bool sum_fits(unsigned long locked, unsigned long npages,
		     unsigned long limit, unsigned long *sum)
{
	return !check_add_overflow(locked, npages, sum) && *sum <= limit;
}

static bool user_charge(struct user_struct *user, unsigned long npages,
			unsigned long limit)
{
	long locked = atomic_long_read(&user->locked_vm);
	unsigned long sum;

	do {
		if (!sum_fits(locked, npages, limit, &sum))
			return false;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &locked, sum));
	return true;
}

/* VmLck, as mlock() changes it. */
static int mm_charge(struct iopt_payer *payer, unsigned long npages)
{
	int rc;

	if (mmap_write_lock_killable(payer->mm))
		return -EINTR;
	payer_settle_locked(payer);
	rc = __account_locked_vm(payer->mm, npages, true, payer->task,
				 payer->account == IOPT_ACCOUNT_MM_UNLIMITED);
	mmap_write_unlock(payer->mm);
	return rc;
}

/**
 * iopt_charge - charge pages that were just pinned
 * @payer: who pays
 * @npages: number of pages
 *
 * Context: process context, may sleep: %IOPT_ACCOUNT_MM takes the mmap_lock.
 * Return: 0, -ENOMEM if the limit does not allow it, or -EINTR if killed while
 * waiting for the mmap_lock; nothing is charged then.
 */
int iopt_charge(struct iopt_payer *payer, unsigned long npages)
{
	int rc;

	if (!npages)
		return 0;
	switch (payer->account) {
	case IOPT_ACCOUNT_MM:
	case IOPT_ACCOUNT_MM_UNLIMITED:
		return mm_charge(payer, npages);
	case IOPT_ACCOUNT_MM_PINNED:
		rc = mm_charge(payer, npages);
		if (rc)
			return rc;
		break;
	case IOPT_ACCOUNT_USER:
		if (!user_charge(payer->user, npages, payer_limit(payer)))
			return -ENOMEM;
		break;
	case IOPT_ACCOUNT_NONE:
		break;
	}
	atomic64_add(npages, &payer->mm->pinned_vm);
	return 0;
}

/**
 * iopt_uncharge - take back a charge
 * @payer: who paid; to be settled afterwards
 * @npages: number of pages, at most what is charged
 *
 * Context: any that keeps others from pinning these pages: what is not charged
 * any more gives room to them.
 */
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages)
{
	if (!npages)
		return;
	switch (payer->account) {
	case IOPT_ACCOUNT_MM:
	case IOPT_ACCOUNT_MM_UNLIMITED:
		atomic_long_add(npages, &payer->unsettled);
		return;
	case IOPT_ACCOUNT_MM_PINNED:
		atomic_long_add(npages, &payer->unsettled);
		break;
	case IOPT_ACCOUNT_USER:
		atomic_long_sub(npages, &payer->user->locked_vm);
		break;
	case IOPT_ACCOUNT_NONE:
		break;
	}
	atomic64_sub(npages, &payer->mm->pinned_vm);
}

/* Settle if the caller got the mmap_lock, which is released; else a worker does. */
static void payer_settle(struct iopt_payer *payer, bool locked)
{
	if (locked) {
		payer_settle_locked(payer);
		mmap_write_unlock(payer->mm);
	} else {
		iopt_payer_get(payer);
		if (!queue_work(settle_wq, &payer->settle))
			iopt_payer_put(payer);
	}
}

/**
 * iopt_try_settle() - let VmLck show what was uncharged, without waiting for it
 * @payer: who paid; the caller has a reference
 *
 * If the mmap_lock is not free a worker waits for it.
 *
 * Context: process context; other threads may wait for the caller.
 */
void iopt_try_settle(struct iopt_payer *payer)
{
	if (iopt_is_unsettled(payer))
		payer_settle(payer, mmap_write_trylock(payer->mm));
}

/**
 * iopt_settle() - let VmLck show what was uncharged
 * @payer: who paid; the caller has a reference
 *
 * If the caller is killed while waiting for the mmap_lock, or if it is not the
 * process that pays, a worker waits for it.
 *
 * Context: process context, may sleep without bound, killably: takes the mmap_lock.
 * The caller holds no lock and no mark that others wait for.
 */
void iopt_settle(struct iopt_payer *payer)
{
	if (payer->mm != current->mm)
		iopt_try_settle(payer);
	else if (iopt_is_unsettled(payer))
		payer_settle(payer, !mmap_write_lock_killable(payer->mm));
}

/**
 * iopt_settle_later() - note a payer for iopt_settle_noted()
 * @noted: the payer that is noted, or NULL; replaced by @payer
 * @payer: who paid
 *
 * Most operations uncharge one payer. Of several ones only the last one is noted,
 * and the others are settled as by iopt_try_settle().
 *
 * Context: process context; something keeps @payer.
 */
void iopt_settle_later(struct iopt_payer **noted, struct iopt_payer *payer)
{
	struct iopt_payer *before = *noted;

	if (payer == before)
		return;
	*noted = iopt_payer_get(payer);
	if (before) {
		iopt_try_settle(before);
		iopt_payer_put(before);
	}
}

/**
 * iopt_settle_noted() - settle the payer that was noted
 * @noted: the payer of iopt_settle_later(), or NULL
 *
 * Context: as iopt_settle().
 */
void iopt_settle_noted(struct iopt_payer *noted)
{
	if (noted) {
		iopt_settle(noted);
		iopt_payer_put(noted);
	}
}

/* The pages count for the limit of the user already. */
static bool same_user_pays(const struct iopt_payer *from,
			   const struct iopt_payer *to)
{
	return from->account == IOPT_ACCOUNT_USER &&
	       to->account == IOPT_ACCOUNT_USER && from->user == to->user;
}

/**
 * iopt_move_charge_begin() - charge a second payer for pages
 * @from: the payer that is charged
 * @to: the payer that is to be charged instead
 * @npages: number of pages
 *
 * Both payers are charged until iopt_move_charge_end(), so that the pages are
 * charged all the time. A user who runs both processes does not need room for the
 * pages twice.
 *
 * Context: process context, may sleep like iopt_charge().
 * Return: 0 or an errno of iopt_charge(); only @from is charged then.
 */
int iopt_move_charge_begin(struct iopt_payer *from, struct iopt_payer *to,
			   unsigned long npages)
{
	return same_user_pays(from, to) ? 0 : iopt_charge(to, npages);
}

/**
 * iopt_move_charge_end() - uncharge the first payer of pages
 * @from: the payer that was charged before iopt_move_charge_begin()
 * @to: the payer that is charged from now on
 * @npages: number of pages passed to iopt_move_charge_begin()
 * @left: how many of them @from was not uncharged for meanwhile
 *
 * Context: as iopt_uncharge(). Both payers are to be settled afterwards.
 */
void iopt_move_charge_end(struct iopt_payer *from, struct iopt_payer *to,
			  unsigned long npages, unsigned long left)
{
	if (same_user_pays(from, to)) {
		atomic64_add(left, &to->mm->pinned_vm);
		atomic64_sub(left, &from->mm->pinned_vm);
		return;
	}
	iopt_uncharge(to, npages - left);
	iopt_uncharge(from, left);
}
