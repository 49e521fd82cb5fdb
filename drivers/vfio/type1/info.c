// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: VFIO_CHECK_EXTENSION and VFIO_IOMMU_GET_INFO.
 *
 * The uAPI does not define an order of the capabilities. Keep the present one,
 * because programs may depend on it.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "type1.h"

/* Check whether all domains are coherent. Also true without any domain. */
static bool all_coherent(struct type1 *type1)
{
	struct type1_domain *domain;
	bool coherent = true;

	mutex_lock(&type1->lock);
	list_for_each_entry(domain, &type1->domains, node)
		coherent = coherent && domain->coherent;
	mutex_unlock(&type1->lock);
	return coherent;
}

/**
 * type1_check_extension() - handle VFIO_CHECK_EXTENSION
 * @type1: state of the container, or NULL if it has no driver yet
 * @extension: %VFIO_TYPE1_IOMMU etc.
 *
 * Return: 1 if the extension is supported, otherwise 0.
 */
long type1_check_extension(struct type1 *type1, unsigned long extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_TYPE1_NESTING_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_UPDATE_VADDR:
		/* Drivers of mediated devices may access memory at any time. */
		return type1 && list_empty(&type1->mediated);
	case VFIO_DMA_CC_IOMMU:
		return type1 && all_coherent(type1);
	default:
		return 0;
	}
}

/* Report the usable IOVAs, but only once a physical group has been attached. */
static int add_ranges(struct type1 *type1, struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_info_cap_header *header = NULL;
	struct iopt_range *ranges = NULL;
	unsigned int nr, i, room = 0;

	if (!READ_ONCE(type1->ranges_known))
		return 0;
	while ((nr = iopt_iova_ranges(type1->iopt, ranges, room)) > room) {
		kfree(ranges);
		ranges = kcalloc(nr, sizeof(*ranges), GFP_KERNEL);
		if (!ranges)
			return -ENOMEM;
		room = nr;
	}
	if (!nr)
		goto out;
	header = vfio_info_cap_add(caps, struct_size(cap, iova_ranges, nr),
				   VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, 1);
	if (!IS_ERR(header)) {
		cap = container_of(header, typeof(*cap), header);
		cap->nr_iovas = nr;
		for (i = 0; i != nr; i++) {
			cap->iova_ranges[i].start = ranges[i].start;
			cap->iova_ranges[i].end = ranges[i].last;
		}
	}
out:
	kfree(ranges);
	return PTR_ERR_OR_ZERO(header);
}

static int add_all(struct type1 *type1, struct vfio_info_cap *caps)
{
	struct vfio_iommu_type1_info_cap_migration migration;
	struct vfio_iommu_type1_info_dma_avail avail = {
		.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
		.header.version = 1,
		.avail = iopt_mappings_left(type1->iopt),
	};

	/* An initializer may leave the padding, which user space gets, unset. */
	memset(&migration, 0, sizeof(migration));
	migration.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION;
	migration.header.version = 1;
	migration.pgsize_bitmap = type1_pgsize(type1);
	migration.max_dirty_bitmap_size = TYPE1_BITMAP_MAX;

	return vfio_info_add_capability(caps, &migration.header,
					sizeof(migration)) ?:
	       vfio_info_add_capability(caps, &avail.header, sizeof(avail)) ?:
	       add_ranges(type1, caps);
}

/**
 * type1_get_info() - handle VFIO_IOMMU_GET_INFO
 * @type1: state of the container
 * @arg: user address of struct vfio_iommu_type1_info. If there is no room for
 *       the capabilities, they are left out and argsz is set to the required
 *       size in bytes
 *
 * Context: Process context. May sleep.
 * Return: 0, or
 * * %-EFAULT - @arg is not accessible.
 * * %-EINVAL - The value of argsz is too small.
 * * %-ENOMEM - Out of memory.
 */
long type1_get_info(struct type1 *type1, void __user *arg)
{
	size_t size = offsetofend(struct vfio_iommu_type1_info, iova_pgsizes);
	struct vfio_info_cap caps = {};
	struct vfio_iommu_type1_info info;
	int rc;

	if (copy_from_user(&info, arg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	/*
	 * Programs that predate the capabilities pass a struct without
	 * cap_offset.
	 */
	if (info.argsz >= offsetofend(typeof(info), cap_offset))
		size = offsetofend(typeof(info), cap_offset);

	rc = add_all(type1, &caps);
	if (rc)
		goto out;
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = READ_ONCE(type1->pgsizes);
	info.cap_offset = 0;
	if (info.argsz < sizeof(info) + caps.size) {
		info.argsz = sizeof(info) + caps.size;
	} else {
		info.cap_offset = sizeof(info);
		vfio_info_cap_shift(&caps, sizeof(info));
		if (copy_to_user(arg + sizeof(info), caps.buf, caps.size))
			rc = -EFAULT;
	}
	if (!rc && copy_to_user(arg, &info, size))
		rc = -EFAULT;
out:
	kfree(caps.buf);
	return rc;
}
