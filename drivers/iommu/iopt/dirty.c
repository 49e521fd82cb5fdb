// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty pages: which ones somebody may have written to.
 *
 * Vocabulary:
 *  tracking  between start and stop each area has a bitmap, a bit a page
 *  blind     a device may write by DMA without being seen, unless it is known
 *            to write only to pages that an access pins for it
 *
 * Dirty is what an access has written or pinned since it was last told, what it
 * has pinned now, and, with a blind device in the space, all that a domain
 * translates. What was told is clean afterwards, except for pages that are
 * still pinned.
 *
 * Rule: no dirty page is forgotten. A bit is taken out of the bitmap before it
 * is told, so that writes meanwhile count for the next time, and put back if
 * telling fails.
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
 * iopt_area_track - give an area a bitmap
 * @area: the area; nothing is to be done if it has one
 * @gfp: allocation flags
 *
 * Context: the lock of the space is held or the area is in none; may sleep if
 * @gfp does.
 * Return: 0, -EINVAL if the area is too large, or -ENOMEM.
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
 * iopt_area_untrack - take an area's bitmap away, if it has one
 * @area: the area
 *
 * Context: the lock of the space is held or the area is in none.
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
 * iopt_area_mark_dirty - note that pages were written to
 * @area: the area
 * @start: first IOVA
 * @last: last IOVA
 *
 * Context: the lock of the space is held.
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
 * Pages that accesses have pinned are written to until they are unpinned. They
 * are looked up without the lock of the pages: who pins marks what he pinned
 * before he uses it, who unpins has stopped using it.
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

/* The area at @start, if it has @npages and a bitmap. */
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
 * area_mark_pinned() for all pages of an area that has just got its bitmap, in
 * which accesses that pin from now on mark pages themselves. May drop the lock.
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
 * Give the area at @start a bitmap, if there is still one of @npages there. Drops
 * the lock to allocate.
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
		/* If that changes meanwhile, this is where to look again. */
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
 * Give new areas bitmaps from now on, or none. What is just inserted in many holds
 * of the lock was made before, so wait until it can be found. That ends soon, and
 * no more of these come.
 */
static void track_new_areas(struct io_pagetable *iopt, bool track)
{
	lockdep_assert_held(&iopt->lock);
	iopt->track_new = track;
	while (iopt->nr_inserting[!track])
		iopt_wait_settled(iopt, TASK_UNINTERRUPTIBLE);
}

/**
 * iopt_dirty_start() - start to track dirty pages
 * @iopt: the space
 *
 * Nothing is dirty but what accesses have pinned and what blind devices reach.
 * If it was started already, it goes on.
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if a mapping is too large, or -ENOMEM; pages are not
 * tracked then.
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
 * iopt_dirty_stop() - stop to track dirty pages
 * @iopt: the space; nothing is to be done if it was not started
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
 * iopt_dirty_blind - a device comes whose writes are not seen
 * @iopt: the space
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_blind(struct io_pagetable *iopt)
{
	mutex_lock(&iopt->lock);
	iopt->nr_blind++;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_blind, IOPT);

/**
 * iopt_dirty_unblind - there is one such device less
 * @iopt: the space
 * @sees: it is there, but from now on writes to pages only that an access pins
 *        for it; otherwise it is gone, and what it reached stays dirty
 *
 * Context: process context, may sleep.
 */
void iopt_dirty_unblind(struct io_pagetable *iopt, bool sees)
{
	struct iopt_area *area = NULL;
	unsigned int steps = 0;

	mutex_lock(&iopt->lock);
	if (!sees)
		area = iopt_area_first(iopt, 0, ULONG_MAX);
	for (; area; area = iopt_area_walk(iopt, area, ULONG_MAX, &steps))
		iopt_area_mark_dirty(area, area->start, area->last);
	/* All that domains translate is reported as dirty until here. */
	iopt->nr_blind--;
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_unblind, IOPT);

/**
 * iopt_dirty_tracking - are dirty pages tracked?
 * @iopt: the space
 *
 * Context: any; it may change at any time.
 * Return: true between iopt_dirty_start() and iopt_dirty_stop().
 */
bool iopt_dirty_tracking(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->tracking);
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_tracking, IOPT);

/* Does a query tell of all of the area, each page by bits of its own? */
static bool query_suits(const struct iopt_dirty_query *query,
			const struct iopt_area *area, unsigned long start,
			unsigned long last)
{
	return area->start >= start && area->last <= last &&
	       IS_ALIGNED(area->start | iopt_area_length(area), query->pgsize);
}

/**
 * iopt_dirty_check - can a query be answered?
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte
 * @query: the query
 * @claim: of the unmap that reports, which leaves late areas alone, or NULL
 *
 * Context: @iopt->lock is held, and may be dropped in between.
 * Return: 0 or -EINVAL, see iopt_dirty_read().
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
 * Write some bits of a word that user space has; they are the low ones. What is
 * written wholly need not be readable.
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
 * struct portion - the part of an area that one word tells of
 * @first: its first page, in the area
 * @per_bit: pages for each bit
 * @nr: of bits
 */
struct portion {
	unsigned long first;
	unsigned long per_bit;
	unsigned int nr;
};

/* Take what is dirty out of the bitmap, a bit for each I/O page. */
static int area_take_bits(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct portion *portion, unsigned int flags,
			  u64 *taken)
{
	unsigned long npages = portion->nr * portion->per_bit;
	unsigned long end = portion->first + npages, page;

	lockdep_assert_held(&iopt->lock);
	/* It was stopped meanwhile. */
	if (!area->dirty)
		return -EINVAL;
	*taken = 0;
	/* Other mappings of the pages may have pinned some meanwhile. */
	area_mark_pinned(area, portion->first, npages);
	for (page = find_next_bit(area->dirty, end, portion->first); page < end;
	     page = find_next_bit(area->dirty, end, page)) {
		unsigned int bit = (page - portion->first) / portion->per_bit;

		*taken |= BIT_ULL(bit);
		page = portion->first + (bit + 1) * portion->per_bit;
	}
	if (!(flags & IOPT_DIRTY_KEEP)) {
		bitmap_clear(area->dirty, portion->first, npages);
		area_mark_pinned(area, portion->first, npages);
	}
	return 0;
}

static void area_put_bits_back(struct iopt_area *area,
			       const struct portion *portion, u64 taken)
{
	unsigned int bit;

	for (bit = 0; area->dirty && bit != portion->nr; bit++)
		if (taken & BIT_ULL(bit))
			bitmap_set(area->dirty,
				   portion->first + bit * portion->per_bit,
				   portion->per_bit);
}

/* Tell of one word's pages. What could not be told stays dirty. */
static int area_report_word(struct io_pagetable *iopt, struct iopt_area *area,
			    const struct portion *portion, u64 __user *word,
			    unsigned int shift, unsigned int flags, bool whole)
{
	bool all;
	u64 bits;
	int rc;

	mutex_lock(&iopt->lock);
	rc = area_take_bits(iopt, area, portion, flags, &bits);
	all = iopt->nr_blind && READ_ONCE(area->nr_domains);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	rc = report_word(word, shift, portion->nr, all ? ~0ULL : bits, whole);
	if (rc && !(flags & IOPT_DIRTY_KEEP)) {
		mutex_lock(&iopt->lock);
		area_put_bits_back(area, portion, bits);
		mutex_unlock(&iopt->lock);
	}
	return rc;
}

/**
 * iopt_area_report - tell which pages of an area are dirty
 * @iopt: the space
 * @area: an area that stays and that suits the query, see iopt_dirty_check()
 * @query: where to tell
 * @start: first byte of the interval that the query is about
 * @flags: %IOPT_DIRTY_KEEP or 0
 *
 * Context: process context, may sleep: user memory is touched; no lock of the
 * space is held.
 * Return: 0, -EFAULT if a word of the bitmap cannot be read and written, or
 * -EINVAL if pages are no longer tracked. Words before that are told.
 */
int iopt_area_report(struct io_pagetable *iopt, struct iopt_area *area,
		     const struct iopt_dirty_query *query, unsigned long start,
		     unsigned int flags)
{
	unsigned long bit = (area->start - start) >> __ffs(query->pgsize);
	unsigned long npages = area_npages(area);
	struct portion portion = {
		.per_bit = query->pgsize >> PAGE_SHIFT,
	};
	int rc = 0;

	while (!rc && portion.first != npages) {
		unsigned int shift = bit % 64;

		portion.nr = min((npages - portion.first) / portion.per_bit,
				 64UL - shift);
		rc = area_report_word(iopt, area, &portion,
				      query->bitmap + bit / 64, shift, flags,
				      query->whole_words);
		bit += portion.nr;
		portion.first += portion.nr * portion.per_bit;
		cond_resched();
	}
	return rc;
}

/**
 * iopt_dirty_read - tell which pages were written to
 * @iopt: the space
 * @start: first byte, a multiple of @query->pgsize
 * @last: last byte; the length is a multiple of @query->pgsize too
 * @query: where to tell
 * @flags: %IOPT_DIRTY_KEEP or 0
 *
 * What was told is clean afterwards, unless @flags say otherwise. Mappings that
 * are just made or unmapped have nothing to tell.
 *
 * Context: process context, may sleep. Waits for nobody's pinning.
 * Return: 0, -EINVAL if pages are not tracked, the interval is empty or not
 * aligned to @query->pgsize, that is no power of two from the page size on, or
 * a mapping sticks out of the interval or is not aligned to it; nothing is told
 * then. -EFAULT if the bitmap cannot be read and written; what was told up to
 * there is told, the rest stays dirty.
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
		if (iopt_area_is_there(area)) {
			/* Mapped after the check. */
			if (!query_suits(query, area, start, last)) {
				rc = -EINVAL;
				break;
			}
			area->nr_users++;
			mutex_unlock(&iopt->lock);
			rc = iopt_area_report(iopt, area, query, start, flags);
			mutex_lock(&iopt->lock);
			iopt_area_leave(iopt, area);
		}
		more = iopt_next_start(area->last, &next) && next <= last;
		iopt_lock_break(iopt, &steps);
	}
	mutex_unlock(&iopt->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_read, IOPT);
