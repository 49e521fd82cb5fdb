// SPDX-License-Identifier: GPL-2.0-only
/*
 * How vfio devices meet /dev/iommu
 *
 * A device is a member of one iommufd from bind to unbind, and in between its
 * DMA reaches one address space of that iommufd from attach to detach. A
 * driver says that its devices can do so by declaring the four operations of
 * struct vfio_device_ops that stand here in their generic form.
 *
 * The physical form is for devices whose own DMA goes through an IOMMU: the
 * member of the iommufd is the very struct device that the driver probed.
 *
 * Rule: nothing here decides who may use a device. The callers in
 * device_cdev.c do, and they serialise: bind and unbind enclose all else, and
 * attach and detach run under vfio_device.iommufd_lock. No other vfio lock is
 * held across them, because attaching pins all the memory that the address
 * space maps.
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/vfio.h>

MODULE_IMPORT_NS(IOMMUFD);

/**
 * vfio_iommufd_physical_bind - make a device that does its own DMA a member
 * @vdev: the device, a member of no iommufd
 * @ictx: the iommufd it joins
 * @out_device_id: set to the device's object id in @ictx
 *
 * From here on the DMA of the device's whole IOMMU group goes nowhere, until
 * an address space is attached. On failure nothing has changed.
 *
 * Context: May sleep. The caller keeps other binds of @vdev out.
 * Return: 0, -EPERM when the group belongs to another user or to a kernel
 *         driver, -ENOMEM, or what else iommufd_device_bind() refuses with.
 */
int vfio_iommufd_physical_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_device *member;

	member = iommufd_device_bind(ictx, vdev->dev, out_device_id);
	if (IS_ERR(member))
		return PTR_ERR(member);

	vdev->iommufd_device = member;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_bind);

/**
 * vfio_iommufd_physical_unbind - undo vfio_iommufd_physical_bind()
 * @vdev: the device, with no address space attached
 *
 * Context: May sleep. The caller keeps all other operations on @vdev out.
 */
void vfio_iommufd_physical_unbind(struct vfio_device *vdev)
{
	iommufd_device_unbind(vdev->iommufd_device);
	vdev->iommufd_device = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_unbind);

/**
 * vfio_iommufd_physical_attach_ioas - let a bound device reach an address space
 * @vdev: the device
 * @pt_id: object id of an address space or of one of its I/O page tables; on
 *         success the id of the I/O page table that the device now uses
 *
 * There is no replacing one address space by another under a running device:
 * a device that is attached has to be detached first. On failure the device
 * and @pt_id are as they were.
 *
 * Context: May sleep, for as long as pinning the mapped memory takes. Holds
 *          vfio_device.iommufd_lock.
 * Return: 0, -EBUSY when the device is attached already, -ENOENT for an
 *         unknown id, or what else iommufd_device_attach() refuses with.
 */
int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	return iommufd_device_attach(vdev->iommufd_device, pt_id);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_attach_ioas);

/**
 * vfio_iommufd_physical_detach_ioas - block the DMA of a bound device
 * @vdev: the device; being attached to nothing is fine
 *
 * Context: May sleep. Holds vfio_device.iommufd_lock.
 */
void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	iommufd_device_detach(vdev->iommufd_device);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_detach_ioas);
