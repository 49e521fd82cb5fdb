static inline int iommu_device_replace_user_dma(struct device *dev,
						struct iommu_domain *domain)
{
	return -ENODEV;
}

static inline int iommu_domain_prepare(struct iommu_domain *domain,
				       struct device *dev)
{
	return -ENODEV;
}
