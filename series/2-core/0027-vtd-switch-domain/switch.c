/**
 * struct domain_switch - move of a device from one domain to another
 * @info: the device
 * @root: physical address of the page table of the new domain
 * @agaw: address width of that page table, as in struct dmar_domain
 * @did: ID of the new domain
 * @old_did: ID of the old domain
 */
struct domain_switch {
	struct device_domain_info *info;
	u64 root;
	int agaw;
	u16 did;
	u16 old_did;
};

static int switch_context(struct pci_dev *pdev, u16 alias, void *opaque)
{
	struct domain_switch *change = opaque;
	struct intel_iommu *iommu = change->info->iommu;
	struct context_entry *context, new;

	context = iommu_context_addr(iommu, PCI_BUS_NUM(alias), alias & 0xff, 0);
	new.lo = context->lo;
	context_set_address_root(&new, change->root);
	new.hi = context->hi & ~(0x7ULL | 0xffffULL << 8);
	context_set_address_width(&new, change->agaw);
	context_set_domain_id(&new, change->did);
	iommu_exchange_entry(iommu, &context->lo, &context->hi, new.lo, new.hi);

	iommu->flush.flush_context(iommu, change->old_did, alias,
				   DMA_CCMD_MASK_NOBIT, DMA_CCMD_DEVICE_INVL);
	return 0;
}

static int context_absent(struct pci_dev *pdev, u16 alias, void *opaque)
{
	struct intel_iommu *iommu = opaque;
	u8 bus = PCI_BUS_NUM(alias), devfn = alias & 0xff;

	return !device_context_mapped(iommu, bus, devfn) ||
	       context_copied(iommu, bus, devfn);
}

/* Call @fn for each requester ID of a device, until it returns nonzero. */
static int call_for_aliases(struct device_domain_info *info,
			    int (*fn)(struct pci_dev *pdev, u16 alias,
				      void *opaque), void *opaque)
{
	if (dev_is_pci(info->dev))
		return pci_for_each_dma_alias(to_pci_dev(info->dev), fn,
					      opaque);
	return fn(NULL, PCI_DEVID(info->bus, info->devfn), opaque);
}

/*
 * Check whether the entries of a device can be exchanged: the CPU has
 * cmpxchg16b, the device is attached to another domain, both domains use
 * second-level page tables, and the device has context entries of its own, none
 * of which was copied from a previous kernel.
 *
 * In caching mode, entries are not exchanged. An emulated IOMMU then shadows
 * the page tables, and QEMU 10 aborts if an entry changes from a page table
 * with mappings to an empty one.
 */
static bool domain_can_switch(struct dmar_domain *domain,
			      struct device_domain_info *info)
{
	struct dmar_domain *old = info->domain;

	if (!IS_ENABLED(CONFIG_X86_64) || !boot_cpu_has(X86_FEATURE_CX16))
		return false;
	if (cap_caching_mode(info->iommu->cap))
		return false;
	if (!old || old == domain || dev_is_real_dma_subdevice(info->dev) ||
	    domain_type_is_si(old) || domain_type_is_si(domain) ||
	    domain_use_first_level(old) || domain_use_first_level(domain))
		return false;
	return !call_for_aliases(info, context_absent, info->iommu);
}

/*
 * Point the entries of the device to the new page table, and flush the entries
 * of the old one from the IOTLB and the device TLB.
 */
static void switch_entries(struct domain_switch *change)
{
	struct device_domain_info *info = change->info;
	struct intel_iommu *iommu = info->iommu;

	if (sm_supported(iommu))
		intel_pasid_switch_second_level(iommu, info->dev,
						PASID_RID2PASID, change->root,
						change->agaw, change->did);
	else
		call_for_aliases(info, switch_context, change);
	iommu->flush.flush_iotlb(iommu, change->old_did, 0, 0,
				 DMA_TLB_DSI_FLUSH);
	__iommu_flush_dev_iotlb(info, 0, MAX_AGAW_PFN_WIDTH);
}

/*
 * Exchange the page table of a device for that of @domain. The unit supports
 * the format of the new page table, because domain_adopt_iommu() has succeeded.
 *
 * A flush of device TLBs walks the devices of a domain under the lock of that
 * domain. Hold the locks of both domains until the device TLB is flushed, so
 * that a concurrent unmap in either domain cannot miss the device while its TLB
 * may still have entries of that domain.
 */
static int domain_switch_device(struct dmar_domain *domain,
				struct device_domain_info *info)
{
	struct domain_switch change = { .info = info };
	struct dmar_domain *old = info->domain;
	struct dmar_domain *first = min(domain, old);
	struct dmar_domain *second = max(domain, old);
	struct intel_iommu *iommu = info->iommu;
	unsigned long flags;
	int ret;

	ret = domain_attach_iommu(domain, iommu);
	if (ret)
		return ret;
	change.root = virt_to_phys(domain->pgd);
	change.agaw = domain->agaw;
	change.did = domain_id_iommu(domain, iommu);
	change.old_did = domain_id_iommu(old, iommu);

	spin_lock_irqsave(&iommu->lock, flags);
	spin_lock(&first->lock);
	spin_lock_nested(&second->lock, SINGLE_DEPTH_NESTING);
	if (info->ats_enabled)
		WRITE_ONCE(domain->has_iotlb_device, true);
	list_move(&info->link, &domain->devices);
	switch_entries(&change);
	info->domain = domain;
	spin_unlock(&second->lock);
	spin_unlock(&first->lock);
	spin_unlock_irqrestore(&iommu->lock, flags);

	domain_update_iotlb(old);
	domain_detach_iommu(old, iommu);
	return 0;
}

/*
 * Move a device from its domain to another one without blocking its DMA in
 * between. domain_can_switch() has returned true. On failure nothing changes.
 */
static int domain_switch(struct iommu_domain *domain, struct device *dev)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	int ret;

	ret = prepare_domain_attach_device(domain, dev);
	if (ret)
		return ret;
	ret = domain_switch_device(dmar_domain, dev_iommu_priv_get(dev));
	domain_attach_done(dmar_domain, ret);
	return ret;
}
