// SPDX-License-Identifier: GPL-2.0-only
/*
 * The I/O address space: making one, its options, freeing it.
 *
 * Rule: what front ends do differently is an option, and is not known by name.
 * So also whether memory is charged to a memory cgroup: that is in the flags of
 * all allocations whose size the user controls (H22).
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "migration.h"
#include "pages.h"

static atomic_long_t iopt_last_id = ATOMIC_LONG_INIT(0);

/**
 * iopt_alloc - make an empty I/O address space
 * @policy: of the front end, copied
 *
 * Everything is usable and nothing mapped.
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
	init_waitqueue_head(&iopt->settled);
	INIT_LIST_HEAD(&iopt->accesses);
	ida_init(&iopt->owners);
	iopt->policy = *policy;
	if (!iopt->policy.max_iopte)
		iopt->policy.max_iopte = SZ_1G;
	iopt->iova_alignment = PAGE_SIZE;
	iopt->id = atomic_long_inc_return(&iopt_last_id);
	iopt_debugfs_add(iopt);
	return iopt;
}
EXPORT_SYMBOL_NS_GPL(iopt_alloc, IOPT);

/**
 * iopt_limit_iopte - limit the size of I/O pages
 * @iopt: the space
 * @bytes: of the largest one that may be used from now on, a power of two, at
 *         least the page size
 *
 * Domains with larger pages only are still served with those.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if @bytes is no such size, or -EBUSY if something is mapped
 * in a domain, which may have larger ones, and the policy does not want that.
 */
int iopt_limit_iopte(struct io_pagetable *iopt, unsigned long bytes)
{
	int rc = 0;

	if (!is_power_of_2(bytes) || bytes < PAGE_SIZE)
		return -EINVAL;
	mutex_lock(&iopt->lock);
	if (bytes < iopt->policy.max_iopte && !iopt->policy.mixed_iopte &&
	    iopt->nr_areas && !list_empty(&iopt->domains))
		rc = -EBUSY;
	else
		WRITE_ONCE(iopt->policy.max_iopte, bytes);
	mutex_unlock(&iopt->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_limit_iopte, IOPT);

/**
 * iopt_free - unmap everything and free a space
 * @iopt: the space; nobody else uses it: no domain, no access
 *
 * Context: process context, may sleep.
 */
void iopt_free(struct io_pagetable *iopt)
{
	unsigned long unmapped;

	iopt_debugfs_remove(iopt);
	WARN_ON(!list_empty(&iopt->domains) || !list_empty(&iopt->accesses));
	/* Nobody builds, so there is nothing to wait for that could fail. */
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
	iopt_account_exit();
	kmem_cache_destroy(iopt_area_cache);
	kmem_cache_destroy(iopt_pages_cache);
}

/* Mappings come by the ten thousand: their structs are packed tightly. */
static int iopt_init(void)
{
	iopt_area_cache = KMEM_CACHE(iopt_area, 0);
	iopt_pages_cache = KMEM_CACHE(iopt_pages, 0);
	iopt_migration_init();
	iopt_debugfs_init();
	if (!iopt_account_init() && iopt_area_cache && iopt_pages_cache)
		return 0;
	iopt_exit();
	return -ENOMEM;
}

subsys_initcall(iopt_init);
module_exit(iopt_exit);
MODULE_DESCRIPTION("I/O page table engine: user memory in I/O address spaces");
MODULE_LICENSE("GPL");
