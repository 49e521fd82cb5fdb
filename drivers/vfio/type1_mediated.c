// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: memory for drivers of mediated devices.
 *
 * All of a container's devices share one access of the engine, because their
 * pins are nobody's in particular: any device may drop what another one pinned,
 * and drop what nobody pinned.
 *
 * Rule: a driver's dma_unmap op is called for one unmap of the container at a
 * time, as drivers rely on. The mutex that serialises the calls is taken by
 * nothing that a driver calls to unpin, to pin or to access memory, because
 * drivers do so with their own locks held, which their dma_unmap op takes too.
 */
#include <linux/mm.h>
#include <linux/overflow.h>

#include "type1.h"

static void tell_of_unmap(void *data, unsigned long start, unsigned long last)
{
	struct type1 *type1 = data;
	struct vfio_device *vdev;

	/*
	 * A driver may be pinning memory in an earlier call, which can take
	 * long. The engine ends the unmap of a caller that is killed here with
	 * -EINTR, and leaves the mapping.
	 */
	if (mutex_lock_killable(&type1->told_lock))
		return;
	list_for_each_entry(vdev, &type1->told, iommu_entry)
		vdev->ops->dma_unmap(vdev, start, last - start + 1);
	mutex_unlock(&type1->told_lock);
}

const struct iopt_access_ops type1_access_ops = {
	.unmap = tell_of_unmap,
};

/* A device was opened. */
void type1_register_device(void *data, struct vfio_device *vdev)
{
	struct type1 *type1 = data;

	if (!vdev->ops->dma_unmap)
		return;
	mutex_lock(&type1->told_lock);
	list_add(&vdev->iommu_entry, &type1->told);
	mutex_unlock(&type1->told_lock);
}

/* A device is closed: it is told of nothing any more when this returns. */
void type1_unregister_device(void *data, struct vfio_device *vdev)
{
	struct type1 *type1 = data;

	if (!vdev->ops->dma_unmap)
		return;
	mutex_lock(&type1->told_lock);
	list_del(&vdev->iommu_entry);
	mutex_unlock(&type1->told_lock);
}

static_assert(!(IOPT_ACCESS_READ ^ IOMMU_READ) &&
	      !(IOPT_ACCESS_WRITE ^ IOMMU_WRITE));

/* Some errnos have always been others here than in the engine. */
static int access_errno(int rc)
{
	switch (rc) {
	case -ENOENT:
	case -EOVERFLOW:
		return -EINVAL;
	case -ESRCH:
		return -ENODEV;
	default:
		return rc;
	}
}

/*
 * Pin @npage pages, of which @iova may be inside of the first one, for a device
 * of a group. Returns @npage, -EACCES for version 1, -EBUSY if a mapping has lost
 * its address, -EINVAL if not all is mapped or no device is told of unmaps,
 * -ENODEV if the process is gone whose memory it is, or an errno of
 * iopt_access_pin(); nothing is pinned then.
 */
int type1_pin_pages(void *data, struct iommu_group *iommu_group,
		    dma_addr_t iova, int npage, int prot, struct page **pages)
{
	unsigned long start = iova & PAGE_MASK, last;
	struct type1 *type1 = data;
	struct iopt_range mapping;
	int rc;

	if (!type1->v2)
		return -EACCES;
	if (iopt_has_orphans(type1->iopt))
		return -EBUSY;
	/* Drivers that are not told of unmaps may pin if some other one is. */
	if (list_empty(&type1->told) ||
	    check_add_overflow(start, npage * PAGE_SIZE - 1, &last))
		return -EINVAL;
	/* No mapping allows anything else. */
	if (prot & ~(IOPT_ACCESS_READ | IOPT_ACCESS_WRITE)) {
		*pages = NULL;
		return iopt_find_mapping(type1->iopt, start, start, &mapping) ?
		       -EPERM : -EINVAL;
	}

	rc = iopt_access_pin(type1->access, start, last, pages,
			     prot | IOPT_ACCESS_UNALIGNED);
	if (rc == -ENOMEM)
		type1_warn_of_limit(type1, "vfio_pin_page_external", npage);
	if (rc)
		return access_errno(rc);
	type1_group_pinned(type1, iommu_group);
	return npage;
}

/*
 * Unpin pages, each once. What is mapped and not pinned is left alone, but it is
 * a driver's bug, and the end of it, if one is not mapped.
 */
void vfio_iommu_type1_unpin_pages(void *data, dma_addr_t iova, int npage)
{
	unsigned long start = iova & PAGE_MASK, last;
	struct type1 *type1 = data;
	struct iopt_range mapping;

	if (WARN_ON(!type1->v2))
		return;
	if (check_add_overflow(start, npage * PAGE_SIZE - 1, &last))
		last = ULONG_MAX;
	while (iopt_find_mapping(type1->iopt, start, start, &mapping)) {
		mapping.last = min(mapping.last, last);
		iopt_access_unpin(type1->access, start, mapping.last);
		if (mapping.last == last)
			return;
		start = mapping.last + 1;
	}
	WARN_ON(true);
}

/*
 * Read or write memory; to write, it has to be readable too. Returns 0, -EBUSY if
 * a mapping has lost its address, -EINVAL if not all is mapped, or an errno of
 * iopt_access_rw().
 */
int type1_dma_rw(void *data, dma_addr_t iova, void *buffer, size_t length,
		 bool write)
{
	unsigned int flags = IOPT_ACCESS_READ;
	struct type1 *type1 = data;

	if (iopt_has_orphans(type1->iopt))
		return -EBUSY;
	if (write)
		flags |= IOPT_ACCESS_WRITE;
	return access_errno(iopt_access_rw(type1->access, iova, buffer, length,
					   flags));
}
