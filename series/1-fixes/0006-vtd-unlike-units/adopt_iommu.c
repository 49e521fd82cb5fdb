static int iommu_superpage_levels(struct dmar_domain *domain,
				  struct intel_iommu *iommu)
{
	if (!domain_use_first_level(domain))
		return fls(cap_super_page_val(iommu->cap) & 0x3);
	return cap_fl1gp_support(iommu->cap) ? 2 : 1;
}

/*
 * Choose the format of a domain's page table for the first unit. The format is
 * not changed for units that join later. Tables of the levels that the unit
 * does not support are kept until the first attach has succeeded.
 */
static int domain_fix_format(struct dmar_domain *domain,
			     struct intel_iommu *iommu, int addr_width)
{
	if (domain->max_addr > 1ULL << addr_width)
		return -EFAULT;

	domain->full_pgd = domain->pgd;
	while (iommu->agaw < domain->agaw) {
		if (dma_pte_present(domain->pgd))
			domain->pgd = phys_to_virt(dma_pte_addr(domain->pgd));
		domain->agaw--;
	}
	domain->gaw = addr_width;
	domain->iommu_superpage = domain_update_iommu_superpage(domain, NULL);
	WRITE_ONCE(domain->iommu_coherency,
		   iommu_paging_structure_coherency(iommu));
	return 0;
}

/* Undo domain_fix_format(): the domain has the format of a new one again. */
static void domain_reset_format(struct dmar_domain *domain)
{
	domain->pgd = domain->full_pgd;
	domain->gaw = DEFAULT_DOMAIN_ADDRESS_WIDTH;
	domain->agaw = width_to_agaw(guestwidth_to_adjustwidth(domain->gaw));
	domain->iommu_superpage = 0;
	WRITE_ONCE(domain->iommu_coherency, false);
	domain->domain.pgsize_bitmap = intel_iommu_ops.pgsize_bitmap;
	domain->domain.geometry.aperture_end = __DOMAIN_MAX_ADDR(domain->gaw);
}

static void domain_free_unused_levels(struct dmar_domain *domain)
{
	while (domain->full_pgd != domain->pgd) {
		struct dma_pte *top = domain->full_pgd;

		domain->full_pgd = phys_to_virt(dma_pte_addr(top));
		free_pgtable_page(top);
	}
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

/*
 * Prepare @domain for the attach of a device behind @iommu: choose the format
 * of the page table if no attach has succeeded or is in progress, and otherwise
 * check that @iommu can walk it. On success the caller attaches the device, and
 * then calls domain_attach_done(); the format does not change meanwhile.
 */
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
	if (!domain->adopted && !domain->attaching)
		ret = domain_fix_format(domain, iommu, addr_width);
	else if (!domain_format_suits(domain, iommu, addr_width))
		ret = -EINVAL;
	if (!ret)
		domain->attaching++;
	spin_unlock_irqrestore(&domain->lock, flags);
	return ret;
}

/*
 * End an attach with the result @ret. If no attach has succeeded and none is in
 * progress any more, the domain has no format to keep.
 */
static void domain_attach_done(struct dmar_domain *domain, int ret)
{
	unsigned long flags;

	if (domain_type_is_si(domain))
		return;

	spin_lock_irqsave(&domain->lock, flags);
	domain->attaching--;
	if (!ret && !domain->adopted) {
		domain->adopted = true;
		domain_free_unused_levels(domain);
	} else if (!domain->adopted && !domain->attaching) {
		domain_reset_format(domain);
	}
	spin_unlock_irqrestore(&domain->lock, flags);
}
