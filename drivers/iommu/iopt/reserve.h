/* SPDX-License-Identifier: GPL-2.0-only */
/* Reserved and allowed IOVAs of a space. */
#ifndef __IOPT_RESERVE_H
#define __IOPT_RESERVE_H

struct io_pagetable;
struct iommu_domain;

int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner);
void iopt_unreserve_iova(struct io_pagetable *iopt, const void *owner);
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain);
int iopt_raise_alignment(struct io_pagetable *iopt, unsigned long alignment);
void iopt_update_alignment(struct io_pagetable *iopt);

#endif /* __IOPT_RESERVE_H */
