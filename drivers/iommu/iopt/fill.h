/* SPDX-License-Identifier: GPL-2.0-only */
/* Adding areas to domains and removing them from domains. */
#ifndef __IOPT_FILL_H
#define __IOPT_FILL_H

#include <linux/types.h>

struct io_pagetable;
struct iopt_area;
struct iopt_domain;
struct iopt_payer;

bool iopt_domain_is_open(struct io_pagetable *iopt);
int iopt_area_hold(struct io_pagetable *iopt, struct iopt_area *area,
		   bool built);
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsynced);
void iopt_area_drop_attached(struct io_pagetable *iopt, struct iopt_area *area);
int iopt_area_fill_domain(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct iopt_domain *domain);
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area);
void iopt_areas_clear_domain(struct list_head *areas,
			     const struct iopt_domain *domain);
void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced);

#endif /* __IOPT_FILL_H */
