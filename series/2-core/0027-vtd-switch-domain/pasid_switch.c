/*
 * Point the PASID entry of a device to another second-level page table, without
 * blocking the DMA of the device in between. The caller holds iommu->lock, and
 * flushes the IOTLB and the device TLB afterwards.
 */
void intel_pasid_switch_second_level(struct intel_iommu *iommu,
				     struct device *dev, u32 pasid, u64 root,
				     int agaw, u16 did)
{
	struct pasid_entry *pte = intel_pasid_get_entry(dev, pasid);
	struct pasid_entry new = *pte;
	u16 old_did = pasid_get_domain_id(pte);

	pasid_set_domain_id(&new, did);
	pasid_set_slptr(&new, root);
	pasid_set_address_width(&new, agaw);
	iommu_exchange_entry(iommu, &pte->val[0], &pte->val[1], new.val[0],
			     new.val[1]);
	pasid_cache_invalidation_with_pasid(iommu, old_did, pasid);
}
