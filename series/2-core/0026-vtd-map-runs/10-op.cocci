// files: drivers/iommu/intel/iommu.c
// Set the op, and make functions that it shares with other ops non-static.

@@
identifier intel_iommu_ops, fn;
@@
struct iommu_ops intel_iommu_ops = {
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.map_pages = fn,
+		.map_runs = intel_iommu_map_runs,
	}
};

@@
@@
-static void domain_flush_cache(struct dmar_domain *domain,
-			       void *addr, int size)
+void domain_flush_cache(struct dmar_domain *domain, void *addr, int size)
 {
 	...
 }

@@
@@
-static struct dma_pte *pfn_to_dma_pte(struct dmar_domain *domain,
-				      unsigned long pfn, int *target_level,
-				      gfp_t gfp)
+struct dma_pte *pfn_to_dma_pte(struct dmar_domain *domain, unsigned long pfn,
+			       int *target_level, gfp_t gfp)
 {
 	...
 }

@@
@@
-static void domain_unmap(struct dmar_domain *domain, unsigned long start_pfn,
-			 unsigned long last_pfn, struct list_head *freelist)
+void domain_unmap(struct dmar_domain *domain, unsigned long start_pfn,
+		  unsigned long last_pfn, struct list_head *freelist)
 {
 	...
 }
