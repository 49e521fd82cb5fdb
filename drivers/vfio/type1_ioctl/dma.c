// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO type1: VFIO_IOMMU_MAP_DMA and VFIO_IOMMU_UNMAP_DMA.
 *
 * Without a VADDR flag, MAP creates one mapping, and UNMAP removes whole
 * mappings. For version 2, a range that cuts a mapping is an error. For version
 * 1, a mapping is removed if its first byte is in the range, and nothing is
 * done if the range starts inside of a mapping.
 *
 * With VFIO_DMA_UNMAP_FLAG_VADDR, mappings stay but lose their user address.
 * VFIO_DMA_MAP_FLAG_VADDR gives such a mapping a new address.
 *
 * Programs may depend on the order in which type1 checks for errors. Where the
 * engine checks in another order, the errno is chosen after the engine has
 * failed rather than by checks before the call.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/stddef.h>
#include <linux/uaccess.h>

#include "ioctl.h"

#define MAP_PROT	(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)
#define MAP_FLAGS	(MAP_PROT | VFIO_DMA_MAP_FLAG_VADDR)
static_assert(!(VFIO_DMA_MAP_FLAG_READ ^ IOMMU_READ) &&
	      !(VFIO_DMA_MAP_FLAG_WRITE ^ IOMMU_WRITE));

#define UNMAP_FLAGS \
	(VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP | VFIO_DMA_UNMAP_FLAG_ALL | \
	 VFIO_DMA_UNMAP_FLAG_VADDR)

/*
 * Maximum number of tries to remove the user addresses of a range while other
 * threads map and unmap across an end of the range.
 */
#define VADDR_TRIES	10

static int map(struct type1_space *space, unsigned long iova,
	       unsigned long last, void __user *vaddr, int prot)
{
	unsigned long length = last - iova + 1;
	struct iopt_range mapping;
	int rc;

	if (space->ops->prepare_map)
		space->ops->prepare_map(space);
	rc = iopt_map_user(space->iopt, &iova, vaddr, length,
			   prot | IOMMU_CACHE, space->ops->account(space),
			   IOPT_MAP_FIXED | IOPT_MAP_PFNMAP);
	if (rc == -ENOMEM && space->ops->map_enomem)
		space->ops->map_enomem(space, length >> PAGE_SHIFT);
	if (rc != -EINVAL)
		return rc;
	/* Report errors in uAPI order: -EEXIST, -ENOSPC, -EINVAL. */
	if (iopt_find_mapping(space->iopt, iova, last, &mapping))
		return -EEXIST;
	return iopt_mappings_left(space->iopt) ? -EINVAL : -ENOSPC;
}

/**
 * type1_map_dma() - handle VFIO_IOMMU_MAP_DMA
 * @space: the space, or NULL
 * @arg: user address of struct vfio_iommu_type1_dma_map
 *
 * Context: Process context. May sleep for an unbounded time.
 * Return: 0, or
 * * %-EFAULT - @arg is not accessible, or memory to be pinned is not.
 * * %-EINVAL - An argument is invalid, or IOVAs are not usable.
 * * %-ENODEV - There is no space.
 * * %-EEXIST - A part of the range is already mapped.
 * * %-ENOSPC - There are too many mappings.
 * * Another errno of iopt_map_user() or, with %VFIO_DMA_MAP_FLAG_VADDR, of
 *   iopt_adopt().
 *
 * On failure nothing has changed.
 */
long type1_map_dma(struct type1_space *space, void __user *arg)
{
	const size_t size = offsetofend(struct vfio_iommu_type1_dma_map, size);
	unsigned long iova, vaddr, length, last, vaddr_last;
	struct vfio_iommu_type1_dma_map map_arg;
	int prot;

	if (copy_from_user(&map_arg, arg, size))
		return -EFAULT;
	if (map_arg.argsz < size || map_arg.flags & ~MAP_FLAGS)
		return -EINVAL;
	if (!space)
		return -ENODEV;
	iova = map_arg.iova;
	vaddr = map_arg.vaddr;
	length = map_arg.size;
	if (iova != map_arg.iova || vaddr != map_arg.vaddr ||
	    length != map_arg.size)
		return -EINVAL;
	prot = map_arg.flags & MAP_PROT;
	if (!prot == !(map_arg.flags & VFIO_DMA_MAP_FLAG_VADDR) || !length ||
	    !IS_ALIGNED(iova | vaddr | length, type1_pgsize(space)))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last) ||
	    check_add_overflow(vaddr, length - 1, &vaddr_last))
		return -EINVAL;

	if (!prot)
		return iopt_adopt(space->iopt, iova, last,
				  (void __user *)vaddr,
				  space->ops->account(space));
	return map(space, iova, last, (void __user *)vaddr, prot);
}

/**
 * struct unmap - an unmap in progress
 * @start: first IOVA
 * @last: last IOVA
 * @v2: type1_space.v2 at the start of the unmap
 * @query: where to report dirty pages, or NULL
 * @bytes: length in bytes of the mappings that were removed or have lost their
 *         user address
 */
struct unmap {
	unsigned long start;
	unsigned long last;
	bool v2;
	const struct iopt_dirty_query *query;
	unsigned long bytes;
};

/*
 * Check whether the range cuts a mapping. For version 2, this is an error
 * (-EINVAL). For version 1, only a range that starts inside of a mapping
 * matters: nothing is done for it, and this returns -ENOENT.
 */
static int unmap_check_cuts(struct type1_space *space,
			    const struct unmap *unmap)
{
	struct iopt_range mapping;

	if (iopt_find_mapping(space->iopt, unmap->start, unmap->start,
			      &mapping) &&
	    mapping.start < unmap->start)
		return unmap->v2 ? -EINVAL : -ENOENT;
	if (unmap->v2 &&
	    iopt_find_mapping(space->iopt, unmap->last, unmap->last,
			      &mapping) &&
	    mapping.last > unmap->last)
		return -EINVAL;
	return 0;
}

static bool mapping_exists(struct type1_space *space,
			   const struct iopt_range *mapping)
{
	struct iopt_range found;

	return iopt_find_mapping(space->iopt, mapping->start, mapping->last,
				 &found) &&
	       found.start == mapping->start && found.last == mapping->last;
}

/*
 * Unmap one mapping, unless another thread has done so. With a query, the
 * interval that is passed to the engine starts at @unmap->start, because bit 0
 * of the bitmap stands for that IOVA. Bits of mappings that were already
 * removed do not change. If another thread has mapped across @unmap->start,
 * that interval cuts the new mapping. The engine then fails with -EINVAL, which
 * is also the errno of UNMAP for a range that cuts a mapping.
 */
static int unmap_one(struct type1_space *space, struct unmap *unmap,
		     const struct iopt_range *mapping)
{
	unsigned long start = unmap->query ? unmap->start : mapping->start;
	unsigned long bytes;
	int rc;

	rc = iopt_unmap_dirty(space->iopt, start, mapping->last, unmap->query,
			      &bytes);
	unmap->bytes += bytes;
	/*
	 * If another thread has unmapped the mapping, the interval may be empty
	 * (-ENOENT). If it has also created a longer mapping there, the
	 * interval cuts that one (-ENOENT, or -EINVAL with a query).
	 */
	if (rc == -ENOENT || (rc == -EINVAL && !mapping_exists(space, mapping)))
		return 0;
	return rc;
}

/*
 * Unmap one mapping at a time, in ascending order. unmap_check_cuts() has
 * succeeded, so if the range cuts a mapping now, another thread has created
 * that mapping since then. It stays, as if it had been created after the UNMAP.
 * For version 1, a mapping across the end of the range is removed.
 */
static int unmap_each(struct type1_space *space, struct unmap *unmap)
{
	unsigned long next = unmap->start;
	struct iopt_range mapping;
	int rc = 0;

	while (!rc && iopt_find_mapping(space->iopt, next, unmap->last,
					&mapping)) {
		if (mapping.start >= unmap->start &&
		    (!unmap->v2 || mapping.last <= unmap->last))
			rc = unmap_one(space, unmap, &mapping);
		if (mapping.last >= unmap->last)
			break;
		next = mapping.last + 1;
		cond_resched();
	}
	return rc;
}

static int unmap_range(struct type1_space *space, struct unmap *unmap)
{
	int rc;

	/*
	 * type1 has always removed mappings one by one. This is observable only
	 * if drivers are notified or dirty pages are reported. Otherwise remove
	 * all mappings in one call. If a device is opened after the check, its
	 * driver may be notified of several mappings before the first of them
	 * is removed.
	 */
	if (!unmap->query && !space->ops->has_notified(space)) {
		rc = iopt_unmap(space->iopt, unmap->start, unmap->last,
				&unmap->bytes);
		if (rc != -ENOENT)
			return rc;
	}
	rc = unmap_check_cuts(space, unmap);
	return rc ?: unmap_each(space, unmap);
}

/*
 * Let all mappings of the range lose their user address, or none of them. For
 * version 1, this includes a mapping across the end of the range. The engine
 * returns -ENOENT if the range contains no mapping, and also if another thread
 * has mapped across the start or the end of the range since the check. Repeat
 * the check in the latter case, but only a few times, since the other thread
 * may go on forever.
 */
static int unmap_vaddr(struct type1_space *space, struct unmap *unmap)
{
	unsigned int tries = VADDR_TRIES;
	struct iopt_range mapping;
	unsigned long last;
	int rc;

	do {
		rc = unmap_check_cuts(space, unmap);
		if (rc)
			return rc;
		last = unmap->last;
		if (!unmap->v2 &&
		    iopt_find_mapping(space->iopt, last, last, &mapping))
			last = mapping.last;
		rc = iopt_orphan(space->iopt, unmap->start, last,
				 &unmap->bytes);
		if (rc != -ENOENT ||
		    !iopt_find_mapping(space->iopt, unmap->start, last,
				       &mapping))
			return rc;
	} while (--tries);
	return -EINVAL;
}

/* Set the range of @unmap from @arg. The caller has set @unmap->start to 0. */
static int unmap_set_range(struct type1_space *space, struct unmap *unmap,
			   const struct vfio_iommu_type1_dma_unmap *arg)
{
	unsigned long pgsize = type1_pgsize(space);

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
	/* A 32-bit kernel cannot have mappings at this IOVA. */
	return unmap->start == arg->iova ? 0 : -ENOENT;
}

static int unmap_checked(struct type1_space *space,
			 struct vfio_iommu_type1_dma_unmap *arg,
			 const struct vfio_bitmap *bitmap)
{
	const struct iopt_dirty_query query = {
		.bitmap = bitmap->data,
		.pgsize = bitmap->pgsize,
		.whole_words = true,
	};
	struct unmap unmap = { .v2 = READ_ONCE(space->v2) };
	int rc = unmap_set_range(space, &unmap, arg);

	if (arg->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP) {
		/*
		 * The bitmap has no room for the rest of a mapping that version
		 * 1 removes although it extends beyond the range.
		 */
		if (!unmap.v2 || !iopt_dirty_tracking(space->iopt) ||
		    bitmap->pgsize != type1_pgsize(space))
			return -EINVAL;
		unmap.query = &query;
	}
	if (!rc && (arg->flags & VFIO_DMA_UNMAP_FLAG_VADDR))
		rc = unmap_vaddr(space, &unmap);
	else if (!rc)
		rc = unmap_range(space, &unmap);
	if (rc == -ENOENT)
		rc = 0;
	arg->size = unmap.bytes;
	return rc;
}

/*
 * Read the struct vfio_bitmap that follows the argument if dirty pages are
 * requested.
 */
static int unmap_get_bitmap(const struct vfio_iommu_type1_dma_unmap *arg,
			    void __user *from, size_t room,
			    struct vfio_bitmap *bitmap)
{
	if (!(arg->flags & VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP))
		return 0;
	/* A bitmap cannot be requested together with ALL or VADDR. */
	if (arg->flags != VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP ||
	    room < sizeof(*bitmap))
		return -EINVAL;
	if (copy_from_user(bitmap, from, sizeof(*bitmap)))
		return -EFAULT;
	return type1_check_bitmap(bitmap, arg->size);
}

/**
 * type1_unmap_dma() - handle VFIO_IOMMU_UNMAP_DMA
 * @space: the space, or NULL
 * @arg: user address of struct vfio_iommu_type1_dma_unmap and its data. On
 *       success, the size is set to the number of bytes that were unmapped, or
 *       that lost their user address. On failure, it is not changed, even if
 *       part of the range has been unmapped
 *
 * Context: Process context. May sleep until drivers have unpinned the pages of
 * the range, and until concurrent maps of the range and concurrent attaches
 * have pinned their pages. The wait is killable.
 * Return: 0, or
 * * %-EFAULT - @arg or the bitmap is not accessible. Some or all of the range
 *   may have been unmapped.
 * * %-EINVAL - An argument is invalid, the range cuts a mapping (version 2
 *   only), a bitmap is requested for version 1 or while dirty tracking is off,
 *   or a mapping that is to lose its user address has lost it already.
 * * %-ENODEV - There is no space.
 * * %-EBUSY - Mappings cannot lose their user address: drivers of devices
 *   without an IOMMU may access the memory, or a mapping shares pages with a
 *   copy.
 * * %-EINTR - The caller was killed while waiting. A part of the range may have
 *   been unmapped.
 *
 * Mappings that other threads create in the range meanwhile may remain. If one
 * of them extends across the start of the range and dirty pages are requested,
 * a part of the range may have been unmapped when -EINVAL is returned.
 */
long type1_unmap_dma(struct type1_space *space, void __user *arg)
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
	if (!space)
		return -ENODEV;
	rc = unmap_get_bitmap(&unmap, arg + size, unmap.argsz - size, &bitmap);
	if (rc)
		return rc;

	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_VADDR) {
		/*
		 * iopt_orphan() may wait under this lock for a concurrent map
		 * or attach that pins pages.
		 */
		if (mutex_lock_killable(&space->vaddr_lock))
			return -EINTR;
		rc = space->ops->has_mediated(space) ? -EBUSY :
		     unmap_checked(space, &unmap, &bitmap);
		mutex_unlock(&space->vaddr_lock);
	} else {
		rc = unmap_checked(space, &unmap, &bitmap);
	}
	if (rc)
		return rc;
	return copy_to_user(arg, &unmap, size) ? -EFAULT : 0;
}
