/*
 * Describe a new domain in the format that attaching @dev would give it. The
 * hardware may support more than this driver uses.
 */
static int intel_iommu_device_info(struct device *dev,
				   struct iommu_device_info *info)
{
	struct device_domain_info *devinfo = dev_iommu_priv_get(dev);
	struct iommu_domain *domain;
	int ret;

	domain = iommu_domain_alloc(dev->bus);
	if (!domain)
		return -ENOMEM;

	ret = domain_adopt_iommu(to_dmar_domain(domain), devinfo->iommu);
	if (!ret) {
		domain_update_iommu_cap(to_dmar_domain(domain));
		info->pgsize_bitmap = domain->pgsize_bitmap;
		info->addr_width = fls64(domain->geometry.aperture_end);
		domain_attach_done(to_dmar_domain(domain), 0);
	}
	iommu_domain_free(domain);
	return ret;
}
