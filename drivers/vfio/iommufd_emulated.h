/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Implementation of vfio_pin_pages() etc. for devices that are bound to an
 * iommufd. Without CONFIG_VFIO_DEVICE_CDEV there are no such devices, and the
 * compiler removes all calls that depend on vfio_has_access().
 */
#ifndef __VFIO_IOMMUFD_EMULATED_H__
#define __VFIO_IOMMUFD_EMULATED_H__

#include <linux/vfio.h>

/* Check whether a device uses an access instead of a container. */
static inline bool vfio_has_access(const struct vfio_device *device)
{
	return IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV) && device->iommufd_access;
}

int vfio_emulated_block(struct vfio_device *device);
void vfio_emulated_stop_notify(struct vfio_device *device);
int vfio_emulated_pin_pages(struct vfio_device *device, dma_addr_t iova,
			    int npage, int prot, struct page **pages);
void vfio_emulated_unpin_pages(struct vfio_device *device, dma_addr_t iova,
			       int npage);
int vfio_emulated_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		     size_t len, bool write);

#endif
