// files: drivers/iommu/amd/io_pgtable.c
// Walk the page table from a root and a mode that belong together.

@@
identifier domain, address, gfp, level, pte;
@@
alloc_pte(struct protection_domain *domain, unsigned long address, ...,
	  gfp_t gfp, ...)
{
	...
+	root = v1_load_root(&domain->iop, &mode);
	while (address > PM_LEVEL_SIZE(
-				       domain->iop.mode
+				       mode
				       )) {
		...
		if (!increase_address_space(domain, address, gfp)) return NULL;
+		root = v1_load_root(&domain->iop, &mode);
	}
	level =
-		domain->iop.mode
+		mode
		- 1;
	pte = &
-	       domain->iop.root
+	       root
	       [PM_LEVEL_INDEX(level, address)];
	...
}

@@
identifier pgtable, address, level, pte;
@@
fetch_pte(struct amd_io_pgtable *pgtable, unsigned long address, ...)
{
	...
+	root = v1_load_root(pgtable, &mode);
	if (address > PM_LEVEL_SIZE(
-				    pgtable->mode
+				    mode
				    )) return NULL;
	level =
-		pgtable->mode
+		mode
		- 1;
	pte = &
-	       pgtable->root
+	       root
	       [PM_LEVEL_INDEX(level, address)];
	...
}
