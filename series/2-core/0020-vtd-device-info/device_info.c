/* Give a new domain the format that attaching @dev would give it. */
static int intel_iommu_prepare_domain(struct iommu_domain *domain,
				      struct device *dev)
{
	int ret = prepare_domain_attach_device(domain, dev);

	if (ret)
		return ret;
	domain_update_iommu_cap(to_dmar_domain(domain));
	domain_attach_done(to_dmar_domain(domain), 0);
	return 0;
}

/*
 * Describe a new domain that is prepared for @dev. The hardware may support
 * more than this driver uses.
 */
static int intel_iommu_device_info(struct device *dev,
				   struct iommu_device_info *info)
{
	struct iommu_domain *domain;
	int ret;

	domain = iommu_domain_alloc(dev->bus);
	if (!domain)
		return -ENOMEM;

	ret = intel_iommu_prepare_domain(domain, dev);
	if (!ret) {
		info->pgsize_bitmap = domain->pgsize_bitmap;
		info->addr_width = fls64(domain->geometry.aperture_end);
	}
	iommu_domain_free(domain);
	return ret;
}
