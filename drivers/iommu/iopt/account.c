// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting of pinned pages.
 *
 * The payer of pinned pages is the process that mapped the memory, together
 * with the user of that process. Another process may copy the mapping or
 * trigger the pinning without becoming the payer; only iopt_adopt() replaces
 * the payer.
 *
 * Each batch of pages is charged after it was pinned and before the next batch
 * is pinned, so that the limit takes effect while memory is being pinned. Pages
 * are never charged before they are pinned, and a failed charge changes
 * nothing: two callers that together stay within the limit both succeed.
 *
 * VmLck (mm->locked_vm) is changed under the mmap_lock, which a page fault of
 * the process may hold indefinitely. Unpinning therefore does not lower VmLck
 * immediately: the pages stay unsynced until some thread synchronises the
 * payer, i.e. subtracts them from VmLck. A caller that charges a payer
 * synchronises it first, so that unsynced pages of this payer do not count
 * against the limit. After an unpin, a thread waits only for the mmap_lock of
 * its own process, and only if no other thread is waiting for this thread.
 * Otherwise it only tries the lock, and a worker synchronises the payer if that
 * fails.
 *
 * Memory that is mapped twice is charged twice. The kind of each run records
 * whether its pages were charged, so that exactly the charged pages are
 * uncharged.
 *
 * A payer holds a reference to the mm_struct (mmgrab()), not to the address
 * space (mmget()). With mmget(), a process that has mapped the file which owns
 * the space would keep its own address space alive, and never release it.
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

static struct workqueue_struct *sync_wq;

static void payer_sync_locked(struct iopt_payer *payer)
{
	unsigned long npages = atomic_long_xchg(&payer->unsynced, 0);

	lockdep_assert_held_write(&payer->mm->mmap_lock);
	if (npages)
		__account_locked_vm(payer->mm, npages, false, payer->task,
				    true);
}

static void payer_sync_work(struct work_struct *work)
{
	struct iopt_payer *payer = container_of(work, struct iopt_payer, sync);

	mmap_write_lock(payer->mm);
	payer_sync_locked(payer);
	mmap_write_unlock(payer->mm);
	iopt_payer_put(payer);
}

/**
 * iopt_account_init() - set up accounting
 *
 * Context: module initialisation, may sleep.
 * Return: 0, or
 * * %-ENOMEM - The workqueue could not be allocated.
 */
int iopt_account_init(void)
{
	sync_wq = alloc_workqueue("iopt", WQ_UNBOUND, 0);
	return sync_wq ? 0 : -ENOMEM;
}

/**
 * iopt_account_exit() - tear down accounting
 *
 * May also be called after iopt_account_init() has failed.
 *
 * Context: module exit, may sleep. Waits until all payers are synchronised.
 */
void iopt_account_exit(void)
{
	if (sync_wq)
		destroy_workqueue(sync_wq);
}

/**
 * iopt_payer_alloc_current() - allocate a payer for the current process
 * @account: accounting mode, which selects the limit
 * @gfp: allocation flags
 *
 * Context: process context with an mm; may sleep if @gfp allows it.
 * Return: the payer with one reference, or NULL if out of memory.
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
	INIT_WORK(&payer->sync, payer_sync_work);
	return payer;
}

/* Check whether a new payer for the current process would be equivalent. */
static bool payer_is_current(const struct iopt_payer *payer,
			     enum iopt_account account)
{
	return payer && payer->account == account &&
	       payer->mm == current->mm &&
	       payer->task == current->group_leader &&
	       payer->user == current_user();
}

/**
 * iopt_payer_get() - take a reference to a payer
 * @payer: the payer
 *
 * Context: any context.
 * Return: @payer.
 */
struct iopt_payer *iopt_payer_get(struct iopt_payer *payer)
{
	refcount_inc(&payer->users);
	return payer;
}

/**
 * iopt_payer_get_current() - reuse a payer for the current process
 * @from: RCU pointer to a payer or NULL; may be replaced concurrently
 * @account: accounting mode that the payer must have
 *
 * Context: process context.
 * Return: the payer with a new reference, or NULL if @from does not point to a
 * payer equivalent to the one that iopt_payer_alloc_current() would return.
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
 * iopt_payer_put() - drop a reference to a payer
 * @payer: the payer, or NULL. When the last reference is dropped, no page may
 *         be unsynced, and only lost pages may still be charged
 *
 * Context: process context.
 */
void iopt_payer_put(struct iopt_payer *payer)
{
	if (!payer || !refcount_dec_and_test(&payer->users))
		return;
	WARN_ON(iopt_payer_is_unsynced(payer));
	free_uid(payer->user);
	put_task_struct(payer->task);
	mmdrop(payer->mm);
	kfree_rcu(payer, rcu);
}

static int user_charge(struct iopt_payer *payer, unsigned long npages)
{
	unsigned long limit = task_rlimit(payer->task, RLIMIT_MEMLOCK);
	atomic_long_t *locked_vm = &payer->user->locked_vm;
	long locked = atomic_long_read(locked_vm);
	unsigned long sum;

	do {
		if (check_add_overflow((unsigned long)locked, npages, &sum) ||
		    sum > limit >> PAGE_SHIFT)
			return -ENOMEM;
	} while (!atomic_long_try_cmpxchg(locked_vm, &locked, sum));
	return 0;
}

/*
 * Charge VmLck under the mmap_lock, as mlock() does. Synchronise the payer
 * first, so that unsynced pages of this payer do not count against the limit.
 */
static int mm_charge(struct iopt_payer *payer, unsigned long npages)
{
	int rc;

	if (mmap_write_lock_killable(payer->mm))
		return -EINTR;
	payer_sync_locked(payer);
	rc = __account_locked_vm(payer->mm, npages, true, payer->task,
				 payer->account == IOPT_ACCOUNT_MM_UNLIMITED);
	mmap_write_unlock(payer->mm);
	return rc;
}

/**
 * iopt_charge() - charge pinned pages to a payer
 * @payer: the payer
 * @npages: number of pages
 *
 * Context: process context. Except with %IOPT_ACCOUNT_NONE and
 * %IOPT_ACCOUNT_USER, takes the mmap_lock of the payer, and may block
 * indefinitely (killable) while waiting for it.
 * Return: 0, or
 * * %-ENOMEM - RLIMIT_MEMLOCK of the payer would be exceeded.
 * * %-EINTR - A fatal signal arrived while waiting for the mmap_lock.
 *
 * Nothing is charged on failure.
 */
int iopt_charge(struct iopt_payer *payer, unsigned long npages)
{
	int rc = 0;

	if (!npages)
		return 0;
	switch (payer->account) {
	case IOPT_ACCOUNT_MM:
	case IOPT_ACCOUNT_MM_UNLIMITED:
		return mm_charge(payer, npages);
	case IOPT_ACCOUNT_MM_PINNED:
		rc = mm_charge(payer, npages);
		break;
	case IOPT_ACCOUNT_USER:
		rc = user_charge(payer, npages);
		break;
	case IOPT_ACCOUNT_NONE:
		break;
	}
	if (!rc)
		atomic64_add(npages, &payer->mm->pinned_vm);
	return rc;
}

/**
 * iopt_uncharge() - undo a charge
 * @payer: the payer; the caller synchronises it afterwards
 * @npages: number of pages, at most as many as are charged
 *
 * The limit has room for new charges to @payer when this function returns, but
 * VmLck shows the change only once @payer is synchronised. Does not take the
 * mmap_lock.
 *
 * Context: any context. The caller keeps other threads from pinning the same
 * pages meanwhile.
 */
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages)
{
	if (!npages)
		return;
	switch (payer->account) {
	case IOPT_ACCOUNT_MM:
	case IOPT_ACCOUNT_MM_UNLIMITED:
		atomic_long_add(npages, &payer->unsynced);
		return;
	case IOPT_ACCOUNT_MM_PINNED:
		atomic_long_add(npages, &payer->unsynced);
		break;
	case IOPT_ACCOUNT_USER:
		atomic_long_sub(npages, &payer->user->locked_vm);
		break;
	case IOPT_ACCOUNT_NONE:
		break;
	}
	atomic64_sub(npages, &payer->mm->pinned_vm);
}

/*
 * Synchronise a payer. With @locked, the caller holds the payer's mmap_lock for
 * writing, and this function releases it. Otherwise a worker takes the lock and
 * synchronises the payer later.
 */
static void payer_sync(struct iopt_payer *payer, bool locked)
{
	if (locked) {
		payer_sync_locked(payer);
		mmap_write_unlock(payer->mm);
	} else {
		iopt_payer_get(payer);
		if (!queue_work(sync_wq, &payer->sync))
			iopt_payer_put(payer);
	}
}

/**
 * iopt_payer_try_sync() - lower VmLck by the uncharged pages without waiting
 * @payer: the payer, to which the caller has a reference
 *
 * If the mmap_lock is taken, a worker waits for it and lowers VmLck later.
 *
 * Context: process context; other threads may be waiting for the caller.
 */
void iopt_payer_try_sync(struct iopt_payer *payer)
{
	if (iopt_payer_is_unsynced(payer))
		payer_sync(payer, mmap_write_trylock(payer->mm));
}

/**
 * iopt_payer_sync() - lower VmLck by the uncharged pages
 * @payer: the payer, to which the caller has a reference
 *
 * Waits for the mmap_lock of the current process, but only tries that of
 * another process. If the trylock fails, or if a fatal signal ends the wait, a
 * worker lowers VmLck later.
 *
 * Context: process context, may block indefinitely (killable) on the mmap_lock.
 * The caller holds no lock, and owns no busy or working area, that other
 * threads may be waiting for. The exception is iopt_adopt(), which waits for
 * the mmap_lock with a busy area anyway, when it charges.
 */
void iopt_payer_sync(struct iopt_payer *payer)
{
	if (payer->mm != current->mm)
		iopt_payer_try_sync(payer);
	else if (iopt_payer_is_unsynced(payer))
		payer_sync(payer, !mmap_write_lock_killable(payer->mm));
}

/**
 * iopt_payer_sync_later() - note a payer for iopt_payer_sync_noted()
 * @noted: the payer noted so far, or NULL; replaced by @payer
 * @payer: the payer of pages that were uncharged
 *
 * Most operations uncharge only one payer. If an operation uncharges several
 * payers, the last payer stays noted, and the others are passed to
 * iopt_payer_try_sync().
 *
 * Context: process context; the caller keeps @payer from being freed.
 */
void iopt_payer_sync_later(struct iopt_payer **noted, struct iopt_payer *payer)
{
	struct iopt_payer *before = *noted;

	if (payer == before)
		return;
	*noted = iopt_payer_get(payer);
	if (before) {
		iopt_payer_try_sync(before);
		iopt_payer_put(before);
	}
}

/**
 * iopt_payer_sync_noted() - synchronise and put the noted payer
 * @noted: the payer that iopt_payer_sync_later() noted, or NULL
 *
 * Context: see iopt_payer_sync().
 */
void iopt_payer_sync_noted(struct iopt_payer *noted)
{
	if (noted) {
		iopt_payer_sync(noted);
		iopt_payer_put(noted);
	}
}

/* True if pages stay charged to the same user when their payer changes. */
static bool same_user_pays(const struct iopt_payer *from,
			   const struct iopt_payer *to)
{
	return from->account == IOPT_ACCOUNT_USER &&
	       to->account == IOPT_ACCOUNT_USER && from->user == to->user;
}

/**
 * iopt_move_charge_begin() - charge pages to a second payer
 * @from: the payer that is charged now
 * @to: the payer to charge instead
 * @npages: number of pages
 *
 * Both payers are charged until iopt_move_charge_end(), so that the pages are
 * charged at all times. If both payers charge the same user, the user is not
 * charged a second time, so that the limit need not have room for the pages
 * twice.
 *
 * Context: see iopt_charge().
 * Return: 0, or an errno of iopt_charge(), in which case only @from is charged.
 */
int iopt_move_charge_begin(struct iopt_payer *from, struct iopt_payer *to,
			   unsigned long npages)
{
	return same_user_pays(from, to) ? 0 : iopt_charge(to, npages);
}

/**
 * iopt_move_charge_end() - uncharge the old payer of pages
 * @from: the payer that was charged before iopt_move_charge_begin()
 * @to: the payer that stays charged
 * @npages: number of pages passed to iopt_move_charge_begin()
 * @left: number of these pages that are still charged to @from. Pages that were
 *        unpinned since iopt_move_charge_begin() have been uncharged from @from
 *
 * The caller synchronises both payers afterwards.
 *
 * Context: see iopt_uncharge().
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
