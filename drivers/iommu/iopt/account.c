// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounting: who pays for pinned pages.
 *
 * The payer of a mapping is the process that made it and its user, fixed at
 * that time. Rule: pages are charged after they were pinned, so that never
 * more is charged than what is held, and a charge that does not fit changes
 * nothing. So two callers whose sum fits the limit both succeed.
 *
 * All counters are atomic: no mmap_lock is taken.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/user.h>

#include "account.h"

/**
 * iopt_payer_init_current - make the current process the payer
 * @payer: to fill in
 * @mode: what its limit is
 *
 * Context: process context with an mm.
 */
void iopt_payer_init_current(struct iopt_payer *payer, enum iopt_account mode)
{
	payer->mode = mode;
	payer->mm = current->mm;
	mmgrab(payer->mm);
	payer->task = get_task_struct(current->group_leader);
	payer->user = get_uid(current_user());
}

/**
 * iopt_payer_destroy - drop a payer's references
 * @payer: the payer, with nothing charged any more
 *
 * Context: process context.
 */
void iopt_payer_destroy(struct iopt_payer *payer)
{
	free_uid(payer->user);
	put_task_struct(payer->task);
	mmdrop(payer->mm);
}

static bool user_charge(struct user_struct *user, unsigned long npages,
			unsigned long limit)
{
	long locked = atomic_long_read(&user->locked_vm);
	unsigned long sum;

	do {
		if (check_add_overflow((unsigned long)locked, npages, &sum) ||
		    sum > limit)
			return false;
	} while (!atomic_long_try_cmpxchg(&user->locked_vm, &locked, sum));
	return true;
}

/**
 * iopt_charge - charge pages that were just pinned
 * @payer: who pays
 * @npages: number of pages
 *
 * Context: any.
 * Return: 0, or -ENOMEM if the limit does not allow it; nothing is charged
 * then.
 */
int iopt_charge(struct iopt_payer *payer, unsigned long npages)
{
	if (payer->mode == IOPT_ACCOUNT_USER) {
		unsigned long limit = task_rlimit(payer->task, RLIMIT_MEMLOCK);

		if (!user_charge(payer->user, npages, limit >> PAGE_SHIFT))
			return -ENOMEM;
	}
	atomic64_add(npages, &payer->mm->pinned_vm);
	return 0;
}

/**
 * iopt_uncharge - take back a charge
 * @payer: who paid
 * @npages: number of pages, at most what is charged
 *
 * Context: any.
 */
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages)
{
	atomic64_sub(npages, &payer->mm->pinned_vm);
	if (payer->mode == IOPT_ACCOUNT_USER)
		atomic_long_sub(npages, &payer->user->locked_vm);
}
