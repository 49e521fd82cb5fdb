// SPDX-License-Identifier: GPL-2.0-only
/*
 * What takes IOVAs away: reserved regions of devices, apertures and page sizes
 * of domains; and the allowed ranges, which nothing may take away.
 *
 * What no mapping may touch is kept as a tree of reserved intervals, each with
 * its owner: a device for the regions its bus or platform keeps, a domain for
 * what is outside of its aperture. Usable is what nobody reserved.
 *
 * Rule: a reservation excludes mappings and allowed ranges, and they exclude
 * it; whoever comes second fails and leaves all as it was.
 */
#include <linux/iommu.h>

#include "io_pagetable.h"

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
 * iopt_reserve_iova() - keep mappings out of an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @owner: whose reservation it is
 *
 * Context: @iopt->lock is held, and may be dropped in between; may sleep.
 * Return: 0, -EADDRINUSE if a mapping or an allowed range is there, -ENOMEM,
 * or -EINTR if killed while waiting for a mapping that is being built or torn
 * down.
 */
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner)
{
	int rc;

	while ((rc = try_reserve(iopt, start, last, owner)) == -EAGAIN) {
		rc = iopt_wait_settled(iopt, TASK_KILLABLE);
		if (rc)
			break;
	}
	return rc;
}

/**
 * iopt_unreserve_iova - take back all reservations of an owner
 * @iopt: the space
 * @owner: whose
 *
 * Context: @iopt->lock is held.
 */
void iopt_unreserve_iova(struct io_pagetable *iopt, const void *owner)
{
	lockdep_assert_held(&iopt->lock);
	iopt_intervals_drop(&iopt->reserved, owner);
}

/*
 * Does a range of @allowed touch what is reserved? Few intervals are reserved,
 * while the user chooses how many are allowed, so loop over the former.
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
 * iopt_allow_iova - say which IOVAs must stay usable
 * @iopt: the space
 * @ranges: the ranges, which replace all earlier ones
 * @nr: how many; 0 allows everything, and nothing in particular
 *
 * The engine chooses IOVAs in allowed ranges only, and no device or domain that
 * would take some of them away can come. Fixed IOVAs need not be allowed.
 *
 * Context: process context, may sleep. Waits for nobody's pinning.
 * Return: 0, -EINVAL if ranges overlap or one ends before it starts,
 * -EADDRINUSE if one touches what is reserved, or -ENOMEM; the earlier ranges
 * stay then.
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
 * Physical addresses may be wider than IOVAs: cut a region to the address space.
 * False if it is outside.
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

/**
 * iopt_reserve_regions() - keep mappings out of reserved regions
 * @iopt: the space
 * @regions: list of &struct iommu_resv_region
 * @owner: the owner of the reservations, see iopt_unreserve()
 * @sw_msi_start: receives the bus address at which the kernel must map the MSI
 *                doorbell, or PHYS_ADDR_MAX if it need not
 *
 * Regions that firmware asks for only until a driver takes over do not count.
 *
 * Context: process context, may sleep.
 * Return: 0, or
 * * %-EADDRINUSE - a mapping or an allowed range is in such a region
 * * %-ENOMEM - out of memory
 * * %-EINTR - killed
 *
 * On failure @owner has no reservation.
 */
int iopt_reserve_regions(struct io_pagetable *iopt,
			 const struct list_head *regions, const void *owner,
			 phys_addr_t *sw_msi_start)
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
		rc = iopt_reserve_iova(iopt, range.start, range.last, owner);
		if (rc)
			break;
	}
	if (rc)
		iopt_unreserve_iova(iopt, owner);
	mutex_unlock(&iopt->lock);

	/* An interrupt controller with a window of its own needs no mapping. */
	if (hw_msi)
		*sw_msi_start = PHYS_ADDR_MAX;
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_reserve_regions, IOPT);

/**
 * iopt_reserve_device() - keep mappings out of a device's reserved regions
 * @iopt: the space
 * @dev: the device, which owns the reservations. The caller keeps it from leaving
 *       its IOMMU
 * @sw_msi_start: see iopt_reserve_regions()
 *
 * Context: process context, may sleep.
 * Return: see iopt_reserve_regions().
 */
int iopt_reserve_device(struct io_pagetable *iopt, struct device *dev,
			phys_addr_t *sw_msi_start)
{
	LIST_HEAD(regions);
	int rc;

	iommu_get_resv_regions(dev, &regions);
	rc = iopt_reserve_regions(iopt, &regions, dev, sw_msi_start);
	iommu_put_resv_regions(dev, &regions);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_reserve_device, IOPT);

/**
 * iopt_unreserve() - remove the reservations of an owner
 * @iopt: the space
 * @owner: see iopt_reserve_regions(); a device in case of iopt_reserve_device()
 *
 * IOVAs become usable unless another owner has reserved them too.
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

/* The smallest page of a domain, in bytes. */
static unsigned long domain_granule(struct iommu_domain *domain)
{
	return 1UL << __ffs(domain->pgsize_bitmap);
}

/*
 * Are all areas aligned to @granule? New areas are from now on, and all are to the
 * alignment that the space has.
 */
static int areas_check_aligned(struct io_pagetable *iopt, unsigned long granule)
{
	struct iopt_area *area;
	unsigned int steps = 0;

	if (granule <= iopt->iova_alignment)
		return 0;
	/* Areas are being inserted that were checked before. */
	if (iopt->nr_claimed)
		return -EAGAIN;
	WRITE_ONCE(iopt->iova_alignment, granule);
	for (area = iopt_area_first(iopt, 0, ULONG_MAX); area;
	     area = iopt_area_walk(iopt, area, ULONG_MAX, &steps))
		if (!IS_ALIGNED(area->start | iopt_area_length(area), granule))
			return iopt_area_is_going(area) ? -EAGAIN : -EADDRINUSE;
	return 0;
}

/* What is below and above of a domain's aperture becomes reserved. */
static int reserve_outside(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	const struct iommu_domain_geometry *geometry = &domain->geometry;
	/* Wider than IOVAs, on some machines. */
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
 * iopt_check_domain_fits() - check whether a domain can translate what is mapped
 * @iopt: the space
 * @domain: the domain; what is outside of its aperture becomes reserved, in
 *          its name
 *
 * Context: @iopt->lock is held, and may be dropped in between; may sleep.
 * Return: 0, -EADDRINUSE if a mapping or an allowed range is outside of the
 * aperture or a mapping not aligned to the domain's pages, -ENOMEM, or -EAGAIN
 * if that depends on a mapping that is being built or torn down: the caller waits
 * for an area to settle and checks again. Nothing is reserved on failure.
 */
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	int rc = reserve_outside(iopt, domain);

	if (!rc)
		rc = areas_check_aligned(iopt, domain_granule(domain));
	if (rc) {
		iopt_unreserve_iova(iopt, domain);
		iopt_update_alignment(iopt);
	}
	return rc;
}

/**
 * iopt_update_alignment - find the alignment after domains came or went
 * @iopt: the space
 *
 * Context: @iopt->lock is held.
 */
void iopt_update_alignment(struct io_pagetable *iopt)
{
	unsigned long alignment = PAGE_SIZE;
	struct iopt_domain *domain;

	lockdep_assert_held(&iopt->lock);
	list_for_each_entry(domain, &iopt->domains, node)
		alignment = max(alignment, domain_granule(domain->domain));
	WRITE_ONCE(iopt->iova_alignment, alignment);
}
