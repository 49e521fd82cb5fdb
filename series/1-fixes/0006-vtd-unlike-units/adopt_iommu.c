static int iommu_superpage_levels(struct dmar_domain *domain,
				  struct intel_iommu *iommu)
{
	if (!domain_use_first_level(domain))
		return fls(cap_super_page_val(iommu->cap) & 0x3);
	return cap_fl1gp_support(iommu->cap) ? 2 : 1;
}

/*
 * Choose the format of a domain's page table for the first unit. The format is
 * not changed for units that join later.
 */
static int domain_fix_format(struct dmar_domain *domain,
			     struct intel_iommu *iommu, int addr_width)
{
	if (domain->max_addr > 1ULL << addr_width)
		return -EFAULT;

	/* No unit uses the levels that are removed here. */
	while (iommu->agaw < domain->agaw) {
		struct dma_pte *top = domain->pgd;

		if (dma_pte_present(top)) {
			domain->pgd = phys_to_virt(dma_pte_addr(top));
			free_pgtable_page(top);
		}
		domain->agaw--;
	}
	domain->gaw = addr_width;
	domain->iommu_superpage = domain_update_iommu_superpage(domain, NULL);
	WRITE_ONCE(domain->iommu_coherency,
		   iommu_paging_structure_coherency(iommu));
	domain->adopted = true;
	return 0;
}

/*
 * Check whether @iommu can walk the page table of a domain. The format stays
 * the same after the first attach, even if all devices have been detached: the
 * page table may still have entries, which might not have been flushed from CPU
 * caches.
 */
static bool domain_format_suits(struct dmar_domain *domain,
				struct intel_iommu *iommu, int addr_width)
{
	unsigned long agaws = __iommu_calculate_sagaw(iommu);

	return addr_width >= domain->gaw && test_bit(domain->agaw, &agaws) &&
	       iommu_superpage_levels(domain, iommu) >= domain->iommu_superpage &&
	       (!domain->iommu_coherency ||
		iommu_paging_structure_coherency(iommu));
}

static int domain_adopt_iommu(struct dmar_domain *domain,
			      struct intel_iommu *iommu)
{
	int addr_width = min_t(int, agaw_to_width(iommu->agaw),
			       cap_mgaw(iommu->cap));
	unsigned long flags;
	int ret = 0;

	/* The identity domain is attached to all units and keeps all levels. */
	if (domain_type_is_si(domain)) {
		WRITE_ONCE(domain->iommu_superpage,
			   domain_update_iommu_superpage(domain, NULL));
		return 0;
	}

	spin_lock_irqsave(&domain->lock, flags);
	if (!domain->adopted)
		ret = domain_fix_format(domain, iommu, addr_width);
	else if (!domain_format_suits(domain, iommu, addr_width))
		ret = -EINVAL;
	spin_unlock_irqrestore(&domain->lock, flags);
	return ret;
}
