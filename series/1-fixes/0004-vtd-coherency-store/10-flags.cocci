// files: drivers/iommu/intel/iommu.h
// Remove the bit fields, which share a byte.

@@
@@
struct dmar_domain {
	...
-	u8 has_iotlb_device: 1;
-	u8 iommu_coherency: 1;
-	u8 force_snooping : 1;
-	u8 set_pte_snp:1;
	...
};
