/* SPDX-License-Identifier: GPL-2.0-only */
/* Attached IOMMU domains, and the areas in them. */
#ifndef __IOPT_DOMAIN_H
#define __IOPT_DOMAIN_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/types.h>

struct io_pagetable;
struct iopt_area;
struct iopt_payer;

/**
 * struct iopt_domain - an attached IOMMU domain
 * @node: entry in io_pagetable.domains
 * @domain: the IOMMU domain; the engine never looks up translations in it
 * @seq: larger than the number of every domain that was attached earlier
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

bool iopt_domain_is_open(struct io_pagetable *iopt);
int iopt_area_hold(struct io_pagetable *iopt, struct iopt_area *area,
		   bool built);
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsynced);
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area);
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      struct iopt_payer **unsynced);

#endif /* __IOPT_DOMAIN_H */
