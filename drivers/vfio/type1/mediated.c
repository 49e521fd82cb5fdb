// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: pinning and access for drivers of mediated devices.
 *
 * All devices of a container share one access of the engine, because pins do
 * not belong to a particular device: any device may unpin pages that another
 * device pinned. Unpinning a mapped page that is not pinned has no effect.
 *
 * Drivers rely on their dma_unmap op being called for one unmap of the
 * container at a time, so type1.notify_lock is held across the op. The
 * functions that drivers call to pin, unpin or access memory must not take this
 * lock, because drivers call them with locks held that dma_unmap also takes.
 */
#include <linux/mm.h>
#include <linux/overflow.h>

#include "type1.h"

static void notify_unmap(void *data, unsigned long start, unsigned long last)
{
	struct type1 *type1 = data;
	struct vfio_device *vdev;

	/*
	 * Another callback may hold the lock for an unbounded time, since it
	 * may wait for a lock of the driver under which memory is pinned. If a
	 * task that unmaps is killed while it waits here and pages stay pinned,
	 * the engine fails the unmap with -EINTR and keeps the mapping.
	 */
	if (mutex_lock_killable(&type1->notify_lock))
		return;
	list_for_each_entry(vdev, &type1->notified, iommu_entry)
		vdev->ops->dma_unmap(vdev, start, last - start + 1);
	mutex_unlock(&type1->notify_lock);
}

const struct iopt_access_ops type1_access_ops = {
	.unmap = notify_unmap,
};

/**
 * type1_register_device() - start notifying a device of unmaps
 * @data: struct type1 of the container
 * @vdev: the device, which is being opened; nothing is done if its driver has
 *        no dma_unmap op
 *
 * Context: May sleep. Takes type1.notify_lock, and waits for running callbacks.
 */
void type1_register_device(void *data, struct vfio_device *vdev)
{
	struct type1 *type1 = data;

	if (!vdev->ops->dma_unmap)
		return;
	mutex_lock(&type1->notify_lock);
	list_add(&vdev->iommu_entry, &type1->notified);
	mutex_unlock(&type1->notify_lock);
}

/**
 * type1_unregister_device() - stop notifying a device of unmaps
 * @data: struct type1 of the container
 * @vdev: the device, which is being closed. It is not notified after this
 *        returns
 *
 * Context: May sleep. Takes type1.notify_lock, and waits for running callbacks.
 */
void type1_unregister_device(void *data, struct vfio_device *vdev)
{
	struct type1 *type1 = data;

	if (!vdev->ops->dma_unmap)
		return;
	mutex_lock(&type1->notify_lock);
	list_del(&vdev->iommu_entry);
	mutex_unlock(&type1->notify_lock);
}

static_assert(!(IOPT_ACCESS_READ ^ IOMMU_READ) &&
	      !(IOPT_ACCESS_WRITE ^ IOMMU_WRITE));

/**
 * type1_pin_pages() - pin pages for a device of a group
 * @data: struct type1 of the container
 * @iommu_group: group of the device
 * @iova: any IOVA in the first page
 * @npage: number of pages, at least 1
 * @prot: IOMMU_READ and IOMMU_WRITE, the permissions that the mappings must
 *        have
 * @pages: receives the pages
 *
 * Context: May sleep for an unbounded time.
 * Return: @npage, or
 * * %-EACCES - The container uses version 1.
 * * %-EBUSY - A mapping has lost its user address.
 * * %-EINVAL - Not all pages are mapped, a page has no struct page, or no
 *   device is notified of unmaps.
 * * %-EPERM - A mapping does not have the permissions.
 * * %-ENODEV - The process that mapped the memory has exited.
 * * Another errno of iopt_access_pin().
 *
 * On failure nothing is pinned.
 */
int type1_pin_pages(void *data, struct iommu_group *iommu_group,
		    dma_addr_t iova, int npage, int prot, struct page **pages)
{
	unsigned long start = iova & PAGE_MASK, last;
	struct type1 *type1 = data;
	struct iopt_range mapping;
	int rc;

	if (!type1->space.v2)
		return -EACCES;
	if (iopt_has_orphans(type1->space.iopt))
		return -EBUSY;
	/*
	 * A device without a dma_unmap op may pin only if another device has
	 * one. list_empty() reads one pointer and needs no lock here: if the
	 * other device is being closed, the effect is as if the pages had been
	 * pinned before. Drivers keep their own device open while they pin.
	 */
	if (list_empty(&type1->notified) || iova > ULONG_MAX ||
	    check_add_overflow(start, npage * PAGE_SIZE - 1, &last))
		return -EINVAL;
	/* A mapping can only permit reads and writes. */
	if (prot & ~(IOPT_ACCESS_READ | IOPT_ACCESS_WRITE)) {
		*pages = NULL;
		return iopt_find_mapping(type1->space.iopt, start, start, &mapping) ?
		       -EPERM : -EINVAL;
	}

	rc = iopt_access_pin(type1->access, start, last, pages,
			     prot | IOPT_ACCESS_UNALIGNED);
	if (rc == -ENOMEM)
		type1_warn_of_limit(type1, "vfio_pin_page_external", npage);
	if (rc)
		return type1_access_errno(rc);
	type1_group_pinned(type1, iommu_group);
	return npage;
}

/**
 * vfio_iommu_type1_unpin_pages() - drop one pin of each page
 * @data: struct type1 of the container
 * @iova: any IOVA in the first page
 * @npage: number of pages, at least 1
 *
 * Pages that are mapped but not pinned are ignored. An unmapped page is a
 * driver bug: warn, and ignore it and all pages after it. The function has kept
 * its old name because the warning contains it.
 *
 * Context: May sleep. May be called from the driver's dma_unmap op.
 */
void vfio_iommu_type1_unpin_pages(void *data, dma_addr_t iova, int npage)
{
	unsigned long start = iova & PAGE_MASK, last;
	struct type1 *type1 = data;
	struct iopt_range mapping;

	if (WARN_ON(!type1->space.v2 || iova > ULONG_MAX))
		return;
	if (check_add_overflow(start, npage * PAGE_SIZE - 1, &last))
		last = ULONG_MAX;
	while (iopt_find_mapping(type1->space.iopt, start, start, &mapping)) {
		mapping.last = min(mapping.last, last);
		iopt_access_unpin(type1->access, start, mapping.last);
		if (mapping.last == last)
			return;
		start = mapping.last + 1;
	}
	WARN_ON(true);
}

/**
 * type1_dma_rw() - read or write memory with the CPU
 * @data: struct type1 of the container
 * @iova: first IOVA
 * @buffer: kernel buffer
 * @length: length in bytes
 * @write: write to the memory if true, otherwise read it. Writing also requires
 *         that the mappings permit reading
 *
 * Context: Runs in the process that mapped the memory, or in a kernel thread
 * without an mm. May sleep for an unbounded time.
 * Return: 0, or
 * * %-EBUSY - A mapping has lost its user address.
 * * %-EINVAL - A part of the range is not mapped.
 * * %-EPERM - A mapping does not have the permissions, or the process that
 *   mapped the memory has exited.
 * * Another errno of iopt_access_rw().
 *
 * On failure a part of the range may have been copied.
 */
int type1_dma_rw(void *data, dma_addr_t iova, void *buffer, size_t length,
		 bool write)
{
	unsigned int flags = IOPT_ACCESS_READ;
	struct type1 *type1 = data;

	if (iopt_has_orphans(type1->space.iopt))
		return -EBUSY;
	if (iova > ULONG_MAX)
		return -EINVAL;
	if (write)
		flags |= IOPT_ACCESS_WRITE;
	return type1_access_errno(iopt_access_rw(type1->access, iova, buffer,
						 length, flags));
}
