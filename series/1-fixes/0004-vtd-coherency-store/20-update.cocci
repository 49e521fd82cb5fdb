// files: drivers/iommu/intel/iommu.c

@@
@@
-static void domain_update_iommu_coherency(struct dmar_domain *domain)
-{
-	...
-}

@@
@@
domain_flush_cache(struct dmar_domain *domain, ...)
{
	<...
-	domain->iommu_coherency
+	READ_ONCE(domain->iommu_coherency)
	...>
}

@@
identifier flag;
@@
domain_update_iotlb(struct dmar_domain *domain)
{
	<...
-	domain->has_iotlb_device = flag;
+	WRITE_ONCE(domain->has_iotlb_device, flag);
	...>
}

@@
@@
iommu_flush_dev_iotlb(struct dmar_domain *domain, ...)
{
	<...
-	domain->has_iotlb_device
+	READ_ONCE(domain->has_iotlb_device)
	...>
}
