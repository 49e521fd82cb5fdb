/* SPDX-License-Identifier: GPL-2.0-only */
/* Areas that are mapped together. */
#ifndef __IOPT_MAP_H
#define __IOPT_MAP_H

#include <linux/iopt.h>
#include <linux/list.h>

struct io_pagetable;
struct iopt_payer;

/**
 * struct iopt_new_areas - areas that are mapped together
 * @iopt: the space
 * @list: the areas, linked by iopt_area.node in ascending order without holes.
 *        Until they are inserted, their IOVAs are relative to the start of the
 *        first area
 * @nr: number of areas
 * @length: total length of the areas in bytes
 * @uaddr: user address of the memory that the first area maps
 * @misalignment: bitwise OR of iopt_area_misalignment() of all areas
 * @unsynced: payer of pages that the map had to unpin, or NULL; see
 *            iopt_payer_sync_noted()
 */
struct iopt_new_areas {
	struct io_pagetable *iopt;
	struct list_head list;
	unsigned int nr;
	unsigned long length;
	unsigned long uaddr;
	unsigned long misalignment;
	struct iopt_payer *unsynced;
};

int iopt_check_map(unsigned long *iova, unsigned long source,
		   unsigned long length, int prot, unsigned int flags);
int iopt_areas_map(struct iopt_new_areas *new, unsigned long *iova,
		   unsigned int flags);
struct iopt_payer *iopt_current_payer(struct io_pagetable *iopt,
				      enum iopt_account account);

#endif /* __IOPT_MAP_H */
