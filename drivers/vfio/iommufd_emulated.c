// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd operations of vfio devices that do no DMA of their own.
 *
 * An emulated device, such as a mediated device, has no IOMMU. Its driver
 * accesses memory with vfio_pin_pages(), vfio_unpin_pages() and vfio_dma_rw(),
 * so the device joins an iommufd as an access instead of a struct device. The
 * functions vfio_iommufd_emulated_*() are the generic implementation of the
 * four iommufd operations of struct vfio_device_ops for such devices.
 *
 * Between bind and unbind, vfio_pin_pages(), vfio_unpin_pages() and
 * vfio_dma_rw() use the access, since a bound device has no container. Pins and
 * copies fail while the device is not attached.
 *
 * An unmap calls the driver's dma_unmap op once for each mapping in which a
 * device has pages pinned, and then waits until they are unpinned. Unlike in a
 * type1 container, the call is not repeated, and during the call pins and
 * copies of the mapping fail. A detach of an open device also calls the op, for
 * each mapping in which the device has pages pinned. The op is called for one
 * mapping at a time, and never during or after close_device(). Any detach,
 * including the one after close_device(), unpins the pages that the driver has
 * left pinned.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/vfio.h>

#include "iommufd_emulated.h"

static void emulated_unmap(void *data, unsigned long iova, unsigned long length)
{
	struct vfio_device *vdev = data;

	vdev->ops->dma_unmap(vdev, iova, length);
}

static const struct iommufd_access_ops emulated_ops = {
	.unmap = emulated_unmap,
};

/**
 * vfio_iommufd_emulated_bind() - bind a device that does no DMA of its own
 * @vdev: the device, not bound to an iommufd
 * @ictx: the iommufd
 * @out_device_id: set to the object ID of the device in @ictx
 *
 * A driver without the dma_unmap op cannot pin pages.
 *
 * Context: May sleep. The caller serialises binds of @vdev.
 * Return: 0, or
 * * %-ENOMEM - Out of memory.
 * * %-EBUSY - All IDs of @ictx are in use.
 *
 * On failure nothing has changed.
 */
int vfio_iommufd_emulated_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_access *access;

	access = iommufd_access_create(ictx, vdev->ops->dma_unmap ?
				       &emulated_ops : NULL, vdev,
				       out_device_id);
	if (IS_ERR(access))
		return PTR_ERR(access);

	vdev->iommufd_access = access;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_bind);

/**
 * vfio_iommufd_emulated_unbind() - unbind a device from its iommufd
 * @vdev: the device, not attached
 *
 * Context: May sleep. The caller serialises all operations on @vdev.
 */
void vfio_iommufd_emulated_unbind(struct vfio_device *vdev)
{
	iommufd_access_destroy(vdev->iommufd_access);
	vdev->iommufd_access = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_unbind);

/**
 * vfio_iommufd_emulated_attach_ioas() - attach or move a device to an IOAS
 * @vdev: the device
 * @pt_id: object ID of the IOAS; not changed, since there is no I/O page table
 *
 * No memory is pinned. If the device is attached to another IOAS, its pages
 * there are unpinned first, as by vfio_iommufd_emulated_detach_ioas().
 *
 * Context: The caller holds vfio_device.iommufd_lock, and no lock that the
 * driver's dma_unmap op takes. May sleep for an unbounded time; see
 * iommufd_access_attach().
 * Return: 0, or
 * * %-ENOENT - There is no such IOAS.
 * * Another errno of iommufd_access_attach().
 *
 * On failure the device is unchanged.
 */
int vfio_iommufd_emulated_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	return iommufd_access_attach(vdev->iommufd_access, *pt_id);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_attach_ioas);

/**
 * vfio_iommufd_emulated_detach_ioas() - detach a device from its IOAS
 * @vdev: the bound device; nothing is done if it is not attached
 *
 * The device has no pages pinned when this returns.
 *
 * Context: The caller holds vfio_device.iommufd_lock, and no lock that the
 * driver's dma_unmap op takes. May sleep; waits for calls that pin or copy
 * memory.
 */
void vfio_iommufd_emulated_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	iommufd_access_detach(vdev->iommufd_access);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_detach_ioas);

/**
 * vfio_emulated_block() - block pins and copies of a driver before a detach
 * @device: any bound device; nothing is done unless it is emulated
 *
 * Context: The caller holds vfio_device.iommufd_lock and detaches the device
 * next. May sleep for an unbounded time, killable: waits for calls that pin or
 * copy memory.
 * Return: 0, or
 * * %-EINTR - The caller was killed while waiting. The device is attached as
 *   before.
 */
int vfio_emulated_block(struct vfio_device *device)
{
	lockdep_assert_held(&device->iommufd_lock);

	if (!vfio_has_access(device))
		return 0;
	return iommufd_access_block(device->iommufd_access);
}

/**
 * vfio_emulated_stop_notify() - stop calling a driver's dma_unmap op
 * @device: any open device; nothing is done unless it is bound and emulated
 *
 * Context: May sleep; waits for a running call. The caller holds no lock that
 * the op takes, and closes the device next.
 */
void vfio_emulated_stop_notify(struct vfio_device *device)
{
	if (vfio_has_access(device))
		iommufd_access_stop_notify(device->iommufd_access);
}

static unsigned int access_flags(int prot)
{
	return (prot & IOMMU_READ ? IOMMUFD_ACCESS_RW_READ : 0) |
	       (prot & IOMMU_WRITE ? IOMMUFD_ACCESS_RW_WRITE : 0);
}

/**
 * vfio_emulated_pin_pages() - vfio_pin_pages() of a bound device
 * @device: the device
 * @iova: any IOVA in the first page
 * @npage: number of pages, at most VFIO_PIN_PAGES_MAX_ENTRIES
 * @prot: IOMMU_READ and IOMMU_WRITE, the permissions that the mappings must
 *        have
 * @pages: receives the pages
 *
 * Context: May sleep for an unbounded time.
 * Return: @npage, or
 * * %-EINVAL - An argument is invalid, a page has no struct page, or the driver
 *   has no dma_unmap op.
 * * %-E2BIG - Too many pages.
 * * %-ENOENT - A page is not mapped, or the device is not attached.
 * * %-EPERM - A mapping does not have the permissions.
 * * Another errno of iommufd_access_pin_pages().
 *
 * On failure nothing is pinned.
 */
int vfio_emulated_pin_pages(struct vfio_device *device, dma_addr_t iova,
			    int npage, int prot, struct page **pages)
{
	int rc;

	if (!pages || npage <= 0 || iova > ULONG_MAX)
		return -EINVAL;
	if (npage > VFIO_PIN_PAGES_MAX_ENTRIES)
		return -E2BIG;

	rc = iommufd_access_pin_pages(device->iommufd_access, iova & PAGE_MASK,
				      (unsigned long)npage << PAGE_SHIFT,
				      pages, access_flags(prot));
	return rc ? rc : npage;
}

/**
 * vfio_emulated_unpin_pages() - vfio_unpin_pages() of a bound device
 * @device: the device
 * @iova: any IOVA in the first page
 * @npage: number of pages, at least 1
 *
 * Pages that this device has not pinned are ignored.
 *
 * Context: May sleep. May be called from the driver's dma_unmap op.
 */
void vfio_emulated_unpin_pages(struct vfio_device *device, dma_addr_t iova,
			       int npage)
{
	if (iova > ULONG_MAX)
		return;

	iommufd_access_unpin_pages(device->iommufd_access, iova & PAGE_MASK,
				   (unsigned long)npage << PAGE_SHIFT);
}

/**
 * vfio_emulated_rw() - vfio_dma_rw() of a bound device
 * @device: the device
 * @iova: first IOVA
 * @data: kernel buffer
 * @len: length in bytes
 * @write: write to the memory if true, otherwise read it
 *
 * Context: Any process, or a kernel thread. May sleep for an unbounded time.
 * Return: 0, or
 * * %-EINVAL - An argument is invalid.
 * * %-ENOENT - A part of the range is not mapped, or the device is not
 *   attached.
 * * %-EPERM - A mapping does not have the permissions.
 * * Another errno of iommufd_access_rw().
 *
 * On failure a part of the range may have been copied.
 */
int vfio_emulated_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		     size_t len, bool write)
{
	if (!data || !len || iova > ULONG_MAX)
		return -EINVAL;

	return iommufd_access_rw(device->iommufd_access, iova, data, len,
				 write ? IOMMUFD_ACCESS_RW_WRITE :
					 IOMMUFD_ACCESS_RW_READ);
}
