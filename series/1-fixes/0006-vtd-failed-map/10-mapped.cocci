// files: drivers/iommu/intel/iommu.c
// Report the entries that a failed map has written.

@@
identifier domain, iov_pfn, phys_pfn, nr_pages, prot, pte, lvl;
@@
 __domain_mapping(struct dmar_domain *domain, unsigned long iov_pfn,
		  unsigned long phys_pfn, unsigned long nr_pages, int prot
+		  , size_t *mapped
 )
 {
 	...
+	unsigned long start_pfn = iov_pfn;
 	unsigned long lvl = 0;
 	<...
	if (!pte)
-		return -ENOMEM;
+		goto out_of_memory;
 	...>
 	return 0;
+
+out_of_memory:
+	/* The caller has to unmap the entries that have been written. */
+	if (mapped)
+		*mapped = (iov_pfn - start_pfn) << VTD_PAGE_SHIFT;
+	return -ENOMEM;
 }

@@
expression domain, pfn, nr;
@@
 iommu_domain_identity_map(...)
 {
 	<...
 	__domain_mapping(domain, pfn, pfn, nr,
-			 DMA_PTE_READ|DMA_PTE_WRITE
+			 DMA_PTE_READ | DMA_PTE_WRITE, NULL
			)
 	...>
 }

@@
identifier domain, iova, hpa, size, iommu_prot, gfp;
expression d, pfn, phys, nr, prot;
@@
 intel_iommu_map(struct iommu_domain *domain, unsigned long iova,
		 phys_addr_t hpa, size_t size, int iommu_prot, gfp_t gfp
+		 , size_t *mapped
 )
 {
 	<...
 	__domain_mapping(d, pfn, phys, nr, prot
+			 , mapped
			)
 	...>
 }

@@
expression domain, iova, paddr, size, prot, gfp;
identifier mapped;
@@
 intel_iommu_map_pages(..., size_t *mapped)
 {
 	<...
-	intel_iommu_map(domain, iova, paddr, size, prot, gfp)
+	intel_iommu_map(domain, iova, paddr, size, prot, gfp, mapped)
 	...>
 }
