/*
 * Hold the lock of the domain, so that an unmap either flushes the device TLB
 * or has cleared the page table entries before the device can cache them. An
 * unmap skips the lock if has_iotlb_device is clear, so set this flag before
 * ATS is enabled.
 */
static void domain_enable_ats(struct device_domain_info *info,
			      struct pci_dev *pdev)
{
	struct dmar_domain *domain = info->domain;
	unsigned long flags;

	info->ats_qdep = pci_ats_queue_depth(pdev);

	spin_lock_irqsave(&domain->lock, flags);
	WRITE_ONCE(domain->has_iotlb_device, true);
	info->ats_enabled = !pci_enable_ats(pdev, VTD_PAGE_SHIFT);
	spin_unlock_irqrestore(&domain->lock, flags);

	if (!info->ats_enabled)
		domain_update_iotlb(domain);
}

/* Hold the lock, so that no flush is sent to a device without ATS. */
static void domain_disable_ats(struct device_domain_info *info,
			       struct pci_dev *pdev)
{
	struct dmar_domain *domain = info->domain;
	unsigned long flags;

	spin_lock_irqsave(&domain->lock, flags);
	pci_disable_ats(pdev);
	info->ats_enabled = 0;
	spin_unlock_irqrestore(&domain->lock, flags);

	domain_update_iotlb(domain);
}
