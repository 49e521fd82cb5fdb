/* SPDX-License-Identifier: GPL-2.0-only */
/* Removing a domain from a space. */
#ifndef __IOPT_DETACH_H
#define __IOPT_DETACH_H

struct io_pagetable;
struct iopt_domain;

void iopt_domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain);

#endif /* __IOPT_DETACH_H */
