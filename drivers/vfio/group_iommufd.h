/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Groups that use an iommufd as their container. Without
 * CONFIG_VFIO_DEVICE_CDEV there are none, and the compiler removes all calls
 * that depend on vfio_group.iommufd.
 */
#ifndef __VFIO_GROUP_IOMMUFD_H__
#define __VFIO_GROUP_IOMMUFD_H__

#include <linux/errno.h>
#include <linux/kconfig.h>

#include "vfio.h"

struct file;

/* Check whether a group uses an iommufd instead of a container. */
static inline bool vfio_group_has_iommufd(const struct vfio_group *group)
{
	return IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV) && group->iommufd;
}

static inline bool vfio_group_has_container(const struct vfio_group *group)
{
	return group->container || vfio_group_has_iommufd(group);
}

#ifdef CONFIG_VFIO_DEVICE_CDEV
int vfio_group_set_iommufd(struct vfio_group *group, struct file *file);
#else
static inline int vfio_group_set_iommufd(struct vfio_group *group,
					 struct file *file)
{
	return -EINVAL;
}
#endif

void vfio_group_unset_iommufd(struct vfio_group *group);
int vfio_group_assign_iommufd(struct vfio_device *device);
bool vfio_group_iommufd_coherent(struct vfio_group *group);
int vfio_group_iommufd_open(struct vfio_device *device);
void vfio_group_iommufd_close(struct vfio_device *device);

#endif
