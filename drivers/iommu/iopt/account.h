/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounting of pinned pages. */
#ifndef __IOPT_ACCOUNT_H
#define __IOPT_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/iopt.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * struct iopt_payer - the process and user that pinned pages are charged to
 * @users: number of references; a queued @sync holds one
 * @account: accounting mode, which selects the counters and the limit
 * @mm: mm_struct of the process that owns the memory; held by mmgrab() only,
 *      because with mmget() a process that maps the file which owns the space
 *      would keep its own address space alive
 * @task: main thread of that process, which provides RLIMIT_MEMLOCK
 * @user: user that %IOPT_ACCOUNT_USER charges
 * @unsynced: number of uncharged pages that VmLck of @mm still includes
 * @sync: work item that lowers VmLck for callers that must not wait or were
 *        killed
 * @rcu: frees the payer after a grace period, for iopt_payer_get_current()
 */
struct iopt_payer {
	refcount_t users;
	enum iopt_account account;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	atomic_long_t unsynced;
	struct work_struct sync;
	struct rcu_head rcu;
};

int iopt_account_init(void);
void iopt_account_exit(void);
struct iopt_payer *iopt_payer_alloc_current(enum iopt_account account,
					    gfp_t gfp);
struct iopt_payer *iopt_payer_get(struct iopt_payer *payer);
struct iopt_payer *iopt_payer_get_current(struct iopt_payer __rcu **from,
					  enum iopt_account account);
void iopt_payer_put(struct iopt_payer *payer);
int iopt_charge(struct iopt_payer *payer, unsigned long npages);
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages);
void iopt_payer_try_sync(struct iopt_payer *payer);
void iopt_payer_sync(struct iopt_payer *payer);
void iopt_payer_sync_later(struct iopt_payer **noted, struct iopt_payer *payer);
void iopt_payer_sync_noted(struct iopt_payer *noted);
int iopt_move_charge_begin(struct iopt_payer *from, struct iopt_payer *to,
			   unsigned long npages);
void iopt_move_charge_end(struct iopt_payer *from, struct iopt_payer *to,
			  unsigned long npages, unsigned long left);

/*
 * Check whether VmLck still includes pages that have been uncharged. A caller
 * that has just uncharged pages checks this before it releases
 * iopt_pages.mutex, because iopt_pages_adopt() may change iopt_pages.payer
 * after that.
 */
static inline bool iopt_payer_is_unsynced(struct iopt_payer *payer)
{
	return atomic_long_read(&payer->unsynced);
}

#endif /* __IOPT_ACCOUNT_H */
