// files: drivers/iommu/intel/iommu.c
// Flush only the units that have a domain ID for the identity domain.

@@
iterator name for_each_active_iommu;
identifier iommu, drhd, si_domain;
expression pfn, nr, ih;
@@
intel_iommu_memory_notifier(...)
{
	<...
(
-	struct dmar_drhd_unit *drhd;
|
-	struct intel_iommu *iommu;
|
-	rcu_read_lock();
-	for_each_active_iommu(iommu, drhd)
-		iommu_flush_iotlb_psi(iommu, si_domain, pfn, nr, ih, 0);
-	rcu_read_unlock();
+	si_domain_flush(pfn, nr, ih);
)
	...>
}
