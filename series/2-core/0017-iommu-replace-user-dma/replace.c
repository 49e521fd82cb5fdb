/**
 * iommu_device_replace_user_dma() - move a group to another domain
 * @dev: a device that iommu_device_attach_user_dma() was called for
 * @domain: the domain
 *
 * Attaches all devices of the group to @domain, regardless of how often
 * iommu_device_attach_user_dma() was called. The count of these calls does not
 * change. Meanwhile, a device accesses memory through the old domain, through
 * @domain, or not at all. If the IOMMU driver can move a device without
 * blocking its DMA, no DMA is lost.
 *
 * The caller has to be the owner of the group, as for
 * iommu_device_attach_user_dma(). DMA is translated from the beginning only if
 * the caller has mapped the memory in @domain before this call; see
 * iommu_domain_prepare().
 *
 * Context: As for iommu_device_claim_dma_owner().
 * Return: 0, or
 * * %-ENODEV - @dev is not in a group.
 * * %-EPERM - The group is not claimed.
 * * %-EINVAL - The group is not attached to a domain of the owner, or the IOMMU
 *   driver cannot attach the device to @domain.
 * * Another errno of the IOMMU driver.
 *
 * On failure the devices are attached to the old domain again. If this fails
 * for a device, the device may keep its access to @domain, and
 * iommu_domain_free() does not free @domain.
 */
int iommu_device_replace_user_dma(struct device *dev,
				  struct iommu_domain *domain)
{
	struct iommu_group *group = iommu_group_get(dev);
	int ret;

	if (!group)
		return -ENODEV;

	mutex_lock(&group->mutex);
	if (!group->owner)
		ret = -EPERM;
	else if (!group->user_attached)
		ret = -EINVAL;
	else
		ret = __iommu_group_set_domain(group, domain);
	mutex_unlock(&group->mutex);

	iommu_group_put(group);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_replace_user_dma);

/**
 * iommu_domain_prepare() - choose the format of a domain before it is attached
 * @domain: a new domain
 * @dev: the device that is going to be attached first
 *
 * Many IOMMU drivers choose the format of an I/O page table only when they
 * attach the first device. This call makes the choice in advance, so that
 * memory can be mapped in @domain before any device is attached.
 *
 * Context: May sleep.
 * Return: 0, or
 * * %-EOPNOTSUPP - The IOMMU driver cannot choose the format before it attaches
 *   a device.
 * * Another errno of the IOMMU driver.
 */
int iommu_domain_prepare(struct iommu_domain *domain, struct device *dev)
{
	if (!domain->ops->prepare)
		return -EOPNOTSUPP;
	return domain->ops->prepare(domain, dev);
}
EXPORT_SYMBOL_GPL(iommu_domain_prepare);
