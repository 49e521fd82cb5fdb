// files: drivers/iommu/intel/iommu.c
// Enable and disable ATS with the lock of the domain held.

@@
identifier info, pdev;
@@
iommu_enable_pci_caps(struct device_domain_info *info)
{
	...
-	if (info->ats_supported && pci_ats_page_aligned(pdev) &&
-	    !pci_enable_ats(pdev, VTD_PAGE_SHIFT)) {
-		info->ats_enabled = 1;
-		domain_update_iotlb(info->domain);
-		info->ats_qdep = pci_ats_queue_depth(pdev);
-	}
+	if (info->ats_supported && pci_ats_page_aligned(pdev))
+		domain_enable_ats(info, pdev);
}

@@
identifier info, pdev;
@@
iommu_disable_dev_iotlb(struct device_domain_info *info)
{
	...
-	if (info->ats_enabled) {
-		pci_disable_ats(pdev);
-		info->ats_enabled = 0;
-		domain_update_iotlb(info->domain);
-	}
+	if (info->ats_enabled)
+		domain_disable_ats(info, pdev);
	...
}
