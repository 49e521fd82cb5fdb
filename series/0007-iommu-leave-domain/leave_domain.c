/*
 * Attach all devices of a group to @new_domain, since the caller may free
 * @old_domain next. Drivers allocate a small amount of memory to attach a
 * device. The attach is tried twice, because an atomic allocation that fails
 * triggers reclaim. A device that fails again either has its DMA blocked or is
 * still attached to @old_domain, which is therefore never freed. The next
 * change of the group's domain attaches the device again.
 */
static void __iommu_group_leave_domain(struct iommu_group *group,
				       struct iommu_domain *old_domain,
				       struct iommu_domain *new_domain)
{
	struct group_device *device;
	int ret;

	if (!new_domain) {
		/*
		 * If the group had no domain, the attach that failed may have
		 * attached its first devices.
		 */
		if (group->domain != old_domain ?
		    !list_is_singular(&group->devices) :
		    __iommu_group_set_domain(group, NULL))
			old_domain->leaked = true;
		return;
	}

	list_for_each_entry(device, &group->devices, list) {
		ret = __iommu_attach_device(new_domain, device->dev);
		if (ret)
			ret = __iommu_attach_device(new_domain, device->dev);
		if (ret) {
			dev_err_ratelimited(device->dev,
					    "IOMMU driver failed to move it to another domain (%d), the old one is never freed\n",
					    ret);
			if (old_domain)
				old_domain->leaked = true;
		}
	}
	group->domain = new_domain;
}
