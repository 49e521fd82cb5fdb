/* SPDX-License-Identifier: GPL-2.0-only */
/* Destroying areas that the caller owns. */
#ifndef __IOPT_UNMAP_H
#define __IOPT_UNMAP_H

#include <linux/list.h>

struct io_pagetable;
struct iopt_payer;

void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced);

#endif /* __IOPT_UNMAP_H */
