// files: drivers/iommu/iommu.c
// Make __iommu_map_pages() non-static, because iommu-map-runs.c calls it.

@@
@@
-static int __iommu_map_pages(struct iommu_domain *domain, unsigned long iova,
-			     phys_addr_t paddr, size_t size, int prot,
-			     gfp_t gfp, size_t *mapped)
+int __iommu_map_pages(struct iommu_domain *domain, unsigned long iova,
+		      phys_addr_t paddr, size_t size, int prot, gfp_t gfp,
+		      size_t *mapped)
 {
 	...
 }
