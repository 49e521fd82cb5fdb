// SPDX-License-Identifier: GPL-2.0-only
/*
 * Describe the I/O page table of a device before the device is attached.
 *
 * An IOMMU driver can provide the description with the device_info op. For
 * drivers without the op, the description is that of an unmanaged domain that
 * is allocated for this purpose only and never attached. Some of these drivers
 * determine the format of a domain only when the first device is attached. They
 * use the same format for all domains of a device, so for them the default
 * domain of the group is described instead.
 *
 * Callers rely on reported properties, so a property that is uncertain is
 * reported as 0.
 */
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>

/*
 * Fill @info from the I/O page table of @domain. Returns false and does not
 * change @info if @domain has no I/O page table or no format yet. Without a
 * format, the address width is unknown, and the page sizes may be those of all
 * IOMMUs that the driver supports.
 */
static bool describe_page_table(struct iommu_domain *domain,
				struct iommu_device_info *info)
{
	if (!(domain->type & __IOMMU_DOMAIN_PAGING) ||
	    !domain->geometry.force_aperture)
		return false;

	info->pgsize_bitmap = domain->pgsize_bitmap;
	info->addr_width = fls64(domain->geometry.aperture_end);
	return true;
}

/*
 * Describe a new domain first. The default domain may have another format: with
 * amd_iommu=pgtbl_v2, only DMA domains use the format of CPU page tables.
 */
static void device_info_fallback(struct device *dev,
				 struct iommu_device_info *info)
{
	struct iommu_domain *domain;
	struct iommu_group *group;
	bool described = false;

	domain = iommu_domain_alloc(dev->bus);
	if (domain) {
		described = describe_page_table(domain, info);
		iommu_domain_free(domain);
	}
	if (described)
		return;

	group = iommu_group_get(dev);
	if (!group)
		return;
	domain = iommu_group_default_domain(group);
	if (domain)
		describe_page_table(domain, info);
	iommu_group_put(group);
}

/**
 * iommu_device_get_info() - describe the I/O page table that a device can use
 * @dev: the device
 * @info: receives the description
 *
 * The description is that of a new domain to which @dev is attached first. Use
 * device_iommu_capable() to query the capabilities of the IOMMU.
 *
 * Context: May sleep. The caller keeps a driver bound to @dev, so that neither
 * the IOMMU of @dev nor the default domain of the group changes.
 * Return: 0, or
 * * %-ENODEV - @dev has no IOMMU.
 * * Another errno of the IOMMU driver.
 *
 * On failure all members of @info are 0.
 */
int iommu_device_get_info(struct device *dev, struct iommu_device_info *info)
{
	const struct iommu_ops *ops;
	int rc = 0;

	*info = (struct iommu_device_info){};
	if (!dev->iommu || !dev->iommu->iommu_dev)
		return -ENODEV;

	ops = dev_iommu_ops(dev);
	if (ops->device_info)
		rc = ops->device_info(dev, info);
	else
		device_info_fallback(dev, info);
	if (rc)
		*info = (struct iommu_device_info){};
	return rc;
}
EXPORT_SYMBOL_GPL(iommu_device_get_info);
