// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping: memory of a process, or what is mapped already.
 *
 * New areas enter the tree first, busy, so that their IOVAs are taken. Then,
 * without any lock, each is pinned and put into one domain after the other
 * until it is in every open one; at last all go live together.
 *
 * Rule: all or nothing. A map that fails leaves nothing.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "io_pagetable.h"
#include "pages.h"
#include "trace.h"

/* Let new areas be tracked, if all are. Drops the lock to allocate. */
static int areas_track(struct io_pagetable *iopt, struct list_head *areas,
		       bool *dropped)
{
	struct iopt_area *area;
	int rc = 0;

	*dropped = false;
	list_for_each_entry(area, areas, node) {
		if (!iopt->tracking)
			iopt_area_untrack(area);
		if (!area->dirty)
			*dropped = iopt->tracking;
	}
	if (!*dropped)
		return 0;

	mutex_unlock(&iopt->lock);
	list_for_each_entry(area, areas, node)
		rc = rc ?: iopt_area_track(area, iopt->policy.gfp);
	mutex_lock(&iopt->lock);
	return rc;
}

/*
 * Find IOVAs for new areas, see areas_reserve(), and what is next @above them.
 */
static int areas_place(struct io_pagetable *iopt, struct list_head *areas,
		       unsigned long *iova, unsigned long length,
		       unsigned long uaddr, unsigned int flags,
		       struct iopt_area **above)
{
	int rc;

	if (flags & IOPT_MAP_FIXED) {
		rc = iopt_check_iova(iopt, *iova, *iova + (length - 1), above);
	} else {
		rc = iopt_choose_iova(iopt, uaddr, length, iova);
		if (!rc)
			*above = iopt_area_first(iopt, *iova, ULONG_MAX);
	}
	if (!rc && list_count_nodes(areas) >
		   iopt->policy.max_areas - iopt->nr_areas)
		rc = -ENOSPC;
	return rc;
}

/*
 * Take the IOVAs of new areas. The areas are in ascending order and may have
 * nothing between them; on entry their IOVAs count from 0, and @iova says where
 * that is to be, or receives it. @uaddr tells where large pages are.
 */
static int areas_reserve(struct io_pagetable *iopt, struct list_head *areas,
			 unsigned long *iova, unsigned long length,
			 unsigned long uaddr, unsigned int flags)
{
	struct iopt_area *area, *above;
	bool again;
	int rc;

	mutex_lock(&iopt->lock);
	do {
		rc = areas_place(iopt, areas, iova, length, uaddr, flags,
				 &above);
		if (!rc)
			rc = areas_track(iopt, areas, &again);
	} while (!rc && again);
	if (!rc) {
		list_for_each_entry(area, areas, node) {
			area->start += *iova;
			area->last += *iova;
			iopt_area_insert(iopt, area, above);
		}
	}
	mutex_unlock(&iopt->lock);
	return rc;
}

/* Go live together, unless there is another domain to be put into. */
static bool areas_publish(struct io_pagetable *iopt, struct list_head *areas)
{
	struct iopt_area *area, *next;
	bool filled = true;

	mutex_lock(&iopt->lock);
	list_for_each_entry(area, areas, node)
		filled = filled && iopt_area_is_filled(iopt, area);
	if (filled) {
		list_for_each_entry_safe(area, next, areas, node) {
			list_del_init(&area->node);
			area->state = IOPT_AREA_LIVE;
			area->busy = false;
		}
		iopt_wake_settled(iopt);
	}
	mutex_unlock(&iopt->lock);
	return filled;
}

/* Map new areas, which are freed if that fails; see areas_reserve(). */
static int areas_map(struct io_pagetable *iopt, struct list_head *areas,
		     unsigned long *iova, unsigned long length,
		     unsigned long uaddr, unsigned int flags)
{
	struct iopt_area *area;
	int rc;

	rc = areas_reserve(iopt, areas, iova, length, uaddr, flags);
	if (rc) {
		iopt_areas_free(areas);
		return rc;
	}
	do {
		list_for_each_entry(area, areas, node) {
			rc = iopt_area_fill(iopt, area);
			if (rc)
				break;
		}
	} while (!rc && !areas_publish(iopt, areas));
	if (rc)
		iopt_areas_destroy(iopt, areas);
	iopt_debug_validate(iopt);
	return rc;
}

/**
 * iopt_current_payer - who pays for what the current process maps
 * @iopt: the space
 * @account: whom to charge
 *
 * Usually that is who did so before.
 *
 * Context: process context with an mm, may sleep.
 * Return: the payer, with a reference for the caller, or NULL.
 */
struct iopt_payer *iopt_current_payer(struct io_pagetable *iopt,
				      enum iopt_account account)
{
	struct iopt_payer *payer, *new;

	payer = iopt_payer_get_current(&iopt->payer, account);
	if (payer)
		return payer;

	new = iopt_payer_alloc_current(account, iopt->policy.gfp);
	if (!new)
		return NULL;
	mutex_lock(&iopt->lock);
	payer = rcu_replace_pointer(iopt->payer, iopt_payer_get(new),
				    lockdep_is_held(&iopt->lock));
	mutex_unlock(&iopt->lock);
	iopt_payer_put(payer);
	return new;
}

static struct iopt_area *area_alloc_user(struct io_pagetable *iopt,
					 void __user *uptr,
					 unsigned long length, int prot,
					 enum iopt_account account)
{
	gfp_t gfp = iopt->policy.gfp;
	struct iopt_area *area = NULL;
	struct iopt_payer *payer;
	struct iopt_pages *pages;

	payer = iopt_current_payer(iopt, account);
	if (!payer)
		return NULL;
	pages = iopt_pages_alloc(uptr, length, prot & IOMMU_WRITE,
				 iopt->policy.pfnmap, payer, gfp);
	if (pages) {
		area = iopt_area_alloc(0, length - 1, pages, 0, prot, gfp);
		iopt_pages_put(pages);
	}
	iopt_payer_put(payer);
	return area;
}

static int map_user(struct io_pagetable *iopt, unsigned long *iova,
		    void __user *uptr, unsigned long length, int prot,
		    enum iopt_account account, unsigned int flags)
{
	unsigned long last, uaddr_last, uaddr = (unsigned long)uptr;
	struct iopt_area *area;
	LIST_HEAD(areas);

	if (!length || !(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (!(flags & IOPT_MAP_FIXED))
		*iova = 0;
	if (check_add_overflow(*iova, length - 1, &last) ||
	    check_add_overflow(uaddr, length - 1, &uaddr_last))
		return -EOVERFLOW;
	if (!PAGE_ALIGNED(uaddr | *iova | length))
		return -EINVAL;

	area = area_alloc_user(iopt, uptr, length, prot, account);
	if (!area)
		return -ENOMEM;
	list_add(&area->node, &areas);
	return areas_map(iopt, &areas, iova, length, uaddr, flags);
}

/**
 * iopt_map_user - map memory of the current process
 * @iopt: the space
 * @iova: where, in bytes, a multiple of iopt_iova_alignment(); without
 *        %IOPT_MAP_FIXED it is not looked at and receives what was chosen
 * @uptr: first byte of the memory, page aligned
 * @length: in bytes, a multiple of iopt_iova_alignment(), not 0
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and what else iommu_map() takes
 * @account: whom to charge the pages to
 * @flags: %IOPT_MAP_FIXED or 0
 *
 * When it returns every attached domain translates the mapping. Without one
 * nothing is pinned or looked at before a domain is attached.
 *
 * Context: process context with an mm, may sleep for long. Callers hold no
 * lock that others wait for: maps of other ranges run in parallel.
 * Return: 0, -EINVAL if an argument is 0 or misaligned, @prot allows nothing
 * or the IOVAs are not usable, -EOVERFLOW if a range wraps, -EEXIST if
 * something is mapped there, -ENOSPC if there are no such IOVAs to choose or
 * as many mappings as the policy allows, -ENOMEM for memory or the limit on
 * locked memory, -EFAULT if there is no memory or it may not be accessed so,
 * -EINTR if killed, -EOPNOTSUPP if it cannot be pinned for long, or an errno of
 * the IOMMU driver. Nothing is mapped, pinned or charged then.
 */
int iopt_map_user(struct io_pagetable *iopt, unsigned long *iova,
		  void __user *uptr, unsigned long length, int prot,
		  enum iopt_account account, unsigned int flags)
{
	int rc = map_user(iopt, iova, uptr, length, prot, account, flags);

	trace_iopt_map(iopt, *iova, uptr, length, prot, account, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_map_user, IOPT);

/*
 * Take apart a range of mappings, each of which is cut to the range. The new
 * areas count their IOVAs from the start of the range.
 */
static int areas_slice(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, int prot, gfp_t gfp,
		       struct list_head *areas, unsigned long *uaddr)
{
	unsigned long next = start;
	struct iopt_area *area, *new;
	bool permitted = true;
	bool more = true;

	lockdep_assert_held(&iopt->lock);
	while (more && next <= last) {
		unsigned long first, end;

		area = iopt_area_first(iopt, next, next);
		if (!area)
			return -ENOENT;
		if (area->state != IOPT_AREA_LIVE)
			return -EAGAIN;
		if (area->orphan)
			return -EBUSY;
		if ((prot & IOMMU_WRITE) && !area->pages->writable)
			permitted = false;
		end = min(last, area->last);
		first = area->slice.start + ((next - area->start) >> PAGE_SHIFT);
		if (next == start)
			*uaddr = READ_ONCE(area->pages->uaddr) +
				 (first << PAGE_SHIFT);
		new = iopt_area_alloc(next - start, end - start, area->pages,
				      first, prot, gfp);
		if (!new)
			return -ENOMEM;
		list_add_tail(&new->node, areas);
		more = iopt_next_start(area->last, &next);
	}
	return permitted ? 0 : -EPERM;
}

static int copy(struct io_pagetable *dst, unsigned long *dst_iova,
		struct io_pagetable *src, unsigned long src_iova,
		unsigned long length, int prot, unsigned int flags)
{
	unsigned long src_last, last, uaddr = 0;
	LIST_HEAD(areas);
	int rc;

	if (!length || !(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (!(flags & IOPT_MAP_FIXED))
		*dst_iova = 0;
	if (check_add_overflow(*dst_iova, length - 1, &last) ||
	    check_add_overflow(src_iova, length - 1, &src_last))
		return -EOVERFLOW;
	if (!PAGE_ALIGNED(src_iova | *dst_iova | length))
		return -EINVAL;

	mutex_lock(&src->lock);
	do {
		rc = areas_slice(src, src_iova, src_last, prot, dst->policy.gfp,
				 &areas, &uaddr);
		if (!rc)
			break;
		iopt_areas_free(&areas);
		if (rc == -EAGAIN)
			rc = iopt_wait_settled(src, TASK_KILLABLE) ?: -EAGAIN;
	} while (rc == -EAGAIN);
	mutex_unlock(&src->lock);
	if (rc)
		return rc;
	return areas_map(dst, &areas, dst_iova, length, uaddr, flags);
}

/**
 * iopt_copy - map what is mapped elsewhere
 * @dst: the space to map in, may be the same as @src
 * @dst_iova: where in @dst, a multiple of iopt_iova_alignment(); without
 *            %IOPT_MAP_FIXED it is not looked at and receives what was chosen
 * @src: the space where it is mapped
 * @src_iova: where in @src, page aligned; it may be inside of a mapping
 * @length: in bytes, a multiple of iopt_iova_alignment(), not 0; the range may
 *          span mappings, but must not touch what is not mapped
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and what else iommu_map() takes
 * @flags: %IOPT_MAP_FIXED or 0
 *
 * The memory, its pins and who pays for them are shared with the mappings in
 * @src, which may go at any time.
 *
 * Context: process context, may sleep for long.
 * Return: 0, -ENOENT if not all of the range is mapped, -EPERM if @prot allows
 * writing to memory that was mapped read-only, -EBUSY if a mapping is an orphan,
 * -EINTR if killed while waiting for a mapping in the range that is being built
 * or torn down, or an errno of iopt_map_user(). Nothing is mapped, pinned or
 * charged then.
 */
int iopt_copy(struct io_pagetable *dst, unsigned long *dst_iova,
	      struct io_pagetable *src, unsigned long src_iova,
	      unsigned long length, int prot, unsigned int flags)
{
	int rc = copy(dst, dst_iova, src, src_iova, length, prot, flags);

	trace_iopt_copy(dst, *dst_iova, src, src_iova, length, prot, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_copy, IOPT);
