// files: drivers/iommu/intel/iommu.c
// The first unit determines the format of a domain. Others must support it.

@@
identifier domain, dmar_domain, dev, iommu, addr_width;
@@
prepare_domain_attach_device(struct iommu_domain *domain, struct device *dev)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu;
-	int addr_width;
	...
-	addr_width = agaw_to_width(iommu->agaw);
-	if (addr_width > cap_mgaw(iommu->cap))
-		addr_width = cap_mgaw(iommu->cap);
-	if (dmar_domain->max_addr > (1LL << addr_width)) { ... }
-	dmar_domain->gaw = addr_width;
-	while (iommu->agaw < dmar_domain->agaw) { ... }
-
-	return 0;
+	return domain_adopt_iommu(dmar_domain, iommu);
}

@@
identifier domain, dev;
@@
intel_iommu_attach_device(struct iommu_domain *domain, struct device *dev)
{
	...
-	return domain_add_dev_info(to_dmar_domain(domain), dev);
+	ret = domain_add_dev_info(to_dmar_domain(domain), dev);
+	domain_attach_done(to_dmar_domain(domain), ret);
+	return ret;
}

@@
identifier domain;
@@
domain_update_iommu_cap(struct dmar_domain *domain)
{
-	domain_update_iommu_coherency(domain);
-	domain->iommu_superpage = domain_update_iommu_superpage(domain, NULL);
	...
}

@@
@@
-static void domain_update_iommu_coherency(struct dmar_domain *domain)
-{
-	...
-}

@@
typedef bool;
@@
-static bool domain_iommus_coherent(struct dmar_domain *domain)
-{
-	...
-}
