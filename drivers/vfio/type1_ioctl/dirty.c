// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: VFIO_IOMMU_DIRTY_PAGES.
 *
 * The engine tracks dirty pages. For devices with untracked DMA, the owner of
 * the space calls iopt_dirty_add_untracked() and iopt_dirty_remove_untracked().
 */
#include <linux/mm.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "ioctl.h"

/**
 * type1_check_bitmap() - check that a user's bitmap covers a range
 * @bitmap: the bitmap
 * @size: size of the range in bytes
 *
 * Does not check that the page size is that of the container.
 *
 * Return: 0, or
 * * %-EINVAL - The bitmap is too small, too large or not in user memory, or its
 *   page size is 0 or larger than the range.
 */
int type1_check_bitmap(const struct vfio_bitmap *bitmap, u64 size)
{
	u64 npages;

	if (!access_ok(bitmap->data, bitmap->size) || !bitmap->pgsize)
		return -EINVAL;
	npages = size >> __ffs64(bitmap->pgsize);
	if (!npages || !bitmap->size || bitmap->size > TYPE1_BITMAP_MAX ||
	    DIV_ROUND_UP_ULL(npages, 64) > bitmap->size / sizeof(u64))
		return -EINVAL;
	return 0;
}

static long dirty_get(struct type1_space *space, void __user *arg, u32 room)
{
	struct vfio_iommu_type1_dirty_bitmap_get range;
	struct iopt_dirty_query query = {
		.pgsize = type1_pgsize(space),
		.whole_words = true,
	};
	int rc;

	if (room < sizeof(range))
		return -EINVAL;
	if (copy_from_user(&range, arg, sizeof(range)))
		return -EFAULT;
	/*
	 * This also rejects a range that ends at the last byte of the address
	 * space.
	 */
	if (range.iova + range.size < range.iova)
		return -EINVAL;
	rc = type1_check_bitmap(&range.bitmap, range.size);
	if (rc)
		return rc;
	if (range.bitmap.pgsize != query.pgsize ||
	    range.iova + range.size > ULONG_MAX)
		return -EINVAL;
	query.bitmap = range.bitmap.data;
	return iopt_dirty_read(space->iopt, range.iova,
			       range.iova + range.size - 1, &query, 0);
}

/**
 * type1_dirty_pages() - handle VFIO_IOMMU_DIRTY_PAGES
 * @space: the space, or NULL
 * @arg: user address of struct vfio_iommu_type1_dirty_bitmap and its data
 *
 * Context: Process context. May sleep.
 * Return: 0, or
 * * %-EACCES - The container uses version 1.
 * * %-ENODEV - There is no space.
 * * %-EFAULT - @arg or the bitmap is not accessible.
 * * %-EINVAL - An argument is invalid, or a bitmap is requested while dirty
 *   tracking is off.
 * * An errno of iopt_dirty_start() or iopt_dirty_read().
 */
long type1_dirty_pages(struct type1_space *space, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dirty_bitmap,
					flags);
	struct vfio_iommu_type1_dirty_bitmap dirty;

	if (space && !READ_ONCE(space->v2))
		return -EACCES;
	if (copy_from_user(&dirty, arg, size))
		return -EFAULT;
	if (dirty.argsz < size)
		return -EINVAL;
	if (!space)
		return -ENODEV;

	switch (dirty.flags) {
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_START:
		return iopt_dirty_start(space->iopt);
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP:
		iopt_dirty_stop(space->iopt);
		return 0;
	case VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP:
		return dirty_get(space, arg + size, dirty.argsz - size);
	default:
		return -EINVAL;
	}
}
