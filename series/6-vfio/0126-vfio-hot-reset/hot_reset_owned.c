int vfio_pci_walk_affected(struct vfio_pci_core_device *vdev, bool slot,
			   vfio_pci_affected_fn fn, void *data)
{
	return vfio_pci_for_each_slot_or_bus(vdev->pdev, fn, data, slot);
}

int vfio_pci_hot_reset_owned(struct vfio_pci_core_device *vdev,
			     struct iommufd_ctx *ictx)
{
	struct vfio_pci_group_info info = { .ictx = ictx };

	return vfio_pci_dev_set_hot_reset(vdev->vdev.dev_set, &info);
}
