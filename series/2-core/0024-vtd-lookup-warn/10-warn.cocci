// files: drivers/iommu/intel/iommu.c

@@
expression domain, pfn, level;
@@
intel_iommu_unmap(...)
{
	<...
-	BUG_ON(!pfn_to_dma_pte(domain, pfn, level));
+	if (WARN_ON(!pfn_to_dma_pte(domain, pfn, level)))
+		return 0;
	...>
}
