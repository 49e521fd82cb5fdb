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

/**
 * iopt_domain_is_open() - check whether new areas must be put into some domain
 * @iopt: the space
 *
 * Context: any; it may change at any time.
 * Return: true if one is open.
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
 * iopt_area_hold() - pin the pages of an area
 * @iopt: the space
 * @area: the area, which does not hold them
 * @built: the caller is building it, so that accesses and copies do not find it
 *
 * Context: process context, may sleep without bound: pages are faulted in. No
 * lock of the space is held.
 * Return: 0 or an errno of iopt_pages_hold(); the area does not hold its pages
 * then.
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
 * iopt_area_drop() - unpin the pages of an area
 * @iopt: the space
 * @area: an area that holds them and is in no domain
 * @unsettled: notes the payer for iopt_settle_noted()
 *
 * Context: process context, may sleep. Takes @area->pages->mutex, but waits for no
 * mmap_lock: other threads may wait for @area, not killably.
 */
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsettled)
{
	struct iopt_pages *pages = area->pages;

	mutex_lock(&pages->mutex);
	atomic_long_add(iopt_pages_drop(pages, &area->slice), &iopt->nr_lost);
	/* Another process may adopt the pages as soon as they are unlocked. */
	if (iopt_is_unsettled(pages->payer))
		iopt_settle_later(unsettled, pages->payer);
	mutex_unlock(&pages->mutex);
	RB_CLEAR_NODE(&area->slice.rb);
}

/*
 * Unpin the pages of an area with attach_mutex held, which detach waits for: so
 * VmLck is lowered at once or by a worker.
 */
static void area_drop_attached(struct io_pagetable *iopt,
			       struct iopt_area *area)
{
	struct iopt_payer *unsettled = NULL;

	iopt_area_drop(iopt, area, &unsettled);
	if (unsettled) {
		iopt_try_settle(unsettled);
		iopt_payer_put(unsettled);
	}
}

/* Put an area that holds its pages into a domain. */
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
 * The next open domain to put an area into, which stays because the area works.
 * The area will never be in closed ones on the way, and does not keep them.
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
 * Check whether no other domain follows, to save a walk over the list. Working
 * areas keep @domain. Another domain may be added at any time.
 */
static bool domain_is_last(struct io_pagetable *iopt,
			   const struct iopt_domain *domain)
{
	return READ_ONCE(domain->node.next) == &iopt->domains;
}

/**
 * iopt_area_fill() - put an area into all open domains that it is not in
 * @iopt: the space
 * @area: busy for the caller and working. If it does not hold its pages nothing
 *        is done
 *
 * Context: process context, may sleep; no lock of the space is held.
 * Return: 0, an errno of the IOMMU driver, or -EINTR; the area may be in some of
 * the domains then.
 */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_domain *domain;
	int rc = 0;

	if (!iopt_area_is_held(area))
		return 0;
	while (!rc && (domain = area_next_domain(iopt, area))) {
		rc = area_fill_domain(iopt, area, domain);
		/* The caller checks for later domains under the lock. */
		if (domain_is_last(iopt, domain))
			break;
	}
	return rc;
}

/**
 * iopt_area_is_filled - is an area in all open domains?
 * @iopt: the space
 * @area: busy for the caller and working
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
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, areas, node) {
		if (iopt_area_is_in(area, seq))
			return true;
		iopt_step(&steps);
	}
	return false;
}

/* The first domain whose number is at least @seq. */
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
 * The next domain after @seq that areas are in: these keep it, because they
 * work. Others may be freed as soon as the RCU read lock is dropped, so that of
 * them only the number is used.
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

/* Unmap areas from a domain. */
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
 * iopt_areas_clear() - take areas out of all domains that they are in
 * @iopt: the space
 * @areas: list of areas by iopt_area.node, busy for the caller; those that are
 *         in a domain are working
 * @unsettled: notes a payer for iopt_settle_noted(), when the areas are gone
 *
 * The pages are dropped after all flushes, of which there are as many as the
 * IOMMU driver and the span of a flush need, but not one for each area.
 *
 * Context: process context, may sleep; no lock of the space is held.
 */
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      struct iopt_payer **unsettled)
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
			iopt_area_drop(iopt, area, unsettled);
		if (!list_is_last(&area->node, areas))
			cond_resched();
	}
}

/*
 * Put an area into the domain that was just opened. If this is the only domain
 * its pages are pinned, which may take without bound.
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
	iopt_wake_settled(iopt);
	return rc;
}

/* Will an area that is being unmapped surely be gone? */
static bool area_is_committed(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_claim *claim;

	if (READ_ONCE(area->working))
		return true;
	claim = iopt_claim_first(iopt, area->start, area->start);
	return claim && claim->committed;
}

/*
 * Put every area into the domain that was just opened, unless it is being built
 * or surely goes: if an unmap fails, its areas must be in every domain.
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
		bool going = iopt_area_is_going(area);

		/* The map that has made it drops pages that it did not need. */
		if (area->state == IOPT_AREA_LIVE && READ_ONCE(area->working)) {
			rc = iopt_wait_settled(iopt, TASK_KILLABLE);
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
 * Areas have left a domain, after its flush. What a device whose writes are not
 * seen may have written to becomes dirty before nr_domains says that no device
 * reaches it. Drops the lock to unpin what no domain translates any more.
 */
static void areas_leave_domain(struct io_pagetable *iopt,
			       struct iopt_area *area,
			       const struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->lock);
	area->skips = domain->seq;
	if (area->nr_domains == 1 && iopt->nr_blind)
		iopt_area_mark_dirty(area, area->start, area->last);
	WRITE_ONCE(area->nr_domains, area->nr_domains - 1);
	if (area->nr_domains)
		return;
	mutex_unlock(&iopt->lock);
	area_drop_attached(iopt, area);
	cond_resched();
	mutex_lock(&iopt->lock);
}

/* Take live areas that were made to work out of a domain. */
static void clear_and_settle(struct io_pagetable *iopt,
			     struct list_head *areas,
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
	iopt_wake_settled(iopt);
}

/* Take an area whose unmap waits for something else out of a domain. */
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
	iopt_wake_settled(iopt);
}

/*
 * Take all areas out of a domain that is closed. Waits for working areas alone:
 * one that is being built and does not work yet will find the domain closed.
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
		bool alone = in && iopt_area_is_going(area);

		if (nr && (working || alone || nr == DETACH_BATCH)) {
			clear_and_settle(iopt, &areas, domain);
			nr = 0;
			continue;
		}
		if (working) {
			iopt_wait_settled(iopt, TASK_UNINTERRUPTIBLE);
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
		clear_and_settle(iopt, &areas, domain);
}

/* Close a domain, empty it and forget it. */
static void domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain)
{
	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	WRITE_ONCE(domain->open, false);
	/* Pairs with that of areas_fill(): one of both sees the other. */
	smp_mb();
	domain_empty(iopt, domain);
	list_del_rcu(&domain->node);
	iopt_unreserve_iova(iopt, domain->domain);
	iopt_update_alignment(iopt);
	kfree_rcu(domain, rcu);
}

/* Undo iopt_check_domain_fits(): the domain is not opened after all. */
static void attach_uncheck(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	iopt_unreserve_iova(iopt, domain);
	iopt_update_alignment(iopt);
}

/*
 * Check whether a domain can be opened. On success the IOVAs outside of its
 * aperture are reserved. -EAGAIN means that the answer depends on busy areas.
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
	/* Areas go live that could not be put into it. */
	attach_uncheck(iopt, domain);
	return -EAGAIN;
}

/*
 * Take attach_mutex and the lock and check whether the domain can be opened.
 * With @wait, sleep without either lock until no busy area is in the way: a
 * detach must not wait for what the busy areas wait for.
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
			rc = iopt_wait_settled(iopt, TASK_KILLABLE) ?: -EAGAIN;
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

/* Returns 1 without @wait if a busy area is in the way. */
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
 * iopt_attach_domain - let a domain translate a space
 * @iopt: the space
 * @domain: an unmanaged domain, empty, in no space; it stays the caller's, who
 *          keeps it until iopt_detach_domain()
 *
 * Every mapping that exists is put into the domain, and every later one. Maps,
 * unmaps and queries go on meanwhile; only other attaches and detaches wait.
 * The IOVAs outside of the domain's aperture become unusable.
 *
 * A mapping outside of the aperture that is being built or torn down is waited
 * for first, with no lock of the engine held. A caller that holds a lock which
 * its iopt_detach_domain() takes calls iopt_try_attach_domain() instead: the
 * wait lasts as long as another process or driver likes.
 *
 * Context: process context, may sleep without bound, killably: the first domain
 * pins.
 * Return: 0, -EADDRINUSE if a mapping or an allowed range is outside of the
 * aperture or a mapping not aligned to the domain's pages, -EBUSY if a mapping
 * is an orphan, -ESRCH if the process is gone whose memory a mapping is, -ENOMEM,
 * -EINTR, an errno that pinning a mapping gives, see iopt_map_user(), or one of
 * the IOMMU driver. The space is as it was then, and @domain is empty.
 */
int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	int rc = attach_domain(iopt, domain, true);

	trace_iopt_attach(iopt, domain, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_attach_domain, IOPT);

/**
 * iopt_try_attach_domain() - attach a domain unless a busy mapping is in the way
 * @iopt: the space
 * @domain: as for iopt_attach_domain()
 *
 * Does what iopt_attach_domain() does, but does not wait for a mapping that is
 * being built or torn down and that @domain may not be able to translate. The
 * caller then drops its locks and calls iopt_attach_wait().
 *
 * Context: as iopt_attach_domain(). While another domain is attached it waits
 * only for what ends by itself, so the caller may hold a lock that its
 * iopt_detach_domain() takes.
 * Return:
 * * 0 - @domain is attached.
 * * 1 - A busy mapping is in the way; see iopt_attach_wait().
 * * < 0 - An errno of iopt_attach_domain().
 *
 * Unless it returns 0 the space is as it was, and @domain is empty.
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
 * iopt_attach_wait() - wait until no busy mapping keeps a domain out
 * @iopt: the space
 * @domain: the domain for which iopt_try_attach_domain() returned 1. Only its
 *          aperture and page sizes are read
 *
 * The caller tries again after that; another mapping may be in the way by then.
 *
 * Context: process context, may sleep without bound, killably. The caller holds
 * no lock that its iopt_detach_domain() takes.
 * Return:
 * * 0 - iopt_try_attach_domain() would not have returned 1.
 * * %-EADDRINUSE - A mapping or an allowed range is outside of the aperture, or a
 *   mapping is not aligned to the domain's pages.
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
 * iopt_detach_domain - a domain no longer translates a space
 * @iopt: the space
 * @domain: an attached domain; empty afterwards
 *
 * Mappings stay; what no domain translates any more is unpinned.
 *
 * Context: process context, may sleep. Waits, not killably, for mappings that
 * are programmed or unmapped in a domain at the moment, but not for any that is
 * being pinned or in use by an access.
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
