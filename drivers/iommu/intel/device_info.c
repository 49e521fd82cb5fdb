// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d's answer to what the IOMMU can do for a device.
 *
 * Vocabulary: the first level of translation has the CPU's page table format,
 * the second level VT-d's own; a domain made for user space is second level
 * unless the hardware has the first only.
 *
 * Rule: say what a domain of this driver will really offer once the device is
 * attached, which may be less than what the hardware could do.
 */
#include <linux/bits.h>
#include <linux/dmar.h>
#include <linux/iommu.h>
#include <linux/minmax.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "iommu.h"
#include "cap_audit.h"

/* Bits of super page capability, as the registers have them. */
#define SUPER_2M	BIT(0)
#define SUPER_1G	BIT(1)

static bool only_first_level(void)
{
	return scalable_mode_support() && intel_cap_flts_sanity() &&
	       !intel_cap_slts_sanity();
}

/* Domains use the sizes that all active IOMMUs of the system share. */
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

	/* no table of 2 MiB entries, no table above it either */
	if (super & SUPER_2M) {
		sizes |= SZ_2M;
		if (super & SUPER_1G)
			sizes |= SZ_1G;
	}
	return sizes;
}

/**
 * intel_iommu_device_info() - the device_info op
 * @dev: a device behind this driver's IOMMUs
 * @info: filled in
 *
 * Context: as iommu_device_get_info().
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

	/* three levels reach 39 bits, each further one 9 more */
	info->addr_width = min_t(u32, 30 + 9 * iommu->agaw,
				 cap_mgaw(iommu->cap));
	/* addresses are signed there: the upper half is out of reach */
	if (first_level)
		info->addr_width--;
	return 0;
}
