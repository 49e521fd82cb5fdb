// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty bitmaps of areas, with one bit for each page.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "area.h"
#include "dirty_bitmap.h"
#include "pages.h"

/**
 * iopt_area_track() - allocate the bitmap of an area
 * @area: the area, which has no bitmap
 * @gfp: allocation flags
 *
 * Context: io_pagetable.lock is held, or @area is not in a space; may sleep if
 * @gfp allows it.
 * Return: 0, or
 * * %-EINVAL - The area has more than INT_MAX pages.
 * * %-ENOMEM - Out of memory.
 */
int iopt_area_track(struct iopt_area *area, gfp_t gfp)
{
	if (iopt_area_npages(area) > INT_MAX)
		return -EINVAL;
	area->dirty = kvcalloc(BITS_TO_LONGS(iopt_area_npages(area)),
			       sizeof(*area->dirty), gfp);
	return area->dirty ? 0 : -ENOMEM;
}

/**
 * iopt_area_untrack() - free the bitmap of an area
 * @area: the area; need not have a bitmap
 *
 * Context: io_pagetable.lock is held, or @area is not in a space; may sleep.
 */
void iopt_area_untrack(struct iopt_area *area)
{
	kvfree(area->dirty);
	area->dirty = NULL;
}

/**
 * iopt_area_mark_dirty() - mark pages of an area as dirty
 * @area: the area; nothing happens if it has no bitmap
 * @start: first IOVA, in @area
 * @last: last IOVA, in @area
 *
 * Context: io_pagetable.lock is held.
 */
void iopt_area_mark_dirty(struct iopt_area *area, unsigned long start,
			  unsigned long last)
{
	unsigned long first = iopt_area_index(area, start);

	if (area->dirty)
		bitmap_set(area->dirty, first - area->slice.start,
			   iopt_area_index(area, last) - first + 1);
}

/**
 * iopt_area_mark_pinned() - mark pages dirty if accesses have pinned them
 * @area: the area, which has a bitmap
 * @first: index of the first page, relative to the start of the area
 * @npages: number of pages
 *
 * Pinned pages may be written to until they are unpinned. Looking up the pins
 * does not require iopt_pages.mutex: iopt_access_pin() marks pages before it
 * returns them to its caller, and a caller stops using pages before it unpins
 * them.
 *
 * Context: io_pagetable.lock is held.
 */
void iopt_area_mark_pinned(struct iopt_area *area, unsigned long first,
			   unsigned long npages)
{
	unsigned long base = area->slice.start;
	unsigned long index = base + first;
	void *pin;

	xa_for_each_range(&area->pages->pins, index, pin, index,
			  base + first + npages - 1)
		__set_bit(index - base, area->dirty);
}
