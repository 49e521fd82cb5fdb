// files: drivers/iommu/intel/iommu.h

@@
@@
-void *alloc_pgtable_page(int node);
+void *alloc_pgtable_page(int node, gfp_t gfp);
