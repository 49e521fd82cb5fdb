/* SPDX-License-Identifier: GPL-2.0-only */
/* Accounting of pinned pages. */
#ifndef __IOPT_ACCOUNT_H
#define __IOPT_ACCOUNT_H

#include <linux/iopt.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct iopt_locked_vm;
struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * struct iopt_payer - the process and user that pinned pages are charged to
 * @users: number of references
 * @account: accounting mode, which selects the counters and the limit
 * @mm: mm_struct of the process that owns the memory; @locked_vm holds the
 *      reference
 * @task: main thread of that process, which provides RLIMIT_MEMLOCK
 * @user: user that %IOPT_ACCOUNT_USER charges
 * @locked_vm: VmLck of @mm
 * @rcu: frees the payer after a grace period, for iopt_payer_get_current()
 */
struct iopt_payer {
	refcount_t users;
	enum iopt_account account;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	struct iopt_locked_vm *locked_vm;
	struct rcu_head rcu;
};

struct iopt_payer *iopt_payer_alloc_current(enum iopt_account account,
					    gfp_t gfp);
struct iopt_payer *iopt_payer_get(struct iopt_payer *payer);
struct iopt_payer *iopt_payer_get_current(struct iopt_payer __rcu **from,
					  enum iopt_account account);
void iopt_payer_put(struct iopt_payer *payer);
int iopt_charge(struct iopt_payer *payer, unsigned long npages);
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages);
bool iopt_payer_is_unsynced(struct iopt_payer *payer);
void iopt_payer_try_sync(struct iopt_payer *payer);
void iopt_payer_sync(struct iopt_payer *payer);
void iopt_payer_sync_later(struct iopt_payer **noted, struct iopt_payer *payer);
void iopt_payer_sync_noted(struct iopt_payer *noted);
int iopt_move_charge_begin(struct iopt_payer *from, struct iopt_payer *to,
			   unsigned long npages);
void iopt_move_charge_end(struct iopt_payer *from, struct iopt_payer *to,
			  unsigned long npages, unsigned long left);

#endif /* __IOPT_ACCOUNT_H */
