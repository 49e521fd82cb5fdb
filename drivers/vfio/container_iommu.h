/* SPDX-License-Identifier: GPL-2.0-only */
/* The IOMMU driver that is open for a container. See container_iommu.c. */
#ifndef __VFIO_CONTAINER_IOMMU_H__
#define __VFIO_CONTAINER_IOMMU_H__

#include <linux/rcupdate.h>
#include <linux/refcount.h>

struct vfio_iommu_driver;

/**
 * struct vfio_container_iommu - IOMMU driver opened for a container
 * @driver: the driver; a reference to its module is held
 * @data: return value of the driver's open(), NULL for a driver without state
 * @users: reference count: 1 while the container points to this struct, and 1
 *         for each ioctl in flight. Dropping the last reference releases @data
 * @rcu: frees the struct after a grace period, since ioctls look it up without
 *       a lock
 */
struct vfio_container_iommu {
	struct vfio_iommu_driver *driver;
	void *data;
	refcount_t users;
	struct rcu_head rcu;
};

struct vfio_container_iommu *
vfio_container_iommu_open(struct vfio_iommu_driver *driver, unsigned long arg);
struct vfio_container_iommu *
vfio_container_iommu_get(struct vfio_container_iommu __rcu **at);
void vfio_container_iommu_put(struct vfio_container_iommu *iommu);

#endif
