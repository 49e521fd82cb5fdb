// files: drivers/iommu/intel/dmar.c
// Compute the block of a PASID-selective flush from both ends of the range.

@@
identifier iommu, did, pasid, addr, npages, ih, desc, mask, align;
initializer E;
@@
qi_flush_piotlb(struct intel_iommu *iommu, u16 did, u32 pasid, u64 addr,
		unsigned long npages, bool ih)
{
	struct qi_desc desc = E;
+	unsigned int order;
	...
+	order = iotlb_flush_order(addr >> VTD_PAGE_SHIFT, npages);
	if (
-	    npages == -1
+	    npages == -1 || order == BITS_PER_LONG_LONG - VTD_PAGE_SHIFT
	   ) {
		...
	} else {
-		int mask = ilog2(__roundup_pow_of_two(npages));
-		unsigned long align = (1ULL << (VTD_PAGE_SHIFT + mask));
-
-		if (WARN_ON_ONCE(!IS_ALIGNED(addr, align)))
-			addr = ALIGN_DOWN(addr, align);
-
+		addr = ALIGN_DOWN(addr, 1ULL << (VTD_PAGE_SHIFT + order));
		...
		desc.qw1 =
			QI_EIOTLB_ADDR(addr) | QI_EIOTLB_IH(ih) |
-			QI_EIOTLB_AM(mask);
+			QI_EIOTLB_AM(order);
	}
	...
}
