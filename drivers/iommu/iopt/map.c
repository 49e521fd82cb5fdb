// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping process memory.
 *
 * A map first inserts its new areas into the tree as busy areas, which
 * allocates their IOVAs. If a domain is open, the map then pins all areas
 * without holding a lock that another caller needs, because page faults can
 * take arbitrarily long. Next it adds each area to every open domain. Detach
 * waits for this step, but not for the pinning. Finally all areas become live.
 *
 * A map is all-or-nothing: if it fails, all its changes are rolled back.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "account.h"
#include "area.h"
#include "claim.h"
#include "dirty_bitmap.h"
#include "fill.h"
#include "io_pagetable.h"
#include "iova.h"
#include "map.h"
#include "pages.h"
#include "trace.h"
#include "validate.h"

/*
 * Allocate dirty bitmaps for new areas if dirty pages are tracked or tracking
 * is being started. Otherwise free bitmaps that were allocated before. Set
 * @dropped if iopt->lock was dropped and retaken, in which case the caller has
 * to check the IOVAs again.
 */
static int areas_track(struct iopt_new_areas *new, bool *dropped)
{
	struct io_pagetable *iopt = new->iopt;
	struct iopt_area *area;
	unsigned int steps = 0;
	bool track = iopt->track_new;
	int rc = 0;

	/* Either all new areas have a bitmap, or none has. */
	area = list_first_entry(&new->list, struct iopt_area, node);
	*dropped = track == !area->dirty;
	if (!*dropped)
		return 0;

	mutex_unlock(&iopt->lock);
	list_for_each_entry(area, &new->list, node) {
		if (!track)
			iopt_area_untrack(area);
		else
			rc = iopt_area_track(area, iopt->policy.gfp);
		if (rc)
			break;
		iopt_step(&steps);
	}
	mutex_lock(&iopt->lock);
	return rc;
}

static bool areas_are_aligned(const struct iopt_new_areas *new)
{
	return IS_ALIGNED(new->misalignment, new->iopt->iova_alignment);
}

/*
 * Find IOVAs for new areas; see areas_reserve(). @above receives the next area
 * above them, or NULL.
 */
static int areas_place(struct iopt_new_areas *new, unsigned long *iova,
		       unsigned int flags, struct iopt_area **above)
{
	struct io_pagetable *iopt = new->iopt;
	int rc;

	if (!areas_are_aligned(new))
		return -EINVAL;
	if (flags & IOPT_MAP_FIXED) {
		rc = iopt_check_iova(iopt, *iova, *iova + (new->length - 1),
				     above);
	} else {
		rc = iopt_choose_iova(iopt, new->uaddr, new->length, iova);
		while (!rc && iopt_map_is_claimed(iopt, *iova, *iova +
						  (new->length - 1))) {
			rc = iopt_wait_idle(iopt, TASK_KILLABLE);
			rc = rc ?: iopt_choose_iova(iopt, new->uaddr,
						    new->length, iova);
		}
		if (!rc)
			*above = iopt_area_first(iopt, *iova, ULONG_MAX);
	}
	/* The alignment may have been raised during a wait. */
	if (!rc && !areas_are_aligned(new))
		rc = -EINVAL;
	if (!rc && new->nr > iopt->policy.max_areas - iopt->nr_areas -
			     iopt->nr_claimed)
		rc = -ENOSPC;
	return rc;
}

static void area_insert_at(struct io_pagetable *iopt, struct iopt_area *area,
			   unsigned long iova, struct iopt_area *above)
{
	area->start += iova;
	area->last += iova;
	iopt_claims_note_area(iopt, area);
	iopt_area_insert(iopt, area, above);
}

/*
 * Insert more areas than can be inserted without dropping iopt->lock. A claim
 * keeps other maps out of the interval meanwhile. If another claim intersects
 * the interval, wait, set @again and insert nothing.
 */
static int areas_insert_many(struct iopt_new_areas *new, unsigned long iova,
			     bool *again)
{
	unsigned long last = iova + (new->length - 1);
	struct io_pagetable *iopt = new->iopt;
	struct iopt_claim claim = { .map = true };
	/* See areas_track(): new areas have a bitmap if this is set. */
	bool tracked = iopt->track_new;
	struct iopt_area *area, *above;
	unsigned int steps = 0;
	int rc;

	*again = iopt_claim_first(iopt, iova, last);
	if (*again)
		return iopt_wait_idle(iopt, TASK_KILLABLE);
	rc = iopt_claim_add(iopt, &claim, iova, last);
	if (rc)
		return rc;
	iopt->nr_claimed += new->nr;
	iopt->nr_inserting[tracked]++;
	list_for_each_entry(area, &new->list, node) {
		above = iopt_area_first(iopt, iova + area->start, ULONG_MAX);
		area_insert_at(iopt, area, iova, above);
		iopt->nr_claimed--;
		iopt_lock_break(iopt, &steps);
	}
	iopt->nr_inserting[tracked]--;
	iopt_claim_end(iopt, &claim);
	return 0;
}

/*
 * Allocate IOVAs for new areas and insert them. @iova is the first IOVA if
 * IOPT_MAP_FIXED is set, otherwise it receives the first IOVA.
 */
static int areas_reserve(struct iopt_new_areas *new, unsigned long *iova,
			 unsigned int flags)
{
	struct io_pagetable *iopt = new->iopt;
	struct iopt_area *area, *above;
	bool again;
	int rc;

	mutex_lock(&iopt->lock);
	do {
		rc = areas_place(new, iova, flags, &above);
		if (!rc)
			rc = areas_track(new, &again);
		if (!rc && !again && new->nr > IOPT_MAX_STEPS)
			rc = areas_insert_many(new, *iova, &again);
	} while (!rc && again);
	if (!rc && new->nr <= IOPT_MAX_STEPS) {
		list_for_each_entry(area, &new->list, node)
			area_insert_at(iopt, area, *iova, above);
	}
	mutex_unlock(&iopt->lock);
	return rc;
}

/*
 * Pin all new areas if a domain is open, which may take arbitrarily long, and
 * set @held. Then add the areas to all open domains.
 */
static int areas_fill(struct iopt_new_areas *new, bool *held)
{
	struct io_pagetable *iopt = new->iopt;
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc;

	if (!*held && iopt_domain_is_open(iopt)) {
		list_for_each_entry(area, &new->list, node) {
			rc = iopt_area_hold(iopt, area, true);
			if (rc) {
				/* The failed call may have uncharged pages. */
				iopt_payer_sync_later(&new->unsynced,
						      area->pages->payer);
				return rc;
			}
			iopt_step(&steps);
		}
		*held = true;
	}
	list_for_each_entry(area, &new->list, node) {
		WRITE_ONCE(area->working, true);
		iopt_step(&steps);
	}
	/*
	 * Pairs with the barrier in iopt_domain_remove(): either this function
	 * finds the domain closed, or detach finds these areas working and
	 * waits for them.
	 */
	smp_mb();
	list_for_each_entry(area, &new->list, node) {
		rc = iopt_area_fill(iopt, area);
		if (rc)
			return rc;
		iopt_step(&steps);
	}
	return 0;
}

static bool areas_are_filled(struct iopt_new_areas *new)
{
	struct iopt_area *area;
	unsigned int steps = 0;

	list_for_each_entry(area, &new->list, node) {
		if (!iopt_area_is_filled(new->iopt, area))
			return false;
		iopt_lock_break(new->iopt, &steps);
	}
	return true;
}

/*
 * Unpin areas that were pinned for domains that have since been detached.
 * Drops and retakes iopt->lock for each area.
 */
static void areas_drop_detached(struct iopt_new_areas *new)
{
	struct io_pagetable *iopt = new->iopt;
	struct iopt_area *area, *next;

	list_for_each_entry_safe(area, next, &new->list, node) {
		mutex_unlock(&iopt->lock);
		iopt_area_drop(iopt, area, &new->unsynced);
		cond_resched();
		mutex_lock(&iopt->lock);
		list_del_init(&area->node);
		area->working = false;
	}
	iopt_wake_idle(iopt);
}

/*
 * Clear the working marks before areas_fill() pins the areas: pinning may take
 * arbitrarily long, and detach waits uninterruptibly for working areas.
 */
static void areas_stop_work(struct iopt_new_areas *new)
{
	struct iopt_area *area;
	unsigned int steps = 0;

	list_for_each_entry(area, &new->list, node) {
		area->working = false;
		iopt_lock_break(new->iopt, &steps);
	}
	iopt_wake_idle(new->iopt);
}

/*
 * Make all areas live. No domain can be opened until all of them are live.
 * Returns false if the areas must first be added to a domain that has been
 * opened since areas_fill().
 */
static bool areas_publish(struct iopt_new_areas *new, bool held)
{
	struct io_pagetable *iopt = new->iopt;
	struct iopt_area *area, *next;
	unsigned int steps = 0;
	bool filled;

	mutex_lock(&iopt->lock);
	iopt->nr_publishing++;
	filled = areas_are_filled(new);
	if (filled) {
		list_for_each_entry_safe(area, next, &new->list, node) {
			area->state = IOPT_AREA_LIVE;
			area->busy = false;
			if (!held || area->nr_domains) {
				list_del_init(&area->node);
				area->working = false;
			}
			iopt_lock_break(iopt, &steps);
		}
	}
	iopt->nr_publishing--;
	iopt_wake_idle(iopt);
	if (filled && !list_empty(&new->list))
		areas_drop_detached(new);
	else if (!filled && !held)
		areas_stop_work(new);
	mutex_unlock(&iopt->lock);
	return filled;
}

/**
 * iopt_areas_map() - map new areas together
 * @new: the areas, freed on failure
 * @iova: first IOVA. Without %IOPT_MAP_FIXED it is replaced by the IOVA that
 *        the engine chooses
 * @flags: flags of the map; only %IOPT_MAP_FIXED has an effect
 *
 * Context: process context, may block like iopt_map_user(). No lock of the
 * space is held.
 * Return: 0, or an errno of iopt_map_user() or, for a copy, of iopt_copy().
 */
int iopt_areas_map(struct iopt_new_areas *new, unsigned long *iova,
		   unsigned int flags)
{
	struct io_pagetable *iopt = new->iopt;
	bool held = false;
	int rc;

	rc = areas_reserve(new, iova, flags);
	if (rc) {
		iopt_areas_free(&new->list);
		return rc;
	}
	do {
		rc = areas_fill(new, &held);
	} while (!rc && !areas_publish(new, held));
	if (rc)
		iopt_areas_destroy(iopt, &new->list, &new->unsynced);
	iopt_payer_sync_noted(new->unsynced);
	iopt_debug_validate(iopt);
	return rc;
}

/**
 * iopt_current_payer() - get the payer for mappings of the current process
 * @iopt: the space
 * @account: accounting mode
 *
 * Reuses the payer of the last mapping if that payer has the same process, user
 * and accounting mode.
 *
 * Context: process context with an mm, may sleep.
 * Return: the payer with a reference for the caller, or NULL if out of memory.
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

/* Build the single new area of iopt_map_user(). */
static int area_add_user(struct iopt_new_areas *new, void __user *uptr,
			 int prot, enum iopt_account account,
			 unsigned int flags)
{
	struct io_pagetable *iopt = new->iopt;
	gfp_t gfp = iopt->policy.gfp;
	struct iopt_area *area = NULL;
	struct iopt_payer *payer;
	struct iopt_pages *pages;

	payer = iopt_current_payer(iopt, account);
	if (!payer)
		return -ENOMEM;
	pages = iopt_pages_alloc(uptr, new->length, prot & IOMMU_WRITE,
				 flags & IOPT_MAP_PFNMAP, payer, gfp);
	if (pages) {
		area = iopt_area_alloc(0, new->length - 1, pages, 0,
				       offset_in_page(uptr), prot, gfp);
		iopt_pages_put(pages);
	}
	iopt_payer_put(payer);
	if (!area)
		return -ENOMEM;
	list_add(&area->node, &new->list);
	new->misalignment = iopt_area_misalignment(area);
	return 0;
}

/**
 * iopt_check_map() - check the arguments of a map or copy
 * @iova: first IOVA, set to 0 if the engine chooses it
 * @source: first byte of the memory: a user address, or the source IOVA of a
 *          copy
 * @length: length in bytes
 * @prot: protection for iommu_map()
 * @flags: flags of the map; only %IOPT_MAP_FIXED has an effect
 *
 * Context: any.
 * Return: 0, or
 * * %-EINVAL - @length is 0, or @prot allows no access.
 * * %-EOVERFLOW - A range wraps around.
 */
int iopt_check_map(unsigned long *iova, unsigned long source,
		   unsigned long length, int prot, unsigned int flags)
{
	unsigned long last;

	if (!length || !(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (!(flags & IOPT_MAP_FIXED))
		*iova = 0;
	if (check_add_overflow(*iova, length - 1, &last) ||
	    check_add_overflow(source, length - 1, &last))
		return -EOVERFLOW;
	return 0;
}

/**
 * iopt_map_user() - map memory of the current process
 * @iopt: the space
 * @iova: first IOVA, a multiple of iopt_iova_alignment(). Without
 *        %IOPT_MAP_FIXED the value is ignored and replaced by the IOVA that the
 *        engine chooses
 * @uptr: user address of the first byte, a multiple of iopt_iova_alignment().
 *        A page that is mapped only in part is pinned and charged as one page
 * @length: length in bytes, a nonzero multiple of iopt_iova_alignment()
 * @prot: IOMMU_READ, IOMMU_WRITE or both, and other flags of iommu_map()
 * @account: accounting mode of the pages
 * @flags: %IOPT_MAP_FIXED and %IOPT_MAP_PFNMAP
 *
 * When this function returns 0, every attached domain translates the mapping.
 * If no domain is attached, the memory is neither pinned nor accessed until a
 * domain is attached or an access uses it.
 *
 * Context: process context with an mm, may block indefinitely (killable) while
 * pages are faulted in, while a mapping of the same IOVAs is built or torn
 * down, or on the mmap_lock, which the caller must not hold. Callers should not
 * hold a contended lock, so that maps of other ranges can run in parallel.
 * Return: 0, or
 * * %-EINVAL - @length is 0, an address or @length is misaligned, @prot allows
 *   no access, the IOVAs are not usable, or the mapping has more than INT_MAX
 *   pages while dirty pages are tracked.
 * * %-EOVERFLOW - A range wraps around.
 * * %-EEXIST - Some of the IOVAs are mapped already.
 * * %-ENOSPC - No suitable IOVAs are left, or the policy allows no more
 *   mappings.
 * * %-ENOMEM - Out of memory, a page cannot be migrated out of movable memory,
 *   or RLIMIT_MEMLOCK would be exceeded.
 * * %-EFAULT - Not all of the memory at @uptr is mapped or can be faulted in,
 *   or its protection does not permit the access.
 * * %-EINTR - A fatal signal is pending.
 * * %-EOPNOTSUPP - The memory does not support longterm pins.
 * * Another errno of GUP or of the IOMMU driver.
 *
 * On failure nothing is mapped, pinned or charged, except for pages that an
 * IOMMU driver failed to unmap during the rollback.
 */
int iopt_map_user(struct io_pagetable *iopt, unsigned long *iova,
		  void __user *uptr, unsigned long length, int prot,
		  enum iopt_account account, unsigned int flags)
{
	struct iopt_new_areas new = {
		.iopt = iopt,
		.list = LIST_HEAD_INIT(new.list),
		.nr = 1,
		.length = length,
		.uaddr = (unsigned long)uptr,
	};
	int rc;

	rc = iopt_check_map(iova, new.uaddr, length, prot, flags);
	rc = rc ?: area_add_user(&new, uptr, prot, account, flags);
	rc = rc ?: iopt_areas_map(&new, iova, flags);
	trace_iopt_map(iopt, *iova, uptr, length, prot, account, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_map_user, IOPT);
