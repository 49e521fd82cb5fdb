/*
 * Flush pages of the identity domain from the IOTLBs of the units that it is
 * attached to. Other units have no domain ID for it. Holding iommu->lock keeps
 * a unit from leaving the domain while it is being flushed.
 */
static void si_domain_flush(unsigned long pfn, unsigned long pages, int ih)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	rcu_read_lock();
	for_each_active_iommu(iommu, drhd) {
		spin_lock(&iommu->lock);
		if (xa_load(&si_domain->iommu_array, iommu->seq_id))
			iommu_flush_iotlb_psi(iommu, si_domain, pfn, pages, ih,
					      0);
		spin_unlock(&iommu->lock);
	}
	rcu_read_unlock();
}
