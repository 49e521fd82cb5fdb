// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOVAs a mapping gets: those its user asks for, or some that the engine
 * chooses, and what can be had.
 *
 * Rule: a chosen IOVA is the lowest one that lets the mapping have I/O pages as
 * large as its memory can have, and only if there is none the lowest one.
 */
#include <linux/align.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "io_pagetable.h"

/* How many misaligned holes are checked for one that fits exactly. */
#define MAX_TRIES	128

/**
 * iopt_check_unmapped() - check that nothing is mapped in an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held.
 * Return: 0, -EEXIST if something is mapped there, or -EAGAIN if a mapping there
 * is being built or torn down, which may wait for accesses to unpin: the caller
 * waits for an area to settle and checks again.
 */
int iopt_check_unmapped(struct io_pagetable *iopt, unsigned long start,
			unsigned long last)
{
	struct iopt_area *area = iopt_area_first(iopt, start, last);

	if (area)
		return iopt_area_is_there(area) ? -EEXIST : -EAGAIN;
	return iopt_map_is_claimed(iopt, start, last) ? -EAGAIN : 0;
}

/**
 * iopt_check_iova() - check that an interval can be mapped
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @above: receives the next area above it, or NULL, if it can
 *
 * Context: @iopt->lock is held, and dropped while a mapping there that is
 * being built or torn down is waited for.
 * Return: 0, -EINVAL if the interval is misaligned or touches a reserved one,
 * -EEXIST if something is mapped there, -EINTR if killed while waiting.
 */
int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, struct iopt_area **above)
{
	int rc;

	/* What may not be mapped does not wait; after a wait it may be new. */
	do {
		if (!IS_ALIGNED(start | iopt_length(start, last),
				iopt->iova_alignment) ||
		    iopt_interval_first(&iopt->reserved, start, last))
			return -EINVAL;
		*above = iopt_area_first(iopt, start, ULONG_MAX);
		if ((!*above || (*above)->start > last) &&
		    !iopt_map_is_claimed(iopt, start, last))
			return 0;
		rc = iopt_check_unmapped(iopt, start, last);
		if (rc == -EAGAIN)
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
	} while (!rc);
	return rc;
}

/**
 * struct wish - what IOVAs are looked for
 * @length: in bytes
 * @alignment: a power of two
 * @offset: what the first IOVA is modulo @alignment
 * @surely: a hole of so many bytes surely fits, whatever its own alignment
 * @tries: how many holes that may be too small are still to be checked
 */
struct wish {
	unsigned long length;
	unsigned long alignment;
	unsigned long offset;
	unsigned long surely;
	unsigned int tries;
};

/* Does it fit into [@start, @last]? */
static bool wish_fits(const struct wish *wish, unsigned long start,
		      unsigned long last, unsigned long *iova)
{
	unsigned long skip = (wish->offset - start) & (wish->alignment - 1);

	if (skip > last - start || last - start - skip < wish->length - 1)
		return false;
	*iova = start + skip;
	return true;
}

/*
 * Does it fit between the areas in [@start, @last]? Each hole that is large enough
 * is checked, from the lowest on. After some that are misaligned only those count
 * that surely fit, so that the time stays bounded.
 */
static bool wish_fits_between(struct io_pagetable *iopt, struct wish *wish,
			      unsigned long start, unsigned long last,
			      unsigned long *iova)
{
	struct iopt_area *area = iopt_area_first(iopt, start, last);

	if (!area)
		return wish_fits(wish, start, last, iova);
	if (area->start > start &&
	    wish_fits(wish, start, area->start - 1, iova))
		return true;

	while ((area = iopt_area_next_hole(area, wish->tries ? wish->length :
							      wish->surely))) {
		start = area->start - area->hole;
		if (start > last)
			return false;
		if (wish_fits(wish, start, min(last, area->start - 1), iova))
			return true;
		if (wish->tries)
			wish->tries--;
	}

	return iopt_next_start(iopt->highest->last, &start) && start <= last &&
	       wish_fits(wish, start, last, iova);
}

/* Does it fit into what is usable of [@start, @last]? */
static bool wish_fits_usable(struct io_pagetable *iopt, struct wish *wish,
			     unsigned long start, unsigned long last,
			     unsigned long *iova)
{
	struct iopt_range gap;

	while (iopt_interval_gap(&iopt->reserved, start, last, &gap)) {
		if (wish_fits_between(iopt, wish, gap.start, gap.last, iova))
			return true;
		if (gap.last == last)
			return false;
		start = gap.last + 1;
	}
	return false;
}

/* Does it fit anywhere? IOVA 0 and the last page are left to those who ask. */
static bool wish_fits_anywhere(struct io_pagetable *iopt, struct wish *wish,
			       unsigned long *iova)
{
	const unsigned long lowest = PAGE_SIZE, highest = -PAGE_SIZE - 1;
	struct interval_tree_node *node;

	if (RB_EMPTY_ROOT(&iopt->allowed.rb_root))
		return wish_fits_usable(iopt, wish, lowest, highest, iova);

	for (node = interval_tree_iter_first(&iopt->allowed, lowest, highest);
	     node; node = interval_tree_iter_next(node, lowest, highest))
		if (wish_fits_usable(iopt, wish, max(node->start, lowest),
				     min(node->last, highest), iova))
			return true;
	return false;
}

/**
 * iopt_choose_iova - find IOVAs for a mapping
 * @iopt: the space
 * @uaddr: the address of the memory, or where else its large pages start
 * @length: in bytes
 * @start: receives the first IOVA
 *
 * Context: @iopt->lock is held; takes time logarithmic in the number of areas.
 * Return: 0, -EINVAL if @length is misaligned, or -ENOSPC.
 */
int iopt_choose_iova(struct io_pagetable *iopt, unsigned long uaddr,
		     unsigned long length, unsigned long *start)
{
	const unsigned long sizes[] = { SZ_1G, SZ_2M, iopt->iova_alignment };
	unsigned int i;

	lockdep_assert_held(&iopt->lock);
	if (!IS_ALIGNED(length, iopt->iova_alignment))
		return -EINVAL;

	for (i = 0; i != ARRAY_SIZE(sizes); i++) {
		struct wish wish = {
			.length = length,
			.alignment = max(sizes[i], iopt->iova_alignment),
			.offset = uaddr,
			.tries = MAX_TRIES,
		};

		if (length < sizes[i] ||
		    check_add_overflow(length, wish.alignment -
				       iopt->iova_alignment, &wish.surely))
			continue;
		if (!IS_ALIGNED(uaddr, iopt->iova_alignment))
			wish.offset = 0;
		if (wish_fits_anywhere(iopt, &wish, start))
			return 0;
	}
	return -ENOSPC;
}

/**
 * iopt_find_mapping - the lowest mapping that intersects an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @mapping: receives its IOVAs
 *
 * For front ends whose rules need to know where mappings start and end.
 *
 * Context: process context, may sleep. A mapping that is being built or torn
 * down is found too: nobody is waited for.
 * Return: false if there is none.
 */
bool iopt_find_mapping(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct iopt_range *mapping)
{
	struct iopt_area *area;

	mutex_lock(&iopt->lock);
	area = iopt_area_first(iopt, start, last);
	if (area)
		*mapping = (struct iopt_range){ area->start, area->last };
	mutex_unlock(&iopt->lock);
	return area;
}
EXPORT_SYMBOL_NS_GPL(iopt_find_mapping, IOPT);

/**
 * iopt_mappings_left - how many more mappings there may be
 * @iopt: the space
 *
 * Context: any; it may change at any time.
 * Return: what the policy allows beyond what there is.
 */
unsigned int iopt_mappings_left(struct io_pagetable *iopt)
{
	return iopt->policy.max_areas - READ_ONCE(iopt->nr_areas);
}
EXPORT_SYMBOL_NS_GPL(iopt_mappings_left, IOPT);

/**
 * iopt_iova_alignment - what IOVAs and lengths must be multiples of
 * @iopt: the space
 *
 * Context: any; the value may change when domains come and go.
 * Return: the alignment in bytes, a power of two, at least the page size.
 */
unsigned long iopt_iova_alignment(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->iova_alignment);
}
EXPORT_SYMBOL_NS_GPL(iopt_iova_alignment, IOPT);

/**
 * iopt_iova_ranges - tell the usable IOVAs
 * @iopt: the space
 * @ranges: array to fill in, in ascending order; ranges neither touch nor
 *          intersect each other
 * @nr: size of the array
 *
 * Context: process context, may sleep. Waits for nobody's pinning.
 * Return: how many ranges there are, which may be more than @nr; then the
 * first @nr were filled in.
 */
unsigned int iopt_iova_ranges(struct io_pagetable *iopt,
			      struct iopt_range *ranges, unsigned int nr)
{
	unsigned long start = 0;
	unsigned int found = 0;
	struct iopt_range gap;

	mutex_lock(&iopt->lock);
	while (iopt_interval_gap(&iopt->reserved, start, ULONG_MAX, &gap)) {
		if (found < nr)
			ranges[found] = gap;
		found++;
		if (!iopt_next_start(gap.last, &start))
			break;
	}
	mutex_unlock(&iopt->lock);
	return found;
}
EXPORT_SYMBOL_NS_GPL(iopt_iova_ranges, IOPT);
