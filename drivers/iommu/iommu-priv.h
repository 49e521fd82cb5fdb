/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions shared between the files of the IOMMU core.
 */
#ifndef __IOMMU_PRIV_H
#define __IOMMU_PRIV_H

#include <linux/types.h>

struct iommu_domain;

/* iommu.c: iommu_map() without iotlb_sync_map */
int __iommu_map(struct iommu_domain *domain, unsigned long iova,
		phys_addr_t paddr, size_t size, int prot, gfp_t gfp);

#endif /* __IOMMU_PRIV_H */
