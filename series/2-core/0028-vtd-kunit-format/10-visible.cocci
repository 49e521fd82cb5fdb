// files: drivers/iommu/intel/iommu.c
// The tests begin and end attaches without a device.

@@
@@
-static int domain_adopt_iommu(struct dmar_domain *domain,
-			      struct intel_iommu *iommu)
+int domain_adopt_iommu(struct dmar_domain *domain, struct intel_iommu *iommu)
{
	...
}

@@
@@
-static void domain_attach_done(struct dmar_domain *domain, int ret)
+void domain_attach_done(struct dmar_domain *domain, int ret)
{
	...
}
