int iommu_device_init_user_dma(struct device *dev, void *owner);
void iommu_device_exit_user_dma(struct device *dev);
int iommu_device_attach_user_dma(struct device *dev,
				 struct iommu_domain *domain);
void iommu_device_detach_user_dma(struct device *dev);
bool iommu_device_user_dma_owner_is(struct device *dev, void *owner);
