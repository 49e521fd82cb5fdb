// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: the ioctls of a container that map memory.
 *
 * More than one driver can offer these ioctls. Each driver owns its I/O address
 * spaces and attaches devices to them. The files of this module decode the
 * ioctls, and leave pinning, charging and mapping to the engine.
 *
 * Vocabulary:
 *  version   1 or 2, chosen by user space. The versions differ in how UNMAP
 *            treats a range that cuts a mapping. Version 1 supports neither
 *            dirty tracking nor pinning by drivers
 */
#include <linux/module.h>

#include "ioctl.h"

/**
 * type1_space_init() - set up the state of the ioctls
 * @space: the state
 * @iopt: the I/O address space, which must outlive @space
 * @ops: operations of the owner of @iopt
 *
 * The space uses version 2. Version 1 is set by clearing type1_space.v2.
 */
void type1_space_init(struct type1_space *space, struct io_pagetable *iopt,
		      const struct type1_space_ops *ops)
{
	space->iopt = iopt;
	space->ops = ops;
	space->v2 = true;
	mutex_init(&space->vaddr_lock);
}
EXPORT_SYMBOL_NS_GPL(type1_space_init, VFIO_TYPE1);

/**
 * type1_space_destroy() - undo type1_space_init()
 * @space: the state
 */
void type1_space_destroy(struct type1_space *space)
{
	mutex_destroy(&space->vaddr_lock);
}
EXPORT_SYMBOL_NS_GPL(type1_space_destroy, VFIO_TYPE1);

/**
 * type1_space_ioctl() - handle an ioctl
 * @space: the space, or NULL if there is none yet
 * @cmd: number of the ioctl
 * @arg: its argument
 *
 * Context: Process context. May sleep for an unbounded time, killable. The
 * caller must keep @space valid until the function returns, for example with a
 * reference, but not with a lock that other threads wait for.
 * Return: result of the ioctl, or
 * * %-ENOTTY - The ioctl is not one of type1.
 * * %-ENODEV - @space is NULL, but the ioctl needs a space.
 */
long type1_space_ioctl(struct type1_space *space, unsigned int cmd,
		       unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_CHECK_EXTENSION:
		return type1_check_extension(space, arg);
	case VFIO_IOMMU_GET_INFO:
		return type1_get_info(space, uarg);
	case VFIO_IOMMU_MAP_DMA:
		return type1_map_dma(space, uarg);
	case VFIO_IOMMU_UNMAP_DMA:
		return type1_unmap_dma(space, uarg);
	case VFIO_IOMMU_DIRTY_PAGES:
		return type1_dirty_pages(space, uarg);
	default:
		return -ENOTTY;
	}
}
EXPORT_SYMBOL_NS_GPL(type1_space_ioctl, VFIO_TYPE1);

MODULE_IMPORT_NS(IOPT);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ioctls of VFIO type1");
