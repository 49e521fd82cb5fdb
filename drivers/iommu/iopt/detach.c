// SPDX-License-Identifier: GPL-2.0-only
/*
 * Detaching an IOMMU domain from a space.
 *
 * Detach closes the domain, so that no more areas are added to it, and then
 * removes all areas from the domain. Areas that no other domain translates are
 * unpinned.
 *
 * Detach cannot fail, so it waits uninterruptibly. It therefore waits only for
 * working areas: the work on them finishes on its own, except that unpinning
 * may wait for a folio lock (see iopt_unpin_run()). The same applies to the
 * pages that detach itself unpins.
 */
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "area.h"
#include "dirty_bitmap.h"
#include "domain.h"
#include "fill.h"
#include "interval.h"
#include "io_pagetable.h"
#include "program.h"
#include "reserve.h"
#include "trace.h"
#include "validate.h"

/* Maximum number of areas that detach unmaps with a single flush. */
#define DETACH_BATCH	512

/*
 * Finish the removal of an area from a domain, after the area was unmapped and
 * the IOTLB was flushed. An untracked device may have written to its pages:
 * mark them dirty before nr_domains becomes 0, because from then on reports no
 * longer include all pages of the area. Drops and retakes iopt->lock to unpin
 * pages that no domain translates any more.
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
	iopt_area_drop_attached(iopt, area);
	cond_resched();
	mutex_lock(&iopt->lock);
}

/* Remove live areas, which the caller has marked as working, from a domain. */
static void clear_and_wake(struct io_pagetable *iopt, struct list_head *areas,
			   struct iopt_domain *domain)
{
	struct iopt_area *area, *next;

	mutex_unlock(&iopt->lock);
	iopt_areas_clear_domain(areas, domain);
	mutex_lock(&iopt->lock);
	list_for_each_entry_safe(area, next, areas, node) {
		areas_leave_domain(iopt, area, domain);
		list_del_init(&area->node);
		area->working = false;
	}
	iopt_wake_idle(iopt);
}

/*
 * Remove an area from a domain. The area belongs to an unmap that has not
 * marked it as working yet.
 */
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
 * Remove all areas from a closed domain. Wait for working areas only: the map
 * of an area that is not working yet will find the domain closed.
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

/**
 * iopt_domain_remove() - close and empty a domain, and remove it from a space
 * @iopt: the space
 * @domain: an entry of io_pagetable.domains; not all areas need be in the
 *          domain. It is freed after an RCU grace period
 *
 * Context: process context, may sleep; waits uninterruptibly for working areas.
 * @iopt->attach_mutex and @iopt->lock are held; @iopt->lock is dropped and
 * retaken.
 */
void iopt_domain_remove(struct io_pagetable *iopt, struct iopt_domain *domain)
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

/**
 * iopt_detach_domain() - detach an IOMMU domain from a space
 * @iopt: the space
 * @domain: an attached domain, which is empty afterwards
 *
 * Mappings remain in the space. Pages that no other domain translates are
 * unpinned, unless an access has them pinned.
 *
 * Context: process context, may sleep. Waits uninterruptibly for attach and
 * detach of other domains, and for mappings that other threads are adding to
 * domains or removing from them. Accesses that use a mapping, and threads that
 * pin its pages, do not delay the function.
 *
 * Unpinning may wait for a filesystem; see iopt_unpin_run().
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
		iopt_domain_remove(iopt, old);
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	trace_iopt_detach(iopt, domain, 0);
	iopt_debug_validate(iopt);
}
EXPORT_SYMBOL_NS_GPL(iopt_detach_domain, IOPT);
