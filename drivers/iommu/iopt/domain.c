// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: programming them, attaching and detaching.
 *
 * A domain is only ever written. What to write stands in the runs of the
 * pages, and which areas are in which domain stands in the areas.
 *
 * Attach opens the domain first. From then on every area that is being built
 * puts itself into it before it goes live, while attach fills in the areas
 * that were live already. Detach closes the domain first, so that no area
 * enters it any more, and then takes the areas out.
 *
 * Rule: pages are unpinned after every domain was unmapped and its IOTLB
 * flushed. Taking out never allocates and never fails; if an IOMMU driver
 * unmaps less than it was asked to, the pages behind are given up as lost.
 */
#include <linux/iommu.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "io_pagetable.h"
#include "pages.h"

/* How many areas detach takes out with one flush, and keeps busy meanwhile. */
#define DETACH_BATCH	512

/*
 * How far one iommu_map() may go: to the next multiple of the largest page
 * that matters, so that it cannot take for ever and cuts no I/O page.
 */
static unsigned long map_step(const struct iopt_run *run, unsigned long iova,
			      unsigned long bytes)
{
	if (run->kind == IOPT_RUN_ZERO)
		return PAGE_SIZE;
	return min_t(unsigned long, bytes, SZ_1G - (iova & (SZ_1G - 1)));
}

/* Map one run at *@iova and move *@iova past what was mapped. */
static int map_run(struct iommu_domain *domain, const struct iopt_run *run,
		   unsigned long *iova, int prot)
{
	unsigned long granule = 1UL << __ffs(domain->pgsize_bitmap);
	unsigned long left = run->count << PAGE_SHIFT;
	phys_addr_t phys = PFN_PHYS(run->pfn);

	while (left) {
		unsigned long bytes = map_step(run, *iova, left);
		int rc;

		/* iommu_map() would complain in the log. */
		if (!IS_ALIGNED(phys | bytes, granule))
			return -EINVAL;
		if (fatal_signal_pending(current))
			return -EINTR;
		rc = iommu_map(domain, *iova, phys, bytes, prot);
		if (rc)
			return rc;
		cond_resched();

		*iova += bytes;
		left -= bytes;
		if (run->kind != IOPT_RUN_ZERO)
			phys += bytes;
	}
	return 0;
}

/* Unmap the start of an area; the caller flushes. */
static void unmap_area(struct iommu_domain *domain, struct iopt_area *area,
		       unsigned long length, struct iommu_iotlb_gather *gather)
{
	size_t unmapped;

	unmapped = iommu_unmap_fast(domain, area->iova.start, length, gather);
	if (unmapped < length)
		iopt_pages_lose(area->pages, unmapped >> PAGE_SHIFT);
}

static void unmap_partly_mapped(struct iommu_domain *domain,
				struct iopt_area *area, unsigned long length)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	unmap_area(domain, area, length, &gather);
	iommu_iotlb_sync(domain, &gather);
}

/**
 * iopt_area_fill - put an area into a domain
 * @iopt: the space
 * @area: busy for the caller, not in @domain yet
 * @domain: the domain, which the caller keeps from going away
 *
 * The first domain an area is put into makes it a holder of its pages.
 *
 * Context: process context, may sleep for long; no lock of the space is held.
 * Return: 0, or an errno of iopt_pages_hold() or the IOMMU driver, or -EINTR;
 * the area is not in @domain then.
 */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area,
		   const struct iopt_domain *domain)
{
	unsigned long iova = area->iova.start;
	struct iopt_run_iter iter;
	struct iopt_run run;
	int rc;

	if (!area->domains) {
		rc = iopt_pages_hold(area->pages);
		if (rc)
			return rc;
	}

	/* The area holds the pages: the record stands still. */
	rc = 0;
	iopt_run_iter_start(&iter, &area->pages->runs, 0);
	while (!rc && iopt_run_iter_next(&iter, &run))
		rc = map_run(domain->domain, &run, &iova, area->prot);
	if (!rc) {
		area->domains |= BIT(domain->slot);
		return 0;
	}

	if (iova != area->iova.start)
		unmap_partly_mapped(domain->domain, area,
				    iova - area->iova.start);
	if (!area->domains)
		atomic_long_add(iopt_pages_drop(area->pages), &iopt->nr_lost);
	return rc;
}

/**
 * iopt_areas_clear - take areas out of domains
 * @iopt: the space
 * @areas: list of areas by iopt_area.node, busy for the caller
 * @slots: out of which domains, if they are in them
 *
 * One flush per domain, whatever the number of areas; the pages of areas that
 * are in no domain any more are dropped after all flushes.
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      unsigned long slots)
{
	struct iommu_iotlb_gather gather;
	struct iopt_area *area;
	unsigned long slot, used = 0;

	list_for_each_entry(area, areas, node)
		used |= area->domains & slots;

	for_each_set_bit(slot, &used, IOPT_MAX_DOMAINS) {
		/* It cannot leave while busy areas are in it. */
		struct iopt_domain *domain = xa_load(&iopt->domains, slot);

		iommu_iotlb_gather_init(&gather);
		list_for_each_entry(area, areas, node) {
			if (area->domains & BIT(slot))
				unmap_area(domain->domain, area,
					   iopt_area_length(area), &gather);
			cond_resched();
		}
		iommu_iotlb_sync(domain->domain, &gather);
	}

	list_for_each_entry(area, areas, node) {
		bool held = area->domains;

		area->domains &= ~slots;
		if (held && !area->domains)
			atomic_long_add(iopt_pages_drop(area->pages),
					&iopt->nr_lost);
		cond_resched();
	}
}

/**
 * iopt_area_missing_domain - an open domain that an area is not in
 * @iopt: the space
 * @area: busy for the caller
 *
 * Context: @iopt->lock is held. The domain stays until @area settles, if the
 * area is put into it or not: whoever detaches it waits for that.
 * Return: the domain, or NULL if the area is in all open ones.
 */
struct iopt_domain *iopt_area_missing_domain(struct io_pagetable *iopt,
					     struct iopt_area *area)
{
	struct iopt_domain *domain;
	unsigned long slot;

	lockdep_assert_held(&iopt->lock);
	xa_for_each_marked(&iopt->domains, slot, domain, IOPT_DOMAIN_OPEN)
		if (!(area->domains & BIT(slot)))
			return domain;
	return NULL;
}

/* Put every area that is live into a domain. */
static int domain_fill(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	struct iopt_area *area;
	unsigned long start = 0;
	bool more = true;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	while (!rc && more &&
	       (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		if (area->state == IOPT_AREA_LIVE &&
		    !(area->domains & BIT(domain->slot))) {
			/* Only attach and detach make live areas busy. */
			area->busy = true;
			mutex_unlock(&iopt->lock);
			rc = iopt_area_fill(iopt, area, domain);
			mutex_lock(&iopt->lock);
			area->busy = false;
			iopt_wake_settled(iopt);
		}
		more = iopt_next_start(area->iova.last, &start);
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
	iopt_areas_clear(iopt, areas, BIT(domain->slot));
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
		if (nr && (area->busy || nr == DETACH_BATCH)) {
			clear_and_settle(iopt, &areas, domain);
			nr = 0;
			continue;
		}
		if (area->busy) {
			iopt_wait_settled_always(iopt);
			continue;
		}
		if (area->domains & BIT(domain->slot)) {
			area->busy = true;
			list_add_tail(&area->node, &areas);
			nr++;
		}
		more = iopt_next_start(area->iova.last, &start);
	}
	if (nr)
		clear_and_settle(iopt, &areas, domain);
}

/* Close a domain, empty it and forget it. */
static void domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	xa_clear_mark(&iopt->domains, domain->slot, IOPT_DOMAIN_OPEN);
	domain_empty(iopt, domain);
	xa_erase(&iopt->domains, domain->slot);
	iopt_unreserve_iova(iopt, domain->domain);
	iopt_update_alignment(iopt);
	kfree(domain);
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
 * Context: process context, may sleep for long: the first domain pins.
 * Return: 0, -EADDRINUSE if a mapping is outside of the aperture or not aligned
 * to the domain's pages, -EBUSY if no more domains fit, -ENOMEM, -EINTR, an
 * errno that pinning a mapping gives, see iopt_map_user(), or one of the IOMMU
 * driver. The space is as it was then, and @domain is empty.
 */
int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
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
	/* An empty slot for now: publishing must not fail. */
	rc = xa_alloc(&iopt->domains, &new->slot, NULL,
		      XA_LIMIT(0, IOPT_MAX_DOMAINS - 1), iopt->policy.gfp);
	if (rc)
		goto err_unlock_attach;

	mutex_lock(&iopt->lock);
	rc = iopt_check_domain_fits(iopt, domain);
	if (rc) {
		mutex_unlock(&iopt->lock);
		xa_erase(&iopt->domains, new->slot);
		goto err_unlock_attach;
	}
	xa_store(&iopt->domains, new->slot, new, iopt->policy.gfp);
	xa_set_mark(&iopt->domains, new->slot, IOPT_DOMAIN_OPEN);
	iopt_update_alignment(iopt);

	rc = domain_fill(iopt, new);
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
	unsigned long slot;

	mutex_lock(&iopt->attach_mutex);
	mutex_lock(&iopt->lock);
	xa_for_each(&iopt->domains, slot, old)
		if (old->domain == domain)
			break;
	if (!WARN_ON(!old))
		domain_remove(iopt, old);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	iopt_debug_validate(iopt);
}
EXPORT_SYMBOL_NS_GPL(iopt_detach_domain, IOPT);
