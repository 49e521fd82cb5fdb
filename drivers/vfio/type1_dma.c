// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: VFIO_IOMMU_MAP_DMA and VFIO_IOMMU_UNMAP_DMA.
 *
 * A mapping is what one MAP made. UNMAP takes whole ones: a range that cuts one
 * is an error for version 2, while version 1 lets a mapping go whose first byte
 * is in the range, and does nothing if the range starts inside of one (H5).
 *
 * Rule: the order of errors is the uAPI's (H8). What the engine finds in another
 * order is looked at again after it failed, not before it is asked.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "type1.h"

#define MAP_PROT	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define MAP_FLAGS	(MAP_PROT | VFIO_DMA_MAP_FLAG_VADDR)
static_assert(!(VFIO_DMA_MAP_FLAG_READ ^ IOMMU_READ) &&
	      !(VFIO_DMA_MAP_FLAG_WRITE ^ IOMMU_WRITE));

#define UNMAP_FLAGS \
	(VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | \
	 VFIO_DMA_UNMAP_FLAG_VADDR)

/* Whom the engine would charge for pages of the current process. */
static enum iopt_account current_account(void)
{
	return capable(CAP_IPC_LOCK) ? IOPT_ACCOUNT_MM_UNLIMITED :
				       IOPT_ACCOUNT_MM;
}

static int map(struct type1 *type1, unsigned long iova, unsigned long last,
	       void __user *vaddr, int prot)
{
	unsigned long length = last - iova + 1;
	struct iopt_range mapping;
	int rc;

	type1_choose_pages(type1);
	rc = iopt_map_user(type1->iopt, &iova, vaddr, length,
			   prot | IOMMU_CACHE, current_account(),
			   IOPT_MAP_FIXED);
	if (rc == -ENOMEM)
		type1_warn_of_limit(type1, "vfio_pin_pages_remote",
				    length >> PAGE_SHIFT);
	if (rc != -EINVAL)
		return rc;
	/* What cannot be mapped for several reasons is told the first one. */
	if (iopt_find_mapping(type1->iopt, iova, last, &mapping))
		return -EEXIST;
	return iopt_mappings_left(type1->iopt) ? -EINVAL : -ENOSPC;
}

/**
 * type1_map_dma - VFIO_IOMMU_MAP_DMA
 * @type1: the container's
 * @arg: struct vfio_iommu_type1_dma_map
 *
 * Context: process context, may sleep for long.
 * Return: 0, -EFAULT, -EINVAL for arguments that make no sense or IOVAs that
 * cannot be used, -EEXIST if something is mapped there, -ENOSPC if there are
 * too many mappings, or an errno of iopt_map_user(); with
 * %VFIO_DMA_MAP_FLAG_VADDR an errno of iopt_adopt(). All is as it was then.
 */
long type1_map_dma(struct type1 *type1, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dma_map, size);
	unsigned long iova, vaddr, length, last, vaddr_last;
	struct vfio_iommu_type1_dma_map map_arg;
	int prot;

	if (copy_from_user(&map_arg, arg, size))
		return -EFAULT;
	if (map_arg.argsz < size || map_arg.flags & ~MAP_FLAGS)
		return -EINVAL;
	iova = map_arg.iova;
	vaddr = map_arg.vaddr;
	length = map_arg.size;
	if (iova != map_arg.iova || vaddr != map_arg.vaddr ||
	    length != map_arg.size)
		return -EINVAL;
	prot = map_arg.flags & MAP_PROT;
	if (!prot == !(map_arg.flags & VFIO_DMA_MAP_FLAG_VADDR) || !length ||
	    !IS_ALIGNED(iova | vaddr | length, type1_pgsize(type1)))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last) ||
	    check_add_overflow(vaddr, length - 1, &vaddr_last))
		return -EINVAL;

	if (!prot)
		return iopt_adopt(type1->iopt, iova, last,
				  (void __user *)vaddr, current_account());
	return map(type1, iova, last, (void __user *)vaddr, prot);
}

/**
 * struct unmap - what is to be unmapped
 * @start: first IOVA
 * @last: last IOVA
 * @query: where to tell what is dirty, or NULL
 * @bytes: of the mappings that are gone, or have lost their address
 */
struct unmap {
	unsigned long start;
	unsigned long last;
	const struct iopt_dirty_query *query;
	unsigned long bytes;
};

/* Let the range cut no mapping. -ENOENT if there is nothing to be done. */
static int unmap_whole(struct type1 *type1, struct unmap *unmap)
{
	struct iopt_range mapping;

	if (iopt_find_mapping(type1->iopt, unmap->start, unmap->start,
			      &mapping) &&
	    mapping.start < unmap->start)
		return type1->v2 ? -EINVAL : -ENOENT;
	if (iopt_find_mapping(type1->iopt, unmap->last, unmap->last,
			      &mapping) &&
	    mapping.last > unmap->last) {
		if (type1->v2)
			return -EINVAL;
		unmap->last = mapping.last;
	}
	return 0;
}

/*
 * Unmap one after the other, from the lowest on. What is below the next one is
 * not mapped any more, so that the bits before it are not written.
 */
static int unmap_each(struct type1 *type1, struct unmap *unmap)
{
	unsigned long next = unmap->start, bytes;
	struct iopt_range mapping;
	int rc = 0;

	while (!rc && iopt_find_mapping(type1->iopt, next, unmap->last,
					&mapping) &&
	       mapping.start >= next && mapping.last <= unmap->last) {
		rc = iopt_unmap_dirty(type1->iopt, unmap->query ? unmap->start :
				      mapping.start, mapping.last,
				      unmap->query, &bytes);
		unmap->bytes += bytes;
		/* Somebody else unmapped it. */
		if (rc == -ENOENT)
			rc = 0;
		if (mapping.last == unmap->last)
			break;
		next = mapping.last + 1;
		cond_resched();
	}
	return rc;
}

static int unmap_range(struct type1 *type1, struct unmap *unmap)
{
	int rc;

	/* Who is told of them, or of what is dirty, sees mappings go singly. */
	if (!unmap->query && list_empty(&type1->told)) {
		rc = iopt_unmap(type1->iopt, unmap->start, unmap->last,
				&unmap->bytes);
		if (rc != -ENOENT)
			return rc;
	}
	rc = unmap_whole(type1, unmap);
	return rc ?: unmap_each(type1, unmap);
}

/* The range that an UNMAP is about; it is 0 so far. */
static int unmap_set_range(struct type1 *type1, struct unmap *unmap,
			   const struct vfio_iommu_type1_dma_unmap *arg)
{
	unsigned long pgsize = type1_pgsize(type1);

	if (!IS_ALIGNED(arg->iova, pgsize))
		return -EINVAL;
	if (arg->flags & VFIO_DMA_UNMAP_FLAG_ALL) {
		unmap->last = ULONG_MAX;
		return arg->iova || arg->size ? -EINVAL : 0;
	}
	if (!arg->size || !IS_ALIGNED(arg->size, pgsize) ||
	    arg->iova + (arg->size - 1) < arg->iova || arg->size > SIZE_MAX)
		return -EINVAL;
	unmap->start = arg->iova;
	unmap->last = min_t(u64, arg->iova + (arg->size - 1), ULONG_MAX);
	/* Nothing is mapped where a 32-bit kernel has no addresses. */
	return unmap->start == arg->iova ? 0 : -ENOENT;
}

static int unmap_checked(struct type1 *type1,
			 struct vfio_iommu_type1_dma_unmap *arg,
			 const struct vfio_bitmap *bitmap)
{
	const struct iopt_dirty_query query = {
		.bitmap = bitmap->data,
		.pgsize = bitmap->pgsize,
		.whole_words = true,
	};
	struct unmap unmap = {};
	int rc = unmap_set_range(type1, &unmap, arg);

	if (arg->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
		if (!iopt_dirty_tracking(type1->iopt) ||
		    bitmap->pgsize != type1_pgsize(type1))
			return -EINVAL;
		unmap.query = &query;
	}
	if (!rc && (arg->flags & VFIO_DMA_UNMAP_FLAG_VADDR))
		rc = unmap_whole(type1, &unmap) ?:
		     iopt_orphan(type1->iopt, unmap.start, unmap.last,
				 &unmap.bytes);
	else if (!rc)
		rc = unmap_range(type1, &unmap);
	if (rc == -ENOENT)
		rc = 0;
	arg->size = unmap.bytes;
	return rc;
}

/* Read what follows the argument, if there is something to be told. */
static int unmap_get_bitmap(const struct vfio_iommu_type1_dma_unmap *arg,
			    void __user *from, size_t room,
			    struct vfio_bitmap *bitmap)
{
	if (!(arg->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP))
		return 0;
	/* What is dirty is told of a range, and of what is gone for good. */
	if (arg->flags != VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP ||
	    room < sizeof(*bitmap))
		return -EINVAL;
	if (copy_from_user(bitmap, from, sizeof(*bitmap)))
		return -EFAULT;
	return type1_check_bitmap(bitmap, arg->size);
}

/**
 * type1_unmap_dma - VFIO_IOMMU_UNMAP_DMA
 * @type1: the container's
 * @arg: struct vfio_iommu_type1_dma_unmap and what follows it; its size
 *       receives how many bytes were unmapped, or lost their address
 *
 * Context: process context, may sleep as long as drivers do not unpin.
 * Return: 0, -EFAULT, -EINVAL for arguments that make no sense, for version 2
 * if the range cuts a mapping, if pages are not tracked or if a mapping has
 * lost its address already, -EBUSY if mappings are to lose it while there are
 * mediated groups, or -EINTR. With -EFAULT, some or all may be unmapped.
 */
long type1_unmap_dma(struct type1 *type1, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dma_unmap,
					size);
	struct vfio_iommu_type1_dma_unmap unmap;
	struct vfio_bitmap bitmap = {};
	int rc;

	if (copy_from_user(&unmap, arg, size))
		return -EFAULT;
	if (unmap.argsz < size || unmap.flags & ~UNMAP_FLAGS)
		return -EINVAL;
	rc = unmap_get_bitmap(&unmap, arg + size, unmap.argsz - size, &bitmap);
	if (rc)
		return rc;

	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_VADDR) {
		/* Another one may wait for a driver that pins memory. */
		if (mutex_lock_killable(&type1->vaddr_lock))
			return -EINTR;
		rc = !list_empty(&type1->mediated) ? -EBUSY :
		     unmap_checked(type1, &unmap, &bitmap);
		mutex_unlock(&type1->vaddr_lock);
	} else {
		rc = unmap_checked(type1, &unmap, &bitmap);
	}
	if (rc)
		return rc;
	return copy_to_user(arg, &unmap, size) ? -EFAULT : 0;
}
