// files: drivers/iommu/intel/iommu.c

@@
identifier dmar_domain, max_addr;
@@
intel_iommu_map(...)
{
	<...
-	dmar_domain->max_addr = max_addr;
+	domain_raise_max_addr(dmar_domain, max_addr);
	...>
}

@@
identifier dmar_domain, max_addr;
@@
intel_iommu_map(...)
{
	<...
-	if (dmar_domain->max_addr < max_addr)
+	if (READ_ONCE(dmar_domain->max_addr) < max_addr)
	{ ... }
	...>
}

@@
identifier dmar_domain, iova, size;
@@
intel_iommu_unmap(struct iommu_domain *domain, unsigned long iova, size_t size,
		  struct iommu_iotlb_gather *gather)
{
	<...
-	if (dmar_domain->max_addr == iova + size)
-		dmar_domain->max_addr = iova;
+	if (READ_ONCE(dmar_domain->max_addr) == iova + size)
+		cmpxchg64(&dmar_domain->max_addr, iova + size, iova);
	...>
}
