// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d implementation of iommu_device_get_info().
 *
 * Vocabulary: a first-level page table has the format of CPU page tables, and a
 * second-level page table has a format specific to VT-d. A domain for user
 * space uses the second level unless the hardware only supports the first
 * level.
 *
 * The reported properties are those of a domain that the device is attached to.
 * The hardware may support more than this driver uses.
 */
#include <linux/bits.h>
#include <linux/dmar.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "iommu.h"
#include "cap_audit.h"

/* Bits of cap_super_page_val(): supported sizes of large pages */
#define SUPER_2M	BIT(0)
#define SUPER_1G	BIT(1)

static bool only_first_level(void)
{
	return scalable_mode_support() && intel_cap_flts_sanity() &&
	       !intel_cap_slts_sanity();
}

/* A domain uses the page sizes that all active units support. */
static u64 page_sizes(bool first_level)
{
	unsigned int super = SUPER_2M | SUPER_1G;
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;
	u64 sizes = SZ_4K;

	if (!intel_iommu_superpage)
		return sizes;

	rcu_read_lock();
	for_each_active_iommu(iommu, drhd) {
		if (!first_level)
			super &= cap_super_page_val(iommu->cap);
		else if (!cap_fl1gp_support(iommu->cap))
			super &= ~SUPER_1G;
	}
	rcu_read_unlock();

	/* 1 GiB entries are only used together with 2 MiB entries. */
	if (super & SUPER_2M) {
		sizes |= SZ_2M;
		if (super & SUPER_1G)
			sizes |= SZ_1G;
	}
	return sizes;
}

/**
 * intel_iommu_device_info() - implement the device_info op
 * @dev: a device behind a VT-d unit
 * @info: receives the properties; zeroed by the caller
 *
 * Context: As for iommu_device_get_info().
 * Return: 0.
 */
int intel_iommu_device_info(struct device *dev, struct iommu_device_info *info)
{
	struct device_domain_info *devinfo = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = devinfo->iommu;
	bool first_level = only_first_level();

	info->coherent = true;
	info->enforce_snoop = ecap_sc_support(iommu->ecap);
	info->vtd_cap = iommu->cap;
	info->vtd_ecap = iommu->ecap;
	info->pgsize_bitmap = page_sizes(first_level);

	/* Three levels translate 39 bits, and each further level 9 more. */
	info->addr_width = min_t(u32, 30 + 9 * iommu->agaw,
				 cap_mgaw(iommu->cap));
	/*
	 * First-level translation sign-extends addresses, so only the lower
	 * half of the address space is usable.
	 */
	if (first_level)
		info->addr_width--;
	return 0;
}
