// files: drivers/iommu/iommu.c
// Make __iommu_map() non-static, because iommu-map-runs.c calls it.

@@
@@
-static int __iommu_map(struct iommu_domain *domain, unsigned long iova,
-		       phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
+int __iommu_map(struct iommu_domain *domain, unsigned long iova,
+		phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
 {
 	...
 }
