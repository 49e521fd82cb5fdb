// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset of PCI devices that an iommufd owns.
 *
 * A hot reset affects every device on a slot or a bus. An iommufd owns a device
 * if that device, or another device of the same IOMMU group, is bound to the
 * iommufd: in either case, only the iommufd controls the DMA of the device.
 *
 * A slot or a bus may be reset if the caller's iommufd owns all affected
 * devices and each of them is bound to a vfio driver, so that the device stays
 * in place and accesses to its memory are blocked during the reset. Group files
 * would prove no additional ownership, so they are rejected.
 *
 * While the lock of the device set is held, no device of the set can be opened
 * or closed. A new owner thus cannot use an affected device before the lock is
 * dropped, even if the iommufd loses ownership of the device after the check.
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vfio_pci_hot_reset.h"

MODULE_IMPORT_NS(IOMMUFD);

/*
 * Return the ID of a device that is bound to @ictx through its node. For any
 * other device, return VFIO_PCI_DEVID_OWNED or VFIO_PCI_DEVID_NOT_OWNED.
 */
static u32 get_devid(struct vfio_device *device, struct iommufd_ctx *ictx)
{
	lockdep_assert_held(&device->dev_set->lock);

	if (device->iommufd_ctx == ictx)
		return iommufd_device_to_id(device->iommufd_device);
	if (iommufd_ctx_owns(ictx, device->dev))
		return VFIO_PCI_DEVID_OWNED;
	return VFIO_PCI_DEVID_NOT_OWNED;
}

/**
 * vfio_pci_owned_by() - check whether an iommufd owns a device
 * @vdev: the device
 * @ictx: the iommufd
 *
 * Context: The caller holds the lock of the device set. May sleep.
 * Return: true if @ictx owns @vdev.
 */
bool vfio_pci_owned_by(struct vfio_pci_core_device *vdev,
		       struct iommufd_ctx *ictx)
{
	return get_devid(&vdev->vdev, ictx) != VFIO_PCI_DEVID_NOT_OWNED;
}

/*
 * Check that the slot or the bus can be reset. @slot is set to true if the slot
 * can be reset, and to false if only the bus can.
 */
static int probe_reset(struct vfio_pci_core_device *vdev, bool *slot)
{
	*slot = !pci_probe_reset_slot(vdev->pdev->slot);
	if (!*slot && pci_probe_reset_bus(vdev->pdev->bus))
		return -ENODEV;
	return 0;
}

/* State of a walk over the affected devices. */
struct affected {
	struct vfio_pci_core_device *vdev;	/* Device of the caller */
	struct vfio_pci_dependent_device *devices;
	u32 room;		/* Number of elements in devices */
	u32 count;		/* Number of affected devices so far */
	u32 flags;
};

static int affected_add(struct pci_dev *pdev, void *data)
{
	struct affected *affected = data;
	struct vfio_device *caller = &affected->vdev->vdev, *device;
	u32 devid = VFIO_PCI_DEVID_NOT_OWNED;

	list_for_each_entry(device, &caller->dev_set->device_list, dev_set_list)
		if (device->dev == &pdev->dev)
			devid = get_devid(device, caller->iommufd_ctx);
	if (devid == VFIO_PCI_DEVID_NOT_OWNED)
		affected->flags &= ~VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;

	if (affected->count < affected->room)
		affected->devices[affected->count] =
			(struct vfio_pci_dependent_device){
				.devid = devid,
				.segment = pci_domain_nr(pdev->bus),
				.bus = pdev->bus->number,
				.devfn = pdev->devfn,
			};
	affected->count++;
	return 0;
}

/* Walk all affected devices and fill in as many as there is room for. */
static void affected_find(struct affected *affected, bool slot)
{
	struct vfio_device_set *dev_set = affected->vdev->vdev.dev_set;

	affected->count = 0;
	affected->flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID |
			  VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	mutex_lock(&dev_set->lock);
	vfio_pci_walk_affected(affected->vdev, slot, affected_add, affected);
	mutex_unlock(&dev_set->lock);
}

/**
 * vfio_pci_owned_hot_reset_info() - report the devices that a hot reset affects
 * @vdev: a device that is bound to an iommufd
 * @argsz: size of @arg in bytes, at least that of the struct without devices
 * @arg: argument of VFIO_DEVICE_GET_PCI_HOT_RESET_INFO
 *
 * Context: May sleep.
 * Return: 0, or
 * * %-ENODEV - Neither the slot nor the bus can be reset.
 * * %-ENOSPC - @arg is too small for all devices. Only the number of devices
 *   and the flags are set.
 * * %-EAGAIN - Devices were added concurrently.
 * * %-EFAULT - @arg is not accessible.
 * * %-ENOMEM - Out of memory.
 */
int vfio_pci_owned_hot_reset_info(struct vfio_pci_core_device *vdev, u32 argsz,
				  struct vfio_pci_hot_reset_info __user *arg)
{
	struct vfio_pci_hot_reset_info hdr = { .argsz = argsz };
	struct affected affected = { .vdev = vdev };
	bool slot;
	u32 room;
	int rc;

	rc = probe_reset(vdev, &slot);
	if (rc)
		return rc;

	/*
	 * Count the devices, so that user space cannot control the size of the
	 * allocation below.
	 */
	affected_find(&affected, slot);
	room = (argsz - sizeof(hdr)) / sizeof(*affected.devices);
	if (affected.count <= room) {
		affected.room = affected.count;
		affected.devices = kcalloc(affected.room,
					   sizeof(*affected.devices),
					   GFP_KERNEL);
		if (!affected.devices)
			return -ENOMEM;
		affected_find(&affected, slot);
		if (affected.count > affected.room)
			rc = -EAGAIN;
	} else {
		rc = -ENOSPC;
	}

	hdr.flags = affected.flags;
	hdr.count = affected.count;
	if (rc != -EAGAIN && copy_to_user(arg, &hdr, sizeof(hdr)))
		rc = -EFAULT;
	if (!rc && copy_to_user(arg->devices, affected.devices,
				array_size(hdr.count,
					   sizeof(*affected.devices))))
		rc = -EFAULT;
	kfree(affected.devices);
	return rc;
}

/**
 * vfio_pci_owned_hot_reset() - reset the slot or the bus of a device
 * @vdev: a device that is bound to an iommufd
 * @count: number of group files passed to VFIO_DEVICE_PCI_HOT_RESET
 *
 * Context: May sleep.
 * Return: 0, or
 * * %-EINVAL - Group files were passed, or the iommufd does not own an affected
 *   device, or an affected device has no vfio driver.
 * * %-ENODEV - Neither the slot nor the bus can be reset.
 * * %-EBUSY - One of the devices is busy.
 * * Another errno of the reset.
 */
int vfio_pci_owned_hot_reset(struct vfio_pci_core_device *vdev, u32 count)
{
	bool slot;
	int rc;

	if (count)
		return -EINVAL;
	rc = probe_reset(vdev, &slot);
	if (rc)
		return rc;
	return vfio_pci_hot_reset_owned(vdev, vdev->vdev.iommufd_ctx);
}
