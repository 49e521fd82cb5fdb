/* SPDX-License-Identifier: GPL-2.0-only */
/* Attached IOMMU domains. */
#ifndef __IOPT_DOMAIN_H
#define __IOPT_DOMAIN_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/types.h>

struct io_pagetable;

/**
 * struct iopt_domain - an attached IOMMU domain
 * @node: entry in io_pagetable.domains
 * @domain: the IOMMU domain; the engine never reads its page table
 * @seq: sequence number, larger than that of every domain attached earlier
 * @open: new areas must be added to the domain
 * @rcu: for kfree_rcu()
 */
struct iopt_domain {
	struct list_head node;
	struct iommu_domain *domain;
	unsigned long seq;
	bool open;
	struct rcu_head rcu;
};

/* Return the smallest page size of a domain in bytes. */
static inline unsigned long iopt_granule(const struct iommu_domain *domain)
{
	return 1UL << __ffs(domain->pgsize_bitmap);
}

void iopt_domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain);

#endif /* __IOPT_DOMAIN_H */
