// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifetime of the IOMMU driver of a container.
 *
 * A driver is opened by VFIO_SET_IOMMU, and released once the last group has
 * left the container and no ioctl is in flight. The ioctls that a container
 * passes to its driver take no lock, because some of them pin memory and may
 * block for an unbounded time.
 *
 * Removing the last group does not wait for ioctls. Each ioctl in flight holds
 * a reference to the opened driver, which is released with the last reference.
 * Devices cannot access memory that such an ioctl maps after the last group has
 * left, because all groups have been detached by then.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "container_iommu.h"
#include "vfio.h"

/**
 * vfio_container_iommu_open() - open an IOMMU driver for a container
 * @driver: the driver. The caller holds a reference to its module, which the
 *          result takes over on success
 * @arg: argument of VFIO_SET_IOMMU
 *
 * Context: May sleep.
 * Return: the opened driver with a reference held, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * Another errno of the driver's open().
 *
 * On failure the caller keeps the module reference.
 */
struct vfio_container_iommu *
vfio_container_iommu_open(struct vfio_iommu_driver *driver, unsigned long arg)
{
	struct vfio_container_iommu *iommu;
	void *data;

	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL);
	if (!iommu)
		return ERR_PTR(-ENOMEM);

	data = driver->ops->open(arg);
	if (IS_ERR(data)) {
		kfree(iommu);
		return ERR_CAST(data);
	}
	iommu->driver = driver;
	iommu->data = data;
	refcount_set(&iommu->users, 1);
	return iommu;
}

/**
 * vfio_container_iommu_get() - get the opened driver of a container
 * @at: the container's pointer to its opened driver
 *
 * Context: Any context. Takes no lock.
 * Return: the opened driver with a reference held, or NULL if there is none.
 */
struct vfio_container_iommu *
vfio_container_iommu_get(struct vfio_container_iommu __rcu **at)
{
	struct vfio_container_iommu *iommu;

	rcu_read_lock();
	iommu = rcu_dereference(*at);
	/*
	 * The last reference may have been dropped since the pointer was read.
	 */
	if (iommu && !refcount_inc_not_zero(&iommu->users))
		iommu = NULL;
	rcu_read_unlock();
	return iommu;
}

/**
 * vfio_container_iommu_put() - drop a reference to an opened driver
 * @iommu: the opened driver, which may be released
 *
 * Context: May sleep.
 */
void vfio_container_iommu_put(struct vfio_container_iommu *iommu)
{
	struct module *owner = iommu->driver->ops->owner;

	if (!refcount_dec_and_test(&iommu->users))
		return;
	iommu->driver->ops->release(iommu->data);
	kfree_rcu(iommu, rcu);
	module_put(owner);
}
