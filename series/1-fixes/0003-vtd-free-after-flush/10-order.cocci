// files: drivers/iommu/intel/iommu.c
// Free page tables only after the flush of their range.

@@
identifier domain, iova, size, gather;
@@
intel_iommu_unmap(struct iommu_domain *domain, unsigned long iova, size_t size,
		  struct iommu_iotlb_gather *gather)
{
	...
-	if (!iommu_iotlb_gather_queued(gather))
-		iommu_iotlb_gather_add_page(domain, gather, iova, size);
-
	return size;
}

@@
identifier domain, start_pfn, i, info;
expression level, last;
iterator name xa_for_each;
statement S;
@@
switch_to_super_page(struct dmar_domain *domain, ...)
{
	<...
-	dma_pte_free_pagetable(domain, start_pfn, last, level);
+	LIST_HEAD(freelist);
+
+	domain_unmap(domain, start_pfn,
+		     last,
+		     &freelist);
	xa_for_each(&domain->iommu_array, i, info) S
+	put_pages_list(&freelist);
	...>
}

@@
@@
-static void dma_pte_free_pagetable(...)
-{
-	...
-}

@@
@@
-static void dma_pte_free_level(...)
-{
-	...
-}
