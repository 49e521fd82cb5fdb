/* SPDX-License-Identifier: GPL-2.0-only */
/* Undoing maps, and the payer of new ones. */
#ifndef __IOPT_MAP_H
#define __IOPT_MAP_H

#include <linux/iopt.h>
#include <linux/list.h>

struct iopt_payer;

struct iopt_payer *iopt_current_payer(struct io_pagetable *iopt,
				      enum iopt_account account);

void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced);

#endif /* __IOPT_MAP_H */
