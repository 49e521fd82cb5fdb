/* SPDX-License-Identifier: GPL-2.0-only */
/* Areas: the mappings of a space. */
#ifndef __IOPT_AREA_H
#define __IOPT_AREA_H

#include <linux/interval_tree.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "interval.h"

struct io_pagetable;
struct iopt_pages;
struct kmem_cache;

/**
 * enum iopt_area_state - life cycle of an area
 * @IOPT_AREA_BUILDING: being mapped, always busy; removed if the map fails
 * @IOPT_AREA_LIVE: mapped
 * @IOPT_AREA_QUIESCING: being unmapped, always busy; accesses can still use it
 * @IOPT_AREA_DYING: being unmapped, always busy; accesses do not find it
 */
enum iopt_area_state {
	IOPT_AREA_BUILDING,
	IOPT_AREA_LIVE,
	IOPT_AREA_QUIESCING,
	IOPT_AREA_DYING,
};

/**
 * struct iopt_area - one mapping
 * @rb: node in io_pagetable.areas
 * @start: first IOVA
 * @last: last IOVA
 * @hole: size of the hole below @start in bytes, 0 for the lowest area
 * @max_hole: the largest @hole in the subtree of @rb
 * @pages: the mapped memory
 * @slice: interval of page indexes of @pages that is mapped. The node is linked
 *         in iopt_pages.holders while the area is a holder, which is always the
 *         case while @nr_domains is not 0
 * @filled: the area is in every attached domain up to this iopt_domain.seq,
 *          with the exception of @skips
 * @skips: iopt_domain.seq of a domain that the area is not in. One exception is
 *         enough because domains are detached one at a time
 * @nr_domains: number of domains that the area is in
 * @offset: offset of @start in the first page of @slice, in bytes
 * @prot: protection for iommu_map(): IOMMU_READ, IOMMU_WRITE etc.
 * @state: see &enum iopt_area_state
 * @busy: a caller owns the area; see io_pagetable.h
 * @orphan: the location of the memory is unknown; see adopt.c
 * @late: the area was inserted into an interval that an unmap had already
 *        claimed, so the unmap ignores the area. An area that extends beyond
 *        the claim is noted in the claim instead
 * @working: a thread is adding the area to domains or removing it from them;
 *           see io_pagetable.h. Set under io_pagetable.lock, or by the owner of
 *           an area that is being built
 * @nr_pins: number of pins that accesses hold in this area; protected by
 *           iopt_pages.mutex
 * @nr_users: number of calls that are using the area. An unmap waits until both
 *            @nr_pins and @nr_users are 0
 * @dirty: one bit for each page while dirty pages are tracked; see dirty.c
 * @node: entry in the list of the caller that owns the area or, while the area
 *        is live and working, in the list of the map or detach that is working
 *        on it
 *
 * @skips may still name a domain that was detached long ago. This is harmless
 * because sequence numbers are never reused.
 */
struct iopt_area {
	struct rb_node rb;
	unsigned long start;
	unsigned long last;
	unsigned long hole;
	unsigned long max_hole;
	struct iopt_pages *pages;
	struct interval_tree_node slice;
	unsigned long filled;
	unsigned long skips;
	unsigned int nr_domains;
	u16 offset;
	u16 prot;
	enum iopt_area_state state : 4;
	bool busy : 1;
	bool orphan : 1;
	bool late : 1;
	bool working;
	unsigned int nr_pins;
	unsigned int nr_users;
	unsigned long *dirty;
	struct list_head node;
};

static inline unsigned long iopt_area_length(const struct iopt_area *area)
{
	return iopt_length(area->start, area->last);
}

/* Return the index in iopt_pages of the page at an IOVA of an area. */
static inline unsigned long iopt_area_index(const struct iopt_area *area,
					    unsigned long iova)
{
	return area->slice.start +
	       ((area->offset + (iova - area->start)) >> PAGE_SHIFT);
}

/* Return the offset, within its page, of the byte that is mapped at an IOVA. */
static inline unsigned int iopt_area_offset(const struct iopt_area *area,
					    unsigned long iova)
{
	return (area->offset + (iova - area->start)) & ~PAGE_MASK;
}

/*
 * Combine all values that must be aligned to map an area: its first IOVA, its
 * length and its offset in the first page. Only the low bits of the result are
 * meaningful.
 */
static inline unsigned long iopt_area_misalignment(const struct iopt_area *area)
{
	return area->start | iopt_area_length(area) | area->offset;
}

/* Accesses can use an area only while it is live or quiescing. */
static inline bool iopt_area_is_accessible(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_LIVE ||
	       area->state == IOPT_AREA_QUIESCING;
}

/*
 * True while an area is being unmapped. The area becomes live again if the
 * unmap fails.
 */
static inline bool iopt_area_is_unmapping(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_QUIESCING ||
	       area->state == IOPT_AREA_DYING;
}

static inline bool iopt_area_is_in(const struct iopt_area *area,
				   unsigned long seq)
{
	return seq <= area->filled && seq != area->skips;
}

static inline unsigned long iopt_area_npages(const struct iopt_area *area)
{
	return area->slice.last - area->slice.start + 1;
}

static inline bool iopt_area_is_held(const struct iopt_area *area)
{
	return !RB_EMPTY_NODE(&area->slice.rb);
}

extern struct kmem_cache *iopt_area_cache;

struct iopt_area *iopt_area_alloc(unsigned long start, unsigned long last,
				  struct iopt_pages *pages, unsigned long first,
				  unsigned int offset, int prot, gfp_t gfp);
void iopt_areas_free(struct list_head *areas);
void iopt_area_insert(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iopt_area *above);
void iopt_area_remove(struct io_pagetable *iopt, struct iopt_area *area);
struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
				  unsigned long start, unsigned long last);
struct iopt_area *iopt_area_next(struct iopt_area *area, unsigned long last);
struct iopt_area *iopt_area_walk(struct io_pagetable *iopt,
				 struct iopt_area *area, unsigned long last,
				 unsigned int *steps);
struct iopt_area *iopt_area_next_hole(struct iopt_area *area,
				      unsigned long bytes);
struct iopt_area *iopt_area_get(struct io_pagetable *iopt, unsigned long iova,
				unsigned int flags);
void iopt_area_put(struct io_pagetable *iopt, struct iopt_area *area);

/* Loop over the areas that intersect [@start, @last], under iopt->lock. */
#define iopt_for_each_area(iopt, area, start, last)			\
	for (area = iopt_area_first(iopt, start, last); area;		\
	     area = iopt_area_next(area, last))

/*
 * Same as iopt_for_each_area(), with lock breaks: iopt->lock may be dropped and
 * retaken after the body; see iopt_area_walk().
 */
#define iopt_for_each_area_break(iopt, area, start, last, steps)	\
	for (area = iopt_area_first(iopt, start, last); area;		\
	     area = iopt_area_walk(iopt, area, last, steps))

#endif /* __IOPT_AREA_H */
