// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reporting dirty pages to user memory.
 *
 * Every write must end up in a report. Bits are therefore cleared before they
 * are reported, so that the next report covers concurrent writes, and are set
 * again if the report fails.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>

#include "area.h"
#include "claim.h"
#include "dirty_bitmap.h"
#include "dirty_report.h"
#include "interval.h"
#include "io_pagetable.h"

/*
 * Check that a query of [@start, @last] covers the whole area, and that no bit
 * of @query->bitmap covers both pages of the area and other pages.
 */
static bool query_suits(const struct iopt_dirty_query *query,
			const struct iopt_area *area, unsigned long start,
			unsigned long last)
{
	return area->start >= start && area->last <= last &&
	       IS_ALIGNED(iopt_area_misalignment(area), query->pgsize);
}

/**
 * iopt_dirty_check() - check whether dirty pages can be reported
 * @iopt: the space
 * @start: first byte of the interval
 * @last: last byte of the interval
 * @query: destination and granularity of the report
 * @claim: claim of the calling unmap, to skip its late areas, or NULL to check
 *         all areas
 *
 * Context: @iopt->lock is held, and may be dropped and retaken.
 * Return: 0, or
 * * %-EINVAL - An argument is invalid or does not suit a mapping, or dirty
 *   pages are not tracked; see iopt_dirty_read().
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
	iopt_for_each_area_break(iopt, area, start, last, &steps)
		if (!(claim && iopt_area_is_late(claim, area)) &&
		    !query_suits(query, area, start, last))
			return -EINVAL;
	return 0;
}

/*
 * Store the low @nr bits of @bits at @shift in a word of the user's bitmap.
 * Without @whole, the other bits of the word do not change. With @whole and a
 * @shift of 0 the word is not read, so it need not be readable, and its other
 * bits become 0. With @whole and any other @shift, bits of the word are only
 * set, never cleared.
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
 * struct slice - the pages of an area that one word of a bitmap covers
 * @first: index of the first page, relative to the start of the area
 * @per_bit: number of pages per bit
 * @nr: number of bits
 */
struct slice {
	unsigned long first;
	unsigned long per_bit;
	unsigned int nr;
};

static unsigned long slice_end(const struct slice *slice)
{
	return slice->first + slice->nr * slice->per_bit;
}

/* Collect the dirty bits of the pages [@first, @end), a part of a slice. */
static u64 pages_take_bits(struct iopt_area *area, const struct slice *slice,
			   unsigned long first, unsigned long end,
			   unsigned int flags)
{
	unsigned long page;
	u64 taken = 0;

	/* Pins through other areas of the same pages may not be marked yet. */
	iopt_area_mark_pinned(area, first, end - first);
	for (page = find_next_bit(area->dirty, end, first); page < end;
	     page = find_next_bit(area->dirty, end, page)) {
		unsigned int bit = (page - slice->first) / slice->per_bit;

		taken |= BIT_ULL(bit);
		page = slice->first + (bit + 1) * slice->per_bit;
	}
	if (!(flags & IOPT_DIRTY_KEEP)) {
		bitmap_clear(area->dirty, first, end - first);
		iopt_area_mark_pinned(area, first, end - first);
	}
	return taken;
}

/*
 * Collect the dirty bits of a slice. @taken receives one bit for each
 * @slice->per_bit pages, which is set if any of these pages is dirty. Unless
 * @flags contains IOPT_DIRTY_KEEP, pages of the slice that are not pinned
 * become clean. A slice can be as long as the area, so iopt->lock may be
 * dropped and retaken. Returns 0, or -EINVAL if tracking was stopped.
 */
static int area_take_bits(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct slice *slice, unsigned int flags,
			  u64 *taken)
{
	unsigned long first = slice->first, end;
	unsigned int steps = 0;

	lockdep_assert_held(&iopt->lock);
	*taken = 0;
	do {
		/* Tracking may have been stopped since iopt_dirty_check(). */
		if (!area->dirty)
			return -EINVAL;
		end = min(first + BITS_PER_LONG, slice_end(slice));
		*taken |= pages_take_bits(area, slice, first, end, flags);
		first = end;
		iopt_lock_break(iopt, &steps);
	} while (first != slice_end(slice));
	return 0;
}

/* Undo area_take_bits(). iopt->lock may be dropped and retaken. */
static void area_put_bits_back(struct io_pagetable *iopt,
			       struct iopt_area *area,
			       const struct slice *slice, u64 taken)
{
	/* Both are powers of two, so one bit of @taken covers all nr pages. */
	unsigned long nr = min_t(unsigned long, slice->per_bit, BITS_PER_LONG);
	unsigned long page = slice->first;
	unsigned int steps = 0;

	for (; area->dirty && page != slice_end(slice); page += nr) {
		if (taken & BIT_ULL((page - slice->first) / slice->per_bit))
			bitmap_set(area->dirty, page, nr);
		iopt_lock_break(iopt, &steps);
	}
}

/* Report the pages of one word. On failure, dirty pages stay dirty. */
static int area_report_word(struct io_pagetable *iopt, struct iopt_area *area,
			    const struct slice *slice, u64 __user *word,
			    unsigned int shift, unsigned int flags, bool whole)
{
	bool all;
	u64 bits;
	int rc;

	mutex_lock(&iopt->lock);
	/*
	 * While a domain translates the area, an untracked device may write to
	 * any of its pages. Otherwise the dirty bits are complete: a detach
	 * marks all pages dirty before it decrements nr_domains.
	 */
	all = iopt->nr_untracked && READ_ONCE(area->nr_domains);
	rc = area_take_bits(iopt, area, slice, flags, &bits);
	mutex_unlock(&iopt->lock);
	if (rc)
		return rc;

	rc = report_word(word, shift, slice->nr, all ? ~0ULL : bits, whole);
	if (rc && !(flags & IOPT_DIRTY_KEEP)) {
		mutex_lock(&iopt->lock);
		area_put_bits_back(iopt, area, slice, bits);
		mutex_unlock(&iopt->lock);
	}
	return rc;
}

/**
 * iopt_area_report() - report the dirty pages of an area
 * @iopt: the space
 * @area: an area that suits @query (see iopt_dirty_check()); the caller keeps
 *        it in place
 * @query: destination and granularity of the report
 * @start: first byte of the queried interval, which bit 0 covers
 * @flags: %IOPT_DIRTY_KEEP or 0
 *
 * Context: process context, may block indefinitely on page faults of user
 * memory. No lock of the space is held.
 * Return: 0, or
 * * %-EFAULT - A word of the bitmap cannot be read or written.
 * * %-EINVAL - Tracking was stopped.
 *
 * On failure, words before the failing word have been written. Their pages
 * count as reported, and all other dirty pages stay dirty.
 */
int iopt_area_report(struct io_pagetable *iopt, struct iopt_area *area,
		     const struct iopt_dirty_query *query, unsigned long start,
		     unsigned int flags)
{
	unsigned long bit = (area->start - start) >> __ffs(query->pgsize);
	unsigned long npages = iopt_area_npages(area);
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
 * Skips mappings that are being built, and mappings that are being unmapped and
 * that accesses can no longer use.
 *
 * Context: process context, may block indefinitely on page faults of user
 * memory. Does not wait for pages to be pinned.
 * Return: 0, or
 * * %-EINVAL - Dirty pages are not tracked; @query->pgsize is smaller than a
 *   page or not a power of two; the interval is empty or misaligned; or a
 *   mapping extends beyond the interval or is not aligned to @query->pgsize.
 * * %-EFAULT - A word of the bitmap cannot be read or written.
 *
 * All arguments and mappings are checked before the first word is written. If
 * tracking stops or an unsuitable mapping is inserted after these checks,
 * %-EINVAL may follow a partial report. On any failure, pages of words that
 * were written count as reported, and all other dirty pages stay dirty.
 */
int iopt_dirty_read(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, const struct iopt_dirty_query *query,
		    unsigned int flags)
{
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_dirty_check(iopt, start, last, query, NULL);
	area = iopt_area_first(iopt, start, last);
	while (!rc && area) {
		if (iopt_area_is_accessible(area)) {
			/* The area may have been mapped after the check. */
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
		area = iopt_area_walk(iopt, area, last, &steps);
	}
	mutex_unlock(&iopt->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_dirty_read, IOPT);
