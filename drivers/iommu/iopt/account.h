/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounting: who pays for pinned pages.
 */
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
 * struct iopt_payer - who pays for pages
 * @users: references, of each iopt_pages and of the space that made it
 * @account: what the limit is
 * @mm: the process whose memory it is; kept from being freed, not alive: a
 *      mapping must not keep an address space that maps a device alive
 * @task: leader of the threads of that process, whose RLIMIT_MEMLOCK it is
 * @user: the charged user
 * @unsettled: pages that were uncharged, but which VmLck of @mm still counts
 * @settle: settles them for a caller that must not wait, or was killed
 * @rcu: to free it
 */
struct iopt_payer {
	refcount_t users;
	enum iopt_account account;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
	atomic_long_t unsettled;
	struct work_struct settle;
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
void iopt_try_settle(struct iopt_payer *payer);
void iopt_settle(struct iopt_payer *payer);
void iopt_settle_later(struct iopt_payer **noted, struct iopt_payer *payer);
void iopt_settle_noted(struct iopt_payer *noted);
int iopt_move_charge_begin(struct iopt_payer *from, struct iopt_payer *to,
			   unsigned long npages);
void iopt_move_charge_end(struct iopt_payer *from, struct iopt_payer *to,
			  unsigned long npages, unsigned long left);

/* To be looked at while what was uncharged is still kept from being charged. */
static inline bool iopt_is_unsettled(struct iopt_payer *payer)
{
	return atomic_long_read(&payer->unsettled);
}

#endif /* __IOPT_ACCOUNT_H */
