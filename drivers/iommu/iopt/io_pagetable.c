// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocating and freeing I/O address spaces.
 *
 * The engine has no code for individual front ends: a front end uses struct
 * iopt_policy and function arguments to choose how the engine behaves. For
 * example, iopt_policy.gfp is used for every allocation of user-controlled
 * size, and so determines whether such allocations are charged to a memory
 * cgroup.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "access_pins.h"
#include "account.h"
#include "area.h"
#include "debugfs.h"
#include "interval.h"
#include "io_pagetable.h"
#include "locked_vm.h"
#include "page_migration.h"
#include "pages.h"

static atomic_long_t iopt_last_id = ATOMIC_LONG_INIT(0);

/**
 * iopt_alloc() - allocate an empty I/O address space
 * @policy: options of the front end, copied
 *
 * All IOVAs are usable and nothing is mapped.
 *
 * Context: process context, may sleep.
 * Return: the space, to be freed with iopt_free(), or ERR_PTR(-ENOMEM).
 */
struct io_pagetable *iopt_alloc(const struct iopt_policy *policy)
{
	struct io_pagetable *iopt;

	iopt = kzalloc(sizeof(*iopt), policy->gfp);
	if (!iopt)
		return ERR_PTR(-ENOMEM);

	mutex_init(&iopt->attach_mutex);
	mutex_init(&iopt->lock);
	iopt->areas = RB_ROOT_CACHED;
	iopt->reserved = RB_ROOT_CACHED;
	iopt->allowed = RB_ROOT_CACHED;
	iopt->claims = RB_ROOT_CACHED;
	mutex_init(&iopt->track_mutex);
	INIT_LIST_HEAD(&iopt->domains);
	iopt->next_seq = 1;
	init_waitqueue_head(&iopt->idle);
	INIT_LIST_HEAD(&iopt->accesses);
	ida_init(&iopt->owners);
	iopt->policy = *policy;
	iopt->max_iopte = IOPT_MAX_IOPTE;
	iopt->iova_alignment = policy->alignment ?: PAGE_SIZE;
	iopt->pgsizes = PAGE_MASK;
	iopt->id = atomic_long_inc_return(&iopt_last_id);
	iopt_debugfs_add(iopt);
	return iopt;
}
EXPORT_SYMBOL_NS_GPL(iopt_alloc, IOPT);

/**
 * iopt_free() - unmap everything and free a space
 * @iopt: the space; it must not have domains, accesses or reservations, and no
 *        other caller may use it
 *
 * Context: process context, may block indefinitely (killable) on the mmap_lock
 * of the current process, which the caller must not hold.
 */
void iopt_free(struct io_pagetable *iopt)
{
	unsigned long unmapped;

	iopt_debugfs_remove(iopt);
	WARN_ON(!list_empty(&iopt->domains) || !list_empty(&iopt->accesses));
	/* Cannot fail: there are no other callers to wait for. */
	WARN_ON(iopt_unmap(iopt, 0, ULONG_MAX, &unmapped));
	WARN_ON(!RB_EMPTY_ROOT(&iopt->reserved.rb_root));
	iopt_intervals_drop(&iopt->allowed, NULL);
	ida_destroy(&iopt->owners);
	iopt_payer_put(rcu_dereference_protected(iopt->payer, true));
	mutex_destroy(&iopt->track_mutex);
	mutex_destroy(&iopt->lock);
	mutex_destroy(&iopt->attach_mutex);
	kfree(iopt);
}
EXPORT_SYMBOL_NS_GPL(iopt_free, IOPT);

static void iopt_exit(void)
{
	iopt_debugfs_exit();
	iopt_locked_vm_exit();
	kmem_cache_destroy(iopt_area_cache);
	kmem_cache_destroy(iopt_pages_cache);
	kmem_cache_destroy(iopt_pin_cache);
}

/* Do not cache-align the objects: there can be tens of thousands of them. */
static int iopt_init(void)
{
	iopt_area_cache = KMEM_CACHE(iopt_area, 0);
	iopt_pages_cache = KMEM_CACHE(iopt_pages, 0);
	iopt_pin_cache = KMEM_CACHE(iopt_pin, 0);
	iopt_migration_init();
	iopt_debugfs_init();
	if (!iopt_locked_vm_init() && iopt_area_cache && iopt_pages_cache &&
	    iopt_pin_cache)
		return 0;
	iopt_exit();
	return -ENOMEM;
}

subsys_initcall(iopt_init);
module_exit(iopt_exit);
MODULE_DESCRIPTION("I/O page table engine: user memory in I/O address spaces");
MODULE_LICENSE("GPL");
