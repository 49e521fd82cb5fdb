// SPDX-License-Identifier: GPL-2.0-only
/*
 * Restrictions on usable IOVAs: reserved regions of devices, apertures and page
 * sizes of domains, and allowed ranges, which must stay usable.
 *
 * IOVAs that must not be mapped are kept in a tree of reserved intervals. Each
 * interval has an owner: a device owns the regions that its bus or platform
 * reserves, and a domain owns the IOVAs outside of its aperture. An IOVA is
 * usable if no owner has reserved it.
 *
 * A reservation must intersect neither a mapping nor an allowed range. The
 * later of two conflicting requests fails.
 */
#include <linux/iommu.h>
#include <linux/overflow.h>

#include "area.h"
#include "domain.h"
#include "interval.h"
#include "io_pagetable.h"
#include "iova.h"
#include "reserve.h"

static int try_reserve(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, const void *owner)
{
	int rc = iopt_check_unmapped(iopt, start, last);

	if (rc)
		return rc == -EEXIST ? -EADDRINUSE : rc;
	if (iopt_interval_first(&iopt->allowed, start, last))
		return -EADDRINUSE;
	return iopt_interval_add(&iopt->reserved, start, last, owner,
				 iopt->policy.gfp);
}

/**
 * iopt_reserve_iova() - reserve an interval, so that it cannot be mapped
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @owner: owner of the reservation
 *
 * Context: @iopt->lock is held, and dropped while the function waits killably
 * for a mapping that is being built or torn down.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range intersects the interval.
 * * %-ENOMEM - Out of memory.
 * * %-EINTR - A fatal signal is pending.
 */
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner)
{
	int rc;

	while ((rc = try_reserve(iopt, start, last, owner)) == -EAGAIN) {
		rc = iopt_wait_idle(iopt, TASK_KILLABLE);
		if (rc)
			break;
	}
	return rc;
}

/**
 * iopt_unreserve_iova() - remove all reservations of an owner
 * @iopt: the space
 * @owner: the owner
 *
 * Context: @iopt->lock is held.
 */
void iopt_unreserve_iova(struct io_pagetable *iopt, const void *owner)
{
	lockdep_assert_held(&iopt->lock);
	iopt_intervals_drop(&iopt->reserved, owner);
}

/*
 * True if a range of @allowed intersects a reserved interval. Loop over the
 * reserved intervals, which are few, and not over the allowed ranges, because
 * user space chooses the number of allowed ranges.
 */
static bool allowed_is_reserved(struct io_pagetable *iopt,
				struct rb_root_cached *allowed)
{
	struct interval_tree_node *node;

	lockdep_assert_held(&iopt->lock);
	for (node = interval_tree_iter_first(&iopt->reserved, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX))
		if (iopt_interval_first(allowed, node->start, node->last))
			return true;
	return false;
}

/**
 * iopt_allow_iova() - set the IOVAs that must stay usable
 * @iopt: the space
 * @ranges: the allowed ranges, which replace all earlier ones
 * @nr: number of ranges. If it is 0, the engine chooses IOVAs anywhere, and all
 *      IOVAs can become reserved
 *
 * The engine chooses IOVAs in allowed ranges only, and rejects reservations of
 * IOVAs in an allowed range. Mappings at fixed IOVAs may be anywhere.
 *
 * Context: process context, may sleep. Does not wait for pages to be pinned.
 * Return: 0, or
 * * %-EINVAL - Ranges overlap, or a range ends before it starts.
 * * %-EADDRINUSE - A range intersects a reserved interval.
 * * %-ENOMEM - Out of memory.
 *
 * On failure the earlier allowed ranges remain in effect.
 */
int iopt_allow_iova(struct io_pagetable *iopt, const struct iopt_range *ranges,
		    unsigned int nr)
{
	struct rb_root_cached allowed = RB_ROOT_CACHED;
	unsigned int i, steps = 0;
	int rc = 0;

	for (i = 0; i != nr && !rc; i++) {
		iopt_step(&steps);
		if (ranges[i].last < ranges[i].start ||
		    iopt_interval_first(&allowed, ranges[i].start,
					ranges[i].last))
			rc = -EINVAL;
		else
			rc = iopt_interval_add(&allowed, ranges[i].start,
					       ranges[i].last, NULL,
					       iopt->policy.gfp);
	}

	mutex_lock(&iopt->lock);
	if (!rc && allowed_is_reserved(iopt, &allowed))
		rc = -EADDRINUSE;
	if (!rc)
		swap(iopt->allowed, allowed);
	mutex_unlock(&iopt->lock);

	iopt_intervals_drop(&allowed, NULL);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_allow_iova, IOPT);

/*
 * Clamp a region to the address space, because a phys_addr_t may be wider than
 * an IOVA. Returns false if the region is outside of the address space.
 */
static bool region_range(const struct iommu_resv_region *region,
			 struct iopt_range *range)
{
	u64 start = region->start, last;

	if (start > ULONG_MAX)
		return false;
	if (check_add_overflow(start, (u64)region->length - 1, &last) ||
	    last > ULONG_MAX)
		last = ULONG_MAX;
	range->start = start;
	range->last = last;
	return true;
}

/*
 * Reserve regions for @owner. Unless @wait is set, a mapping that is being
 * built or torn down in a region is a conflict.
 */
static int reserve_regions(struct io_pagetable *iopt,
			   const struct list_head *regions, const void *owner,
			   phys_addr_t *sw_msi_start, bool wait)
{
	struct iommu_resv_region *region;
	bool hw_msi = false;
	int rc = 0;

	*sw_msi_start = PHYS_ADDR_MAX;
	mutex_lock(&iopt->lock);
	list_for_each_entry(region, regions, list) {
		struct iopt_range range;

		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		if (region->type == IOMMU_RESV_MSI)
			hw_msi = true;
		if (region->type == IOMMU_RESV_SW_MSI)
			*sw_msi_start = region->start;

		if (!region_range(region, &range))
			continue;
		if (wait)
			rc = iopt_reserve_iova(iopt, range.start, range.last,
					       owner);
		else
			rc = try_reserve(iopt, range.start, range.last, owner);
		if (rc)
			break;
	}
	if (rc)
		iopt_unreserve_iova(iopt, owner);
	mutex_unlock(&iopt->lock);

	/* The doorbell need not be mapped if the hardware has an MSI window. */
	if (hw_msi)
		*sw_msi_start = PHYS_ADDR_MAX;
	return rc == -EAGAIN ? -EADDRINUSE : rc;
}

/**
 * iopt_reserve_regions() - keep mappings out of reserved regions
 * @iopt: the space
 * @regions: list of &struct iommu_resv_region
 * @owner: owner of the reservations; see iopt_unreserve()
 * @sw_msi_start: receives the IOVA at which the kernel must map the MSI
 *                doorbell, or PHYS_ADDR_MAX if the doorbell need not be mapped
 *
 * Regions that firmware needs only until a driver takes over the device are
 * ignored.
 *
 * Context: process context, may block indefinitely (killable) while a mapping
 * in a region is being built or torn down.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range intersects a region.
 * * %-ENOMEM - Out of memory.
 * * %-EINTR - A fatal signal is pending.
 *
 * On failure all reservations of @owner are removed, including those of earlier
 * calls.
 */
int iopt_reserve_regions(struct io_pagetable *iopt,
			 const struct list_head *regions, const void *owner,
			 phys_addr_t *sw_msi_start)
{
	return reserve_regions(iopt, regions, owner, sw_msi_start, true);
}
EXPORT_SYMBOL_NS_GPL(iopt_reserve_regions, IOPT);

static int reserve_device(struct io_pagetable *iopt, struct device *dev,
			  const void *owner, phys_addr_t *sw_msi_start,
			  bool wait)
{
	LIST_HEAD(regions);
	int rc;

	iommu_get_resv_regions(dev, &regions);
	rc = reserve_regions(iopt, &regions, owner, sw_msi_start, wait);
	iommu_put_resv_regions(dev, &regions);
	return rc;
}

/**
 * iopt_reserve_device() - look up and reserve the reserved regions of a device
 * @iopt: the space
 * @dev: the device. A driver must stay bound to @dev during the call, so that
 *       the IOMMU of @dev does not change
 * @owner: owner of the reservations, often @dev; see iopt_unreserve()
 * @sw_msi_start: see iopt_reserve_regions()
 *
 * Context: see iopt_reserve_regions().
 * Return: see iopt_reserve_regions().
 */
int iopt_reserve_device(struct io_pagetable *iopt, struct device *dev,
			const void *owner, phys_addr_t *sw_msi_start)
{
	return reserve_device(iopt, dev, owner, sw_msi_start, true);
}
EXPORT_SYMBOL_NS_GPL(iopt_reserve_device, IOPT);

/**
 * iopt_try_reserve_device() - reserve the regions of a device without waiting
 * @iopt: the space
 * @dev: as for iopt_reserve_device()
 * @owner: as for iopt_reserve_device()
 * @sw_msi_start: see iopt_reserve_regions()
 *
 * Like iopt_reserve_device(), but does not wait for mappings.
 *
 * Context: process context, may sleep. The caller may hold a lock that it also
 * holds around iopt_detach_domain().
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range intersects a region, even if
 *   the mapping is only being built or torn down.
 * * %-ENOMEM - Out of memory.
 *
 * On failure all reservations of @owner are removed, including those of earlier
 * calls.
 */
int iopt_try_reserve_device(struct io_pagetable *iopt, struct device *dev,
			    const void *owner, phys_addr_t *sw_msi_start)
{
	return reserve_device(iopt, dev, owner, sw_msi_start, false);
}
EXPORT_SYMBOL_NS_GPL(iopt_try_reserve_device, IOPT);

/**
 * iopt_unreserve() - remove all reservations of an owner
 * @iopt: the space
 * @owner: the owner of the reservations
 *
 * The IOVAs become usable again, unless another owner has reserved them as
 * well.
 *
 * Context: process context, may sleep.
 */
void iopt_unreserve(struct io_pagetable *iopt, const void *owner)
{
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, owner);
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_unreserve, IOPT);

/*
 * Raise the alignment of the space to at least @granule, so that new areas
 * comply with it, and check all existing areas unless the alignment was
 * sufficient already. While another call is checking areas, the raised
 * alignment does not prove that the areas comply, so check them here, too.
 * Returns -EAGAIN if an area that does not comply is being built or is dying,
 * or if a map is still inserting areas that it checked against the old
 * alignment. The caller restores the alignment on failure.
 */
static int areas_check_aligned(struct io_pagetable *iopt, unsigned long granule)
{
	struct iopt_area *area;
	unsigned int steps = 0;
	int rc = 0;

	if (granule <= iopt->iova_alignment && !iopt->nr_raising)
		return 0;
	/* Areas that are not in the tree yet cannot be checked below. */
	if (iopt->nr_claimed)
		return -EAGAIN;
	iopt->nr_raising++;
	iopt->raising = max(iopt->raising, granule);
	iopt_update_alignment(iopt);
	iopt_for_each_area_break(iopt, area, 0, ULONG_MAX, &steps) {
		if (!IS_ALIGNED(iopt_area_misalignment(area), granule)) {
			rc = iopt_area_is_accessible(area) ? -EADDRINUSE :
							     -EAGAIN;
			break;
		}
	}
	if (!--iopt->nr_raising)
		iopt->raising = 0;
	return rc;
}

/**
 * iopt_raise_alignment() - raise the required alignment of mappings
 * @iopt: the space
 * @alignment: the alignment in bytes
 *
 * On success the alignment stays raised only until the next call of
 * iopt_update_alignment(). Before the caller drops @iopt->lock, it must change
 * a member, such as io_pagetable.max_iopte, that makes iopt_update_alignment()
 * compute at least @alignment. It must then call iopt_update_alignment(), which
 * also lowers the alignment if a concurrent call has raised it and then failed.
 *
 * Context: @iopt->lock is held, and may be dropped and retaken. May wait
 * killably for mappings that are being built or torn down.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping is not aligned.
 * * %-EINTR - A fatal signal is pending.
 */
int iopt_raise_alignment(struct io_pagetable *iopt, unsigned long alignment)
{
	int rc;

	for (;;) {
		rc = areas_check_aligned(iopt, alignment);
		if (!rc)
			return 0;
		iopt_update_alignment(iopt);
		if (rc == -EAGAIN)
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
		if (rc)
			return rc;
	}
}

/* Reserve the IOVAs outside of the aperture of a domain. */
static int reserve_outside(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	const struct iommu_domain_geometry *geometry = &domain->geometry;
	/* The aperture may extend beyond the highest IOVA. */
	u64 start = geometry->aperture_start, last = geometry->aperture_end;
	int rc = 0;

	if (!geometry->force_aperture)
		return 0;
	if (start)
		rc = try_reserve(iopt, 0, min_t(u64, start - 1, ULONG_MAX),
				 domain);
	if (!rc && last < ULONG_MAX)
		rc = try_reserve(iopt, last + 1, ULONG_MAX, domain);
	return rc;
}

/**
 * iopt_check_domain_fits() - check whether a domain can translate all mappings
 * @iopt: the space
 * @domain: the domain
 *
 * On success, the IOVAs outside of the aperture are reserved, with @domain as
 * the owner, and new mappings must be aligned to the smallest page size of
 * @domain. Before the caller drops @iopt->lock, it adds @domain to
 * io_pagetable.domains, or calls iopt_unreserve_iova() and
 * iopt_update_alignment() to undo both.
 *
 * Context: @iopt->lock is held, and may be dropped and retaken; may sleep.
 * Return: 0, or
 * * %-EADDRINUSE - A mapping or an allowed range is not entirely inside the
 *   aperture, or a mapping is not aligned to the smallest page size of @domain.
 * * %-ENOMEM - Out of memory.
 * * %-EAGAIN - The result depends on a mapping that is being built or torn
 *   down. The caller waits until an area becomes idle and calls again.
 *
 * On failure @domain has no reservation and does not affect the alignment.
 */
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	int rc = reserve_outside(iopt, domain);

	if (!rc)
		rc = areas_check_aligned(iopt, iopt_granule(domain));
	if (rc) {
		iopt_unreserve_iova(iopt, domain);
		iopt_update_alignment(iopt);
	}
	return rc;
}

/**
 * iopt_update_alignment() - recompute the alignment and the page sizes
 * @iopt: the space
 *
 * Context: @iopt->lock is held.
 */
void iopt_update_alignment(struct io_pagetable *iopt)
{
	unsigned long alignment = max(iopt->policy.alignment ?: PAGE_SIZE,
				      iopt->raising);
	unsigned long pgsizes = ULONG_MAX;
	struct iopt_domain *domain;

	lockdep_assert_held(&iopt->lock);
	list_for_each_entry(domain, &iopt->domains, node) {
		alignment = max(alignment, iopt_granule(domain->domain));
		pgsizes &= domain->domain->pgsize_bitmap;
	}
	if (iopt->nr_pinners || iopt->max_iopte == PAGE_SIZE)
		alignment = max(alignment, PAGE_SIZE);
	if (pgsizes & ~PAGE_MASK)
		pgsizes = (pgsizes & PAGE_MASK) | PAGE_SIZE;
	WRITE_ONCE(iopt->iova_alignment, alignment);
	WRITE_ONCE(iopt->pgsizes, pgsizes ?: max(alignment, PAGE_SIZE));
}
