/*
 * Attach all devices of a group to @new_domain, since the caller may free
 * @old_domain next. An attach that fails is tried once more: the driver may
 * have failed to allocate a small amount of memory, and a failed atomic
 * allocation triggers reclaim. If the second attempt also fails, the device may
 * still be attached to @old_domain. Most drivers block its DMA instead, and a
 * few let the DMA bypass the IOMMU if they are configured to. The core cannot
 * distinguish these cases, so it never frees @old_domain. The next change of
 * the group's domain attaches the device again.
 */
static void __iommu_group_leave_domain(struct iommu_group *group,
				       struct iommu_domain *old_domain,
				       struct iommu_domain *new_domain)
{
	struct group_device *device;
	int ret;

	if (!new_domain) {
		/*
		 * If the group had no domain, the failed attach may have
		 * attached the first devices of the group to @old_domain, and
		 * there is no domain to move them to. They cannot be detached
		 * either: detach_dev() may be called for attached devices only,
		 * and the core does not know which ones are attached. So do not
		 * free @old_domain, unless the attach failed for the only
		 * device of the group and the driver has detach_dev(). Without
		 * that op, a device may be attached even if its attach failed.
		 */
		if (group->domain != old_domain ?
		    !list_is_singular(&group->devices) ||
		    !old_domain->ops->detach_dev :
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
					    "IOMMU driver failed to attach the device to another domain (%d), the old domain is never freed\n",
					    ret);
			if (old_domain)
				old_domain->leaked = true;
		}
	}
	group->domain = new_domain;
}
