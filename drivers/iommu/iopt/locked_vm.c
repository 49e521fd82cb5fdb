// SPDX-License-Identifier: GPL-2.0-only
/*
 * VmLck of processes.
 *
 * VmLck (mm->locked_vm) is changed under the mmap_lock, which a page fault of
 * the process may hold indefinitely. Unpinning therefore does not lower VmLck
 * immediately: the pages stay unsynced until some thread synchronises VmLck,
 * i.e. subtracts the unsynced pages from VmLck.
 *
 * All payers of a process share one struct iopt_locked_vm, whatever their space
 * or accounting mode. A charge synchronises VmLck first, so that no unsynced
 * page of the process counts against the limit.
 *
 * After an unpin, a thread waits only for the mmap_lock of its own process, and
 * only if no other thread can be waiting for this thread; iopt_locked_vm_sync()
 * describes the exception. Otherwise the thread only tries the lock, and a
 * worker synchronises VmLck if that fails.
 */
#include <linux/hashtable.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "locked_vm.h"

static struct workqueue_struct *sync_wq;

/* Every iopt_locked_vm, hashed by mm. No lock is taken under table_lock. */
static DEFINE_HASHTABLE(table, 6);
static DEFINE_SPINLOCK(table_lock);

/**
 * iopt_locked_vm_init() - set up the accounting of VmLck
 *
 * Context: module initialisation, may sleep.
 * Return: 0, or
 * * %-ENOMEM - The workqueue could not be allocated.
 */
int iopt_locked_vm_init(void)
{
	sync_wq = alloc_workqueue("iopt", WQ_UNBOUND, 0);
	return sync_wq ? 0 : -ENOMEM;
}

/**
 * iopt_locked_vm_exit() - tear down the accounting of VmLck
 *
 * May also be called after iopt_locked_vm_init() has failed.
 *
 * Context: module exit, may sleep. Waits until no page is unsynced.
 */
void iopt_locked_vm_exit(void)
{
	if (sync_wq)
		destroy_workqueue(sync_wq);
}

static void sync_locked(struct iopt_locked_vm *locked_vm)
{
	unsigned long npages = atomic_long_xchg(&locked_vm->unsynced, 0);

	lockdep_assert_held_write(&locked_vm->mm->mmap_lock);
	if (npages)
		__account_locked_vm(locked_vm->mm, npages, false, current,
				    true);
}

static void sync_work(struct work_struct *work)
{
	struct iopt_locked_vm *locked_vm =
		container_of(work, struct iopt_locked_vm, sync);

	mmap_write_lock(locked_vm->mm);
	sync_locked(locked_vm);
	mmap_write_unlock(locked_vm->mm);
	iopt_locked_vm_put(locked_vm);
}

static struct iopt_locked_vm *find_and_get(struct mm_struct *mm)
{
	struct iopt_locked_vm *locked_vm;

	lockdep_assert_held(&table_lock);
	hash_for_each_possible(table, locked_vm, node, (unsigned long)mm) {
		if (locked_vm->mm == mm) {
			refcount_inc(&locked_vm->users);
			return locked_vm;
		}
	}
	return NULL;
}

/**
 * iopt_locked_vm_get() - find or allocate the structure of a process
 * @mm: mm_struct of the process
 * @gfp: allocation flags
 *
 * Context: process context; may sleep if @gfp allows it.
 * Return: the structure with a new reference, or NULL if out of memory.
 */
struct iopt_locked_vm *iopt_locked_vm_get(struct mm_struct *mm, gfp_t gfp)
{
	struct iopt_locked_vm *locked_vm, *new;

	spin_lock(&table_lock);
	locked_vm = find_and_get(mm);
	spin_unlock(&table_lock);
	if (locked_vm)
		return locked_vm;

	new = kzalloc(sizeof(*new), gfp);
	if (!new)
		return NULL;
	refcount_set(&new->users, 1);
	new->mm = mm;
	INIT_WORK(&new->sync, sync_work);

	spin_lock(&table_lock);
	locked_vm = find_and_get(mm);
	if (!locked_vm) {
		mmgrab(mm);
		hash_add(table, &new->node, (unsigned long)mm);
	}
	spin_unlock(&table_lock);
	if (!locked_vm)
		return new;
	kfree(new);
	return locked_vm;
}

/**
 * iopt_locked_vm_put() - drop a reference
 * @locked_vm: the structure. When the last reference is dropped, no page may be
 *             unsynced
 *
 * Context: process context.
 */
void iopt_locked_vm_put(struct iopt_locked_vm *locked_vm)
{
	bool last;

	spin_lock(&table_lock);
	last = refcount_dec_and_test(&locked_vm->users);
	if (last)
		hash_del(&locked_vm->node);
	spin_unlock(&table_lock);
	if (!last)
		return;

	WARN_ON(iopt_locked_vm_is_unsynced(locked_vm));
	mmdrop(locked_vm->mm);
	kfree(locked_vm);
}

/**
 * iopt_locked_vm_charge() - add pages to VmLck
 * @locked_vm: VmLck of the process that pays
 * @npages: number of pages
 * @task: task that provides RLIMIT_MEMLOCK
 * @unlimited: ignore the limit
 *
 * Takes the mmap_lock, as mlock() does. Lowers VmLck by the unsynced pages
 * first, so that they do not count against the limit.
 *
 * Context: process context, may block indefinitely (killable) on the mmap_lock.
 * Return: 0, or
 * * %-ENOMEM - The limit would be exceeded.
 * * %-EINTR - A fatal signal arrived while waiting for the mmap_lock.
 *
 * Nothing is charged on failure.
 */
int iopt_locked_vm_charge(struct iopt_locked_vm *locked_vm,
			  unsigned long npages, struct task_struct *task,
			  bool unlimited)
{
	struct mm_struct *mm = locked_vm->mm;
	int rc;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	sync_locked(locked_vm);
	rc = __account_locked_vm(mm, npages, true, task, unlimited);
	mmap_write_unlock(mm);
	return rc;
}

/**
 * iopt_locked_vm_uncharge() - note that pages need not be charged any more
 * @locked_vm: VmLck of the process that was charged
 * @npages: number of pages, at most as many as are charged
 *
 * The caller synchronises VmLck afterwards.
 *
 * Context: any context.
 */
void iopt_locked_vm_uncharge(struct iopt_locked_vm *locked_vm,
			     unsigned long npages)
{
	atomic_long_add(npages, &locked_vm->unsynced);
}

/*
 * Synchronise VmLck. With @locked, the caller holds the mmap_lock for writing,
 * and this function releases it. Otherwise a worker takes the lock later.
 */
static void sync_or_queue(struct iopt_locked_vm *locked_vm, bool locked)
{
	if (locked) {
		sync_locked(locked_vm);
		mmap_write_unlock(locked_vm->mm);
	} else {
		refcount_inc(&locked_vm->users);
		if (!queue_work(sync_wq, &locked_vm->sync))
			iopt_locked_vm_put(locked_vm);
	}
}

/**
 * iopt_locked_vm_try_sync() - lower VmLck by the unsynced pages without waiting
 * @locked_vm: VmLck of a process
 *
 * If the mmap_lock is taken, a worker waits for it and lowers VmLck later.
 *
 * Context: process context; other threads may be waiting for the caller.
 */
void iopt_locked_vm_try_sync(struct iopt_locked_vm *locked_vm)
{
	if (iopt_locked_vm_is_unsynced(locked_vm))
		sync_or_queue(locked_vm, mmap_write_trylock(locked_vm->mm));
}

/**
 * iopt_locked_vm_sync() - lower VmLck by the unsynced pages
 * @locked_vm: VmLck of a process
 *
 * Waits for the mmap_lock if @locked_vm belongs to the current process, and
 * only tries it otherwise. If the trylock fails, or if a fatal signal ends the
 * wait, a worker lowers VmLck later.
 *
 * Context: process context, may block indefinitely (killable) on the mmap_lock.
 * The caller holds no lock, and owns no busy or working area, that other
 * threads may be waiting for. The exception is iopt_adopt(), which owns a busy
 * area, but has to wait for the mmap_lock anyway in order to charge.
 */
void iopt_locked_vm_sync(struct iopt_locked_vm *locked_vm)
{
	if (locked_vm->mm != current->mm)
		iopt_locked_vm_try_sync(locked_vm);
	else if (iopt_locked_vm_is_unsynced(locked_vm))
		sync_or_queue(locked_vm,
			      !mmap_write_lock_killable(locked_vm->mm));
}
