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
 * nothing. Two callers that together stay within the limit therefore both
 * succeed.
 *
 * Memory that is mapped twice is charged twice, unless one mapping is a copy of
 * the other. The kind of each run records whether its pages were charged, so
 * that exactly the charged pages are uncharged.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>
#include <linux/slab.h>

#include "account.h"
#include "locked_vm.h"

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
	payer->locked_vm = iopt_locked_vm_get(current->mm, gfp);
	if (!payer->locked_vm) {
		kfree(payer);
		return NULL;
	}
	refcount_set(&payer->users, 1);
	payer->account = account;
	payer->mm = current->mm;
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
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
 * @payer: the payer, or NULL. When the last reference is dropped, only lost
 *         pages may still be charged
 *
 * Context: process context.
 */
void iopt_payer_put(struct iopt_payer *payer)
{
	if (!payer || !refcount_dec_and_test(&payer->users))
		return;
	free_uid(payer->user);
	put_task_struct(payer->task);
	iopt_locked_vm_put(payer->locked_vm);
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

static int mm_charge(struct iopt_payer *payer, unsigned long npages)
{
	bool unlimited = payer->account == IOPT_ACCOUNT_MM_UNLIMITED;

	return iopt_locked_vm_charge(payer->locked_vm, npages, payer->task,
				     unlimited);
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
 * The limit has room for new charges when this function returns, but VmLck
 * shows the change only once @payer is synchronised. Does not take the
 * mmap_lock.
 *
 * Context: any context. Until this function returns, the caller keeps other
 * threads from pinning the same pages, so that no page is charged twice.
 */
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages)
{
	if (!npages)
		return;
	switch (payer->account) {
	case IOPT_ACCOUNT_MM:
	case IOPT_ACCOUNT_MM_UNLIMITED:
		iopt_locked_vm_uncharge(payer->locked_vm, npages);
		return;
	case IOPT_ACCOUNT_MM_PINNED:
		iopt_locked_vm_uncharge(payer->locked_vm, npages);
		break;
	case IOPT_ACCOUNT_USER:
		atomic_long_sub(npages, &payer->user->locked_vm);
		break;
	case IOPT_ACCOUNT_NONE:
		break;
	}
	atomic64_sub(npages, &payer->mm->pinned_vm);
}

/**
 * iopt_payer_is_unsynced() - check whether VmLck includes uncharged pages
 * @payer: the payer
 *
 * A caller that has just uncharged pages checks this before it releases
 * iopt_pages.mutex, because iopt_pages_adopt() may change iopt_pages.payer
 * after that.
 *
 * Context: any context.
 * Return: true if the payer has to be synchronised.
 */
bool iopt_payer_is_unsynced(struct iopt_payer *payer)
{
	return iopt_locked_vm_is_unsynced(payer->locked_vm);
}

/**
 * iopt_payer_try_sync() - lower VmLck by the uncharged pages without waiting
 * @payer: the payer, to which the caller has a reference
 *
 * Context: see iopt_locked_vm_try_sync().
 */
void iopt_payer_try_sync(struct iopt_payer *payer)
{
	iopt_locked_vm_try_sync(payer->locked_vm);
}

/**
 * iopt_payer_sync() - lower VmLck by the uncharged pages
 * @payer: the payer, to which the caller has a reference
 *
 * Context: see iopt_locked_vm_sync().
 */
void iopt_payer_sync(struct iopt_payer *payer)
{
	iopt_locked_vm_sync(payer->locked_vm);
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
