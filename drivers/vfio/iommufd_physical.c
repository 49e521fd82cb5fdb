// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd operations of vfio devices that do their own DMA.
 *
 * A device is bound to one iommufd. While it is attached to an I/O address
 * space (IOAS) of that iommufd, its DMA can access the memory that the IOAS
 * maps. Drivers support this by providing the four iommufd operations of struct
 * vfio_device_ops. The functions here are the generic implementation for
 * physical devices, which do DMA through an IOMMU: the device in the iommufd is
 * the struct device that the driver probed.
 *
 * The vfio core checks permissions and serialises the calls: bind and unbind
 * enclose all other operations, and attach and detach are called with
 * vfio_device.iommufd_lock held. No other vfio lock is held across attach and
 * detach, because an attach may have to pin all memory that the IOAS maps.
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/vfio.h>

MODULE_IMPORT_NS(IOMMUFD);

/**
 * vfio_iommufd_physical_bind() - bind a device that does its own DMA
 * @vdev: the device, not bound to an iommufd
 * @ictx: the iommufd
 * @out_device_id: set to the object ID of the device in @ictx
 *
 * On success, DMA of the whole IOMMU group is blocked while no device of the
 * group is attached.
 *
 * Context: May sleep. The caller serialises binds of @vdev.
 * Return: 0, or
 * * %-EPERM - The group is used by another owner or by a kernel driver, or its
 *   interrupts are not isolated.
 * * %-EBUSY - The group is attached to another domain, or all IDs of @ictx are
 *   in use.
 * * %-ENOMEM - Out of memory.
 * * Another errno of iommufd_device_bind().
 *
 * On failure nothing has changed.
 */
int vfio_iommufd_physical_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id)
{
	struct iommufd_device *idev;

	idev = iommufd_device_bind(ictx, vdev->dev, out_device_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);

	vdev->iommufd_device = idev;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_bind);

/**
 * vfio_iommufd_physical_unbind() - unbind a device from its iommufd
 * @vdev: the device, not attached
 *
 * Context: May sleep. The caller serialises all operations on @vdev.
 */
void vfio_iommufd_physical_unbind(struct vfio_device *vdev)
{
	iommufd_device_unbind(vdev->iommufd_device);
	vdev->iommufd_device = NULL;
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_unbind);

/**
 * vfio_iommufd_physical_attach_ioas() - attach or move a device to an IOAS
 * @vdev: the device
 * @pt_id: input: object ID of an IOAS or of an I/O page table of an IOAS;
 *         output: object ID of the I/O page table that the device is attached
 *         to
 *
 * If the device is attached already, it is moved together with the other
 * attached devices of its group; see iommufd_device_attach().
 *
 * Context: The caller holds vfio_device.iommufd_lock. May sleep for an
 * unbounded time while memory is pinned.
 * Return: 0, or
 * * %-ENOENT - The ID is unknown.
 * * Another errno of iommufd_device_attach().
 *
 * On failure the device and @pt_id are unchanged.
 */
int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	return iommufd_device_attach(vdev->iommufd_device, pt_id);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_attach_ioas);

/**
 * vfio_iommufd_physical_detach_ioas() - detach a device from its IOAS
 * @vdev: the bound device; nothing is done if it is not attached
 *
 * Context: The caller holds vfio_device.iommufd_lock. May sleep.
 */
void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev)
{
	lockdep_assert_held(&vdev->iommufd_lock);

	iommufd_device_detach(vdev->iommufd_device);
}
EXPORT_SYMBOL_GPL(vfio_iommufd_physical_detach_ioas);
