// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checking the invariants of a space.
 *
 * What can be checked while others work: the trees under the lock, and of
 * areas that are not busy also their domains, pages and runs. Rule: it reads
 * only, takes no time that depends on pinning, and names the first thing wrong.
 */
#include <linux/iommu.h>

#include "io_pagetable.h"
#include "pages.h"

/* Each check is true if its conditions hold, or tells in @wrong which not. */
#define HOLDS(wrong, condition) note_if_not(wrong, condition, #condition)

static bool note_if_not(const char **wrong, bool holds, const char *condition)
{
	if (!holds)
		*wrong = condition;
	return holds;
}

static bool run_is_valid(const struct iopt_run *run, unsigned long index,
			 const char **wrong)
{
	return HOLDS(wrong, run->index == index) &&
	       HOLDS(wrong, run->count != 0) &&
	       HOLDS(wrong, run->kind <= IOPT_RUN_ZERO);
}

static bool runs_are_valid(struct iopt_pages *pages, const char **wrong)
{
	const struct iopt_runs *runs = &pages->runs;
	unsigned long index = 0, nr_ram = 0;
	struct iopt_run_iter iter;
	struct iopt_run run;

	iopt_run_iter_start(&iter, runs, 0);
	while (iopt_run_iter_next(&iter, &run)) {
		if (!run_is_valid(&run, index, wrong))
			return false;
		index += run.count;
		if (run.kind == IOPT_RUN_RAM)
			nr_ram += run.count;
	}
	return HOLDS(wrong, index == runs->npages) &&
	       HOLDS(wrong, index == (pages->nr_holders ? pages->npages : 0)) &&
	       HOLDS(wrong, pages->nr_charged == nr_ram);
}

static bool domains_are_attached(struct io_pagetable *iopt,
				 struct iopt_area *area, const char **wrong)
{
	unsigned long slot;

	for_each_set_bit(slot, &area->domains, IOPT_MAX_DOMAINS)
		if (!HOLDS(wrong, xa_load(&iopt->domains, slot)))
			return false;
	return true;
}

/* An area that is not busy. */
static bool settled_area_is_valid(struct io_pagetable *iopt,
				  struct iopt_area *area, const char **wrong)
{
	struct iopt_pages *pages = area->pages;
	bool valid;

	valid = HOLDS(wrong, area->state == IOPT_AREA_LIVE) &&
		HOLDS(wrong, list_empty(&area->node)) &&
		domains_are_attached(iopt, area, wrong);

	/* Somebody else may be pinning for another area of the same pages. */
	if (!valid || !mutex_trylock(&pages->mutex))
		return valid;
	valid = HOLDS(wrong, !area->domains || pages->nr_holders) &&
		runs_are_valid(pages, wrong);
	mutex_unlock(&pages->mutex);
	return valid;
}

static bool area_is_valid(struct io_pagetable *iopt, struct iopt_area *area,
			  struct iopt_area *next, const char **wrong)
{
	struct iopt_pages *pages = area->pages;

	return HOLDS(wrong, area->iova.start <= area->iova.last) &&
	       HOLDS(wrong, !next || next->iova.start > area->iova.last) &&
	       HOLDS(wrong, iopt_area_length(area) >> PAGE_SHIFT ==
			    pages->npages) &&
	       HOLDS(wrong, !interval_tree_iter_first(&iopt->reserved,
						      area->iova.start,
						      area->iova.last)) &&
	       (area->busy || settled_area_is_valid(iopt, area, wrong));
}

static bool areas_are_valid(struct io_pagetable *iopt, const char **wrong)
{
	struct iopt_area *area, *next;

	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area; area = next) {
		next = iopt_area_next(area, ULONG_MAX);
		if (!area_is_valid(iopt, area, next, wrong))
			return false;
	}
	return true;
}

static bool slots_are_valid(struct io_pagetable *iopt, const char **wrong)
{
	struct iopt_domain *domain;
	unsigned long slot;

	xa_for_each(&iopt->domains, slot, domain)
		if (!HOLDS(wrong, domain->slot == slot))
			return false;
	return HOLDS(wrong, is_power_of_2(iopt->iova_alignment));
}

/*
 * With nobody attaching or detaching, an area that is not busy is in every
 * domain and in nothing else.
 */
static bool areas_are_filled(struct io_pagetable *iopt, const char **wrong)
{
	struct iopt_domain *domain;
	unsigned long slot, all = 0;
	struct iopt_area *area;

	xa_for_each_marked(&iopt->domains, slot, domain, IOPT_DOMAIN_OPEN)
		all |= BIT(slot);
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_next(area, ULONG_MAX))
		if (!HOLDS(wrong, area->busy || area->domains == all))
			return false;
	return true;
}

/**
 * iopt_validate - check the invariants of a space
 * @iopt: the space; others may use it meanwhile
 *
 * Context: process context, may sleep.
 * Return: NULL, or the condition that does not hold, for a person to read.
 */
const char *iopt_validate(struct io_pagetable *iopt)
{
	bool quiet = mutex_trylock(&iopt->attach_mutex);
	const char *wrong = NULL;

	mutex_lock(&iopt->lock);
	if (areas_are_valid(iopt, &wrong) && slots_are_valid(iopt, &wrong) &&
	    quiet)
		areas_are_filled(iopt, &wrong);
	mutex_unlock(&iopt->lock);
	if (quiet)
		mutex_unlock(&iopt->attach_mutex);
	return wrong;
}
EXPORT_SYMBOL_NS_GPL(iopt_validate, IOPT);
