// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bind devices to an iommufd and open them, and undo both.
 *
 * A device is bound before it is opened and unbound after it is closed. In
 * between, it can be attached and detached. The caller, device_cdev.c or
 * group_iommufd.c, ensures that the device is bound only once at a time,
 * through either its node or its group. The bind_iommufd op of the device's
 * driver is in iommufd_physical.c or iommufd_emulated.c.
 */
#include <linux/iommu.h>
#include <linux/mutex.h>
#include <linux/vfio.h>

#include "device_kvm.h"
#include "iommufd_device.h"
#include "iommufd_emulated.h"
#include "vfio.h"

/**
 * vfio_iommufd_open() - bind a device to an iommufd and open it
 * @device: the device, not open. The caller holds a reference to the module of
 *          its driver
 * @kvm: link of the file through which the device is opened
 * @ictx: the iommufd; the caller holds a reference
 * @by_node: the file belongs to the node of the device, not to its group.
 *           vfio_device.iommufd_ctx is set in this case only
 * @devid: set to the ID of the device in @ictx
 *
 * Context: May sleep. Takes vfio_device_set.lock.
 * Return: 0, or an errno of the bind_iommufd or open_device op. On failure the
 * device is neither bound nor open.
 */
int vfio_iommufd_open(struct vfio_device *device, struct vfio_kvm_link *kvm,
		      struct iommufd_ctx *ictx, bool by_node, u32 *devid)
{
	int rc;

	rc = device->ops->bind_iommufd(device, ictx, devid);
	if (rc)
		return rc;

	vfio_kvm_take(device, kvm);
	mutex_lock(&device->dev_set->lock);
	device->open_count = 1;
	if (device->ops->open_device)
		rc = device->ops->open_device(device);
	if (rc)
		device->open_count = 0;
	else if (by_node)
		device->iommufd_ctx = ictx;
	mutex_unlock(&device->dev_set->lock);
	if (rc) {
		vfio_kvm_drop(device);
		device->ops->unbind_iommufd(device);
	}
	return rc;
}

/**
 * vfio_iommufd_close() - close, detach and unbind a device
 * @device: the device, for which vfio_iommufd_open() succeeded
 *
 * The close stops DMA of the device before it is detached. Otherwise, killing a
 * process could fill the log with DMA faults.
 *
 * Context: May sleep. The caller holds vfio_device.iommufd_lock. Takes
 * vfio_device_set.lock.
 */
void vfio_iommufd_close(struct vfio_device *device)
{
	lockdep_assert_held(&device->iommufd_lock);
	vfio_emulated_stop_notify(device);
	mutex_lock(&device->dev_set->lock);
	if (device->ops->close_device)
		device->ops->close_device(device);
	device->open_count = 0;
	device->iommufd_ctx = NULL;
	mutex_unlock(&device->dev_set->lock);
	vfio_kvm_drop(device);

	device->ops->detach_ioas(device);
	device->ops->unbind_iommufd(device);
}

/**
 * vfio_iommufd_coherent() - check whether DMA of a device is always coherent
 * with CPU caches while it is bound
 * @device: any device except one in no-IOMMU mode
 *
 * /dev/iommu enforces coherency for every device for which the IOMMU can do so.
 *
 * Context: Any context.
 * Return: true if all DMA is coherent. Also true if the device does no DMA of
 * its own.
 */
bool vfio_iommufd_coherent(const struct vfio_device *device)
{
	return device->group->type != VFIO_IOMMU ||
	       device_iommu_capable(device->dev,
				    IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
}
