// files: drivers/iommu/iommu.c
// Export __iommu_map() to iommu-map-runs.c.

@@
@@
-static int __iommu_map(struct iommu_domain *domain, unsigned long iova,
-		       phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
+int __iommu_map(struct iommu_domain *domain, unsigned long iova,
+		phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
 {
 	...
 }
