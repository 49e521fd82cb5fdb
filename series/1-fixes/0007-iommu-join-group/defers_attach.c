/*
 * Check whether @dev, which joins @group, is attached on its first use of the
 * DMA API. The DMA API attaches the default domain, so the attach must not be
 * deferred while the group uses another domain.
 */
static bool iommu_group_defers_attach(struct iommu_group *group,
				      struct device *dev)
{
	return group->domain == group->default_domain &&
	       iommu_is_attach_deferred(dev);
}
