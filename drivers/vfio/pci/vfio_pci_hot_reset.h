/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hot reset of PCI devices that an iommufd owns, and the functions of
 * vfio_pci_core.c that vfio_pci_hot_reset.c uses.
 */
#ifndef VFIO_PCI_HOT_RESET_H
#define VFIO_PCI_HOT_RESET_H

#include <linux/errno.h>
#include <linux/vfio_pci_core.h>

struct iommufd_ctx;

typedef int (*vfio_pci_affected_fn)(struct pci_dev *pdev, void *data);

int vfio_pci_walk_affected(struct vfio_pci_core_device *vdev, bool slot,
			   vfio_pci_affected_fn fn, void *data);
int vfio_pci_hot_reset_owned(struct vfio_pci_core_device *vdev,
			     struct iommufd_ctx *ictx);

#ifdef CONFIG_VFIO_DEVICE_CDEV

bool vfio_pci_owned_by(struct vfio_pci_core_device *vdev,
		       struct iommufd_ctx *ictx);
int vfio_pci_owned_hot_reset_info(struct vfio_pci_core_device *vdev, u32 argsz,
				  struct vfio_pci_hot_reset_info __user *arg);
int vfio_pci_owned_hot_reset(struct vfio_pci_core_device *vdev, u32 count);

#else

/* Never called, because no device can be bound to an iommufd. */
static inline bool vfio_pci_owned_by(struct vfio_pci_core_device *vdev,
				     struct iommufd_ctx *ictx)
{
	return false;
}

static inline int
vfio_pci_owned_hot_reset_info(struct vfio_pci_core_device *vdev, u32 argsz,
			      struct vfio_pci_hot_reset_info __user *arg)
{
	return -ENODEV;
}

static inline int vfio_pci_owned_hot_reset(struct vfio_pci_core_device *vdev,
					   u32 count)
{
	return -ENODEV;
}

#endif
#endif
