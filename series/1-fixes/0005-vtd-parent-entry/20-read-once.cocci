// files: drivers/iommu/intel/iommu.h
// Another thread may add the entry concurrently.

@@
identifier pte;
@@
dma_pte_addr(struct dma_pte *pte)
{
	<...
-	return pte->val & VTD_PAGE_MASK & (~DMA_FL_PTE_XD);
+	return READ_ONCE(pte->val) & VTD_PAGE_MASK & (~DMA_FL_PTE_XD);
	...>
}

@@
identifier pte;
@@
dma_pte_present(struct dma_pte *pte)
{
-	return (pte->val & 3) != 0;
+	return (READ_ONCE(pte->val) & 3) != 0;
}

@@
identifier pte;
@@
dma_pte_superpage(struct dma_pte *pte)
{
-	return (pte->val & DMA_PTE_LARGE_PAGE);
+	return (READ_ONCE(pte->val) & DMA_PTE_LARGE_PAGE);
}
