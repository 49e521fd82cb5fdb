// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checking, choosing and reporting IOVAs.
 *
 * The engine looks for the lowest IOVA that allows I/O pages of 1 GiB or, for a
 * shorter mapping, of the largest power of two that is not longer than the
 * mapping. The search is limited; see req_fits_between(). If no such IOVA is
 * found, the engine tries 2 MiB unless the mapping is shorter, then the page
 * size and, for a mapping that does not consist of whole pages, the required
 * alignment.
 */
#include <linux/align.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "area.h"
#include "claim.h"
#include "interval.h"
#include "io_pagetable.h"
#include "iova.h"

/* Number of misaligned holes to try before small holes are skipped. */
#define MAX_TRIES	128

/**
 * iopt_check_unmapped() - check that nothing is mapped in an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held.
 * Return: 0, or
 * * %-EEXIST - A mapping intersects the interval.
 * * %-EAGAIN - The interval intersects a mapping that is being built, or a
 *   dying mapping, or a claim that blocks maps. The caller waits until an area
 *   becomes idle and calls again.
 */
int iopt_check_unmapped(struct io_pagetable *iopt, unsigned long start,
			unsigned long last)
{
	struct iopt_area *area = iopt_area_first(iopt, start, last);

	if (area)
		return iopt_area_is_accessible(area) ? -EEXIST : -EAGAIN;
	return iopt_map_is_claimed(iopt, start, last) ? -EAGAIN : 0;
}

/**
 * iopt_check_iova() - check that an interval can be mapped
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @above: on success, receives the next area above the interval, or NULL
 *
 * Context: @iopt->lock is held, and dropped while the function waits killably
 * for a mapping in the interval that is being built or torn down.
 * Return: 0, or
 * * %-EINVAL - The interval is misaligned or reserved.
 * * %-EEXIST - A mapping intersects the interval.
 * * %-EINTR - A fatal signal is pending.
 */
int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, struct iopt_area **above)
{
	int rc;

	/*
	 * Fail before waiting if possible. Check everything again after each
	 * wait, because domains and reservations may have been added.
	 */
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
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	} while (!rc);
	return rc;
}

/**
 * struct iova_request - requirements for IOVAs that the engine chooses
 * @length: length in bytes
 * @alignment: alignment in bytes, a power of two
 * @offset: required value of the first IOVA modulo @alignment
 * @surely: a hole of at least this many bytes is certain to have room, however
 *          it is aligned
 * @tries: number of holes smaller than @surely that are still to be checked
 */
struct iova_request {
	unsigned long length;
	unsigned long alignment;
	unsigned long offset;
	unsigned long surely;
	unsigned int tries;
};

/* Check whether [@start, @last] has room. @iova receives the lowest match. */
static bool req_fits(const struct iova_request *req, unsigned long start,
		     unsigned long last, unsigned long *iova)
{
	unsigned long skip = (req->offset - start) & (req->alignment - 1);

	if (skip > last - start || last - start - skip < req->length - 1)
		return false;
	*iova = start + skip;
	return true;
}

/*
 * Check whether a hole between areas in [@start, @last] has room. Holes of at
 * least the required length are checked in ascending order. To bound the time,
 * holes of less than @req->surely bytes are skipped after MAX_TRIES holes have
 * failed because of their alignment.
 */
static bool req_fits_between(struct io_pagetable *iopt,
			     struct iova_request *req, unsigned long start,
			     unsigned long last, unsigned long *iova)
{
	struct iopt_area *area = iopt_area_first(iopt, start, last);

	if (!area)
		return req_fits(req, start, last, iova);
	if (area->start > start && req_fits(req, start, area->start - 1, iova))
		return true;

	while ((area = iopt_area_next_hole(area, req->tries ? req->length :
							      req->surely))) {
		start = area->start - area->hole;
		if (start > last)
			return false;
		if (req_fits(req, start, min(last, area->start - 1), iova))
			return true;
		if (req->tries)
			req->tries--;
	}

	return iopt_next_start(iopt->highest->last, &start) && start <= last &&
	       req_fits(req, start, last, iova);
}

/* Check whether the usable IOVAs of [@start, @last] have room. */
static bool req_fits_usable(struct io_pagetable *iopt, struct iova_request *req,
			    unsigned long start, unsigned long last,
			    unsigned long *iova)
{
	struct iopt_range gap;

	while (iopt_interval_gap(&iopt->reserved, start, last, &gap)) {
		if (req_fits_between(iopt, req, gap.start, gap.last, iova))
			return true;
		if (gap.last == last)
			return false;
		start = gap.last + 1;
	}
	return false;
}

/*
 * Check whether there is room anywhere. The first and the last page of the
 * address space are not chosen, but can be mapped at a fixed IOVA.
 */
static bool req_fits_anywhere(struct io_pagetable *iopt,
			      struct iova_request *req, unsigned long *iova)
{
	const unsigned long lowest = PAGE_SIZE, highest = -PAGE_SIZE - 1;
	struct interval_tree_node *node;
	unsigned int steps = 0;

	if (RB_EMPTY_ROOT(&iopt->allowed.rb_root))
		return req_fits_usable(iopt, req, lowest, highest, iova);

	for (node = interval_tree_iter_first(&iopt->allowed, lowest, highest);
	     node; node = interval_tree_iter_next(node, lowest, highest)) {
		if (req_fits_usable(iopt, req, max(node->start, lowest),
				    min(node->last, highest), iova))
			return true;
		iopt_step(&steps);
	}
	return false;
}

/**
 * iopt_choose_iova() - choose IOVAs for a mapping
 * @iopt: the space
 * @uaddr: user address of the memory, which determines where large pages start
 * @length: length in bytes
 * @start: receives the first IOVA
 *
 * Context: @iopt->lock is held, and not dropped, because the IOVAs must stay
 * unused until the caller inserts its areas; may sleep. Takes time logarithmic
 * in the number of areas, and linear in the number of reserved and allowed
 * ranges.
 * Return: 0, or
 * * %-EINVAL - @length is misaligned.
 * * %-ENOSPC - No suitable IOVAs are left.
 */
int iopt_choose_iova(struct io_pagetable *iopt, unsigned long uaddr,
		     unsigned long length, unsigned long *start)
{
	/* Some IOMMUs support I/O pages of any power-of-two size. */
	const unsigned long sizes[] = {
		SZ_1G,
		clamp(rounddown_pow_of_two(length), PAGE_SIZE, SZ_1G),
		SZ_2M,
		PAGE_SIZE,
		1,
	};
	bool pages = PAGE_ALIGNED(uaddr | length);
	unsigned int i;

	lockdep_assert_held(&iopt->lock);
	if (!IS_ALIGNED(length, iopt->iova_alignment))
		return -EINVAL;

	/* Whole pages stay aligned, so that domains can be attached later. */
	for (i = 0; i != ARRAY_SIZE(sizes) - pages; i++) {
		struct iova_request req = {
			.length = length,
			.alignment = max(sizes[i], iopt->iova_alignment),
			.offset = uaddr,
			.tries = MAX_TRIES,
		};

		/* Try each size once. */
		if (i != 1 && sizes[i] == sizes[1])
			continue;
		if ((length < sizes[i] && sizes[i] > PAGE_SIZE) ||
		    check_add_overflow(length,
				       req.alignment - iopt->iova_alignment,
				       &req.surely))
			continue;
		if (!IS_ALIGNED(uaddr, iopt->iova_alignment))
			req.offset = 0;
		if (req_fits_anywhere(iopt, &req, start))
			return 0;
	}
	return -ENOSPC;
}

/**
 * iopt_find_mapping() - find the lowest mapping that intersects an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @mapping: receives the IOVAs of the mapping
 *
 * Front ends with a uAPI that depends on the boundaries of mappings need this.
 *
 * Context: process context, may sleep. Does not wait for mappings that are
 * being built or torn down: they are returned as well.
 * Return: true if there is a mapping, otherwise false.
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
 * iopt_mappings_left() - query how many more mappings the policy allows
 * @iopt: the space
 *
 * Context: process context, may sleep. The result may change at any time.
 * Return: number of mappings that can be added.
 */
unsigned int iopt_mappings_left(struct io_pagetable *iopt)
{
	unsigned int left;

	mutex_lock(&iopt->lock);
	left = iopt->policy.max_areas - iopt->nr_areas - iopt->nr_claimed;
	mutex_unlock(&iopt->lock);
	return left;
}
EXPORT_SYMBOL_NS_GPL(iopt_mappings_left, IOPT);

/**
 * iopt_iova_alignment() - query the required alignment of mappings
 * @iopt: the space
 *
 * IOVAs, user addresses and lengths have to be multiples of the largest of:
 * iopt_policy.alignment, the smallest page size of each attached domain, and
 * the page size if an access can pin pages or if iopt_set_max_iopte() limits
 * I/O pages to it.
 *
 * Context: any context; the value may change at any time.
 * Return: the alignment in bytes, a power of two.
 */
unsigned long iopt_iova_alignment(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->iova_alignment);
}
EXPORT_SYMBOL_NS_GPL(iopt_iova_alignment, IOPT);

/**
 * iopt_pgsizes() - query the page sizes that all attached domains support
 * @iopt: the space
 *
 * Context: any context; the value may change at any time.
 * Return: bitmap of the sizes in bytes, never 0. Sizes below the page size are
 * reported as the page size. If no domain is attached, the bits of the page
 * size and of all larger sizes are set. If the domains have no common size, the
 * only bit that is set is that of iopt_iova_alignment() or the page size,
 * whichever is larger.
 */
unsigned long iopt_pgsizes(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->pgsizes);
}
EXPORT_SYMBOL_NS_GPL(iopt_pgsizes, IOPT);

/**
 * iopt_iova_ranges() - query the usable IOVAs
 * @iopt: the space
 * @ranges: array that receives the ranges in ascending order; no two ranges are
 *          adjacent
 * @nr: size of the array
 *
 * An IOVA is usable unless it is reserved. Mappings and allowed ranges do not
 * affect the result.
 *
 * Context: process context, may sleep. Does not wait for pages to be pinned.
 * Return: the number of usable ranges. If it exceeds @nr, only the first @nr
 * ranges were stored.
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
