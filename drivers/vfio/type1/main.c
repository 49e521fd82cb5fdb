// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: module parameters, and the lifetime of a container's state.
 *
 * The IOMMU driver of a container is released once the last group has left the
 * container and no ioctl is in flight. The I/O address space and the mappings
 * that have not been removed exist until then.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "type1.h"

/*
 * Maximum number of times that an unmap notifies drivers before it waits for
 * them to unpin the pages.
 */
#define MAX_NOTICES 11

static bool disable_hugepages;
module_param(disable_hugepages, bool, 0644);
MODULE_PARM_DESC(disable_hugepages,
		 "Use the smallest I/O pages that hold a CPU page for memory that is mapped from now on");

static unsigned int dma_entry_limit = U16_MAX;
module_param(dma_entry_limit, uint, 0644);
MODULE_PARM_DESC(dma_entry_limit,
		 "Maximum number of mappings of a container. Only applies to containers that are set up from now on");

/*
 * Errnos of the engine that type1 converts. Programs and drivers of mediated
 * devices may depend on the errnos that type1 returned before it used the
 * engine:
 *
 * - -ESRCH: the process that mapped the memory has exited. For a pin, type1
 *   returned -ENODEV, because it could not get the mm of the process. An attach
 *   returns the same errno.
 * - -EADDRINUSE: a mapping conflicts with a group. type1 returned -EINVAL.
 * - -ENOENT and -EOVERFLOW: a driver accesses IOVAs that are not mapped, or
 *   beyond the last IOVA. type1 found no mapping in either case and returned
 *   -EINVAL.
 *
 * The errno of a mapping outside of the aperture of the first domain is chosen
 * in fill_domain().
 */

/**
 * type1_attach_errno() - convert an errno of a reservation or an attach
 * @rc: 0, or an errno of the engine
 *
 * Return: 0, or the errno that type1 reports.
 */
int type1_attach_errno(int rc)
{
	if (rc == -ESRCH)
		return -ENODEV;
	return rc == -EADDRINUSE ? -EINVAL : rc;
}

/**
 * type1_access_errno() - convert an errno of a pin or a copy
 * @rc: 0, or an errno of the engine
 *
 * Return: 0, or the errno that type1 reports.
 */
int type1_access_errno(int rc)
{
	if (rc == -ESRCH)
		return -ENODEV;
	return rc == -ENOENT || rc == -EOVERFLOW ? -EINVAL : rc;
}

/**
 * type1_choose_pages() - apply the current value of disable_hugepages
 * @type1: state of the container
 *
 * Called before memory is mapped or a domain is filled.
 */
void type1_choose_pages(struct type1 *type1)
{
	iopt_set_max_iopte(type1->space.iopt, READ_ONCE(disable_hugepages) ?
					      PAGE_SIZE : IOPT_MAX_IOPTE);
}

/**
 * type1_warn_of_limit() - log that pinning failed due to RLIMIT_MEMLOCK
 * @type1: state of the container
 * @function: prefix of the message, which log scanners may rely on: the name of
 *            the function that printed the message before type1 used the engine
 * @npages: number of pages that could not be pinned
 *
 * Nothing is logged if RLIMIT_MEMLOCK does not apply to the caller or leaves
 * room for @npages, because the failure then had another cause. Also, nothing
 * is logged if the previous process to exceed the limit in the container was
 * the same one. A program could still flood the log by exceeding the limit in
 * many processes or containers, so the messages are rate-limited as well.
 *
 * Context: Process context, after a failure with -ENOMEM.
 */
void type1_warn_of_limit(struct type1 *type1, const char *function,
			 unsigned long npages)
{
	static DEFINE_RATELIMIT_STATE(lines, 60 * HZ, 100);
	unsigned long limit = rlimit(RLIMIT_MEMLOCK);
	pid_t process = task_tgid_nr(current);

	if (!current->mm || capable(CAP_IPC_LOCK) ||
	    READ_ONCE(current->mm->locked_vm) + npages <= limit >> PAGE_SHIFT)
		return;
	if (xchg(&type1->warned, process) == process || !__ratelimit(&lines))
		return;
	pr_warn("%s: RLIMIT_MEMLOCK (%ld) exceeded by %s (%d)\n", function,
		limit, current->comm, task_pid_nr(current));
}

static struct type1 *type1_of(struct type1_space *space)
{
	return container_of(space, struct type1, space);
}

static enum iopt_account type1_account(struct type1_space *space)
{
	return capable(CAP_IPC_LOCK) ? IOPT_ACCOUNT_MM_UNLIMITED :
				       IOPT_ACCOUNT_MM;
}

static void type1_prepare_map(struct type1_space *space)
{
	type1_choose_pages(type1_of(space));
}

static void type1_map_enomem(struct type1_space *space, unsigned long npages)
{
	type1_warn_of_limit(type1_of(space), "vfio_pin_pages_remote", npages);
}

static bool type1_has_mediated(struct type1_space *space)
{
	/* This reads one pointer and needs no lock. */
	return !list_empty(&type1_of(space)->mediated);
}

static bool type1_has_notified(struct type1_space *space)
{
	/* This reads one pointer and needs no lock. */
	return !list_empty(&type1_of(space)->notified);
}

static const struct type1_space_ops type1_space_ops = {
	.account = type1_account,
	.prepare_map = type1_prepare_map,
	.map_enomem = type1_map_enomem,
	.coherent = type1_all_coherent,
	.has_mediated = type1_has_mediated,
	.has_notified = type1_has_notified,
};

static void *type1_open(unsigned long arg)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL,
		.max_areas = READ_ONCE(dma_entry_limit),
		.notices = MAX_NOTICES,
		.mixed_iopte = true,
	};
	struct io_pagetable *iopt;
	struct type1 *type1;

	if (arg != VFIO_TYPE1_IOMMU && arg != VFIO_TYPE1v2_IOMMU &&
	    arg != VFIO_TYPE1_NESTING_IOMMU)
		return ERR_PTR(-EINVAL);
	type1 = kzalloc(sizeof(*type1), GFP_KERNEL);
	if (!type1)
		return ERR_PTR(-ENOMEM);

	iopt = iopt_alloc(&policy);
	if (IS_ERR(iopt))
		goto err_free;
	type1->access = iopt_access_create(iopt, &type1_access_ops, type1);
	if (IS_ERR(type1->access))
		goto err_iopt;

	type1_space_init(&type1->space, iopt, &type1_space_ops);
	type1->space.v2 = arg != VFIO_TYPE1_IOMMU;
	type1->nesting = arg == VFIO_TYPE1_NESTING_IOMMU;
	mutex_init(&type1->attach_lock);
	mutex_init(&type1->domain_lock);
	mutex_init(&type1->lock);
	INIT_LIST_HEAD(&type1->mediated);
	INIT_LIST_HEAD(&type1->domains);
	mutex_init(&type1->notify_lock);
	INIT_LIST_HEAD(&type1->notified);
	return type1;

err_iopt:
	iopt_free(iopt);
err_free:
	kfree(type1);
	return ERR_PTR(-ENOMEM);
}

/* No driver is notified of the final unmap, because all groups have left. */
static void type1_release(void *data)
{
	struct type1 *type1 = data;

	WARN_ON(!list_empty(&type1->domains) || !list_empty(&type1->mediated) ||
		!list_empty(&type1->notified));
	iopt_access_destroy(type1->access);
	iopt_free(type1->space.iopt);
	type1_space_destroy(&type1->space);
	mutex_destroy(&type1->notify_lock);
	mutex_destroy(&type1->lock);
	mutex_destroy(&type1->domain_lock);
	mutex_destroy(&type1->attach_lock);
	kfree(type1);
}

/* @data is NULL for VFIO_CHECK_EXTENSION on a container without a driver. */
static long type1_ioctl(void *data, unsigned int cmd, unsigned long arg)
{
	struct type1 *type1 = data;

	return type1_space_ioctl(type1 ? &type1->space : NULL, cmd, arg);
}

static const struct vfio_iommu_driver_ops type1_ops = {
	.name = "vfio-iommu-type1",
	.owner = THIS_MODULE,
	.open = type1_open,
	.release = type1_release,
	.ioctl = type1_ioctl,
	.attach_group = type1_attach_group,
	.detach_group = type1_detach_group,
	.pin_pages = type1_pin_pages,
	.unpin_pages = vfio_iommu_type1_unpin_pages,
	.register_device = type1_register_device,
	.unregister_device = type1_unregister_device,
	.dma_rw = type1_dma_rw,
};

static int __init type1_init(void)
{
	return vfio_register_iommu_driver(&type1_ops);
}

static void __exit type1_exit(void)
{
	vfio_unregister_iommu_driver(&type1_ops);
}

module_init(type1_init);
module_exit(type1_exit);
MODULE_IMPORT_NS(IOPT);
MODULE_IMPORT_NS(VFIO_TYPE1);
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Type1 IOMMU driver for VFIO");
