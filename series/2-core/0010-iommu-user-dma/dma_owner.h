int iommu_device_claim_dma_owner(struct device *dev, void *owner);
void iommu_device_release_dma_owner(struct device *dev);
int iommu_device_attach_user_dma(struct device *dev,
				 struct iommu_domain *domain);
void iommu_device_detach_user_dma(struct device *dev);
bool iommu_device_dma_owner_is(struct device *dev, void *owner);
