/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accounting: who pays for pinned pages.
 */
#ifndef __IOPT_ACCOUNT_H
#define __IOPT_ACCOUNT_H

#include <linux/iopt.h>

struct mm_struct;
struct task_struct;
struct user_struct;

/**
 * struct iopt_payer - who pays for the pages of one iopt_pages
 * @mode: what the limit is
 * @mm: the process whose memory it is; kept from being freed, not alive: a
 *      mapping must not keep an address space that maps a device alive
 * @task: group leader of that process, the source of its RLIMIT_MEMLOCK
 * @user: the charged user
 */
struct iopt_payer {
	enum iopt_account mode;
	struct mm_struct *mm;
	struct task_struct *task;
	struct user_struct *user;
};

void iopt_payer_init_current(struct iopt_payer *payer, enum iopt_account mode);
void iopt_payer_destroy(struct iopt_payer *payer);
int iopt_charge(struct iopt_payer *payer, unsigned long npages);
void iopt_uncharge(struct iopt_payer *payer, unsigned long npages);

#endif /* __IOPT_ACCOUNT_H */
