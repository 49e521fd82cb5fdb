// files: drivers/iommu/intel/iommu.c
// Pass the flags of the map_pages op on to the allocation of a table.

@@
identifier node;
@@
alloc_pgtable_page(int node
+		   , gfp_t gfp
 )
{
	<...
	alloc_pages_node(node,
-	GFP_ATOMIC
+	gfp
	| __GFP_ZERO, 0)
	...>
}

@@
identifier domain, pfn, level;
@@
pfn_to_dma_pte(struct dmar_domain *domain, unsigned long pfn, int *level
+	       , gfp_t gfp
 )
{
	<...
-	alloc_pgtable_page(domain->nid)
+	alloc_pgtable_page(domain->nid, gfp)
	...>
}

@@
identifier domain, iov, phys, nr, prot, mapped;
expression pfn, level;
@@
__domain_mapping(struct dmar_domain *domain, unsigned long iov,
		 unsigned long phys, unsigned long nr, int prot,
+		 gfp_t gfp,
		 size_t *mapped)
{
	<...
-	pfn_to_dma_pte(domain, pfn, level)
+	pfn_to_dma_pte(domain, pfn, level, gfp)
	...>
}

@@
identifier gfp, mapped;
expression domain, iov, phys, nr, prot;
@@
intel_iommu_map(..., gfp_t gfp, size_t *mapped)
{
	<...
-	__domain_mapping(domain, iov, phys, nr, prot, mapped)
+	__domain_mapping(domain, iov, phys, nr, prot, gfp, mapped)
	...>
}

@@
expression node;
@@
-(struct root_entry *)alloc_pgtable_page(node)
+alloc_pgtable_page(node, GFP_ATOMIC)

@@
expression node;
@@
-alloc_pgtable_page(node)
+alloc_pgtable_page(node, GFP_ATOMIC)

// Lookups do not allocate, so their flags do not matter.
@@
expression domain, pfn, level;
@@
-pfn_to_dma_pte(domain, pfn, level)
+pfn_to_dma_pte(domain, pfn, level, GFP_ATOMIC)

@@
expression domain, iov, phys, nr, prot;
@@
-__domain_mapping(domain, iov, phys, nr, prot, NULL)
+__domain_mapping(domain, iov, phys, nr, prot, GFP_ATOMIC, NULL)
