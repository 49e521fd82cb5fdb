static inline int iommu_device_claim_dma_owner(struct device *dev, void *owner)
{
	return -ENODEV;
}

static inline void iommu_device_release_dma_owner(struct device *dev)
{
}

static inline int iommu_device_attach_user_dma(struct device *dev,
					       struct iommu_domain *domain)
{
	return -ENODEV;
}

static inline void iommu_device_detach_user_dma(struct device *dev)
{
}

static inline bool iommu_device_dma_owner_is(struct device *dev, void *owner)
{
	return false;
}
