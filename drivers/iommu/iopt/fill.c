// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adding areas to domains and removing them from domains.
 *
 * A map adds its areas to all open domains with iopt_area_fill(). Attach adds
 * all areas to one domain with iopt_area_fill_domain(). The pages of an area
 * are pinned before the area is added to its first domain. Unmap removes areas
 * from all domains with iopt_areas_destroy().
 *
 * Pages are unpinned only after they have been unmapped from every domain and
 * the IOTLBs have been flushed. Removing an area from a domain does not
 * allocate memory and cannot fail. I/O page tables are never read to find out
 * which pages are pinned, so domains may be detached in any order. Areas are
 * unmapped as a whole, so no IOMMU driver has to split a large I/O page.
 */
#include <linux/rculist.h>

#include "account.h"
#include "area.h"
#include "domain.h"
#include "fill.h"
#include "io_pagetable.h"
#include "pages.h"
#include "program.h"

/**
 * iopt_domain_is_open() - check whether any domain is open
 * @iopt: the space
 *
 * Context: any context; the result may be outdated when it is returned.
 * Return: true if at least one domain is open.
 */
bool iopt_domain_is_open(struct io_pagetable *iopt)
{
	struct iopt_domain *domain;
	bool open = false;

	rcu_read_lock();
	list_for_each_entry_rcu(domain, &iopt->domains, node) {
		open = READ_ONCE(domain->open);
		if (open)
			break;
	}
	rcu_read_unlock();
	return open;
}

/**
 * iopt_area_hold() - pin the pages of an area and make it a holder
 * @iopt: the space
 * @area: an area that does not hold its pages
 * @built: the caller is building @area, so no other caller uses its pages
 *         unless another area shares them
 *
 * Context: process context, may block indefinitely (killable) while pages are
 * faulted in. @iopt->lock is not held; attach holds @iopt->attach_mutex.
 * Return: 0, or an errno of iopt_pages_hold(). On failure @area is not a
 * holder.
 */
int iopt_area_hold(struct io_pagetable *iopt, struct iopt_area *area,
		   bool built)
{
	bool alone = built && kref_read(&area->pages->kref) == 1;
	unsigned long lost = 0;
	int rc = iopt_pages_hold(area->pages, &area->slice, alone, &lost);

	if (rc) {
		RB_CLEAR_NODE(&area->slice.rb);
		atomic_long_add(lost, &iopt->nr_lost);
	}
	return rc;
}

/**
 * iopt_area_drop() - unpin the pages of an area that no domain translates
 * @iopt: the space
 * @area: an area that holds its pages and is in no domain
 * @unsynced: payer noted so far, or NULL. If VmLck must be lowered, replaced by
 *            the payer of @area; see iopt_payer_sync_later()
 *
 * Context: process context, may sleep. Takes @area->pages->mutex, but does not
 * wait for an mmap_lock, because other threads may be waiting uninterruptibly
 * for @area.
 */
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsynced)
{
	struct iopt_pages *pages = area->pages;

	mutex_lock(&pages->mutex);
	atomic_long_add(iopt_pages_drop(pages, &area->slice), &iopt->nr_lost);
	/* iopt_pages_adopt() may change the payer after the unlock. */
	if (iopt_payer_is_unsynced(pages->payer))
		iopt_payer_sync_later(unsynced, pages->payer);
	mutex_unlock(&pages->mutex);
	RB_CLEAR_NODE(&area->slice.rb);
}

/**
 * iopt_area_drop_attached() - unpin the pages of an area and lower VmLck
 * @iopt: the space
 * @area: an area that holds its pages and is in no domain
 *
 * The caller holds attach_mutex, which detach takes uninterruptibly. This
 * function therefore does not wait for the mmap_lock: if the mmap_lock is
 * contended, a worker lowers VmLck later.
 *
 * Context: process context, may sleep. Takes @area->pages->mutex.
 */
void iopt_area_drop_attached(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_payer *unsynced = NULL;

	iopt_area_drop(iopt, area, &unsynced);
	if (unsynced) {
		iopt_payer_try_sync(unsynced);
		iopt_payer_put(unsynced);
	}
}

/**
 * iopt_area_fill_domain() - add an area to a domain
 * @iopt: the space
 * @area: an area that is working and holds its pages
 * @domain: an open domain. @area is in all open domains that precede @domain in
 *          the list, and in no domain that follows @domain
 *
 * Context: process context, may sleep. Takes @area->pages->mutex killably.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of iopt_area_program().
 *
 * On failure @area is not in @domain.
 */
int iopt_area_fill_domain(struct io_pagetable *iopt, struct iopt_area *area,
			  const struct iopt_domain *domain)
{
	struct iopt_pages *pages = area->pages;
	int rc;

	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	rc = iopt_area_program(iopt, area, domain->domain);
	mutex_unlock(&pages->mutex);
	if (!rc) {
		area->filled = domain->seq;
		WRITE_ONCE(area->nr_domains, area->nr_domains + 1);
	}
	return rc;
}

/*
 * Find the next open domain to add an area to. That domain cannot be freed,
 * because the area is working. Closed domains before it may be freed at any
 * time: record in area->skips that the area is not in them.
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

/*
 * Check whether a domain is the last in the list, to save a walk over the list.
 * Working areas keep @domain from being freed. The result may be outdated when
 * it is returned, because a domain may be added at any time.
 */
static bool domain_is_last(struct io_pagetable *iopt,
			   const struct iopt_domain *domain)
{
	return READ_ONCE(domain->node.next) == &iopt->domains;
}

/**
 * iopt_area_fill() - add an area to all open domains that it is not in yet
 * @iopt: the space
 * @area: an area that the caller owns and has marked as working. Nothing
 *        happens if @area is not a holder
 *
 * Context: process context, may sleep. No lock of the space is held.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of iopt_area_program().
 *
 * On failure @area may be in some of the domains.
 */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *domain;
	int rc = 0;

	if (!iopt_area_is_held(area))
		return 0;
	while (!rc && (domain = area_next_domain(iopt, area))) {
		rc = iopt_area_fill_domain(iopt, area, domain);
		/* The caller checks for new domains under iopt->lock. */
		if (domain_is_last(iopt, domain))
			break;
	}
	return rc;
}

/**
 * iopt_area_is_filled() - check whether an area is in all open domains
 * @iopt: the space
 * @area: an area that the caller owns and has marked as working
 *
 * Context: @iopt->lock is held, so that no domain can be opened.
 * Return: true if @area is in all open domains.
 */
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area)
{
	lockdep_assert_held(&iopt->lock);
	return !area_next_domain(iopt, area);
}

static bool some_area_is_in(struct list_head *areas, unsigned long seq)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, areas, node) {
		if (iopt_area_is_in(area, seq))
			return true;
		iopt_step(&steps);
	}
	return false;
}

/* Find the first domain with a sequence number of at least @seq. */
static struct iopt_domain *domain_from(struct io_pagetable *iopt,
				       unsigned long seq)
{
	struct iopt_domain *domain;

	list_for_each_entry_rcu(domain, &iopt->domains, node)
		if (domain->seq >= seq)
			return domain;
	return NULL;
}

/*
 * Find the next domain after @seq that any of the areas is in. Such a domain
 * stays attached because the areas are working. Other domains may be freed as
 * soon as the RCU read lock is dropped, so only their sequence numbers are
 * used.
 */
static struct iopt_domain *areas_next_domain(struct io_pagetable *iopt,
					     struct list_head *areas,
					     unsigned long seq)
{
	struct iopt_domain *domain;

	for (;;) {
		rcu_read_lock();
		domain = domain_from(iopt, seq + 1);
		if (domain)
			seq = domain->seq;
		rcu_read_unlock();
		if (!domain)
			return NULL;
		if (some_area_is_in(areas, seq))
			return domain;
	}
}

/**
 * iopt_areas_clear_domain() - remove areas from a domain
 * @areas: list of working areas, linked by iopt_area.node; areas that are not
 *         in @domain are skipped
 * @domain: the domain
 *
 * On return, the IOTLB of @domain has been flushed, so the pages may be
 * unpinned once they have been unmapped from all other domains. The caller
 * updates iopt_area.nr_domains and, for each area that stays in the space,
 * iopt_area.skips.
 *
 * Context: process context, may sleep. io_pagetable.lock is not held; detach
 * holds io_pagetable.attach_mutex.
 */
void iopt_areas_clear_domain(struct list_head *areas,
			     const struct iopt_domain *domain)
{
	struct iopt_flush flush;
	struct iopt_area *area;

	iopt_flush_start(&flush, domain->domain);
	list_for_each_entry(area, areas, node) {
		if (iopt_area_is_in(area, domain->seq))
			iopt_area_unprogram(area, &flush);
		if (!list_is_last(&area->node, areas))
			cond_resched();
	}
	iopt_flush_end(&flush);
}

/*
 * Remove areas from all domains, and unpin their pages after the last flush.
 * Each domain needs only one flush for all areas, unless they span more than
 * 1 TiB or the IOMMU driver flushes in between, e.g. where ranges are not
 * adjacent.
 */
static void areas_clear(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced)
{
	struct iopt_domain *domain;
	struct iopt_area *area;
	unsigned long seq = 0;

	while ((domain = areas_next_domain(iopt, areas, seq))) {
		iopt_areas_clear_domain(areas, domain);
		if (domain_is_last(iopt, domain))
			break;
		seq = domain->seq;
	}

	list_for_each_entry(area, areas, node) {
		WRITE_ONCE(area->nr_domains, 0);
		if (iopt_area_is_held(area))
			iopt_area_drop(iopt, area, unsynced);
		if (!list_is_last(&area->node, areas))
			cond_resched();
	}
}

/**
 * iopt_areas_destroy() - remove areas from domains and the tree, and free them
 * @iopt: the space
 * @areas: list of areas, linked by iopt_area.node. The caller owns all of them,
 *         and has marked those that are in a domain as working
 * @unsynced: payer noted so far, or NULL; see iopt_payer_sync_later(). The
 *            caller passes it to iopt_payer_sync_noted() afterwards
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	areas_clear(iopt, areas, unsynced);

	mutex_lock(&iopt->lock);
	list_for_each_entry(area, areas, node) {
		iopt_area_remove(iopt, area);
		iopt_lock_break(iopt, &steps);
	}
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
	iopt_areas_free(areas);
}
