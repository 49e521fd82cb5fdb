// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOVAs can be used: reserved intervals, apertures and alignment.
 *
 * What no mapping may touch is kept as a tree of reserved intervals, each with
 * its owner: a device for the regions its bus or platform keeps, a domain for
 * what is outside of its aperture. Usable is what nobody reserved.
 *
 * Rule: a reservation and a mapping exclude each other; whoever comes second
 * fails and leaves all as it was.
 */
#include <linux/iommu.h>
#include <linux/slab.h>

#include "io_pagetable.h"

static struct iopt_reserved *node_to_reserved(struct interval_tree_node *node)
{
	return node ? container_of(node, struct iopt_reserved, iova) : NULL;
}

/**
 * iopt_check_iova - can an interval be mapped?
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 *
 * Context: @iopt->lock is held, and dropped while a mapping there that is
 * being built or torn down is waited for.
 * Return: 0, -EINVAL if the interval is misaligned or touches a reserved one,
 * -EEXIST if something is mapped there, -EINTR if killed while waiting.
 */
int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last)
{
	struct iopt_area *area;
	int rc;

	lockdep_assert_held(&iopt->lock);

	for (;;) {
		if (!IS_ALIGNED(start | (last - start + 1),
				iopt->iova_alignment))
			return -EINVAL;
		if (interval_tree_iter_first(&iopt->reserved, start, last))
			return -EINVAL;
		area = iopt_area_first(iopt, start, last);
		if (!area)
			return 0;
		if (area->state == IOPT_AREA_LIVE)
			return -EEXIST;
		rc = iopt_wait_settled(iopt);
		if (rc)
			return rc;
	}
}

/**
 * iopt_reserve_iova - keep mappings out of an interval
 * @iopt: the space
 * @start: first byte
 * @last: last byte
 * @owner: whose reservation it is
 *
 * Context: @iopt->lock is held, and may be dropped in between; may sleep.
 * Return: 0, -EADDRINUSE if a mapping is there, -ENOMEM, or -EINTR if killed
 * while waiting for a mapping that is being built or torn down.
 */
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner)
{
	struct iopt_reserved *reserved;
	struct iopt_area *area;
	int rc;

	while ((area = iopt_area_first(iopt, start, last))) {
		if (area->state == IOPT_AREA_LIVE)
			return -EADDRINUSE;
		rc = iopt_wait_settled(iopt);
		if (rc)
			return rc;
	}

	reserved = kzalloc(sizeof(*reserved), iopt->policy.gfp);
	if (!reserved)
		return -ENOMEM;
	reserved->iova.start = start;
	reserved->iova.last = last;
	reserved->owner = owner;
	interval_tree_insert(&reserved->iova, &iopt->reserved);
	return 0;
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
	struct interval_tree_node *node, *next;

	lockdep_assert_held(&iopt->lock);
	for (node = interval_tree_iter_first(&iopt->reserved, 0, ULONG_MAX);
	     node; node = next) {
		struct iopt_reserved *reserved = node_to_reserved(node);

		next = interval_tree_iter_next(node, 0, ULONG_MAX);
		if (reserved->owner == owner) {
			interval_tree_remove(node, &iopt->reserved);
			kfree(reserved);
		}
	}
}

/**
 * iopt_reserve_device - keep mappings out of a device's reserved regions
 * @iopt: the space
 * @dev: the device that is to use it
 * @sw_msi_start: receives the bus address at which the kernel must map the
 *                device's MSI doorbell, or PHYS_ADDR_MAX if it need not
 *
 * Regions that firmware asks for only until a driver takes over do not count.
 *
 * Context: process context, may sleep.
 * Return: 0, -EADDRINUSE if a mapping is in such a region, -ENOMEM, or -EINTR
 * if killed. Nothing is reserved for @dev then.
 */
int iopt_reserve_device(struct io_pagetable *iopt, struct device *dev,
			phys_addr_t *sw_msi_start)
{
	struct iommu_resv_region *region;
	bool hw_msi = false;
	LIST_HEAD(regions);
	int rc = 0;

	*sw_msi_start = PHYS_ADDR_MAX;
	iommu_get_resv_regions(dev, &regions);

	mutex_lock(&iopt->lock);
	list_for_each_entry(region, &regions, list) {
		unsigned long last;

		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE ||
		    !region->length)
			continue;
		if (region->type == IOMMU_RESV_MSI)
			hw_msi = true;
		if (region->type == IOMMU_RESV_SW_MSI)
			*sw_msi_start = region->start;

		if (check_add_overflow((unsigned long)region->start,
				       region->length - 1, &last))
			last = ULONG_MAX;
		rc = iopt_reserve_iova(iopt, region->start, last, dev);
		if (rc)
			break;
	}
	if (rc)
		iopt_unreserve_iova(iopt, dev);
	mutex_unlock(&iopt->lock);

	/* An interrupt controller with a window of its own needs no mapping. */
	if (hw_msi)
		*sw_msi_start = PHYS_ADDR_MAX;
	iommu_put_resv_regions(dev, &regions);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_reserve_device, IOPT);

/**
 * iopt_unreserve_device - a device no longer uses a space
 * @iopt: the space
 * @dev: the device
 *
 * Its regions become usable unless somebody else keeps them.
 *
 * Context: process context, may sleep.
 */
void iopt_unreserve_device(struct io_pagetable *iopt, struct device *dev)
{
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, dev);
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_unreserve_device, IOPT);

/* The smallest page of a domain, in bytes. */
static unsigned long domain_granule(struct iommu_domain *domain)
{
	return 1UL << __ffs(domain->pgsize_bitmap);
}

/**
 * iopt_check_domain_fits - can a domain translate what is mapped?
 * @iopt: the space
 * @domain: the domain; what is outside of its aperture becomes reserved, in
 *          its name
 *
 * Context: @iopt->lock is held, and may be dropped in between; may sleep.
 * Return: 0, -EADDRINUSE if a mapping is outside of the aperture or not
 * aligned to the domain's pages, -ENOMEM, or -EINTR if killed. Nothing is
 * reserved then.
 */
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain)
{
	const struct iommu_domain_geometry *geometry = &domain->geometry;
	unsigned long granule = domain_granule(domain);
	struct iopt_area *area;
	unsigned long above;
	int rc = 0;

	if (geometry->force_aperture && geometry->aperture_start)
		rc = iopt_reserve_iova(iopt, 0, geometry->aperture_start - 1,
				       domain);
	if (!rc && geometry->force_aperture &&
	    geometry->aperture_end < ULONG_MAX &&
	    iopt_next_start(geometry->aperture_end, &above))
		rc = iopt_reserve_iova(iopt, above, ULONG_MAX, domain);

	for (area = iopt_area_first(iopt, 0, ULONG_MAX); !rc && area;
	     area = iopt_area_next(area, ULONG_MAX))
		if (area->state != IOPT_AREA_DYING &&
		    !IS_ALIGNED(area->iova.start | iopt_area_length(area),
				granule))
			rc = -EADDRINUSE;

	if (rc)
		iopt_unreserve_iova(iopt, domain);
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
	unsigned long slot;

	lockdep_assert_held(&iopt->lock);
	xa_for_each(&iopt->domains, slot, domain)
		alignment = max(alignment, domain_granule(domain->domain));
	iopt->iova_alignment = alignment;
}

/**
 * iopt_iova_alignment - what IOVAs and lengths must be multiples of
 * @iopt: the space
 *
 * Context: any; the value may change when domains come and go.
 * Return: the alignment in bytes, a power of two, at least the page size.
 */
unsigned long iopt_iova_alignment(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->iova_alignment);
}
EXPORT_SYMBOL_NS_GPL(iopt_iova_alignment, IOPT);

/**
 * iopt_iova_ranges - tell the usable IOVAs
 * @iopt: the space
 * @ranges: array to fill in, in ascending order; ranges neither touch nor
 *          intersect each other
 * @nr: size of the array
 *
 * Context: process context, may sleep. Waits for nobody's pinning.
 * Return: how many ranges there are, which may be more than @nr; then the
 * first @nr were filled in.
 */
unsigned int iopt_iova_ranges(struct io_pagetable *iopt,
			      struct iopt_range *ranges, unsigned int nr)
{
	struct interval_tree_node *node;
	unsigned long start = 0;
	unsigned int found = 0;
	bool more = true;

	mutex_lock(&iopt->lock);
	for (node = interval_tree_iter_first(&iopt->reserved, 0, ULONG_MAX);
	     node && more;
	     node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		if (node->start > start) {
			if (found < nr)
				ranges[found] = (struct iopt_range){
					start, node->start - 1 };
			found++;
		}
		if (node->last >= start)
			more = iopt_next_start(node->last, &start);
	}
	if (more) {
		if (found < nr)
			ranges[found] = (struct iopt_range){ start, ULONG_MAX };
		found++;
	}
	mutex_unlock(&iopt->lock);
	return found;
}
EXPORT_SYMBOL_NS_GPL(iopt_iova_ranges, IOPT);
