// files: drivers/iommu/amd/io_pgtable.c
// Make functions that the op shares with map_pages non-static.

@@
typedef u64;
@@
-static u64 *alloc_pte(struct protection_domain *domain,
-		      unsigned long address,
-		      unsigned long page_size,
-		      u64 **pte_page,
-		      gfp_t gfp,
-		      bool *updated)
+u64 *v1_alloc_pte(struct protection_domain *domain, unsigned long address,
+		  unsigned long page_size, u64 **pte_page, gfp_t gfp,
+		  bool *updated)
 {
 	...
 }

@@
@@
-static void free_clear_pte(u64 *pte, u64 pteval, struct list_head *freelist)
+void v1_clear_pte(u64 *pte, u64 pteval, struct list_head *freelist)
 {
 	...
 }

@@
@@
-alloc_pte
+v1_alloc_pte
 (...)

@@
@@
-free_clear_pte
+v1_clear_pte
 (...)
