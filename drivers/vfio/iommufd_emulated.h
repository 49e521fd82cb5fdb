/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio_pin_pages() and its like for devices that are bound to an iommufd.
 * Without CONFIG_VFIO_DEVICE_CDEV there are none, and no call is left.
 */
#ifndef __VFIO_IOMMUFD_EMULATED_H__
#define __VFIO_IOMMUFD_EMULATED_H__

#include <linux/vfio.h>

/* Is the memory of the device's user behind an access, and in no container? */
static inline bool vfio_has_access(const struct vfio_device *device)
{
	return IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV) && device->iommufd_access;
}

int vfio_access_leave(struct vfio_device *device);
void vfio_access_quiesce(struct vfio_device *device);
int vfio_access_pin_pages(struct vfio_device *device, dma_addr_t iova,
			  int npage, int prot, struct page **pages);
void vfio_access_unpin_pages(struct vfio_device *device, dma_addr_t iova,
			     int npage);
int vfio_access_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		   size_t len, bool write);

#endif
