// files: drivers/iommu/intel/iommu.c
// Pass the number of pages as unsigned long and compute the order once.

@@
identifier iommu, domain, pfn, pages, ih, map, aligned_pages, mask, bitmask;
@@
iommu_flush_iotlb_psi(struct intel_iommu *iommu, struct dmar_domain *domain,
		      unsigned long pfn,
-		      unsigned int pages,
+		      unsigned long pages,
		      int ih, int map)
{
-	unsigned int aligned_pages = __roundup_pow_of_two(pages);
-	unsigned int mask = ilog2(aligned_pages);
+	unsigned int mask = iotlb_flush_order(pfn, pages);
	...
-	BUG_ON(pages == 0);
	...
	if (domain_use_first_level(domain))
	{
		qi_flush_piotlb(...,
-				pages,
+				pages ? pages : -1,
				...);
	} else {
-		unsigned long bitmask = aligned_pages - 1;
-		if (unlikely(bitmask & pfn)) { ... }
		...
	}
	...
}

@@
identifier iommu, domain, pfn, pages;
@@
__mapping_notify_one(struct intel_iommu *iommu, struct dmar_domain *domain,
		     unsigned long pfn,
-		     unsigned int pages
+		     unsigned long pages
		    )
{
	...
}
