static int device_remaps_interrupts(struct device *dev, void *unused)
{
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}

/**
 * iommu_group_has_isolated_msi() - check that a group cannot forge interrupts
 * @group: the group
 *
 * A device raises a message signaled interrupt by a DMA write. Without
 * isolation, a program that controls the DMA of the device can raise any
 * interrupt of the system. Interrupts are isolated if all MSI interrupt domains
 * remap them, or if the IOMMU of a device of the group does.
 *
 * Context: May sleep.
 * Return: true if the interrupts of the group are isolated.
 */
bool iommu_group_has_isolated_msi(struct iommu_group *group)
{
	return irq_domain_check_msi_remap() ||
	       iommu_group_for_each_dev(group, NULL, device_remaps_interrupts);
}
EXPORT_SYMBOL_GPL(iommu_group_has_isolated_msi);
