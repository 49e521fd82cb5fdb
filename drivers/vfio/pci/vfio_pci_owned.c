// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hot reset for users who own devices by /dev/iommu
 *
 * Vocabulary: a hot reset is one of a slot or a bus, and so of all the devices
 * there, which are affected. A device is owned by an iommufd if it is bound to
 * it, or if another device of its IOMMU group is: nobody else can have it then,
 * and its DMA is in the iommufd's hands already.
 *
 * Rule: a user may reset what the user's iommufd owns, so all that is affected
 * has to be owned, and each device has to have a driver here, which keeps it in
 * place and knows of the reset. Files prove nothing more, so none are named.
 *
 * The lock of the device set keeps all its devices from being opened and
 * closed. What it finds owned under this lock stays so until it is dropped.
 */
#include <linux/iommufd.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vfio_pci_owned.h"

MODULE_IMPORT_NS(IOMMUFD);

/* The ID of a device to the user of @ictx, or how it stands to that user. */
static u32 devid_in(struct vfio_device *device, struct iommufd_ctx *ictx)
{
	lockdep_assert_held(&device->dev_set->lock);

	if (device->iommufd_ctx == ictx)
		return iommufd_device_to_id(device->iommufd_device);
	if (iommufd_ctx_owns(ictx, device->dev))
		return VFIO_PCI_DEVID_OWNED;
	return VFIO_PCI_DEVID_NOT_OWNED;
}

/**
 * vfio_pci_owned_by - whether an iommufd owns a device
 * @vdev: the device
 * @ictx: the iommufd
 *
 * Context: May sleep. Holds the lock of the device's set.
 * Return: true if it does.
 */
bool vfio_pci_owned_by(struct vfio_pci_core_device *vdev,
		       struct iommufd_ctx *ictx)
{
	return devid_in(&vdev->vdev, ictx) != VFIO_PCI_DEVID_NOT_OWNED;
}

/* Finds out whether it is the slot or the bus that can be reset. */
static int reset_reach(struct vfio_pci_core_device *vdev, bool *slot)
{
	*slot = !pci_probe_reset_slot(vdev->pdev->slot);
	if (!*slot && pci_probe_reset_bus(vdev->pdev->bus))
		return -ENODEV;
	return 0;
}

/* What is told of the affected devices, as they are walked over. */
struct affected {
	struct vfio_pci_core_device *vdev;	/* whose user asks */
	struct vfio_pci_dependent_device *devices;
	u32 room;		/* elements of devices */
	u32 count;		/* affected devices so far */
	u32 flags;
};

static int affected_add(struct pci_dev *pdev, void *data)
{
	struct affected *affected = data;
	struct vfio_device *asking = &affected->vdev->vdev, *device;
	u32 devid = VFIO_PCI_DEVID_NOT_OWNED;

	list_for_each_entry(device, &asking->dev_set->device_list, dev_set_list)
		if (device->dev == &pdev->dev)
			devid = devid_in(device, asking->iommufd_ctx);
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

/* Looks at all that is affected, and fills in what there is room for. */
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
 * vfio_pci_owned_hot_reset_info - tell which devices a hot reset affects
 * @vdev: a device that is bound to an iommufd
 * @argsz: bytes at @arg, at least those of the struct without devices
 * @arg: VFIO_DEVICE_GET_PCI_HOT_RESET_INFO's argument
 *
 * Context: May sleep.
 * Return: 0; -ENODEV when neither slot nor bus can be reset; -ENOSPC when there
 *         are more devices than @arg has room for, with their number and the
 *         flags filled in; -EAGAIN when devices came meanwhile; -EFAULT or
 *         -ENOMEM.
 */
int vfio_pci_owned_hot_reset_info(struct vfio_pci_core_device *vdev, u32 argsz,
				  struct vfio_pci_hot_reset_info __user *arg)
{
	struct vfio_pci_hot_reset_info hdr = { .argsz = argsz };
	struct affected affected = { .vdev = vdev };
	bool slot;
	u32 room;
	int ret;

	ret = reset_reach(vdev, &slot);
	if (ret)
		return ret;

	/* No more is allocated than there are devices, whatever argsz says. */
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
			ret = -EAGAIN;
	} else {
		ret = -ENOSPC;
	}

	hdr.flags = affected.flags;
	hdr.count = affected.count;
	if (ret != -EAGAIN && copy_to_user(arg, &hdr, sizeof(hdr)))
		ret = -EFAULT;
	if (!ret && copy_to_user(arg->devices, affected.devices,
				 array_size(hdr.count,
					    sizeof(*affected.devices))))
		ret = -EFAULT;
	kfree(affected.devices);
	return ret;
}

/**
 * vfio_pci_owned_hot_reset - reset the slot or bus of a device
 * @vdev: a device that is bound to an iommufd
 * @count: VFIO_DEVICE_PCI_HOT_RESET's count of group files
 *
 * Context: May sleep.
 * Return: 0; -EINVAL when group files are named, or an affected device is not
 *         owned by the iommufd or has no vfio driver; -ENODEV when neither slot
 *         nor bus can be reset; -EBUSY when one of the devices is in the middle
 *         of something; why the reset failed.
 */
int vfio_pci_owned_hot_reset(struct vfio_pci_core_device *vdev, u32 count)
{
	bool slot;
	int ret;

	if (count)
		return -EINVAL;
	ret = reset_reach(vdev, &slot);
	if (ret)
		return ret;
	return vfio_pci_hot_reset_owned(vdev, vdev->vdev.iommufd_ctx);
}
