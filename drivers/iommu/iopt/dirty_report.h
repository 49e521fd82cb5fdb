/* SPDX-License-Identifier: GPL-2.0-only */
/* Reporting dirty pages to user memory. */
#ifndef __IOPT_DIRTY_REPORT_H
#define __IOPT_DIRTY_REPORT_H

struct io_pagetable;
struct iopt_area;
struct iopt_claim;
struct iopt_dirty_query;

int iopt_area_report(struct io_pagetable *iopt, struct iopt_area *area,
		     const struct iopt_dirty_query *query, unsigned long start,
		     unsigned int flags);
int iopt_dirty_check(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     const struct iopt_claim *claim);

#endif /* __IOPT_DIRTY_REPORT_H */
