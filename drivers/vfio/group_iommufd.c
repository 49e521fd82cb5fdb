// SPDX-License-Identifier: GPL-2.0-only
/*
 * Groups that use an iommufd as their container.
 *
 * VFIO_GROUP_SET_CONTAINER accepts an iommufd. When a device of the group is
 * opened, the device is bound to the iommufd and attached to the container IOAS
 * of the iommufd. It remains so until the last file of the device is closed.
 * While none of its devices is open, a group is not attached to the IOAS.
 *
 * As for a container, the group keeps its iommufd while a device is open.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/iommufd.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/vfio.h>

#include "group_iommufd.h"
#include "iommufd_device.h"

/**
 * vfio_group_set_iommufd() - use an iommufd as the container of a group
 * @group: the group, which has no container
 * @file: any file
 *
 * Context: May sleep. The caller holds vfio_group.group_lock.
 * Return: 0, or
 * * %-EINVAL - @file is not an iommufd, or @group is in no-IOMMU mode.
 * * Another errno of iommufd_container_create().
 *
 * On failure nothing has changed.
 */
int vfio_group_set_iommufd(struct vfio_group *group, struct file *file)
{
	struct iommufd_ctx *ictx;
	int rc;

	lockdep_assert_held(&group->group_lock);
	if (group->type == VFIO_NO_IOMMU)
		return -EINVAL;
	ictx = iommufd_ctx_from_file(file);
	if (IS_ERR(ictx))
		return -EINVAL;
	rc = iommufd_container_create(ictx);
	if (rc) {
		iommufd_ctx_put(ictx);
		return rc;
	}
	group->iommufd = ictx;
	group->container_users = 1;
	return 0;
}

/**
 * vfio_group_unset_iommufd() - undo vfio_group_set_iommufd()
 * @group: the group; none of its devices is open
 *
 * Context: The caller holds vfio_group.group_lock.
 */
void vfio_group_unset_iommufd(struct vfio_group *group)
{
	lockdep_assert_held(&group->group_lock);
	WARN_ON(group->container_users != 1);
	iommufd_ctx_put(group->iommufd);
	group->iommufd = NULL;
	group->container_users = 0;
}

/**
 * vfio_group_assign_iommufd() - hold a group's iommufd for an open device
 * @device: the device, which is about to be opened
 *
 * Takes a reference to the opened file of the group, and counts the device as a
 * user, so that VFIO_GROUP_UNSET_CONTAINER fails with -EBUSY.
 * vfio_device_unassign_container() undoes both.
 *
 * Context: The caller holds vfio_group.group_lock.
 * Return: 0, or
 * * %-EINVAL - The driver of @device does not support iommufd.
 */
int vfio_group_assign_iommufd(struct vfio_device *device)
{
	struct vfio_group *group = device->group;

	lockdep_assert_held(&group->group_lock);
	if (!device->ops->bind_iommufd)
		return -EINVAL;
	get_file(group->opened_file);
	group->container_users++;
	return 0;
}

/**
 * vfio_group_iommufd_coherent() - check whether all DMA of a group is coherent
 * @group: the group
 *
 * Context: May sleep. Takes vfio_group.device_lock.
 * Return: true if DMA of all devices is coherent while they are bound.
 */
bool vfio_group_iommufd_coherent(struct vfio_group *group)
{
	struct vfio_device *device;
	bool coherent = true;

	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next)
		coherent = coherent && vfio_iommufd_coherent(device);
	mutex_unlock(&group->device_lock);
	return coherent;
}

static int open_first(struct vfio_device *device)
{
	struct iommufd_ctx *ictx = device->group->iommufd;
	u32 id;
	int rc;

	rc = vfio_iommufd_open(device, &device->group->kvm, ictx, false, &id);
	if (rc)
		return rc;
	rc = iommufd_container_ioas_id(ictx, &id);
	if (!rc)
		rc = device->ops->attach_ioas(device, &id);
	if (rc)
		vfio_iommufd_close(device);
	return rc;
}

/*
 * Count an open of a device that is already open, or a close that is not the
 * last one. Returns false, and counts nothing, if the open count of the device
 * is less than @least.
 */
static bool count_open(struct vfio_device *device, unsigned int least,
		       int change)
{
	bool open;

	mutex_lock(&device->dev_set->lock);
	open = device->open_count >= least;
	if (open)
		device->open_count += change;
	mutex_unlock(&device->dev_set->lock);
	return open;
}

/**
 * vfio_group_iommufd_open() - open a device of a group and attach it
 * @device: the device. The caller has called vfio_group_assign_iommufd(), and
 *          holds a reference to the module of its driver
 *
 * The first open binds the device and attaches it, which may pin memory. Other
 * opens of the device wait for that.
 *
 * Context: May sleep for an unbounded time, killable. Takes
 * vfio_device.iommufd_lock.
 * Return: 0, or
 * * %-EINTR - The caller was killed.
 * * An errno of vfio_iommufd_open(), of iommufd_container_ioas_id(), or of the
 *   attach_ioas op.
 *
 * On failure, the device is as before, except that a device that was not open
 * may have been reset.
 */
int vfio_group_iommufd_open(struct vfio_device *device)
{
	int rc = 0;

	if (mutex_lock_killable(&device->iommufd_lock))
		return -EINTR;
	if (!count_open(device, 1, 1))
		rc = open_first(device);
	mutex_unlock(&device->iommufd_lock);
	return rc;
}

/**
 * vfio_group_iommufd_close() - undo vfio_group_iommufd_open()
 * @device: the device
 *
 * Context: May sleep, not killable. Takes vfio_device.iommufd_lock, and does
 * not wait long for it: while the device is open, other opens are only counted.
 */
void vfio_group_iommufd_close(struct vfio_device *device)
{
	mutex_lock(&device->iommufd_lock);
	if (!count_open(device, 2, -1))
		vfio_iommufd_close(device);
	mutex_unlock(&device->iommufd_lock);
}
