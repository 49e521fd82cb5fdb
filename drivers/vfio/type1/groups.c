// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: attach and detach of groups.
 *
 * A mediated group has no domain. Attaching a physical group reserves the
 * regions of its devices, and adds the group to an existing domain of the
 * container or to a new one, which the engine fills with the existing mappings.
 *
 * The VFIO core may attach and detach different groups of a container
 * concurrently. The attach of a physical group may pin memory for an unbounded
 * time. Attaches of other physical groups wait for that, and their wait is
 * killable. Detaches do not wait for it.
 */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "type1.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Attach groups even if the platform does not isolate their interrupts. Their devices can raise any interrupt of the host by DMA");

static struct type1_group *find_group(struct type1 *type1,
				      struct iommu_group *iommu_group)
{
	struct type1_domain *domain;
	struct type1_group *group;

	lockdep_assert_held(&type1->lock);
	list_for_each_entry(group, &type1->mediated, node)
		if (group->iommu_group == iommu_group)
			return group;
	list_for_each_entry(domain, &type1->domains, node)
		list_for_each_entry(group, &domain->groups, node)
			if (group->iommu_group == iommu_group)
				return group;
	return NULL;
}

/*
 * Reserve the regions of the group's devices. The group owns the reservations,
 * because a device may leave the group at any time. @msi_start is set to the
 * IOVA of the window for MSI doorbells, or to PHYS_ADDR_MAX if the group needs
 * no window. Returns -EINVAL if no usable IOVA is left.
 */
static int reserve_regions(struct type1 *type1, struct iommu_group *iommu_group,
			   phys_addr_t *msi_start)
{
	struct iommu_resv_region *region, *next;
	LIST_HEAD(regions);
	int rc;

	rc = iommu_get_group_resv_regions(iommu_group, &regions);
	if (!rc)
		rc = iopt_reserve_regions(type1->space.iopt, &regions, iommu_group,
					  msi_start);
	list_for_each_entry_safe(region, next, &regions, list)
		kfree(region);
	if (rc)
		return type1_attach_errno(rc);
	if (iopt_iova_ranges(type1->space.iopt, NULL, 0))
		return 0;
	iopt_unreserve(type1->space.iopt, iommu_group);
	return -EINVAL;
}

static int check_interrupts(struct iommu_group *iommu_group)
{
	if (READ_ONCE(allow_unsafe_interrupts) ||
	    iommu_group_has_isolated_msi(iommu_group))
		return 0;
	pr_warn_ratelimited("vfio_iommu_type1_attach_group: No interrupt remapping support.  Use the module param \"allow_unsafe_interrupts\" to enable VFIO IOMMU support on this platform\n");
	return -EPERM;
}

/* Check whether any mapping extends beyond the aperture of a domain. */
static bool mapped_outside(struct type1 *type1, struct iommu_domain *domain)
{
	unsigned long start = domain->geometry.aperture_start;
	u64 last = domain->geometry.aperture_end;
	struct iopt_range mapping;

	return (start && iopt_find_mapping(type1->space.iopt, 0, start - 1,
					   &mapping)) ||
	       (last < ULONG_MAX && iopt_find_mapping(type1->space.iopt, last + 1,
						      ULONG_MAX, &mapping));
}

static int alloc_domain(struct device *dev, void *data)
{
	struct iommu_domain **domain = data;

	*domain = iommu_domain_alloc(dev->bus);
	return 1;
}

static void free_domain(struct type1_domain *domain)
{
	if (domain->domain)
		iommu_domain_free(domain->domain);
	kfree(domain);
}

/* Allocate a domain for a group and attach the group to it. */
static struct type1_domain *make_domain(struct type1 *type1,
					struct iommu_group *iommu_group)
{
	struct type1_domain *domain;
	int rc;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&domain->groups);
	/* The domain can be allocated for any device of the group. */
	iommu_group_for_each_dev(iommu_group, &domain->domain, alloc_domain);
	rc = domain->domain ? 0 : -EIO;
	if (!rc && type1->nesting)
		rc = iommu_enable_nesting(domain->domain);
	if (!rc)
		rc = iommu_attach_group(domain->domain, iommu_group);
	if (!rc)
		return domain;
	free_domain(domain);
	return ERR_PTR(rc);
}

/*
 * Check whether a group with the domain @new can use @domain instead, without
 * shrinking the aperture of @domain.
 */
static bool domain_compatible(const struct type1_domain *domain,
			      const struct type1_domain *new)
{
	const struct iommu_domain_geometry *have = &domain->domain->geometry;
	const struct iommu_domain_geometry *want = &new->domain->geometry;

	return domain->domain->ops == new->domain->ops &&
	       domain->coherent == new->coherent &&
	       have->aperture_start >= want->aperture_start &&
	       have->aperture_end <= want->aperture_end;
}

/* Add a group to the domain that it is attached to. The domain may be new. */
static void add_group(struct type1 *type1, struct type1_group *group,
		      struct type1_domain *domain)
{
	lockdep_assert_held(&type1->domain_lock);
	group->domain = domain;
	group->untracked = true;
	iopt_dirty_add_untracked(type1->space.iopt);
	mutex_lock(&type1->lock);
	if (list_empty(&domain->groups))
		list_add(&domain->node, &type1->domains);
	list_add(&group->node, &domain->groups);
	WRITE_ONCE(type1->space.ranges_known, true);
	mutex_unlock(&type1->lock);
}

/*
 * Try to move a group from @new to an existing domain of the container, and add
 * it there. Returns the domain that the group is attached to, which is @new if
 * no other domain accepts the group, or an ERR_PTR() if the group is no longer
 * attached to any domain.
 */
static struct type1_domain *share_domain(struct type1 *type1,
					 struct type1_group *group,
					 struct type1_domain *new)
{
	struct type1_domain *domain;
	int rc;

	lockdep_assert_held(&type1->domain_lock);
	list_for_each_entry(domain, &type1->domains, node) {
		if (!domain_compatible(domain, new))
			continue;
		iommu_detach_group(new->domain, group->iommu_group);
		rc = iommu_attach_group(domain->domain, group->iommu_group);
		if (!rc) {
			add_group(type1, group, domain);
			return domain;
		}
		rc = iommu_attach_group(new->domain, group->iommu_group);
		if (rc)
			return ERR_PTR(rc);
	}
	return new;
}

/* Attach a domain to the engine, which fills it, and set up its MSI window. */
static int fill_domain(struct type1 *type1, struct iommu_domain *domain,
		       phys_addr_t msi_start)
{
	int rc;

	type1_choose_pages(type1);
	rc = iopt_attach_domain(type1->space.iopt, domain);
	/*
	 * For compatibility, return -EFAULT for a mapping outside of the
	 * aperture of the container's first domain: before type1 used the
	 * engine, the IOMMU driver detected such a mapping, and VT-d returned
	 * this errno. Other drivers returned other errnos. list_empty() reads
	 * one pointer and needs no lock here: if the last group is being
	 * detached, either errno is correct. Other attaches are excluded by
	 * attach_lock.
	 */
	if (rc == -EADDRINUSE && list_empty(&type1->domains) &&
	    mapped_outside(type1, domain))
		return -EFAULT;
	if (rc)
		return type1_attach_errno(rc);

	if (!iopt_iova_ranges(type1->space.iopt, NULL, 0))
		rc = -EINVAL;
	else if (msi_start != PHYS_ADDR_MAX)
		rc = iommu_get_msi_cookie(domain, msi_start);
	/* -ENODEV means that the kernel has no support for MSI windows. */
	if (!rc || rc == -ENODEV)
		return 0;
	iopt_detach_domain(type1->space.iopt, domain);
	return rc;
}

static int attach_physical(struct type1 *type1, struct type1_group *group)
{
	const struct iommu_domain_ops *ops;
	struct type1_domain *new, *domain;
	phys_addr_t msi_start;
	int rc;

	lockdep_assert_held(&type1->attach_lock);
	new = make_domain(type1, group->iommu_group);
	if (IS_ERR(new))
		return PTR_ERR(new);
	rc = reserve_regions(type1, group->iommu_group, &msi_start);
	if (rc)
		goto err_detach;
	rc = check_interrupts(group->iommu_group);
	if (rc)
		goto err_unreserve;

	/* KVM need not emulate WBINVD if all DMA is coherent. */
	ops = new->domain->ops;
	new->coherent = ops->enforce_cache_coherency &&
			ops->enforce_cache_coherency(new->domain);
	mutex_lock(&type1->domain_lock);
	domain = share_domain(type1, group, new);
	mutex_unlock(&type1->domain_lock);
	if (IS_ERR(domain)) {
		/* The group is detached already. */
		iopt_unreserve(type1->space.iopt, group->iommu_group);
		free_domain(new);
		return PTR_ERR(domain);
	}
	if (domain != new) {
		free_domain(new);
		return 0;
	}

	rc = fill_domain(type1, new->domain, msi_start);
	if (rc)
		goto err_unreserve;
	mutex_lock(&type1->domain_lock);
	add_group(type1, group, new);
	mutex_unlock(&type1->domain_lock);
	return 0;

err_unreserve:
	iopt_unreserve(type1->space.iopt, group->iommu_group);
err_detach:
	iommu_detach_group(new->domain, group->iommu_group);
	free_domain(new);
	return rc;
}

/*
 * Drivers of mediated devices need the user addresses of all mappings, so fail
 * with -EBUSY if a mapping has lost its user address.
 */
static int attach_mediated(struct type1 *type1, struct type1_group *group)
{
	bool orphans;

	if (mutex_lock_killable(&type1->space.vaddr_lock))
		return -EINTR;
	mutex_lock(&type1->lock);
	orphans = iopt_has_orphans(type1->space.iopt);
	if (!orphans)
		list_add(&group->node, &type1->mediated);
	mutex_unlock(&type1->lock);
	mutex_unlock(&type1->space.vaddr_lock);
	return orphans ? -EBUSY : 0;
}

/**
 * type1_attach_group() - attach a group to a container
 * @data: struct type1 of the container
 * @iommu_group: the group. For a physical group, the caller has called
 *               iommu_group_claim_dma_owner()
 * @type: %VFIO_EMULATED_IOMMU for a mediated group
 *
 * Context: Process context. May sleep for an unbounded time while memory is
 * pinned, killable. The caller serialises calls for the same group.
 * Return: 0, or
 * * %-EBUSY - A mapping has lost its user address.
 * * %-EFAULT - A mapping is outside of the aperture of the container's first
 *   domain, or its memory is not accessible.
 * * %-EINVAL - The group is already attached, conflicts with a mapping, or
 *   leaves no usable IOVA.
 * * %-EIO - No domain can be allocated for the group.
 * * %-EPERM - The interrupts of the group are not isolated.
 * * %-EINTR - The caller was killed.
 * * %-ENOMEM - Out of memory, or RLIMIT_MEMLOCK is exceeded.
 * * Another errno of pinning or of the IOMMU driver.
 *
 * On failure nothing has changed.
 */
int type1_attach_group(void *data, struct iommu_group *iommu_group,
		       enum vfio_group_type type)
{
	struct type1 *type1 = data;
	struct type1_group *group;
	int rc;

	if (iopt_has_orphans(type1->space.iopt))
		return -EBUSY;
	mutex_lock(&type1->lock);
	group = find_group(type1, iommu_group);
	mutex_unlock(&type1->lock);
	if (group)
		return -EINVAL;
	group = kzalloc(sizeof(*group), GFP_KERNEL);
	if (!group)
		return -ENOMEM;
	group->iommu_group = iommu_group;

	if (type == VFIO_EMULATED_IOMMU) {
		rc = attach_mediated(type1, group);
	} else if (mutex_lock_killable(&type1->attach_lock)) {
		rc = -EINTR;
	} else {
		rc = attach_physical(type1, group);
		mutex_unlock(&type1->attach_lock);
	}
	if (rc)
		kfree(group);
	return rc;
}

/*
 * The domain is freed with its last group. The mappings remain for the other
 * groups of the container. A concurrent attach of another group cannot join a
 * domain that is freed here: an attach that takes domain_lock before this
 * function keeps the domain in use, and an attach that takes domain_lock later
 * does not find the domain.
 */
static void detach_physical(struct type1 *type1, struct type1_group *group)
{
	struct type1_domain *domain = group->domain;
	bool last;

	mutex_lock(&type1->domain_lock);
	mutex_lock(&type1->lock);
	list_del(&group->node);
	last = list_empty(&domain->groups);
	if (last)
		list_del(&domain->node);
	mutex_unlock(&type1->lock);

	/*
	 * Empty the domain first: once no device is attached, the IOMMU driver
	 * may change the format of the domain.
	 */
	if (last)
		iopt_detach_domain(type1->space.iopt, domain->domain);
	iommu_detach_group(domain->domain, group->iommu_group);
	mutex_unlock(&type1->domain_lock);

	if (last)
		free_domain(domain);
	iopt_unreserve(type1->space.iopt, group->iommu_group);
	if (group->untracked)
		iopt_dirty_remove_untracked(type1->space.iopt, false);
}

/**
 * type1_detach_group() - detach a group from a container
 * @data: struct type1 of the container
 * @iommu_group: the group. DMA of a physical group is blocked when this returns
 *
 * Context: Process context. May sleep, but does not wait for memory to be
 * pinned. The caller serialises calls for the same group.
 */
void type1_detach_group(void *data, struct iommu_group *iommu_group)
{
	struct type1 *type1 = data;
	struct type1_group *group;

	mutex_lock(&type1->lock);
	group = find_group(type1, iommu_group);
	if (group && !group->domain)
		list_del(&group->node);
	mutex_unlock(&type1->lock);
	if (!group)
		return;
	if (group->domain)
		detach_physical(type1, group);
	kfree(group);
}

/**
 * type1_group_pinned() - record that a device of a group has pinned pages
 * @type1: state of the container
 * @iommu_group: the group. From now on, its devices are assumed to write only
 *               to pages that they pin
 *
 * Context: Takes type1.lock.
 */
void type1_group_pinned(struct type1 *type1, struct iommu_group *iommu_group)
{
	struct type1_group *group;

	/*
	 * Only physical groups are untracked. This group was attached before
	 * its device was opened, so the check needs no lock.
	 */
	if (list_empty(&type1->domains))
		return;
	mutex_lock(&type1->lock);
	group = find_group(type1, iommu_group);
	if (group && group->untracked) {
		group->untracked = false;
		iopt_dirty_remove_untracked(type1->space.iopt, true);
	}
	mutex_unlock(&type1->lock);
}

/**
 * type1_all_coherent() - check whether all domains are coherent
 * @space: the space of a container
 *
 * Context: Takes type1.lock.
 * Return: true if the IOMMU enforces coherency of all DMA, or if there is no
 * domain.
 */
bool type1_all_coherent(struct type1_space *space)
{
	struct type1 *type1 = container_of(space, struct type1, space);
	struct type1_domain *domain;
	bool coherent = true;

	mutex_lock(&type1->lock);
	list_for_each_entry(domain, &type1->domains, node)
		coherent = coherent && domain->coherent;
	mutex_unlock(&type1->lock);
	return coherent;
}
