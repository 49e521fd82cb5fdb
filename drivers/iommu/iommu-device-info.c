// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOMMU can do for a device, known before the device is attached.
 *
 * A driver that knows the answers has the device_info op. For all others they
 * are put together here from what the core keeps (capabilities, the default
 * domain of the device's group) and from a domain that is made for the purpose
 * and never attached.
 *
 * Rule: an answer that is not certain is left out, as false or 0. Users take
 * what they are told for a promise.
 */
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommu.h>

/* Returns whether @domain has an I/O page table that tells anything. */
static bool describe_page_table(struct iommu_domain *domain,
				struct iommu_device_info *info)
{
	if (!(domain->type & __IOMMU_DOMAIN_PAGING))
		return false;

	/* all bits: some drivers decide on the sizes when they attach */
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
 * iommu_device_get_info() - what the IOMMU can do for a device
 * @dev: the device
 * @info: filled in
 *
 * Context: a driver is bound to @dev, so that neither its IOMMU nor the default
 * domain of its group goes away. May sleep.
 * Return: 0; -ENODEV if @dev is behind no IOMMU; what the IOMMU driver says.
 * After a failure @info is all false and 0.
 */
int iommu_device_get_info(struct device *dev, struct iommu_device_info *info)
{
	const struct iommu_ops *ops;
	int ret = 0;

	*info = (struct iommu_device_info){};
	if (!dev->iommu || !dev->iommu->iommu_dev)
		return -ENODEV;

	ops = dev_iommu_ops(dev);
	if (ops->device_info)
		ret = ops->device_info(dev, info);
	else
		device_info_fallback(dev, info);
	if (ret)
		*info = (struct iommu_device_info){};
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_get_info);
