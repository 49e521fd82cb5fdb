/* SPDX-License-Identifier: GPL-2.0-only */
/* Dirty bitmaps of areas. */
#ifndef __IOPT_DIRTY_BITMAP_H
#define __IOPT_DIRTY_BITMAP_H

#include <linux/types.h>

struct iopt_area;

int iopt_area_track(struct iopt_area *area, gfp_t gfp);
void iopt_area_untrack(struct iopt_area *area);
void iopt_area_mark_dirty(struct iopt_area *area, unsigned long start,
			  unsigned long last);
void iopt_area_mark_pinned(struct iopt_area *area, unsigned long first,
			   unsigned long npages);

#endif /* __IOPT_DIRTY_BITMAP_H */
