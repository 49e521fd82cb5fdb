// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching and detaching of IOMMU domains.
 *
 * Attach opens the domain before it fills in the live areas. From then on each
 * map puts its own areas into the domain before they go live, so that no area
 * is missed. Detach closes the domain, so that no more areas are put into it,
 * and then takes the areas out.
 *
 * Rule: pages are unpinned after every domain was unmapped and its IOTLB
 * flushed. Taking an area out of a domain does not allocate and cannot fail.
 * I/O page tables are never read, so domains may be detached in any order.
 * Areas are unmapped as a whole, so that no IOMMU driver has to split a large
 * I/O page.
 */
#include <linux/iommu.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "account.h"
#include "area.h"
#include "claim.h"
#include "dirty_bitmap.h"
#include "domain.h"
#include "interval.h"
#include "io_pagetable.h"
#include "pages.h"
#include "program.h"
#include "reserve.h"
#include "trace.h"
#include "validate.h"
#include "wait.h"

/* Number of areas that detach unmaps with one flush; they work meanwhile. */
#define DETACH_BATCH	512

/**
 * iopt_domain_is_open() - check whether new areas must be put into a domain
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
 * @built: the caller is building @area, so that accesses and copies cannot find
 *         it
 *
 * Context: process context, may sleep without bound, killably: pages are
 * faulted in. No lock of the space is held.
 * Return: 0, or an errno of iopt_pages_hold() if @area does not hold its pages.
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
 * @unsynced: notes the payer for iopt_payer_sync_noted()
 *
 * Context: process context, may sleep. Takes @area->pages->mutex, but does not
 * wait for an mmap_lock, because other threads may be waiting, not killably,
 * for @area.
 */
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsynced)
{
	struct iopt_pages *pages = area->pages;

	mutex_lock(&pages->mutex);
	atomic_long_add(iopt_pages_drop(pages, &area->slice), &iopt->nr_lost);
	/* Another process may adopt the pages as soon as they are unlocked. */
	if (iopt_payer_is_unsynced(pages->payer))
		iopt_payer_sync_later(unsynced, pages->payer);
	mutex_unlock(&pages->mutex);
	RB_CLEAR_NODE(&area->slice.rb);
}

/*
 * Unpin the pages of an area with attach_mutex held. Detach waits for that
 * mutex, so do not wait for the mmap_lock: a worker lowers VmLck if the lock is
 * taken.
 */
static void area_drop_attached(struct io_pagetable *iopt,
			       struct iopt_area *area)
{
	struct iopt_payer *unsynced = NULL;

	iopt_area_drop(iopt, area, &unsynced);
	if (unsynced) {
		iopt_payer_try_sync(unsynced);
		iopt_payer_put(unsynced);
	}
}

static int area_fill_domain(struct io_pagetable *iopt, struct iopt_area *area,
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
 * Find the next open domain to put an area into. The domain cannot be freed
 * because the area is working. Closed domains on the way are marked as skipped,
 * because the area never enters them, and may be freed at any time.
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
 * Check whether a domain is the last one, to save a walk over the list. Working
 * areas keep @domain from being freed. A domain may be added at any time.
 */
static bool domain_is_last(struct io_pagetable *iopt,
			   const struct iopt_domain *domain)
{
	return READ_ONCE(domain->node.next) == &iopt->domains;
}

/**
 * iopt_area_fill() - put an area into all open domains that it is not in yet
 * @iopt: the space
 * @area: an area that is working and busy for the caller; nothing happens if it
 *        does not hold its pages
 *
 * Context: process context, may sleep. No lock of the space is held.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of iopt_area_program().
 *
 * On failure the area may be in some of the domains.
 */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *domain;
	int rc = 0;

	if (!iopt_area_is_held(area))
		return 0;
	while (!rc && (domain = area_next_domain(iopt, area))) {
		rc = area_fill_domain(iopt, area, domain);
		/* The caller rechecks for new domains under the lock. */
		if (domain_is_last(iopt, domain))
			break;
	}
	return rc;
}

/**
 * iopt_area_is_filled() - check whether an area is in all open domains
 * @iopt: the space
 * @area: an area that is working and busy for the caller
 *
 * Context: @iopt->lock is held, so that no domain is opened meanwhile.
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
 * stays because the areas are working. Other domains may be freed as soon as
 * the RCU read lock is dropped, so only their sequence numbers are used.
 */
static struct iopt_domain *areas_next_domain(struct io_pagetable *iopt,
					     struct list_head *areas,
					     unsigned long seq)
{
	struct iopt_area *first = list_first_entry(areas, struct iopt_area,
						   node);
	struct iopt_domain *domain;

	for (;;) {
		rcu_read_lock();
		domain = domain_from(iopt, seq + 1);
		if (domain)
			seq = domain->seq;
		rcu_read_unlock();
		if (!domain)
			return NULL;
		if (iopt_area_is_in(first, seq) ||
		    (!list_is_singular(areas) && some_area_is_in(areas, seq)))
			return domain;
	}
}

static void areas_clear_domain(struct list_head *areas,
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

/**
 * iopt_areas_clear() - take areas out of all domains and unpin their pages
 * @iopt: the space
 * @areas: list of areas by iopt_area.node, busy for the caller; areas that are
 *         in a domain are working
 * @unsynced: notes a payer for iopt_payer_sync_noted(), which the caller calls
 *             once the areas are gone
 *
 * Pages are unpinned after the last flush. The number of flushes depends on the
 * IOMMU driver and on the span of the areas, but not on their number.
 *
 * Context: process context, may sleep. No lock of the space is held.
 */
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      struct iopt_payer **unsynced)
{
	struct iopt_domain *domain;
	struct iopt_area *area;
	unsigned long seq = 0;

	while ((domain = areas_next_domain(iopt, areas, seq))) {
		areas_clear_domain(areas, domain);
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

/*
 * Put an area into a domain that attach has just opened. Pins its pages, which
 * may sleep without bound, unless another domain translates it.
 */
static int area_fill_new(struct io_pagetable *iopt, struct iopt_area *area,
			 const struct iopt_domain *domain)
{
	struct iopt_claim *claim;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	area->working = true;
	iopt->filling = area;
	mutex_unlock(&iopt->lock);

	if (!iopt_area_is_held(area))
		rc = iopt_area_hold(iopt, area, false);
	rc = rc ?: area_fill_domain(iopt, area, domain);
	if (rc && iopt_area_is_held(area) && !area->nr_domains)
		area_drop_attached(iopt, area);

	mutex_lock(&iopt->lock);
	iopt->filling = NULL;
	area->working = false;
	claim = iopt_claim_first(iopt, area->start, area->start);
	if (claim)
		claim->refilled = true;
	iopt_wake_idle(iopt);
	return rc;
}

/* Check whether the unmap of an area can no longer fail. */
static bool area_is_committed(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_claim *claim;

	if (READ_ONCE(area->working))
		return true;
	claim = iopt_claim_first(iopt, area->start, area->start);
	return claim && claim->committed;
}

/*
 * Put all areas into a domain that attach has just opened. Skip areas that are
 * being built, because their map does so, and areas of an unmap that can no
 * longer fail. Other areas that are being unmapped are put in, because they
 * must be in every domain if the unmap fails.
 */
static int areas_fill_new(struct io_pagetable *iopt,
			  const struct iopt_domain *domain)
{
	unsigned int steps = 0;
	struct iopt_area *area;
	unsigned long start = 0;
	bool more = true;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	while (!rc && more &&
	       (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		bool going = iopt_area_is_unmapping(area);

		/* Its map is still dropping pages that no domain needs. */
		if (area->state == IOPT_AREA_LIVE && READ_ONCE(area->working)) {
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
			continue;
		}
		more = iopt_next_start(area->last, &start);
		if (area->state != IOPT_AREA_BUILDING &&
		    !(going && area_is_committed(iopt, area)) &&
		    area->filled < domain->seq)
			rc = area_fill_new(iopt, area, domain);
		iopt_lock_break(iopt, &steps);
	}
	return rc;
}

/*
 * Account for an area that was unmapped from a domain and flushed. An untracked
 * device may have written to its pages, so mark them dirty before nr_domains
 * shows that no device reaches them. Drops the lock to unpin pages that no
 * domain translates any more.
 */
static void areas_leave_domain(struct io_pagetable *iopt,
			       struct iopt_area *area,
			       const struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->lock);
	area->skips = domain->seq;
	if (area->nr_domains == 1 && iopt->nr_untracked)
		iopt_area_mark_dirty(area, area->start, area->last);
	WRITE_ONCE(area->nr_domains, area->nr_domains - 1);
	if (area->nr_domains)
		return;
	mutex_unlock(&iopt->lock);
	area_drop_attached(iopt, area);
	cond_resched();
	mutex_lock(&iopt->lock);
}

/* Take live areas, which the caller has made working, out of a domain. */
static void clear_and_wake(struct io_pagetable *iopt, struct list_head *areas,
			   struct iopt_domain *domain)
{
	struct iopt_area *area, *next;

	mutex_unlock(&iopt->lock);
	areas_clear_domain(areas, domain);
	mutex_lock(&iopt->lock);
	list_for_each_entry_safe(area, next, areas, node) {
		areas_leave_domain(iopt, area, domain);
		list_del_init(&area->node);
		area->working = false;
	}
	iopt_wake_idle(iopt);
}

/* Take an area out of a domain while the unmap of the area still waits. */
static void area_take_out(struct io_pagetable *iopt, struct iopt_area *area,
			  struct iopt_domain *domain)
{
	struct iopt_flush flush;

	area->working = true;
	mutex_unlock(&iopt->lock);
	iopt_flush_start(&flush, domain->domain);
	iopt_area_unprogram(area, &flush);
	iopt_flush_end(&flush);
	mutex_lock(&iopt->lock);
	areas_leave_domain(iopt, area, domain);
	area->working = false;
	iopt_wake_idle(iopt);
}

/*
 * Take all areas out of a closed domain. Only working areas need a wait: areas
 * that are being built and do not work yet will find the domain closed.
 */
static void domain_empty(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	unsigned int nr = 0, steps = 0;
	struct iopt_area *area;
	unsigned long start = 0;
	LIST_HEAD(areas);
	bool more = true;

	lockdep_assert_held(&iopt->lock);
	while (more && (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		bool working = READ_ONCE(area->working);
		bool in = !working && area->state != IOPT_AREA_BUILDING &&
			  iopt_area_is_in(area, domain->seq);
		bool alone = in && iopt_area_is_unmapping(area);

		if (nr && (working || alone || nr == DETACH_BATCH)) {
			clear_and_wake(iopt, &areas, domain);
			nr = 0;
			continue;
		}
		if (working) {
			iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
			continue;
		}
		more = iopt_next_start(area->last, &start);
		if (alone) {
			area_take_out(iopt, area, domain);
		} else if (in) {
			area->working = true;
			list_add_tail(&area->node, &areas);
			nr++;
		}
		iopt_lock_break(iopt, &steps);
	}
	if (nr)
		clear_and_wake(iopt, &areas, domain);
}

/* Close and empty a domain, remove it from the space and free it. */
static void domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	WRITE_ONCE(domain->open, false);
	/*
	 * Pairs with the barrier in areas_fill(): either the map finds the
	 * domain closed, or domain_empty() finds the areas of the map working.
	 */
	smp_mb();
	domain_empty(iopt, domain);
	list_del_rcu(&domain->node);
	iopt_unreserve_iova(iopt, domain->domain);
	iopt_update_alignment(iopt);
	kfree_rcu(domain, rcu);
}

/* Undo iopt_check_domain_fits() for a domain that is not opened. */
static void attach_uncheck(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	iopt_unreserve_iova(iopt, domain);
	iopt_update_alignment(iopt);
}

/*
 * Check whether a domain can be opened, and reserve the IOVAs outside of its
 * aperture if so. Returns -EAGAIN if the result depends on busy areas.
 */
static int attach_check(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	int rc;

	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	if (iopt->nr_orphans)
		return -EBUSY;
	rc = iopt_check_domain_fits(iopt, domain);
	if (rc || !iopt->nr_publishing)
		return rc;
	/* Areas of a map are going live and can no longer enter the domain. */
	attach_uncheck(iopt, domain);
	return -EAGAIN;
}

/*
 * Take attach_mutex and iopt->lock, and check whether the domain can be opened.
 * Returns 0 with both held. With @wait, sleep with neither held until no busy
 * area is in the way: detach takes attach_mutex, and must not wait for the
 * accesses or page faults that busy areas may wait for.
 */
static int attach_lock(struct io_pagetable *iopt, struct iommu_domain *domain,
		       bool wait)
{
	int rc;

	for (;;) {
		if (mutex_lock_killable(&iopt->attach_mutex))
			return -EINTR;
		mutex_lock(&iopt->lock);
		rc = attach_check(iopt, domain);
		if (!rc)
			return 0;
		mutex_unlock(&iopt->attach_mutex);
		if (rc == -EAGAIN && wait)
			rc = iopt_wait_idle(iopt, TASK_KILLABLE) ?: -EAGAIN;
		mutex_unlock(&iopt->lock);
		if (rc != -EAGAIN || !wait)
			return rc;
	}
}

static void attach_unlock(struct io_pagetable *iopt)
{
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
}

/* Without @wait, returns 1 if a busy area is in the way. */
static int attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain,
			 bool wait)
{
	struct iopt_domain *new;
	int rc;

	new = kzalloc(sizeof(*new), iopt->policy.gfp);
	if (!new)
		return -ENOMEM;
	new->domain = domain;

	rc = attach_lock(iopt, domain, wait);
	if (rc) {
		kfree(new);
		return rc == -EAGAIN ? 1 : rc;
	}
	new->seq = iopt->next_seq++;
	new->open = true;
	list_add_tail_rcu(&new->node, &iopt->domains);
	iopt_update_alignment(iopt);

	rc = areas_fill_new(iopt, new);
	if (rc)
		domain_remove(iopt, new);
	attach_unlock(iopt);
	iopt_debug_validate(iopt);
	return rc;
}

/**
 * iopt_attach_domain() - attach an IOMMU domain to a space
 * @iopt: the space
 * @domain: an empty, unmanaged domain that is attached to no space. The caller
 *          still owns it, and keeps it until iopt_detach_domain()
 *
 * Puts all mappings into the domain, and all that are made until it is
 * detached. IOVAs outside of the aperture of the domain become unusable. Maps,
 * unmaps and queries may run concurrently; only other attaches, detaches and
 * changes of owners wait.
 *
 * If a mapping that the domain may be unable to translate is being built or
 * torn down, the function first waits until that is done, with no lock of the
 * engine held. Another process or driver determines how long that takes. A
 * caller that holds a lock which it also takes for iopt_detach_domain() must
 * use iopt_try_attach_domain() instead.
 *
 * Context: process context, may sleep without bound, killably: the first domain
 * pins the memory.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range is outside of the aperture, or
 *   a mapping is not aligned to the pages of the domain.
 * * %-EBUSY - A mapping is an orphan.
 * * %-ESRCH - The process that owns the memory of a mapping has exited.
 * * %-ENOMEM - Out of memory, or the limit on locked memory was exceeded.
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of pinning, see iopt_map_user(), or of the IOMMU driver.
 *
 * On failure the space is unchanged and @domain is empty.
 */
int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	int rc = attach_domain(iopt, domain, true);

	trace_iopt_attach(iopt, domain, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_attach_domain, IOPT);

/**
 * iopt_try_attach_domain() - attach a domain without waiting for busy mappings
 * @iopt: the space
 * @domain: as for iopt_attach_domain()
 *
 * Like iopt_attach_domain(), but does not wait for mappings that are being
 * built or torn down and that @domain may be unable to translate. If it returns
 * 1, the caller drops its locks, calls iopt_attach_wait() and tries again.
 *
 * Context: as iopt_attach_domain(). While another domain is attached, the
 * function waits only for work that finishes by itself, so that the caller may
 * hold a lock which it also takes for iopt_detach_domain().
 * Return:
 * * 0 - @domain is attached.
 * * 1 - A busy mapping is in the way.
 * * < 0 - An errno of iopt_attach_domain().
 *
 * Unless the function returns 0, the space is unchanged and @domain is empty.
 */
int iopt_try_attach_domain(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	int rc = attach_domain(iopt, domain, false);

	if (rc <= 0)
		trace_iopt_attach(iopt, domain, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_try_attach_domain, IOPT);

/**
 * iopt_attach_wait() - wait until no busy mapping blocks the attach of a domain
 * @iopt: the space
 * @domain: the domain for which iopt_try_attach_domain() returned 1; only its
 *          aperture and page sizes are read
 *
 * The caller then calls iopt_try_attach_domain() again, which may find another
 * busy mapping.
 *
 * Context: process context, may sleep without bound, killably. The caller holds
 * no lock that it also takes for iopt_detach_domain().
 * Return: 0 if no busy mapping was in the way at the end of the wait, or
 * * %-EADDRINUSE - A mapping or an allowed range is outside of the aperture, or
 *   a mapping is not aligned to the pages of the domain.
 * * %-EBUSY - A mapping is an orphan.
 * * %-ENOMEM - Out of memory.
 * * %-EINTR - A fatal signal is pending.
 */
int iopt_attach_wait(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	int rc = attach_lock(iopt, domain, true);

	if (rc)
		return rc;
	attach_uncheck(iopt, domain);
	attach_unlock(iopt);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iopt_attach_wait, IOPT);

/**
 * iopt_detach_domain() - detach an IOMMU domain from a space
 * @iopt: the space
 * @domain: an attached domain, which is empty afterwards
 *
 * Mappings stay. Pages that no other domain translates are unpinned, unless an
 * access has them pinned.
 *
 * Context: process context, may sleep. Waits, not killably, for mappings that
 * other threads are programming or unmapping at the moment. Accesses that use a
 * mapping, and threads that pin its pages, do not delay the function.
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
