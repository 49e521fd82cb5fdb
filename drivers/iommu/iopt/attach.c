// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching an IOMMU domain to a space.
 *
 * Attach opens the domain before it adds the existing areas. From then on each
 * map adds its own areas to the domain before they become live, so that no area
 * is missed. If an area cannot be added, attach removes the domain again.
 */
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "area.h"
#include "claim.h"
#include "domain.h"
#include "fill.h"
#include "interval.h"
#include "io_pagetable.h"
#include "reserve.h"
#include "trace.h"
#include "validate.h"

/*
 * Add an area to a domain that attach has just opened. If no other domain
 * translates the area, pin its pages first, which may block indefinitely. Drops
 * and retakes iopt->lock.
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
	rc = rc ?: iopt_area_fill_domain(iopt, area, domain);
	if (rc && iopt_area_is_held(area) && !area->nr_domains)
		iopt_area_drop_attached(iopt, area);

	mutex_lock(&iopt->lock);
	iopt->filling = NULL;
	area->working = false;
	claim = iopt_claim_first(iopt, area->start, area->start);
	if (claim)
		claim->refilled = true;
	iopt_wake_idle(iopt);
	return rc;
}

/*
 * Check whether the unmap of an area can no longer fail. An unmap that uses a
 * claim sets iopt_claim.committed at that point, and marks its areas as working
 * afterwards. An unmap without a claim only marks its areas as working. Detach
 * does not work on the area, because attach holds attach_mutex.
 */
static bool area_is_committed(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_claim *claim;

	if (READ_ONCE(area->working))
		return true;
	claim = iopt_claim_first(iopt, area->start, area->start);
	return claim && claim->committed;
}

/*
 * Add all areas to a domain that attach has just opened. Skip areas that are
 * being built, because their map adds them, and areas of an unmap that can no
 * longer fail. Add other areas that are being unmapped, because they must be in
 * every domain if the unmap fails.
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

		/*
		 * A map is still unpinning the area; see areas_drop_detached().
		 */
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

/* Undo iopt_check_domain_fits() for a domain that is not opened. */
static void attach_uncheck(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	iopt_unreserve_iova(iopt, domain);
	iopt_update_alignment(iopt);
}

/*
 * Check whether a domain can be opened. If it can, reserve the IOVAs outside of
 * its aperture and raise the alignment: the caller then opens the domain or
 * calls attach_uncheck(). Returns -EAGAIN if the result depends on busy areas.
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
	/* A map that is already making its areas live would miss @domain. */
	attach_uncheck(iopt, domain);
	return -EAGAIN;
}

/*
 * Take attach_mutex and iopt->lock, and check whether the domain can be opened.
 * Both locks are held on return if and only if the function returns 0. If a
 * busy area is in the way, return 1 or, with @wait, sleep until an area becomes
 * idle and check again. Sleep without attach_mutex: the owner of a busy area
 * may be waiting for accesses or page faults, and detach, which takes
 * attach_mutex, must wait for neither.
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
		if (rc == -EAGAIN)
			rc = wait ? iopt_wait_idle(iopt, TASK_KILLABLE) : 1;
		mutex_unlock(&iopt->lock);
		if (rc)
			return rc;
	}
}

static void attach_unlock(struct io_pagetable *iopt)
{
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
}

/* Open a domain and add all areas to it. On failure @new is freed. */
static int domain_open(struct io_pagetable *iopt, struct iopt_domain *new)
{
	int rc;

	lockdep_assert_held(&iopt->attach_mutex);
	lockdep_assert_held(&iopt->lock);
	new->seq = iopt->next_seq++;
	new->open = true;
	list_add_tail_rcu(&new->node, &iopt->domains);
	iopt_update_alignment(iopt);

	rc = areas_fill_new(iopt, new);
	if (rc)
		iopt_domain_remove(iopt, new);
	return rc;
}

/*
 * Without @wait, returns 1 if a busy area is in the way. Do not trace this
 * case, because the caller is going to try again.
 */
static int attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain,
			 bool wait)
{
	struct iopt_domain *new = kzalloc(sizeof(*new), iopt->policy.gfp);
	int rc = -ENOMEM;

	if (new) {
		new->domain = domain;
		rc = attach_lock(iopt, domain, wait);
	}
	if (!rc) {
		rc = domain_open(iopt, new);
		attach_unlock(iopt);
		iopt_debug_validate(iopt);
	} else {
		kfree(new);
	}
	if (rc <= 0)
		trace_iopt_attach(iopt, domain, rc);
	return rc;
}

/**
 * iopt_attach_domain() - attach an IOMMU domain to a space
 * @iopt: the space
 * @domain: an empty, unmanaged domain that is attached to no space. The caller
 *          still owns the domain, but must not free it while it is attached to
 *          @iopt. The caller must already have attached a device to @domain or
 *          called iommu_domain_prepare(), because some IOMMU drivers choose the
 *          format of the I/O page table only at that point; see
 *          iommu_map_runs()
 *
 * Adds all mappings to @domain, and from then on every new mapping until the
 * domain is detached. IOVAs outside of the aperture of the domain become
 * unusable. Maps, unmaps and queries may run concurrently; attach and detach of
 * other domains, iopt_orphan() and iopt_adopt() wait.
 *
 * Mappings that are being unmapped are added too, as long as the unmap can
 * still fail. If no other domain is attached, they are pinned, which fails with
 * %-EFAULT if the process no longer has the memory at its user address.
 *
 * If a mapping that @domain may be unable to translate is being built or torn
 * down, the function first waits for that to finish, without holding a lock of
 * the engine. How long the wait takes depends on another process or driver. A
 * caller that holds a lock which it also holds around iopt_detach_domain() must
 * therefore use iopt_try_attach_domain() instead.
 *
 * Context: process context, may block indefinitely (killable): attaching the
 * first domain pins the memory. The caller must not hold an mmap_lock.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range is not entirely inside the
 *   aperture, or a mapping is not aligned to the smallest page size of @domain.
 * * %-EBUSY - A mapping is an orphan.
 * * %-ESRCH - The process that owns the memory of a mapping has exited.
 * * %-ENOMEM - Out of memory, or RLIMIT_MEMLOCK would be exceeded.
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of pinning, such as %-EFAULT (see iopt_map_user()), or of the
 *   IOMMU driver.
 *
 * On failure the space is unchanged and @domain is empty.
 */
int iopt_attach_domain(struct io_pagetable *iopt, struct iommu_domain *domain)
{
	return attach_domain(iopt, domain, true);
}
EXPORT_SYMBOL_NS_GPL(iopt_attach_domain, IOPT);

/**
 * iopt_try_attach_domain() - attach a domain without waiting for busy mappings
 * @iopt: the space
 * @domain: as for iopt_attach_domain()
 *
 * Like iopt_attach_domain(), but returns 1 instead of waiting for a mapping
 * that is being built or torn down. The caller then drops its locks, calls
 * iopt_attach_wait() and tries again.
 *
 * Context: see iopt_attach_domain(). While another domain is attached, the
 * function waits only for what iopt_detach_domain() waits for as well. If no
 * domain is attached, the function may also block while it pins the memory, but
 * then there is no domain to detach. The caller may therefore hold a lock that
 * it also holds around iopt_detach_domain().
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
	return attach_domain(iopt, domain, false);
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
 * Context: process context, may block indefinitely (killable). The caller holds
 * no lock that it also holds around iopt_detach_domain().
 * Return: 0 if no busy mapping was in the way at the end of the wait, or
 * * %-EADDRINUSE - A mapping or an allowed range is not entirely inside the
 *   aperture, or a mapping is not aligned to the smallest page size of @domain.
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
