// files: drivers/iommu/intel/iommu.c
// Report per device whether its IOMMU unit has snoop control.

@@
identifier dev, cap;
@@
intel_iommu_capable(struct device *dev, enum iommu_cap cap)
{
+	struct device_domain_info *info = dev_iommu_priv_get(dev);
+
	...
	if (cap == IOMMU_CAP_CACHE_COHERENCY)
		return true;
+	if (cap == IOMMU_CAP_ENFORCE_CACHE_COHERENCY)
+		return ecap_sc_support(info->iommu->ecap);
	...
}
