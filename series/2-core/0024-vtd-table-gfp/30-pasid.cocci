// files: drivers/iommu/intel/pasid.c

@@
expression node;
@@
-alloc_pgtable_page(node)
+alloc_pgtable_page(node, GFP_ATOMIC)
