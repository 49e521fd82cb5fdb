// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty page tracking.
 *
 * Vocabulary:
 *  tracking   between start and stop, each area has a bitmap with a bit per
 *             page
 *  untracked  an untracked device writes by DMA without the engine's knowledge.
 *             A device that writes only to pages that an access pins for it is
 *             tracked
 *
 * A page is dirty if an access wrote or pinned it since it was last reported,
 * or has it pinned now. While the space has an untracked device, all pages that
 * a domain translates are dirty, too. A reported page becomes clean unless it
 * is still pinned.
 *
 * Rule: no dirty page is lost. Bits are cleared before they are reported, so
 * that concurrent writes count for the next report, and are set again if the
 * report fails.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "io_pagetable.h"
#include "pages.h"

static unsigned long area_npages(const struct iopt_area *area)
{
	return area->slice.last - area->slice.start + 1;
}

/**
 * iopt_area_track() - allocate the bitmap of an area
 * @area: the area; may have a bitmap already
 * @gfp: allocation flags
 *
 * Context: io_pagetable.lock is held, or @area is not in a space; may sleep if
 * @gfp allows it.
 * Return: 0, or
 * * %-EINVAL - The area has too many pages for a bitmap.
 * * %-ENOMEM - Out of memory.
 */
int iopt_area_track(struct iopt_area *area, gfp_t gfp)
{
	if (area->dirty)
		return 0;
	if (area_npages(area) > INT_MAX)
		return -EINVAL;
	area->dirty = kvcalloc(BITS_TO_LONGS(area_npages(area)),
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

static void areas_untrack(struct io_pagetable *iopt)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_walk(iopt, area, ULONG_MAX, &steps))
		iopt_area_untrack(area);
}

/**
 * iopt_area_mark_dirty() - mark pages of an area as dirty
 * @area: the area; nothing happens if it is not tracked
 * @start: first IOVA, in @area
 * @last: last IOVA, in @area
 *
 * Context: io_pagetable.lock is held.
 */
void iopt_area_mark_dirty(struct iopt_area *area, unsigned long start,
			  unsigned long last)
{
	unsigned long first = (start - area->start) >> PAGE_SHIFT;

	if (area->dirty)
		bitmap_set(area->dirty, first,
			   ((last - area->start) >> PAGE_SHIFT) - first + 1);
}

/*
 * Mark pages that accesses have pinned, because these may be written to until
 * they are unpinned. The lookup does not need iopt_pages.mutex:
 * iopt_access_pin() marks pages before it returns them to its caller, and a
 * caller stops using pages before it unpins them.
 */
static void area_mark_pinned(struct iopt_area *area, unsigned long first,
			     unsigned long npages)
{
	unsigned long base = area->slice.start;
	unsigned long index = base + first;
	void *pin;

	xa_for_each_range(&area->pages->pins, index, pin, index,
			  base + first + npages - 1)
		__set_bit(index - base, area->dirty);
}

/* Find the tracked area of @npages at @start. */
static struct iopt_area *area_tracked_at(struct io_pagetable *iopt,
					 unsigned long start,
					 unsigned long npages)
{
	struct iopt_area *area = iopt_area_first(iopt, start, start);

	if (area && area->start == start && area_npages(area) == npages &&
	    area->dirty)
		return area;
	return NULL;
}

/*
 * Mark all pinned pages of an area that has just got its bitmap. Pages that are
 * pinned from now on are marked by iopt_access_pin(). May drop the lock.
 */
static void area_mark_all_pinned(struct io_pagetable *iopt,
				 struct iopt_area *area)
{
	unsigned long start = area->start, npages = area_npages(area);
	unsigned long index, next = 0;
	unsigned int steps = 0;

	while (area && next != npages) {
		index = area->slice.start + next;
		if (!xa_find(&area->pages->pins, &index, area->slice.last,
			     XA_PRESENT))
			return;
		next = index - area->slice.start;
		__set_bit(next++, area->dirty);
		if (iopt_lock_break(iopt, &steps))
			area = area_tracked_at(iopt, start, npages);
	}
}

/*
 * Add a bitmap to the area of @npages at @start. Drops the lock to allocate,
 * and does nothing if there is no such area any more or if it is tracked by
 * then.
 */
static int area_track_at(struct io_pagetable *iopt, unsigned long start,
			 unsigned long npages)
{
	struct iopt_area *area, new = { .slice.last = npages - 1 };
	int rc;

	mutex_unlock(&iopt->lock);
	rc = iopt_area_track(&new, iopt->policy.gfp);
	cond_resched();
	mutex_lock(&iopt->lock);
	if (rc)
		return rc;
	area = iopt_area_first(iopt, start, start);
	if (area && area->start == start && area_npages(area) == npages &&
	    !area->dirty) {
		swap(area->dirty, new.dirty);
		area_mark_all_pinned(iopt, area);
	}
	iopt_area_untrack(&new);
	return 0;
}

static int areas_track(struct io_pagetable *iopt)
{
	unsigned long next = 0;
	struct iopt_area *area;
	unsigned int steps = 0;
	bool more = true;
	int rc = 0;

	while (!rc && more &&
	       (area = iopt_area_first(iopt, next, ULONG_MAX))) {
		/* The lock may be dropped: look up areas by IOVA each time. */
		if (area->dirty)
			more = iopt_next_start(area->last, &next);
		else
			rc = area_track_at(iopt, area->start,
					   area_npages(area));
		iopt_lock_break(iopt, &steps);
	}
	return rc;
}

/*
 * Let maps create areas with or without bitmaps from now on. A map that is
 * inserting its areas in several holds of the lock may have created them in the
 * other mode, so wait until all of them are in the tree. The wait is short, and
 * no further map in the other mode starts to insert.
 */
static void track_new_areas(struct io_pagetable *iopt, bool track)
{
	lockdep_assert_held(&iopt->lock);
	iopt->track_new = track;
	while (iopt->nr_inserting[!track])
		iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
}

/**
 * iopt_dirty_start() - start tracking of dirty pages
 * @iopt: the space
 *
 * At first only pages that accesses have pinned, or that a domain translates
 * for an untracked device, are dirty. If tracking is on already, nothing
 * changes.
 *
 * Context: process context, may sleep.
 * Return: 0, or
 * * %-EINVAL - A mapping has too many pages for a bitmap.
 * * %-ENOMEM - Out of memory.
 *
 * On failure dirty pages are not tracked.
 */
int iopt_dirty_start(struct io_pagetable *iopt)
{
	int rc = 0;

	mutex_lock(&iopt->track_mutex);
	mutex_lock(&iopt->lock);
	if (!iopt->tracking) {
		track_new_areas(iopt, true);
		rc = areas_track(iopt);
		WRITE_ONCE(iopt->tracking, !rc);
		if (rc) {
			track_new_areas(iopt, false);
			areas_untrack(iopt);
		}
	}
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->track_mutex);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_start, IOPT);

/**
 * iopt_dirty_stop() - stop tracking of dirty pages
 * @iopt: the space; tracking need not be on
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_stop(struct io_pagetable *iopt)
{
	mutex_lock(&iopt->track_mutex);
	mutex_lock(&iopt->lock);
	WRITE_ONCE(iopt->tracking, false);
	track_new_areas(iopt, false);
	areas_untrack(iopt);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->track_mutex);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_stop, IOPT);

/**
 * iopt_dirty_add_untracked() - add an untracked device to a space
 * @iopt: the space
 *
 * All pages that a domain translates are reported as dirty until the matching
 * iopt_dirty_remove_untracked().
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_add_untracked(struct io_pagetable *iopt)
{
	mutex_lock(&iopt->lock);
	iopt->nr_untracked++;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_add_untracked, IOPT);

/**
 * iopt_dirty_remove_untracked() - remove an untracked device from a space
 * @iopt: the space
 * @sees: true if the device stays and from now on writes only to pages that an
 *        access pins for it; false if the device leaves the space
 *
 * If the device leaves, all mapped pages are marked as dirty, because it may
 * have written to any of them.
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_remove_untracked(struct io_pagetable *iopt, bool sees)
{
	struct iopt_area *area = NULL;
	unsigned int steps = 0;

	mutex_lock(&iopt->lock);
	if (!sees)
		area = iopt_area_first(iopt, 0, ULONG_MAX);
	for (; area; area = iopt_area_walk(iopt, area, ULONG_MAX, &steps))
		iopt_area_mark_dirty(area, area->start, area->last);
	/* Reports include all translated pages until here. */
	iopt->nr_untracked--;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_remove_untracked, IOPT);

/**
 * iopt_dirty_tracking() - check whether dirty pages are tracked
 * @iopt: the space
 *
 * Context: any context; the result may be outdated when it is returned.
 * Return: true between iopt_dirty_start() and iopt_dirty_stop().
 */
bool iopt_dirty_tracking(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->tracking);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_tracking, IOPT);

/*
 * Check that a query covers the whole area, and that no bit of its bitmap
 * stands for pages in and outside of the area.
 */
static bool query_suits(const struct iopt_dirty_query *query,
			const struct iopt_area *area, unsigned long start,
			unsigned long last)
{
	return area->start >= start && area->last <= last &&
	       IS_ALIGNED(area->start | iopt_area_length(area), query->pgsize);
}

/**
 * iopt_dirty_check() - check whether dirty pages can be reported
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte of the interval
 * @query: destination and granularity of the report
 * @claim: claim of the unmap that reports, which excludes late areas, or NULL
 *
 * Context: @iopt->lock is held, and may be dropped and taken again.
 * Return: 0, or
 * * %-EINVAL - The arguments do not suit each other or a mapping, see
 *   iopt_dirty_read().
 */
int iopt_dirty_check(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     const struct iopt_claim *claim)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	if (!iopt->tracking || last < start ||
	    !is_power_of_2(query->pgsize) || query->pgsize < PAGE_SIZE ||
	    !IS_ALIGNED(start | iopt_length(start, last), query->pgsize))
		return -EINVAL;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_walk(iopt, area, last, &steps))
		if (!(claim && iopt_area_is_late(claim, area)) &&
		    !query_suits(query, area, start, last))
			return -EINVAL;
	return 0;
}

/*
 * Update the bits [@shift, @shift + @nr) of a word of the user's bitmap from
 * the low bits of @bits. With @whole, a word that starts with these bits is
 * written without being read, so it need not be readable, and bits of any other
 * word are only set, never cleared.
 */
static int report_word(u64 __user *word, unsigned int shift, unsigned int nr,
		       u64 bits, bool whole)
{
	u64 mask = GENMASK_ULL(nr - 1, 0) << shift, value = 0;

	if ((shift || !whole) && copy_from_user(&value, word, sizeof(value)))
		return -EFAULT;
	if (whole)
		mask &= bits << shift;
	value = (value & ~mask) | (bits << shift & mask);
	return copy_to_user(word, &value, sizeof(value)) ? -EFAULT : 0;
}

/**
 * struct slice - the pages of an area that one word of a bitmap stands for
 * @first: index of the first page, relative to the start of the area
 * @per_bit: number of pages per bit
 * @nr: number of bits
 */
struct slice {
	unsigned long first;
	unsigned long per_bit;
	unsigned int nr;
};

/*
 * Collect the dirty pages of one word, one bit for each @per_bit pages, and
 * clear them in the bitmap of the area unless %IOPT_DIRTY_KEEP is set.
 */
static int area_take_bits(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct slice *slice, unsigned int flags,
			  u64 *taken)
{
	unsigned long npages = slice->nr * slice->per_bit;
	unsigned long end = slice->first + npages, page;

	lockdep_assert_held(&iopt->lock);
	/* Tracking was stopped after the check. */
	if (!area->dirty)
		return -EINVAL;
	*taken = 0;
	/* Pins through other mappings of the pages are not marked here. */
	area_mark_pinned(area, slice->first, npages);
	for (page = find_next_bit(area->dirty, end, slice->first); page < end;
	     page = find_next_bit(area->dirty, end, page)) {
		unsigned int bit = (page - slice->first) / slice->per_bit;

		*taken |= BIT_ULL(bit);
		page = slice->first + (bit + 1) * slice->per_bit;
	}
	if (!(flags & IOPT_DIRTY_KEEP)) {
		bitmap_clear(area->dirty, slice->first, npages);
		area_mark_pinned(area, slice->first, npages);
	}
	return 0;
}

static void area_put_bits_back(struct iopt_area *area,
			       const struct slice *slice, u64 taken)
{
	unsigned int bit;

	for (bit = 0; area->dirty && bit != slice->nr; bit++)
		if (taken & BIT_ULL(bit))
			bitmap_set(area->dirty,
				   slice->first + bit * slice->per_bit,
				   slice->per_bit);
}

/* Report the pages of one word. They stay dirty if the write fails. */
static int area_report_word(struct io_pagetable *iopt, struct iopt_area *area,
			    const struct slice *slice, u64 __user *word,
			    unsigned int shift, unsigned int flags, bool whole)
{
	bool all;
	u64 bits;
	int rc;

	mutex_lock(&iopt->lock);
	rc = area_take_bits(iopt, area, slice, flags, &bits);
	all = iopt->nr_untracked && READ_ONCE(area->nr_domains);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	rc = report_word(word, shift, slice->nr, all ? ~0ULL : bits, whole);
	if (rc && !(flags & IOPT_DIRTY_KEEP)) {
		mutex_lock(&iopt->lock);
		area_put_bits_back(area, slice, bits);
		mutex_unlock(&iopt->lock);
	}
	return rc;
}

/**
 * iopt_area_report() - report the dirty pages of an area
 * @iopt: the space
 * @area: an area that suits @query, see iopt_dirty_check(); the caller keeps it
 *        in place
 * @query: destination and granularity of the report
 * @start: first byte of the queried interval, which bit 0 stands for
 * @flags: %IOPT_DIRTY_KEEP or 0
 *
 * Context: process context, may sleep: user memory is accessed. No lock of the
 * space is held.
 * Return: 0, or
 * * %-EFAULT - A word of the bitmap cannot be read or written.
 * * %-EINVAL - Tracking was stopped.
 *
 * Words before the failing one have been written. Their pages count as
 * reported, all others stay dirty.
 */
int iopt_area_report(struct io_pagetable *iopt, struct iopt_area *area,
		     const struct iopt_dirty_query *query, unsigned long start,
		     unsigned int flags)
{
	unsigned long bit = (area->start - start) >> __ffs(query->pgsize);
	unsigned long npages = area_npages(area);
	struct slice slice = {
		.per_bit = query->pgsize >> PAGE_SHIFT,
	};
	int rc = 0;

	while (!rc && slice.first != npages) {
		unsigned int shift = bit % 64;

		slice.nr = min((npages - slice.first) / slice.per_bit,
			       64UL - shift);
		rc = area_report_word(iopt, area, &slice,
				      query->bitmap + bit / 64, shift, flags,
				      query->whole_words);
		bit += slice.nr;
		slice.first += slice.nr * slice.per_bit;
		cond_resched();
	}
	return rc;
}

/**
 * iopt_dirty_read() - report and clear the dirty pages of an interval
 * @iopt: the space
 * @start: first byte, a multiple of @query->pgsize
 * @last: last byte; the length is a multiple of @query->pgsize
 * @query: destination and granularity of the report
 * @flags: %IOPT_DIRTY_KEEP to leave reported pages dirty, or 0
 *
 * Skips mappings that are being built, and mappings that accesses can no longer
 * use because an unmap has taken them.
 *
 * Context: process context, may sleep: user memory is accessed. Does not wait
 * for pages to be pinned.
 * Return: 0, or
 * * %-EINVAL - Dirty pages are not tracked; @query->pgsize is smaller than a
 *   page or not a power of two; the interval is empty or misaligned; or a
 *   mapping extends beyond the interval or is not aligned to @query->pgsize.
 * * %-EFAULT - A word of the bitmap cannot be read or written.
 *
 * All arguments and mappings are checked before the first word is written. If
 * tracking stops or an unsuitable mapping is inserted after these checks,
 * %-EINVAL may follow a partial report. On any failure, pages of words that
 * were written count as reported, and all others stay dirty.
 */
int iopt_dirty_read(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, const struct iopt_dirty_query *query,
		    unsigned int flags)
{
	unsigned long next = start;
	unsigned int steps = 0;
	struct iopt_area *area;
	bool more = true;
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_dirty_check(iopt, start, last, query, NULL);
	while (!rc && more && (area = iopt_area_first(iopt, next, last))) {
		if (iopt_area_is_accessible(area)) {
			/* It may have been mapped after the check. */
			if (!query_suits(query, area, start, last)) {
				rc = -EINVAL;
				break;
			}
			area->nr_users++;
			mutex_unlock(&iopt->lock);
			rc = iopt_area_report(iopt, area, query, start, flags);
			mutex_lock(&iopt->lock);
			iopt_area_put(iopt, area);
		}
		more = iopt_next_start(area->last, &next) && next <= last;
		iopt_lock_break(iopt, &steps);
	}
	mutex_unlock(&iopt->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_read, IOPT);
