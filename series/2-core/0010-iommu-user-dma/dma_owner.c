/**
 * iommu_device_claim_dma_owner() - claim the group of a device for user DMA
 * @dev: a device of the group
 * @owner: identifies the owner, never dereferenced
 *
 * Until the last iommu_device_release_dma_owner(), the devices of the group can
 * only access memory through a domain that the owner attaches, and no driver
 * that uses the kernel's DMA API can bind to any of them. Each successful call
 * must be paired with an iommu_device_release_dma_owner() for the same device.
 *
 * Unlike iommu_group_claim_dma_owner(), this function can be called for several
 * devices of a group. The claims of one owner are counted. A group that
 * iommu_group_claim_dma_owner() has claimed for another owner, for example a
 * container of vfio, cannot be claimed here. For one owner, the two functions
 * do not exclude each other, and iommu_group_release_dma_owner() releases all
 * claims at once, so an owner must use only one of the functions for a group.
 *
 * Context: May sleep. The caller ensures that @dev stays in its group, for
 * example because a driver is bound to @dev.
 * Return: 0, or
 * * %-ENODEV - @dev is not in a group.
 * * %-EINVAL - @owner is NULL, or no blocking domain can be allocated.
 * * %-EPERM - The group has another owner, or is used for kernel DMA.
 * * %-EBUSY - A driver has attached the group with iommu_attach_group().
 * * Another errno of the IOMMU driver.
 *
 * On failure the group is not claimed. If the driver cannot block a device, all
 * devices of the group are attached to the old domain of the group again, and
 * DMA that is in flight may be lost. If this attach fails for a device, or the
 * group had no domain, a device may remain blocked until the domain of the
 * group changes.
 */
int iommu_device_claim_dma_owner(struct device *dev, void *owner)
{
	struct iommu_group *group;
	int ret = 0;

	if (WARN_ON(!owner))
		return -EINVAL;

	group = iommu_group_get(dev);
	if (!group)
		return -ENODEV;

	mutex_lock(&group->mutex);
	if (group->owner_cnt) {
		if (group->owner != owner)
			ret = -EPERM;
	} else {
		ret = __iommu_group_alloc_blocking_domain(group);
		if (!ret)
			ret = __iommu_attach_group(group->blocking_domain,
						   group);
		if (!ret)
			group->owner = owner;
	}
	if (!ret)
		group->owner_cnt++;
	mutex_unlock(&group->mutex);

	iommu_group_put(group);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_claim_dma_owner);

/**
 * iommu_device_release_dma_owner() - undo iommu_device_claim_dma_owner()
 * @dev: the device, which has been detached
 *
 * The last call for a group attaches the group to its default domain again.
 *
 * Context: As for iommu_device_claim_dma_owner().
 */
void iommu_device_release_dma_owner(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);

	if (WARN_ON(!group))
		return;

	mutex_lock(&group->mutex);
	if (!WARN_ON(!group->owner) && !--group->owner_cnt) {
		WARN_ON(group->user_attached);
		group->user_attached = 0;
		group->owner = NULL;
		__iommu_group_set_core_domain(group);
	}
	mutex_unlock(&group->mutex);
	iommu_group_put(group);
}
EXPORT_SYMBOL_GPL(iommu_device_release_dma_owner);

/**
 * iommu_device_attach_user_dma() - attach a claimed group to a domain
 * @dev: a device that iommu_device_claim_dma_owner() was called for
 * @domain: the domain
 *
 * The first call for a group attaches all devices of the group. Further calls
 * must be for the same domain and are only counted. In contrast,
 * iommu_attach_group() attaches a group once and works without a claim, and
 * iommu_attach_device() fails if the group has several devices.
 *
 * A device that is added to the group later is attached to @domain as well.
 *
 * The caller has to be the owner of the group: the function only checks that
 * the group has an owner. The first attach to @domain must not run concurrently
 * with a map or unmap in @domain; see iommu_map_runs().
 *
 * Context: As for iommu_device_claim_dma_owner().
 * Return: 0, or
 * * %-ENODEV - @dev is not in a group.
 * * %-EPERM - The group is not claimed.
 * * %-EBUSY - The owner has attached the group with iommu_attach_group().
 * * %-EINVAL - The group is attached to another domain by this function, or the
 *   IOMMU driver cannot attach the device to @domain.
 * * Another errno of the IOMMU driver.
 *
 * On failure the count and the domain of the group are unchanged. If the driver
 * cannot attach one of the devices, the devices that it has already attached
 * are blocked again. If a device cannot be blocked, it may keep its access to
 * @domain, and iommu_domain_free() does not free @domain.
 */
int iommu_device_attach_user_dma(struct device *dev,
				 struct iommu_domain *domain)
{
	struct iommu_group *group = iommu_group_get(dev);
	int ret = 0;

	if (!group)
		return -ENODEV;

	mutex_lock(&group->mutex);
	if (!group->owner)
		ret = -EPERM;
	else if (!group->user_attached)
		ret = __iommu_attach_group(domain, group);
	else if (group->domain != domain)
		ret = -EINVAL;
	if (!ret)
		group->user_attached++;
	mutex_unlock(&group->mutex);

	iommu_group_put(group);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_attach_user_dma);

/**
 * iommu_device_detach_user_dma() - undo iommu_device_attach_user_dma()
 * @dev: the device
 *
 * The last call for a group blocks the DMA of all devices of the group. If the
 * driver fails to block a device, the device may keep its access to the domain,
 * and iommu_domain_free() does not free the domain.
 *
 * Context: As for iommu_device_claim_dma_owner().
 */
void iommu_device_detach_user_dma(struct device *dev)
{
	struct iommu_group *group = iommu_group_get(dev);

	if (WARN_ON(!group))
		return;

	mutex_lock(&group->mutex);
	if (!WARN_ON(!group->user_attached) && !--group->user_attached)
		__iommu_group_set_core_domain(group);
	mutex_unlock(&group->mutex);
	iommu_group_put(group);
}
EXPORT_SYMBOL_GPL(iommu_device_detach_user_dma);

/**
 * iommu_device_dma_owner_is() - check the owner of the group of a device
 * @dev: the device
 * @owner: the owner, as passed to iommu_device_claim_dma_owner()
 *
 * Context: As for iommu_device_claim_dma_owner().
 * Return: true if the group is claimed for @owner, otherwise false.
 */
bool iommu_device_dma_owner_is(struct device *dev, void *owner)
{
	struct iommu_group *group = iommu_group_get(dev);
	bool ret;

	if (!group)
		return false;

	mutex_lock(&group->mutex);
	ret = group->owner_cnt && group->owner == owner;
	mutex_unlock(&group->mutex);

	iommu_group_put(group);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_dma_owner_is);
