/* SPDX-License-Identifier: GPL-2.0-only */
/* Programming an area into a domain. */
#ifndef __IOPT_PROGRAM_H
#define __IOPT_PROGRAM_H

#include <linux/iommu.h>

struct io_pagetable;
struct iopt_area;

/**
 * struct iopt_flush - IOVAs that the caller has unmapped but not flushed yet
 * @domain: the domain
 * @start: first IOVA, or ULONG_MAX if there is none
 * @last: last IOVA, or 0 if there is none
 * @gather: invalidations that the IOMMU driver has gathered
 */
struct iopt_flush {
	struct iommu_domain *domain;
	unsigned long start;
	unsigned long last;
	struct iommu_iotlb_gather gather;
};

int iopt_area_program(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iommu_domain *domain);
void iopt_flush_start(struct iopt_flush *flush, struct iommu_domain *domain);
void iopt_area_unprogram(struct iopt_area *area, struct iopt_flush *flush);
void iopt_flush_end(struct iopt_flush *flush);

#endif /* __IOPT_PROGRAM_H */
