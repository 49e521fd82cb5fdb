/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions shared between the files of the IOMMU core.
 */
#ifndef __IOMMU_PRIV_H
#define __IOMMU_PRIV_H

#include <linux/types.h>

struct iommu_domain;

/*
 * Defined in iommu.c. Makes one call to the driver's map op, which may map only
 * the first bytes of the range. The caller sets *@mapped to 0 first.
 */
int __iommu_map_pages(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t paddr, size_t size, int prot, gfp_t gfp,
		      size_t *mapped);

#endif /* __IOMMU_PRIV_H */
