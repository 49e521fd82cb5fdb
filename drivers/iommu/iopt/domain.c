// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: attaching and detaching, and which areas are in which.
 *
 * Attach opens the domain first. From then on every area that is being built
 * puts itself into it before it goes live, while attach fills in the areas
 * that were live already. Detach closes the domain first, so that no area
 * enters it any more, and then takes the areas out.
 *
 * Rule: pages are unpinned after every domain was unmapped and its IOTLB
 * flushed. Taking out never allocates and never fails. No domain is asked what
 * it translates, so any may leave first, and areas leave as a whole, so that no
 * driver has to unmap from inside of a large I/O page (H2).
 */
#include <linux/iommu.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "pages.h"
#include "trace.h"

/* How many areas detach takes out with one flush, and keeps busy meanwhile. */
#define DETACH_BATCH	512

static void area_drop(struct io_pagetable *iopt, struct iopt_area *area)
{
	atomic_long_add(iopt_pages_drop(area->pages, &area->slice),
			&iopt->nr_lost);
}

/*
 * Put an area into a domain. The first domain an area is put into makes it a
 * holder of its pages.
 */
static int area_fill_domain(struct io_pagetable *iopt, struct iopt_area *area,
			    const struct iopt_domain *domain)
{
	struct iopt_pages *pages = area->pages;
	int rc;

	rc = area->nr_domains ? 0 : iopt_pages_hold(pages, &area->slice);
	if (rc)
		return rc;
	mutex_lock(&pages->mutex);
	rc = iopt_area_program(iopt, area, domain->domain);
	if (!rc) {
		area->filled = domain->seq;
		area->nr_domains++;
	} else if (!area->nr_domains) {
		area_drop(iopt, area);
	}
	mutex_unlock(&pages->mutex);
	return rc;
}

/*
 * The next open domain to put an area into, which stays because the area is
 * busy. Closed ones on the way are what the area will never be in, and may go.
 */
static struct iopt_domain *area_next_domain(struct io_pagetable *iopt,
					    struct iopt_area *area)
{
	struct iopt_domain *domain, *next = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(domain, &iopt->domains, node) {
		if (domain->seq <= area->filled)
			continue;
		if (READ_ONCE(domain->open)) {
			next = domain;
			break;
		}
		area->skips = domain->seq;
		area->filled = domain->seq;
	}
	rcu_read_unlock();
	return next;
}

/**
 * iopt_area_fill - put an area into all open domains that it is not in
 * @iopt: the space
 * @area: busy for the caller, in the tree
 *
 * Context: process context, may sleep for long; no lock of the space is held.
 * Return: 0, or an errno of iopt_pages_hold() or the IOMMU driver, or -EINTR;
 * the area may be in some of the domains then.
 */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *domain;
	int rc = 0;

	while (!rc && (domain = area_next_domain(iopt, area)))
		rc = area_fill_domain(iopt, area, domain);
	return rc;
}

/**
 * iopt_area_is_filled - is an area in all open domains?
 * @iopt: the space
 * @area: busy for the caller
 *
 * Context: @iopt->lock is held: no domain is opened meanwhile.
 * Return: true if it is.
 */
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area)
{
	lockdep_assert_held(&iopt->lock);
	return !area_next_domain(iopt, area);
}

static bool some_area_is_in(struct list_head *areas, unsigned long seq)
{
	struct iopt_area *area;

	list_for_each_entry(area, areas, node)
		if (iopt_area_is_in(area, seq))
			return true;
	return false;
}

/*
 * The next domain after @domain, or the first one, that areas are in: these stay
 * because the areas are busy.
 */
static struct iopt_domain *areas_next_domain(struct io_pagetable *iopt,
					     struct list_head *areas,
					     struct iopt_domain *domain)
{
	struct iopt_domain *next = NULL;

	rcu_read_lock();
	domain = list_prepare_entry(domain, &iopt->domains, node);
	list_for_each_entry_continue_rcu(domain, &iopt->domains, node) {
		if (some_area_is_in(areas, domain->seq)) {
			next = domain;
			break;
		}
	}
	rcu_read_unlock();
	return next;
}

/* Unmap areas from a domain with one flush. */
static void areas_clear_domain(struct list_head *areas,
			       const struct iopt_domain *domain)
{
	struct iommu_iotlb_gather gather;
	struct iopt_area *area;

	iommu_iotlb_gather_init(&gather);
	list_for_each_entry(area, areas, node) {
		if (!iopt_area_is_in(area, domain->seq))
			continue;
		iopt_area_unprogram(area, domain->domain, &gather);
		area->unneeded = !--area->nr_domains;
		if (!list_is_last(&area->node, areas))
			cond_resched();
	}
	iommu_iotlb_sync(domain->domain, &gather);
}

/**
 * iopt_areas_clear - take areas out of domains
 * @iopt: the space
 * @areas: list of areas by iopt_area.node, busy for the caller
 * @only: the domain to take them out of, which must be closed, or NULL for all
 *        that they are in
 *
 * One flush per domain, whatever the number of areas; the pages of areas that
 * are in no domain any more are dropped after all flushes.
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      const struct iopt_domain *only)
{
	struct iopt_domain *domain = NULL;
	struct iopt_area *area;

	if (only)
		areas_clear_domain(areas, only);
	while (!only && (domain = areas_next_domain(iopt, areas, domain)))
		areas_clear_domain(areas, domain);

	list_for_each_entry(area, areas, node) {
		if (only)
			area->skips = only->seq;
		if (area->unneeded) {
			area->unneeded = false;
			mutex_lock(&area->pages->mutex);
			area_drop(iopt, area);
			mutex_unlock(&area->pages->mutex);
		}
		if (!list_is_last(&area->node, areas))
			cond_resched();
	}
}

/* Put every area that is live into the domain that was just opened. */
static int areas_fill_new(struct io_pagetable *iopt,
			  const struct iopt_domain *domain)
{
	struct iopt_area *area;
	unsigned long start = 0;
	bool more = true;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	while (!rc && more &&
	       (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		if (iopt_area_is_going(area)) {
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
			continue;
		}
		if (area->state == IOPT_AREA_LIVE &&
		    area->filled < domain->seq) {
			/* Only attach and detach make live areas busy. */
			area->busy = true;
			mutex_unlock(&iopt->lock);
			rc = area_fill_domain(iopt, area, domain);
			mutex_lock(&iopt->lock);
			area->busy = false;
			iopt_wake_settled(iopt);
		}
		more = iopt_next_start(area->last, &start);
	}
	return rc;
}

/* Take areas that were made busy out of a domain, and let them go. */
static void clear_and_settle(struct io_pagetable *iopt,
			     struct list_head *areas,
			     struct iopt_domain *domain)
{
	struct iopt_area *area, *next;

	mutex_unlock(&iopt->lock);
	iopt_areas_clear(iopt, areas, domain);
	mutex_lock(&iopt->lock);
	list_for_each_entry_safe(area, next, areas, node) {
		list_del_init(&area->node);
		area->busy = false;
	}
	iopt_wake_settled(iopt);
}

/* Take all areas out of a domain that is closed. */
static void domain_empty(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	struct iopt_area *area;
	unsigned long start = 0;
	unsigned int nr = 0;
	LIST_HEAD(areas);
	bool more = true;

	lockdep_assert_held(&iopt->lock);
	while (more && (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		/* What is being unmapped enters no domain. */
		if (iopt_area_is_going(area) &&
		    !iopt_area_is_in(area, domain->seq)) {
			more = iopt_next_start(area->last, &start);
			continue;
		}
		if (nr && (area->busy || nr == DETACH_BATCH)) {
			clear_and_settle(iopt, &areas, domain);
			nr = 0;
			continue;
		}
		if (area->busy) {
			iopt_wait_settled(iopt, TASK_UNINTERRUPTIBLE);
			continue;
		}
		if (iopt_area_is_in(area, domain->seq)) {
			area->busy = true;
			list_add_tail(&area->node, &areas);
			nr++;
		}
		more = iopt_next_start(area->last, &start);
	}
	if (nr)
		clear_and_settle(iopt, &areas, domain);
}

/* Close a domain, empty it and forget it. */
static void domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	WRITE_ONCE(domain->open, false);
	domain_empty(iopt, domain);
	list_del_rcu(&domain->node);
	iopt_unreserve_iova(iopt, domain->domain);
	iopt_update_alignment(iopt);
	kfree_rcu(domain, rcu);
}

static int attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	struct iopt_domain *new;
	int rc;

	new = kzalloc(sizeof(*new), iopt->policy.gfp);
	if (!new)
		return -ENOMEM;
	new->domain = domain;

	rc = mutex_lock_killable(&iopt->attach_mutex);
	if (rc)
		goto err_free;
	new->seq = iopt->next_seq++;

	mutex_lock(&iopt->lock);
	rc = iopt->nr_orphans ? -EBUSY : iopt_check_domain_fits(iopt, domain);
	if (rc) {
		mutex_unlock(&iopt->lock);
		goto err_unlock_attach;
	}
	new->open = true;
	list_add_tail_rcu(&new->node, &iopt->domains);
	iopt_update_alignment(iopt);

	rc = areas_fill_new(iopt, new);
	if (rc)
		domain_remove(iopt, new);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	iopt_debug_validate(iopt);
	return rc;

err_unlock_attach:
	mutex_unlock(&iopt->attach_mutex);
err_free:
	kfree(new);
	return rc;
}

/**
 * iopt_attach_domain - let a domain translate a space
 * @iopt: the space
 * @domain: an unmanaged domain, empty, in no space; it stays the caller's, who
 *          keeps it until iopt_detach_domain()
 *
 * Every mapping that exists is put into the domain, and every later one. Maps,
 * unmaps and queries go on meanwhile; only other attaches and detaches wait.
 * The IOVAs outside of the domain's aperture become unusable.
 *
 * Context: process context, may sleep for long: the first domain pins. Waits,
 * killably, for mappings that are being unmapped: they stay if that fails.
 * Return: 0, -EADDRINUSE if a mapping or an allowed range is outside of the
 * aperture or a mapping not aligned to the domain's pages, -EBUSY if a mapping
 * is an orphan, -ESRCH if the process is gone whose memory a mapping is, -ENOMEM,
 * -EINTR, an errno that pinning a mapping gives, see iopt_map_user(), or one of
 * the IOMMU driver. The space is as it was then, and @domain is empty.
 */
int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	int rc = attach_domain(iopt, domain);

	trace_iopt_attach(iopt, domain, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_attach_domain, IOPT);

/**
 * iopt_detach_domain - a domain no longer translates a space
 * @iopt: the space
 * @domain: an attached domain; empty afterwards
 *
 * Mappings stay; what no domain translates any more is unpinned.
 *
 * Context: process context, may sleep. Waits for maps that are filling
 * @domain, not killably.
 */
void iopt_detach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	struct iopt_domain *old;

	mutex_lock(&iopt->attach_mutex);
	mutex_lock(&iopt->lock);
	list_for_each_entry(old, &iopt->domains, node)
		if (old->domain == domain)
			break;
	if (!WARN_ON(list_entry_is_head(old, &iopt->domains, node)))
		domain_remove(iopt, old);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	trace_iopt_detach(iopt, domain, 0);
	iopt_debug_validate(iopt);
}
EXPORT_SYMBOL_NS_GPL(iopt_detach_domain, IOPT);
