/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOMMU driver of a container, see container_iommu.c.
 */
#ifndef __VFIO_CONTAINER_IOMMU_H__
#define __VFIO_CONTAINER_IOMMU_H__

#include <linux/rcupdate.h>
#include <linux/refcount.h>

struct vfio_iommu_driver;

/**
 * struct vfio_container_iommu - an IOMMU driver, opened for one container
 * @driver: the driver, whose module is held
 * @data: what the driver's open() returned, NULL for a driver without state
 * @users: 1 for the container while it points here, and 1 for each ioctl in
 *         flight; the last one releases @data
 * @rcu: an ioctl looks this up without a lock
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
