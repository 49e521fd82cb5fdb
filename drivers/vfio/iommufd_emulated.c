// SPDX-License-Identifier: GPL-2.0-only
/*
 * How vfio devices without DMA of their own meet /dev/iommu
 *
 * An emulated device, such as a mediated one, has no IOMMU: its driver reaches
 * the memory of the device's user with vfio_pin_pages(), vfio_unpin_pages() and
 * vfio_dma_rw(), and its member of the iommufd is an access instead of a
 * struct device. The four operations of struct vfio_device_ops stand here in
 * the form for such devices.
 *
 * Rule: from bind to unbind these calls go to the access, and never to a
 * container, which the device then has none of. While nothing is attached they
 * fail. The driver's dma_unmap op is called as for a container, and also for
 * each mapping that it has pages pinned in when the device is detached. It is
 * called for one mapping at a time, and no call runs during or after
 * close_device(): /dev/iommu unpins what the driver has left pinned.
 */
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/vfio.h>

#include "iommufd_emulated.h"

static void access_unmap(void *data, unsigned long iova, unsigned long length)
{
	struct vfio_device *vdev = data;

	vdev->ops->dma_unmap(vdev, iova, length);
}

static const struct iommufd_access_ops access_ops = {
	.unmap = access_unmap,
};

/**
 * vfio_iommufd_emulated_bind - make a device that does no DMA a member
 * @vdev: the device, a member of no iommufd
 * @ictx: the iommufd it joins
 * @out_device_id: set to the device's object id in @ictx
 *
 * A driver without the dma_unmap op cannot pin pages. On failure nothing has
 * changed.
 *
 * Context: May sleep. The caller keeps other binds of @vdev out.
 * Return: 0, -ENOMEM, or -EBUSY if @ictx has no id left.
 */
int vfio_iommufd_emulated_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_access *access;

	access = iommufd_access_create(ictx, vdev->ops->dma_unmap ?
				       &access_ops : NULL, vdev, out_device_id);
	if (IS_ERR(access))
		return PTR_ERR(access);

	vdev->iommufd_access = access;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_bind);

/**
 * vfio_iommufd_emulated_unbind - undo vfio_iommufd_emulated_bind()
 * @vdev: the device, with no address space attached
 *
 * Context: May sleep. The caller keeps all other operations on @vdev out.
 */
void vfio_iommufd_emulated_unbind(struct vfio_device *vdev)
{
	iommufd_access_destroy(vdev->iommufd_access);
	vdev->iommufd_access = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_unbind);

/**
 * vfio_iommufd_emulated_attach_ioas - let a driver reach an address space
 * @vdev: the bound device
 * @pt_id: object id of the address space, left as it is: there is no I/O page
 *         table
 *
 * Context: May sleep; pins nothing. Holds vfio_device.iommufd_lock.
 * Return: 0, -EBUSY when the device is attached already, -ENOENT when there is
 *         no such address space, or what else iommufd_access_attach() refuses
 *         with. The device is then as it was.
 */
int vfio_iommufd_emulated_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	return iommufd_access_attach(vdev->iommufd_access, *pt_id);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_attach_ioas);

/**
 * vfio_iommufd_emulated_detach_ioas - take an address space from a driver
 * @vdev: the bound device; being attached to nothing is fine
 *
 * When it returns nothing is pinned for the device.
 *
 * Context: May sleep; waits for calls that are pinning. Holds
 *          vfio_device.iommufd_lock, and no lock that the driver's dma_unmap
 *          op takes.
 */
void vfio_iommufd_emulated_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	iommufd_access_detach(vdev->iommufd_access);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_emulated_detach_ioas);

/**
 * vfio_access_leave - keep the calls of a driver out before a detach
 * @device: any bound device; nothing happens unless it is emulated
 *
 * Context: May sleep, for long, killably: waits for calls that are pinning.
 *          Holds vfio_device.iommufd_lock. The device is detached next.
 * Return: 0, or -EINTR when killed; the device is attached as before then.
 */
int vfio_access_leave(struct vfio_device *device)
{
	lockdep_assert_held(&device->iommufd_lock);

	if (!vfio_has_access(device))
		return 0;
	return iommufd_access_leave(device->iommufd_access);
}

/**
 * vfio_access_quiesce - end the calls of a driver's dma_unmap op
 * @device: any open device; nothing happens unless it is bound and emulated
 *
 * Context: May sleep; waits for a call that runs. Holds no lock that the op
 *          takes. The device is closed next.
 */
void vfio_access_quiesce(struct vfio_device *device)
{
	if (vfio_has_access(device))
		iommufd_access_quiesce(device->iommufd_access);
}

static unsigned int access_flags(int prot)
{
	return (prot & IOMMU_READ ? IOMMUFD_ACCESS_RW_READ : 0) |
	       (prot & IOMMU_WRITE ? IOMMUFD_ACCESS_RW_WRITE : 0);
}

/**
 * vfio_access_pin_pages - vfio_pin_pages() of a bound device
 * @device: the device
 * @iova: anywhere in the first page
 * @npage: pages, up to VFIO_PIN_PAGES_MAX_ENTRIES
 * @prot: IOMMU_READ and IOMMU_WRITE, what the mappings must allow
 * @pages: receives the pages
 *
 * Context: May sleep, for long.
 * Return: @npage, -EINVAL for a bad argument or a driver without the dma_unmap
 *         op, -E2BIG for more pages, -ENOENT when not all of them are mapped
 *         or the device is not attached, -EPERM when a mapping does not allow
 *         @prot, or an errno of iommufd_access_pin_pages(). Nothing is pinned
 *         then.
 */
int vfio_access_pin_pages(struct vfio_device *device, dma_addr_t iova,
			  int npage, int prot, struct page **pages)
{
	int ret;

	if (!pages || npage <= 0 || iova > ULONG_MAX)
		return -EINVAL;
	if (npage > VFIO_PIN_PAGES_MAX_ENTRIES)
		return -E2BIG;

	ret = iommufd_access_pin_pages(device->iommufd_access,
				       iova & PAGE_MASK,
				       (unsigned long)npage << PAGE_SHIFT,
				       pages, access_flags(prot));
	return ret ? ret : npage;
}

/**
 * vfio_access_unpin_pages - vfio_unpin_pages() of a bound device
 * @device: the device
 * @iova: anywhere in the first page
 * @npage: pages, at least 1
 *
 * Pages that this device has not pinned are left alone.
 *
 * Context: May sleep. May be called from the driver's dma_unmap op.
 */
void vfio_access_unpin_pages(struct vfio_device *device, dma_addr_t iova,
			     int npage)
{
	if (iova > ULONG_MAX)
		return;

	iommufd_access_unpin_pages(device->iommufd_access, iova & PAGE_MASK,
				   (unsigned long)npage << PAGE_SHIFT);
}

/**
 * vfio_access_rw - vfio_dma_rw() of a bound device
 * @device: the device
 * @iova: first byte
 * @data: to copy to or from
 * @len: bytes
 * @write: write to the user's memory, else read it
 *
 * Context: In the process that mapped the memory, or in a kernel thread. May
 *          sleep, for long.
 * Return: 0, -EINVAL for a bad argument, -ENOENT when not all of it is mapped
 *         or the device is not attached, -EPERM when a mapping does not allow
 *         it, or an errno of iommufd_access_rw().
 */
int vfio_access_rw(struct vfio_device *device, dma_addr_t iova, void *data,
		   size_t len, bool write)
{
	if (!data || !len || iova > ULONG_MAX)
		return -EINVAL;

	return iommufd_access_rw(device->iommufd_access, iova, data, len,
				 write ? IOMMUFD_ACCESS_RW_WRITE :
					 IOMMUFD_ACCESS_RW_READ);
}
