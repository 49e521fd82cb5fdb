/*
 * Check whether all units of a domain snoop CPU caches. Any active unit may
 * join a domain that has no units yet, so check all active units in this case.
 */
static bool domain_iommus_coherent(struct dmar_domain *domain)
{
	struct iommu_domain_info *info;
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;
	bool coherent = true;
	unsigned long i;

	if (!xa_empty(&domain->iommu_array)) {
		xa_for_each(&domain->iommu_array, i, info)
			coherent &= iommu_paging_structure_coherency(info->iommu);
		return coherent;
	}

	rcu_read_lock();
	for_each_active_iommu(iommu, drhd)
		coherent &= iommu_paging_structure_coherency(iommu);
	rcu_read_unlock();
	return coherent;
}

static void domain_update_iommu_coherency(struct dmar_domain *domain)
{
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	WRITE_ONCE(domain->iommu_coherency, domain_iommus_coherent(domain));
	spin_unlock_irqrestore(&domain->lock, flags);
}
