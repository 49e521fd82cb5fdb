/* SPDX-License-Identifier: GPL-2.0-only */
/* VmLck of a process, and the uncharged pages that it still includes. */
#ifndef __IOPT_LOCKED_VM_H
#define __IOPT_LOCKED_VM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct mm_struct;
struct task_struct;

/**
 * struct iopt_locked_vm - VmLck of a process, shared by its payers
 * @node: entry in the table of all &struct iopt_locked_vm, hashed by @mm
 * @users: number of references; a queued @sync holds one
 * @mm: mm_struct of the process; held by mmgrab() only. With mmget(), a process
 *      that has mmapped the file of a space would keep its own address space
 *      alive
 * @unsynced: number of uncharged pages that VmLck still includes
 * @sync: work item that lowers VmLck for callers that must not wait or were
 *        killed
 */
struct iopt_locked_vm {
	struct hlist_node node;
	refcount_t users;
	struct mm_struct *mm;
	atomic_long_t unsynced;
	struct work_struct sync;
};

int iopt_locked_vm_init(void);
void iopt_locked_vm_exit(void);
struct iopt_locked_vm *iopt_locked_vm_get(struct mm_struct *mm, gfp_t gfp);
void iopt_locked_vm_put(struct iopt_locked_vm *locked_vm);
int iopt_locked_vm_charge(struct iopt_locked_vm *locked_vm,
			  unsigned long npages, struct task_struct *task,
			  bool unlimited);
void iopt_locked_vm_uncharge(struct iopt_locked_vm *locked_vm,
			     unsigned long npages);
void iopt_locked_vm_try_sync(struct iopt_locked_vm *locked_vm);
void iopt_locked_vm_sync(struct iopt_locked_vm *locked_vm);

/**
 * iopt_locked_vm_is_unsynced() - check whether VmLck includes uncharged pages
 * @locked_vm: VmLck of a process
 *
 * Context: any context.
 * Return: true if there are unsynced pages.
 */
static inline bool
iopt_locked_vm_is_unsynced(const struct iopt_locked_vm *locked_vm)
{
	return atomic_long_read(&locked_vm->unsynced);
}

#endif /* __IOPT_LOCKED_VM_H */
