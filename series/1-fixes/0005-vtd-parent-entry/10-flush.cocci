// files: drivers/iommu/intel/iommu.c
// Make sure that an entry is in memory before a walk descends.

@@
identifier domain, pte, page, entry;
@@
pfn_to_dma_pte(struct dmar_domain *domain, ...)
{
	<...
	if (cmpxchg64(&pte->val, 0ULL, entry)) free_pgtable_page(page);
-	else
-		domain_flush_cache(domain, pte, sizeof(*pte));
	...>
}

@@
identifier domain, pte, parent;
@@
pfn_to_dma_pte(struct dmar_domain *domain, ...)
{
	<...
+	domain_flush_parent(domain, pte);
	parent = phys_to_virt(dma_pte_addr(pte));
	...>
}
