/* SPDX-License-Identifier: GPL-2.0-only */
/* Checking and choosing IOVAs. */
#ifndef __IOPT_IOVA_H
#define __IOPT_IOVA_H

struct io_pagetable;
struct iopt_area;

int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, struct iopt_area **above);
int iopt_choose_iova(struct io_pagetable *iopt, unsigned long uaddr,
		     unsigned long length, unsigned long *start);
int iopt_check_unmapped(struct io_pagetable *iopt, unsigned long start,
			unsigned long last);

#endif /* __IOPT_IOVA_H */
