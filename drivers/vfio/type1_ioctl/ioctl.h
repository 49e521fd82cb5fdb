/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO type1: the handlers of the ioctls. See ioctl.c.
 *
 * Do not change the order of checks where user space can observe it.
 */
#ifndef __VFIO_TYPE1_IOCTL_H
#define __VFIO_TYPE1_IOCTL_H

#include <linux/bitops.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vfio_type1.h>
#include <uapi/linux/vfio.h>

/* Largest dirty bitmap in bytes: one bit for each of INT_MAX pages. */
#define TYPE1_BITMAP_MAX	BIT(28)

/*
 * Get the smallest page size in bytes. The IOVA and the size of each range that
 * user space passes must be aligned to it, and so must the user address of a
 * mapping.
 */
static inline unsigned long type1_pgsize(struct type1_space *space)
{
	return 1UL << __ffs(iopt_pgsizes(space->iopt));
}

/* info.c */
long type1_check_extension(struct type1_space *space, unsigned long extension);
long type1_get_info(struct type1_space *space, void __user *arg);

/* dma.c */
long type1_map_dma(struct type1_space *space, void __user *arg);
long type1_unmap_dma(struct type1_space *space, void __user *arg);

/* dirty.c */
int type1_check_bitmap(const struct vfio_bitmap *bitmap, u64 size);
long type1_dirty_pages(struct type1_space *space, void __user *arg);

#endif /* __VFIO_TYPE1_IOCTL_H */
