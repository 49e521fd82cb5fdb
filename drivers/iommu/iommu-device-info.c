// SPDX-License-Identifier: GPL-2.0-only
/*
 * Query the IOMMU properties of a device before the device is attached.
 *
 * An IOMMU driver can provide the properties with the device_info op. For
 * drivers without the op, they are derived from the IOMMU core (capabilities
 * and the default domain of the device's group) and from a domain that is
 * allocated for this purpose only and never attached.
 *
 * Callers rely on reported properties, so a property that is uncertain is
 * reported as false or 0.
 */
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>

/*
 * Fill @info from the I/O page table of @domain. Returns false if @domain has
 * no I/O page table or if the address width is unknown.
 */
static bool describe_page_table(struct iommu_domain *domain,
				struct iommu_device_info *info)
{
	if (!(domain->type & __IOMMU_DOMAIN_PAGING))
		return false;

	/* Some drivers set all bits until the first device is attached. */
	if (domain->pgsize_bitmap != ULONG_MAX)
		info->pgsize_bitmap = domain->pgsize_bitmap;
	if (domain->geometry.force_aperture)
		info->addr_width = fls64(domain->geometry.aperture_end);
	return info->addr_width;
}

static void device_info_fallback(struct device *dev,
				 struct iommu_device_info *info)
{
	struct iommu_domain *domain = NULL;
	struct iommu_group *group;
	bool described = false;

	info->coherent = device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY);

	group = iommu_group_get(dev);
	if (group) {
		domain = iommu_group_default_domain(group);
		if (domain)
			described = describe_page_table(domain, info);
		iommu_group_put(group);
	}
	if (described && !domain->ops->enforce_cache_coherency)
		return;

	domain = iommu_domain_alloc(dev->bus);
	if (!domain)
		return;
	if (!described)
		describe_page_table(domain, info);
	if (domain->ops->enforce_cache_coherency)
		info->enforce_snoop =
			domain->ops->enforce_cache_coherency(domain);
	iommu_domain_free(domain);
}

/**
 * iommu_device_get_info() - get the properties of a device's IOMMU
 * @dev: the device
 * @info: receives the properties
 *
 * Context: May sleep. The caller keeps a driver bound to @dev, so that neither
 * the IOMMU of @dev nor the default domain of the group changes.
 * Return: 0, or
 * * %-ENODEV - @dev has no IOMMU.
 * * Another errno of the IOMMU driver.
 *
 * On failure all members of @info are false or 0.
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
