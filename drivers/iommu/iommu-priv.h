/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions shared between the files of the IOMMU core.
 */
#ifndef __IOMMU_PRIV_H
#define __IOMMU_PRIV_H

#include <linux/types.h>

struct iommu_domain;

/* iommu.c: map with one call of the driver's op; *@mapped is 0 before */
int __iommu_map_pages(struct iommu_domain *domain, unsigned long iova,
		      phys_addr_t paddr, size_t size, int prot, gfp_t gfp,
		      size_t *mapped);

#endif /* __IOMMU_PRIV_H */
