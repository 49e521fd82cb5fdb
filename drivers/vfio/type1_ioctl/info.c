// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: VFIO_CHECK_EXTENSION and VFIO_IOMMU_GET_INFO.
 *
 * The uAPI does not define an order of the capabilities. Keep the present one,
 * because programs may depend on it.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/**
 * type1_check_extension() - handle VFIO_CHECK_EXTENSION
 * @space: the space, or NULL if there is none yet
 * @extension: %VFIO_TYPE1_IOMMU etc.
 *
 * Return: 1 if the extension is supported, otherwise 0.
 */
long type1_check_extension(struct type1_space *space, unsigned long extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_TYPE1_NESTING_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_UPDATE_VADDR:
		/*
		 * Drivers of mediated devices may access memory at any time,
		 * for which they need the user addresses of mappings.
		 */
		return space && !space->ops->has_mediated(space);
	case VFIO_DMA_CC_IOMMU:
		return space && space->ops->coherent(space);
	default:
		return 0;
	}
}

/**
 * struct capabilities - capabilities that VFIO_IOMMU_GET_INFO returns
 * @migration: page size and maximum size of a dirty bitmap
 * @avail: number of mappings that can still be added
 * @iova: usable IOVAs; left out until type1_space.ranges_known is set, and if
 *        no IOVA is usable
 *
 * Type1 returns the capabilities without padding in between, hence __packed.
 */
struct capabilities {
	struct vfio_iommu_type1_info_cap_migration migration;
	struct vfio_iommu_type1_info_dma_avail avail;
	struct vfio_iommu_type1_info_cap_iova_range iova;
} __packed;

/*
 * Get the usable ranges. Returns an array of @nr ranges, which the caller must
 * free, or NULL if out of memory.
 */
static struct iopt_range *get_ranges(struct type1_space *space,
				     unsigned int *nr)
{
	unsigned int room = iopt_iova_ranges(space->iopt, NULL, 0);
	struct iopt_range *ranges;

	for (;;) {
		ranges = kvmalloc_array(room, sizeof(*ranges),
					GFP_KERNEL_ACCOUNT);
		if (!ranges)
			return NULL;
		*nr = iopt_iova_ranges(space->iopt, ranges, room);
		if (*nr <= room)
			return ranges;
		/* Ranges were added meanwhile. */
		kvfree(ranges);
		room = *nr;
	}
}

/*
 * Allocate and fill the capabilities, which start at @offset in the buffer of
 * the user. Sets @size to their size in bytes. Returns NULL if out of memory.
 */
static struct capabilities *get_capabilities(struct type1_space *space,
					     u32 offset, size_t *size)
{
	unsigned int nr = 0, i;
	struct capabilities *caps;
	struct iopt_range *ranges = NULL;

	if (READ_ONCE(space->ranges_known)) {
		ranges = get_ranges(space, &nr);
		if (!ranges)
			return NULL;
	}
	*size = nr ? struct_size(caps, iova.iova_ranges, nr) :
		     offsetof(struct capabilities, iova);
	caps = kvzalloc(*size, GFP_KERNEL_ACCOUNT);
	if (!caps)
		goto out;

	caps->migration.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION;
	caps->migration.header.version = 1;
	caps->migration.header.next = offset + offsetof(typeof(*caps), avail);
	caps->migration.pgsize_bitmap = type1_pgsize(space);
	caps->migration.max_dirty_bitmap_size = TYPE1_BITMAP_MAX;
	caps->avail.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
	caps->avail.header.version = 1;
	caps->avail.avail = iopt_mappings_left(space->iopt);
	if (!nr)
		goto out;
	caps->avail.header.next = offset + offsetof(typeof(*caps), iova);
	caps->iova.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	caps->iova.header.version = 1;
	caps->iova.nr_iovas = nr;
	for (i = 0; i != nr; i++) {
		caps->iova.iova_ranges[i].start = ranges[i].start;
		caps->iova.iova_ranges[i].end = ranges[i].last;
	}
out:
	kvfree(ranges);
	return caps;
}

/**
 * type1_get_info() - handle VFIO_IOMMU_GET_INFO
 * @space: the space, or NULL
 * @arg: user address of struct vfio_iommu_type1_info. If there is no room for
 *       the capabilities, they are left out and argsz is set to the required
 *       size in bytes
 *
 * Context: Process context. May sleep.
 * Return: 0, or
 * * %-EFAULT - @arg is not accessible.
 * * %-EINVAL - The value of argsz is too small.
 * * %-ENODEV - There is no space.
 * * %-ENOMEM - Out of memory.
 */
long type1_get_info(struct type1_space *space, void __user *arg)
{
	size_t size = offsetofend(struct vfio_iommu_type1_info, iova_pgsizes);
	struct vfio_iommu_type1_info info;
	struct capabilities *caps;
	size_t caps_size;
	int rc = 0;

	if (copy_from_user(&info, arg, size))
		return -EFAULT;
	if (info.argsz < size)
		return -EINVAL;
	if (!space)
		return -ENODEV;
	/*
	 * Programs that predate the capabilities pass a struct without
	 * cap_offset.
	 */
	if (info.argsz >= offsetofend(typeof(info), cap_offset))
		size = offsetofend(typeof(info), cap_offset);

	caps = get_capabilities(space, sizeof(info), &caps_size);
	if (!caps)
		return -ENOMEM;
	info.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info.iova_pgsizes = iopt_pgsizes(space->iopt);
	info.cap_offset = 0;
	if (info.argsz < sizeof(info) + caps_size) {
		info.argsz = sizeof(info) + caps_size;
	} else {
		info.cap_offset = sizeof(info);
		if (copy_to_user(arg + sizeof(info), caps, caps_size))
			rc = -EFAULT;
	}
	if (!rc && copy_to_user(arg, &info, size))
		rc = -EFAULT;
	kvfree(caps);
	return rc;
}
