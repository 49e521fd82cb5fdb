// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lifetime of the IOMMU driver that a container has.
 *
 * A container gets a driver with SET_IOMMU and loses it with its last group.
 * The ioctls that it passes to the driver take no lock, because some of them
 * pin memory and then take as long as the memory's owner wants.
 *
 * Rule: removing the last group waits for no ioctl. An ioctl in flight holds
 * the driver's data instead, and the last of them releases it. The groups have
 * been detached by then, so that what such an ioctl maps is out of reach of
 * any device.
 */
#include <linux/err.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "container_iommu.h"
#include "vfio.h"

/**
 * vfio_container_iommu_open - open an IOMMU driver for a container
 * @driver: the driver, with a reference on its module that passes to the
 *          result
 * @arg: argument of VFIO_SET_IOMMU
 *
 * Context: May sleep.
 * Return: the opened driver, to be put; an ERR_PTR of -ENOMEM, or of what the
 *         driver's open() returned. The caller keeps the module then.
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
 * vfio_container_iommu_get - use the driver of a container
 * @at: where the container points to it
 *
 * Return: the opened driver, to be put; NULL when the container has none.
 */
struct vfio_container_iommu *
vfio_container_iommu_get(struct vfio_container_iommu __rcu **at)
{
	struct vfio_container_iommu *iommu;

	rcu_read_lock();
	iommu = rcu_dereference(*at);
	/* The last user is releasing it, though the pointer is still seen. */
	if (iommu && !refcount_inc_not_zero(&iommu->users))
		iommu = NULL;
	rcu_read_unlock();
	return iommu;
}

/**
 * vfio_container_iommu_put - undo vfio_container_iommu_get() or _open()
 * @iommu: the opened driver, which may be released by this
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
