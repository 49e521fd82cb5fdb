/* SPDX-License-Identifier: GPL-2.0-only */
/* Open devices with an iommufd. See iommufd_device.c. */
#ifndef __VFIO_IOMMUFD_DEVICE_H__
#define __VFIO_IOMMUFD_DEVICE_H__

#include <linux/types.h>

struct iommufd_ctx;
struct vfio_device;
struct vfio_kvm_link;

int vfio_iommufd_open(struct vfio_device *device, struct vfio_kvm_link *kvm,
		      struct iommufd_ctx *ictx, bool by_node, u32 *devid);
void vfio_iommufd_close(struct vfio_device *device);
bool vfio_iommufd_coherent(const struct vfio_device *device);

#endif
