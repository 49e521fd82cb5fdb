// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checking the invariants of a space.
 *
 * The checks may run while other threads use the space. With io_pagetable.lock
 * held, they cover the trees and the domains of the space, and the pages and
 * runs of areas that are neither busy nor working. They neither modify the
 * space nor wait for pages to be pinned, and report the first condition that
 * does not hold.
 */

#include <linux/export.h>
#include <linux/iopt.h>

#include "access_pins.h"
#include "area.h"
#include "claim.h"
#include "domain.h"
#include "gup.h"
#include "interval.h"
#include "io_pagetable.h"
#include "pages.h"
#include "validate.h"

/*
 * Each check returns true if all of its conditions hold. Otherwise it returns
 * false, with the text of the failed condition in @wrong.
 */
#define HOLDS(wrong, condition) note_if_not(wrong, condition, #condition)

static bool note_if_not(const char **wrong, bool holds, const char *condition)
{
	if (!holds)
		*wrong = condition;
	return holds;
}

static bool run_is_valid(struct iopt_pages *pages, const struct iopt_run *run,
			 const char **wrong)
{
	unsigned long last = run->index + run->count - 1;
	struct interval_tree_node *slice;

	slice = interval_tree_iter_first(&pages->holders, run->index, last);
	if (run->kind == IOPT_RUN_HOLE)
		return HOLDS(wrong, !slice || pages->nr_filling) &&
		       HOLDS(wrong, run->pfn == 0);

	/* No slice starts or ends inside a run: runs are split there. */
	for (; slice; slice = interval_tree_iter_next(slice, run->index, last))
		if (!HOLDS(wrong, slice->start <= run->index) ||
		    !HOLDS(wrong, slice->last >= last))
			return false;
	return HOLDS(wrong, interval_tree_iter_first(&pages->holders,
						     run->index, last)) &&
	       HOLDS(wrong, run->kind <= IOPT_RUN_PFNMAP);
}

/*
 * If the page is in a hole of the runs, the pin record owns it. Otherwise a
 * holder owns the page, and the record must have the same pfn as the run.
 */
static bool pin_is_valid(struct iopt_pages *pages, const struct iopt_pin *pin,
			 unsigned long index, const char **wrong)
{
	struct iopt_run_iter iter;
	struct iopt_run run = {};

	iopt_run_iter_start(&iter, &pages->runs, index, index);
	iopt_run_iter_next(&iter, &run);
	return HOLDS(wrong, index < pages->npages) &&
	       HOLDS(wrong, pin->count != 0) &&
	       HOLDS(wrong, pin->owns == (run.kind == IOPT_RUN_HOLE)) &&
	       HOLDS(wrong, pin->owns || pin->pfn == run.pfn);
}

/* Check that area->nr_pins matches the number of pins made through the area. */
static bool area_pins_are_valid(const struct iopt_area *area,
				const char **wrong)
{
	unsigned int nr_pins = 0;
	unsigned long index;
	struct iopt_pin *pin;

	xa_for_each_range(&area->pages->pins, index, pin, area->slice.start,
			  area->slice.last)
		for (; pin; pin = pin->next)
			if (pin->by == &area->nr_pins)
				nr_pins += pin->count;
	return HOLDS(wrong, nr_pins == area->nr_pins);
}

static bool runs_are_valid(struct iopt_pages *pages, const char **wrong)
{
	const struct iopt_runs *runs = &pages->runs;
	unsigned long npages = 0, nr_ram = 0, index;
	struct iopt_run_iter iter;
	struct iopt_pin *pin;
	struct iopt_run run;

	iopt_run_iter_start(&iter, runs, 0, pages->npages - 1);
	while (iopt_run_iter_next(&iter, &run)) {
		if (!HOLDS(wrong, run.index == npages) ||
		    !HOLDS(wrong, run.count != 0) ||
		    !run_is_valid(pages, &run, wrong))
			return false;
		npages += run.count;
		if (run.kind == IOPT_RUN_RAM)
			nr_ram += run.count;
	}
	xa_for_each(&pages->pins, index, pin) {
		if (!pin_is_valid(pages, pin, index, wrong))
			return false;
		if (pin->owns && pin->kind == IOPT_RUN_RAM)
			nr_ram++;
	}
	return HOLDS(wrong, npages == pages->npages) &&
	       HOLDS(wrong, runs->npages <= pages->npages) &&
	       HOLDS(wrong, pages->nr_charged == nr_ram);
}

/*
 * The runs of shared pages are checked together with the first holder only, or
 * with every area if there is no holder.
 */
static bool slice_is_first(struct iopt_pages *pages,
			   struct interval_tree_node *slice)
{
	struct interval_tree_node *first =
		interval_tree_iter_first(&pages->holders, 0, ULONG_MAX);

	return !first || first == slice;
}

static bool slice_is_held(struct iopt_pages *pages,
			  struct interval_tree_node *slice)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&pages->holders, slice->start,
					     slice->last);
	     node; node = interval_tree_iter_next(node, slice->start,
						  slice->last))
		if (node == slice)
			return true;
	return false;
}

/* While tracking is being started or stopped, only some areas have bitmaps. */
static bool area_is_tracked(struct io_pagetable *iopt, struct iopt_area *area,
			    const char **wrong)
{
	if (mutex_is_locked(&iopt->track_mutex))
		return HOLDS(wrong, !iopt->tracking || area->dirty);
	return HOLDS(wrong, iopt->tracking == !!area->dirty) &&
	       HOLDS(wrong, iopt->tracking == iopt->track_new);
}

/* Check an area that is neither busy nor working. */
static bool idle_area_is_valid(struct io_pagetable *iopt,
			       struct iopt_area *area, const char **wrong)
{
	struct iopt_pages *pages = area->pages;
	bool valid;

	valid = HOLDS(wrong, area->state == IOPT_AREA_LIVE) &&
		HOLDS(wrong, list_empty(&area->node)) &&
		HOLDS(wrong, iopt_area_is_held(area) ==
			     (area->nr_domains != 0)) &&
		area_is_tracked(iopt, area, wrong);

	/*
	 * iopt->lock is held, so do not wait for the mutex. If another thread
	 * holds the mutex, skip the checks below.
	 */
	if (!valid || !mutex_trylock(&pages->mutex))
		return valid;
	valid = HOLDS(wrong, slice_is_held(pages, &area->slice) ==
			     (area->nr_domains != 0)) &&
		area_pins_are_valid(area, wrong) &&
		(!slice_is_first(pages, &area->slice) ||
		 runs_are_valid(pages, wrong));
	mutex_unlock(&pages->mutex);
	return valid;
}

/* Only an area inside a claim is marked as late; see iopt_area_is_late(). */
static bool late_area_is_claimed(struct io_pagetable *iopt,
				 const struct iopt_area *area)
{
	const struct iopt_claim *claim =
		iopt_claim_first(iopt, area->start, area->last);

	return claim && claim->iova.start <= area->start &&
	       claim->iova.last >= area->last;
}

static bool area_is_valid(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct iopt_area *below, const char **wrong)
{
	struct iopt_pages *pages = area->pages;
	unsigned long hole = below ? area->start - below->last - 1 : 0;

	return HOLDS(wrong, area->start <= area->last) &&
	       HOLDS(wrong, !below || area->start > below->last) &&
	       HOLDS(wrong, area->hole == hole) &&
	       HOLDS(wrong, area->max_hole >= area->hole) &&
	       HOLDS(wrong, area->slice.last ==
				    iopt_area_index(area, area->last)) &&
	       HOLDS(wrong, area->slice.last < pages->npages) &&
	       HOLDS(wrong, !iopt_interval_first(&iopt->reserved, area->start,
						 area->last)) &&
	       HOLDS(wrong, !area->late || late_area_is_claimed(iopt, area)) &&
	       (area->busy || READ_ONCE(area->working) ||
		idle_area_is_valid(iopt, area, wrong));
}

static bool areas_are_valid(struct io_pagetable *iopt, const char **wrong)
{
	struct iopt_area *area, *below = NULL;
	unsigned int nr_areas = 0, steps = 0;

	iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps) {
		/* The area below may have changed during a lock break. */
		below = rb_entry_safe(rb_prev(&area->rb), struct iopt_area, rb);
		if (!area_is_valid(iopt, area, below, wrong))
			return false;
		below = area;
		nr_areas++;
	}
	/* Do not compare after a lock break: the space may have changed. */
	return nr_areas >= IOPT_MAX_STEPS ||
	       (HOLDS(wrong, nr_areas == iopt->nr_areas) &&
		HOLDS(wrong, iopt->highest == below) &&
		HOLDS(wrong, nr_areas <= iopt->policy.max_areas));
}

/* Check that no allowed IOVA is reserved. */
static bool intervals_are_valid(struct io_pagetable *iopt, const char **wrong)
{
	struct interval_tree_node *node;

	for (node = interval_tree_iter_first(&iopt->allowed, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX))
		if (!HOLDS(wrong, !iopt_interval_first(&iopt->reserved,
						       node->start,
						       node->last)))
			return false;
	return true;
}

static bool domains_are_valid(struct io_pagetable *iopt, const char **wrong)
{
	struct iopt_domain *domain;
	unsigned long seq = 0;

	list_for_each_entry(domain, &iopt->domains, node) {
		if (!HOLDS(wrong, domain->seq > seq) ||
		    !HOLDS(wrong, domain->seq < READ_ONCE(iopt->next_seq)))
			return false;
		seq = domain->seq;
	}
	return HOLDS(wrong, is_power_of_2(iopt->iova_alignment)) &&
	       HOLDS(wrong, iopt->nr_areas + iopt->nr_claimed <=
			    iopt->policy.max_areas) &&
	       HOLDS(wrong, !iopt->filling || iopt->filling->working);
}

/*
 * Check that an area is in all attached domains, and in no other domain. With
 * attach_mutex held, this is true unless area_is_passed_over() returns true.
 */
static bool area_is_filled(struct io_pagetable *iopt, struct iopt_area *area,
			   const char **wrong)
{
	struct iopt_domain *domain;
	unsigned int nr = 0;

	lockdep_assert_held(&iopt->attach_mutex);
	list_for_each_entry(domain, &iopt->domains, node) {
		if (!HOLDS(wrong, iopt_area_is_in(area, domain->seq)))
			return false;
		nr++;
	}
	return HOLDS(wrong, area->nr_domains == nr);
}

/*
 * True if an area need not be in all attached domains: it is being built or
 * working, or attach skipped it because its unmap can no longer fail.
 */
static bool area_is_passed_over(struct io_pagetable *iopt,
				struct iopt_area *area)
{
	struct iopt_claim *claim;

	if (area->state == IOPT_AREA_BUILDING || READ_ONCE(area->working))
		return true;
	claim = iopt_claim_first(iopt, area->start, area->start);
	return iopt_area_is_unmapping(area) && claim && claim->committed;
}

static bool areas_are_filled(struct io_pagetable *iopt, const char **wrong)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps)
		if (!area_is_passed_over(iopt, area) &&
		    !area_is_filled(iopt, area, wrong))
			return false;
	return true;
}

/**
 * iopt_validate() - check the invariants of a space
 * @iopt: the space; other threads may use it concurrently
 *
 * Busy and working areas are checked only in part, and pages only if no other
 * thread holds iopt_pages.mutex. Whether areas are in all domains is checked
 * only if no other thread holds attach_mutex.
 *
 * Context: process context, may sleep; no lock of the space is held. Checks all
 * pages of an area under io_pagetable.lock, which is acceptable for debugging
 * only.
 * Return: NULL if all checked invariants hold, or the text of the first
 * condition that does not.
 */
const char *iopt_validate(struct io_pagetable *iopt)
{
	bool quiet = mutex_trylock(&iopt->attach_mutex);
	const char *wrong = NULL;

	mutex_lock(&iopt->lock);
	if (areas_are_valid(iopt, &wrong) &&
	    intervals_are_valid(iopt, &wrong) &&
	    domains_are_valid(iopt, &wrong) && quiet)
		areas_are_filled(iopt, &wrong);
	mutex_unlock(&iopt->lock);
	if (quiet)
		mutex_unlock(&iopt->attach_mutex);
	return wrong;
}

#ifdef CONFIG_IOPT_DEBUG
/**
 * iopt_debug_small_batches() - pin memory in small batches
 * @small: whether batches are small from now on, in all spaces
 *
 * With small batches, tests need less memory to reach the code between batches.
 *
 * Context: any context.
 */
void iopt_debug_small_batches(bool small)
{
	WRITE_ONCE(iopt_small_batches, small);
}
EXPORT_SYMBOL_NS_GPL(iopt_debug_small_batches, IOPT);
#endif
