static inline int iommu_device_init_user_dma(struct device *dev, void *owner)
{
	return -ENODEV;
}

static inline void iommu_device_exit_user_dma(struct device *dev)
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

static inline bool iommu_device_user_dma_owner_is(struct device *dev,
						  void *owner)
{
	return false;
}
