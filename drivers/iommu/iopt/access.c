// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: users of the memory inside of the kernel.
 *
 * An access pins pages by IOVA, unpins them, and reads and writes the memory
 * with the CPU. It is told when a mapping goes in which pages are pinned, by
 * whichever access.
 *
 * Rule: while an access is at work in an area, the area counts it and stays,
 * without any lock. An unmap notifies every access, with no lock held, as often
 * as the policy says; with the last notice it keeps new pins out, and then it
 * waits for the counts. Notices are about whole mappings, and only about those
 * in which something is pinned. The access counts the callbacks that run, so
 * that who destroys it waits for these and not for those of other accesses.
 *
 * Pins are of the space, so that any access may unpin what another one has
 * pinned, unless an access owns its pins: then nobody else unpins them, and they
 * can be found when it leaves.
 */
#include <linux/idr.h>
#include <linux/iommu.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "io_pagetable.h"
#include "pages.h"
#include "trace.h"

/**
 * struct iopt_access - a user of a space inside of the kernel
 * @iopt: the space
 * @ops: of the user, or NULL
 * @data: for @ops
 * @owner: its number if it owns its pins, else 0
 * @leaving: no callback is started any more
 * @nr_callbacks: callbacks of unmaps that run; the access stays in the list
 *                until there is none
 * @node: in io_pagetable.accesses
 *
 * @leaving, @nr_callbacks and @node are protected by io_pagetable.lock.
 */
struct iopt_access {
	struct io_pagetable *iopt;
	const struct iopt_access_ops *ops;
	void *data;
	u16 owner;
	bool leaving;
	unsigned int nr_callbacks;
	struct list_head node;
};

/**
 * iopt_access_create - become an access
 * @iopt: the space, which stays until iopt_access_destroy()
 * @ops: what to call; NULL for an access that never pins
 * @data: for @ops
 *
 * Context: process context, may sleep. Not from a callback of @ops.
 * Return: the access or an ERR_PTR of -ENOMEM, or -ENOSPC if 65535 accesses of
 * the space own their pins.
 */
struct iopt_access *iopt_access_create(struct io_pagetable *iopt,
				       const struct iopt_access_ops *ops,
				       void *data)
{
	struct iopt_access *access = kzalloc(sizeof(*access), iopt->policy.gfp);
	int owner;

	if (!access)
		return ERR_PTR(-ENOMEM);
	if (ops && ops->owns_pins) {
		owner = ida_alloc_range(&iopt->owners, 1, U16_MAX,
					iopt->policy.gfp);
		if (owner < 0) {
			kfree(access);
			return ERR_PTR(owner);
		}
		access->owner = owner;
	}
	access->iopt = iopt;
	access->ops = ops;
	access->data = data;
	mutex_lock(&iopt->lock);
	list_add(&access->node, &iopt->accesses);
	mutex_unlock(&iopt->lock);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_create, IOPT);

/**
 * iopt_access_destroy - stop being an access
 * @access: the access, which has nothing pinned any more
 *
 * No callback runs when it returns.
 *
 * Context: process context, may sleep. Waits, not killably, for callbacks into
 * @access that run, but for no other access; not from one of them.
 */
void iopt_access_destroy(struct iopt_access *access)
{
	struct io_pagetable *iopt = access->iopt;

	mutex_lock(&iopt->lock);
	access->leaving = true;
	while (access->nr_callbacks)
		iopt_wait_settled(iopt, TASK_UNINTERRUPTIBLE);
	list_del(&access->node);
	/* An unmap that waits for pins gives up when no access is left. */
	iopt_wake_settled(iopt);
	mutex_unlock(&iopt->lock);
	if (access->owner)
		ida_free(&iopt->owners, access->owner);
	kfree(access);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_destroy, IOPT);

/*
 * Notify accesses that an area is being unmapped. The lock is dropped for each
 * callback.
 */
static void area_notify(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_access *access;

	list_for_each_entry(access, &iopt->accesses, node) {
		if (!access->ops || access->leaving)
			continue;
		access->nr_callbacks++;
		mutex_unlock(&iopt->lock);
		access->ops->unmap(access->data, area->start, area->last);
		mutex_lock(&iopt->lock);
		if (!--access->nr_callbacks && access->leaving)
			iopt_wake_settled(iopt);
	}
}

static void areas_notify(struct io_pagetable *iopt, struct list_head *areas)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	list_for_each_entry(area, areas, node) {
		if (READ_ONCE(area->nr_pins))
			area_notify(iopt, area);
		iopt_lock_break(iopt, &steps);
	}
}

static void areas_set_state(struct io_pagetable *iopt, struct list_head *areas,
			    enum iopt_area_state state)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, areas, node) {
		area->state = state;
		iopt_lock_break(iopt, &steps);
	}
}

static void areas_find_users(struct io_pagetable *iopt, struct list_head *areas,
			     bool *pinned, bool *used)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	*pinned = false;
	*used = false;
	list_for_each_entry(area, areas, node) {
		*pinned = *pinned || READ_ONCE(area->nr_pins);
		*used = *used || area->nr_users;
		iopt_lock_break(iopt, &steps);
	}
}

/* An area that accesses no longer find: wait until they have left it. */
static int area_wait_unused(struct io_pagetable *iopt, struct iopt_area *area)
{
	int rc = 0;

	while (!rc && (area->nr_users || READ_ONCE(area->nr_pins))) {
		/*
		 * The driver left without unpinning. Leak the pins: waiting for
		 * them would never end.
		 */
		if (!area->nr_users && WARN_ON_ONCE(list_empty(&iopt->accesses)))
			break;
		rc = iopt_wait_settled(iopt, TASK_KILLABLE);
	}
	return rc;
}

/**
 * iopt_areas_quiesce() - get accesses out of areas
 * @iopt: the space
 * @areas: list by iopt_area.node, leaving or dying; afterwards they are dying
 *         and no access uses them
 *
 * Context: @iopt->lock is held, and dropped while accesses are notified and
 * waited for.
 * Return: 0, or -EINTR if killed while waiting.
 */
int iopt_areas_quiesce(struct io_pagetable *iopt, struct list_head *areas)
{
	unsigned int rounds = iopt->policy.notices;
	unsigned int steps = 0;
	struct iopt_area *area;
	bool pinned, used;
	unsigned long seen;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	/* In-flight calls use up rounds too, so that the loop terminates. */
	for (; rounds > 1; rounds--) {
		seen = iopt->nr_settled;
		areas_find_users(iopt, areas, &pinned, &used);
		if (!pinned && !used)
			break;
		areas_set_state(iopt, areas, IOPT_AREA_LEAVING);
		if (pinned)
			areas_notify(iopt, areas);
		else
			rc = iopt_wait_settled_since(iopt, seen, TASK_KILLABLE);
		if (rc)
			return rc;
	}

	/* The last notice is for what was pinned before no access comes in. */
	areas_set_state(iopt, areas, IOPT_AREA_DYING);
	areas_find_users(iopt, areas, &pinned, &used);
	if (pinned)
		areas_notify(iopt, areas);
	list_for_each_entry(area, areas, node) {
		rc = area_wait_unused(iopt, area);
		if (rc)
			return rc;
		iopt_lock_break(iopt, &steps);
	}
	return 0;
}

static bool area_permits(const struct iopt_area *area, unsigned int flags)
{
	if ((flags & IOPT_ACCESS_READ) && !(area->prot & IOMMU_READ))
		return false;
	return !(flags & IOPT_ACCESS_WRITE) || (area->prot & IOMMU_WRITE);
}

/* Enter the area at an IOVA; it stays until iopt_area_leave(). */
static struct iopt_area *area_enter(struct io_pagetable *iopt,
				    unsigned long iova, unsigned int flags)
{
	struct iopt_area *area;

	mutex_lock(&iopt->lock);
	area = iopt_area_first(iopt, iova, iova);
	if (!area || !iopt_area_is_there(area))
		area = ERR_PTR(-ENOENT);
	else if (area->orphan)
		area = ERR_PTR(-EBUSY);
	else if (!area_permits(area, flags))
		area = ERR_PTR(-EPERM);
	else
		area->nr_users++;
	mutex_unlock(&iopt->lock);
	return area;
}

/**
 * iopt_area_leave - let an area go that a call was at work in
 * @iopt: the space
 * @area: the area, that the call has counted in iopt_area.nr_users
 *
 * Context: @iopt->lock is held.
 */
void iopt_area_leave(struct io_pagetable *iopt, struct iopt_area *area)
{
	lockdep_assert_held(&iopt->lock);
	area->nr_users--;
	/* Somebody may wait for that. */
	if (area->state != IOPT_AREA_LIVE || area->orphan)
		iopt_wake_settled(iopt);
}

/* The pages from @start on that are in the area, up to @last. */
static unsigned long area_slice(const struct iopt_area *area,
				unsigned long start, unsigned long last,
				unsigned long *first)
{
	unsigned long index = (start - area->start) >> PAGE_SHIFT;

	last = min(last, area->last);
	*first = area->slice.start + index;
	return ((last - area->start) >> PAGE_SHIFT) - index + 1;
}

static struct iopt_pinner pinner(const struct iopt_access *access,
				 struct iopt_area *area)
{
	return (struct iopt_pinner){ &area->nr_pins, access->owner };
}

/* Pin the pages of one area and stay in it. Returns how many. */
static long area_pin(struct iopt_access *access, unsigned long start,
		     unsigned long last, struct page **pages,
		     unsigned int flags)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long first, nr, done, lost = 0;
	struct iopt_area *area;
	int rc;

	area = area_enter(iopt, start, flags);
	if (IS_ERR(area))
		return PTR_ERR(area);

	nr = area_slice(area, start, last, &first);
	rc = iopt_pins_add(area->pages, pinner(access, area), first, nr, pages,
			   &done, &lost);
	if (!rc)
		return nr;
	atomic_long_add(lost, &iopt->nr_lost);
	mutex_lock(&iopt->lock);
	/* Who got a page may have written to it. */
	if (done)
		iopt_area_mark_dirty(area, start,
				     start + (done << PAGE_SHIFT) - 1);
	iopt_area_leave(iopt, area);
	mutex_unlock(&iopt->lock);
	return rc;
}

/* Unpin the pages of one area that are in [@start, @last], once or for good. */
static unsigned long area_unpin(struct iopt_access *access,
				struct iopt_area *area, unsigned long start,
				unsigned long last, bool all)
{
	unsigned long first, nr, lost = 0;

	nr = area_slice(area, max(start, area->start), last, &first);
	nr = iopt_pins_remove(area->pages, pinner(access, area), first, nr, all,
			      &lost);
	atomic_long_add(lost, &access->iopt->nr_lost);
	return nr;
}

/*
 * All of [@start, @last] was pinned by us, who are in all its areas: leave them
 * with their pages pinned. That is too late if one of them is being unmapped:
 * everybody was told but us, who did not know yet what we have.
 */
static int areas_leave_pinned(struct io_pagetable *iopt, unsigned long start,
			      unsigned long last)
{
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	/*
	 * In one hold of the lock, however many pages the driver asked for: a
	 * notice in between would make its callback unpin a part of them.
	 */
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last))
		if (!iopt_area_is_there(area))
			return -ENOENT;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last)) {
		iopt_area_mark_dirty(area, max(start, area->start),
				     min(last, area->last));
		iopt_area_leave(iopt, area);
	}
	return 0;
}

/* Likewise, but with nothing pinned. */
static void areas_leave_unpinned(struct iopt_access *access,
				 unsigned long start, unsigned long last)
{
	struct io_pagetable *iopt = access->iopt;
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last)) {
		mutex_unlock(&iopt->lock);
		area_unpin(access, area, start, last, false);
		mutex_lock(&iopt->lock);
		iopt_area_mark_dirty(area, max(start, area->start),
				     min(last, area->last));
		iopt_area_leave(iopt, area);
	}
}

static int access_pin(struct iopt_access *access, unsigned long start,
		      unsigned long last, struct page **pages,
		      unsigned int flags)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long next, done = 0;
	bool more = true;
	long nr = 0;
	int rc;

	if (last < start || !access->ops)
		return -EINVAL;
	if (!(flags & IOPT_ACCESS_UNALIGNED) &&
	    !PAGE_ALIGNED(start | iopt_length(start, last)))
		return -EINVAL;
	start &= PAGE_MASK;
	last |= ~PAGE_MASK;

	next = start;
	while (more && next <= last) {
		nr = area_pin(access, next, last, pages + done, flags);
		if (nr < 0)
			break;
		done += nr;
		more = iopt_next_start(next + ((nr << PAGE_SHIFT) - 1), &next);
	}

	mutex_lock(&iopt->lock);
	rc = nr < 0 ? nr : areas_leave_pinned(iopt, start, last);
	if (rc && done)
		areas_leave_unpinned(access, start, next - 1);
	mutex_unlock(&iopt->lock);
	if (rc)
		memset(pages, 0, (done + (nr < 0)) * sizeof(*pages));
	return rc;
}

/**
 * iopt_access_pin - pin pages
 * @access: the access
 * @start: first IOVA
 * @last: last IOVA; the range may span mappings
 * @pages: receives the pages, the first one for the page of @start; on failure
 *         NULL up to the one that could not be pinned
 * @flags: %IOPT_ACCESS_READ, %IOPT_ACCESS_WRITE: what the mappings must allow;
 *         %IOPT_ACCESS_UNALIGNED: @start and @last may be inside of pages
 *
 * A page that is pinned already, by whichever access, is pinned once more and
 * stays the same page until it was unpinned as often. It is pinned as the
 * mapping allows, and charged to whom mapped it.
 *
 * Context: process context, may sleep for long.
 * Return: 0, -EINVAL if the range is not aligned or backwards, a page has no
 * struct page, or @access cannot be told of an unmap, -ENOENT if not all of it
 * is mapped, -EPERM if a mapping does not allow that, -EBUSY if one is an
 * orphan, -EOVERFLOW if one is pinned too often, -ESRCH if the process is gone
 * whose memory it is, or an errno of pinning, see iopt_map_user(). Nothing is
 * pinned then, but pages up to the one that failed were for a while, and are
 * dirty.
 */
int iopt_access_pin(struct iopt_access *access, unsigned long start,
		    unsigned long last, struct page **pages, unsigned int flags)
{
	int rc = access_pin(access, start, last, pages, flags);

	trace_iopt_access_pin(access->iopt, start, last, flags, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_pin, IOPT);

/**
 * iopt_access_unpin - unpin pages
 * @access: the access
 * @start: first IOVA; may be inside of a page
 * @last: last IOVA
 *
 * Each page once. What is not mapped or not pinned by this mapping is left
 * alone, as is what this access has not pinned if it owns its pins: callers may
 * unpin all of a range that they are told of.
 *
 * Context: process context, may sleep. May be called from a callback.
 * Return: how many pages were pinned.
 */
unsigned long iopt_access_unpin(struct iopt_access *access,
				unsigned long start, unsigned long last)
{
	struct io_pagetable *iopt = access->iopt;
	const unsigned long from = start;
	unsigned long unpinned = 0;
	unsigned int steps = 0;
	struct iopt_area *area;
	bool more = true;

	start &= PAGE_MASK;
	mutex_lock(&iopt->lock);
	while (more && start <= last &&
	       (area = iopt_area_first(iopt, start, last))) {
		if (READ_ONCE(area->nr_pins)) {
			area->nr_users++;
			mutex_unlock(&iopt->lock);
			unpinned += area_unpin(access, area, start, last,
					       false);
			mutex_lock(&iopt->lock);
			iopt_area_leave(iopt, area);
		}
		more = iopt_next_start(area->last, &start);
		iopt_lock_break(iopt, &steps);
	}
	mutex_unlock(&iopt->lock);
	trace_iopt_access_unpin(iopt, from, last, unpinned);
	return unpinned;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_unpin, IOPT);

/**
 * iopt_access_evict - take back all that an access has pinned
 * @access: the access, which owns its pins and does not pin while this runs
 *
 * It is told of each mapping in which it has pages pinned, as if that were
 * unmapped. Pages that it has not unpinned when it returns are unpinned.
 *
 * Context: process context, may sleep. Not from a callback, and with no lock
 * held that the callback takes.
 */
void iopt_access_evict(struct iopt_access *access)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long start = 0, first, nr;
	unsigned int steps = 0;
	struct iopt_area *area;
	bool more = true;

	mutex_lock(&iopt->lock);
	while (more && (area = iopt_area_first(iopt, start, ULONG_MAX))) {
		if (READ_ONCE(area->nr_pins)) {
			area->nr_users++;
			mutex_unlock(&iopt->lock);
			nr = area_slice(area, area->start, area->last, &first);
			if (iopt_pins_any(area->pages, pinner(access, area),
					  first, nr)) {
				access->ops->unmap(access->data, area->start,
						   area->last);
				nr = area_unpin(access, area, area->start,
						area->last, true);
				trace_iopt_access_unpin(iopt, area->start,
							area->last, nr);
			}
			mutex_lock(&iopt->lock);
			iopt_area_leave(iopt, area);
		}
		more = iopt_next_start(area->last, &start);
		iopt_lock_break(iopt, &steps);
	}
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_evict, IOPT);

/*
 * Copy between a buffer and memory of a process, who may not be the current:
 * a kernel thread that has no memory of its own borrows it.
 */
static int mm_copy(struct mm_struct *mm, unsigned long uaddr, void *buffer,
		   unsigned long length, bool write)
{
	bool borrow = mm != current->mm;
	unsigned long left;

	if (borrow && !mmget_not_zero(mm))
		return -EPERM;
	if (borrow && (!(current->flags & PF_KTHREAD) || current->mm)) {
		mmput(mm);
		return -EFAULT;
	}
	if (borrow)
		kthread_use_mm(mm);
	if (write)
		left = copy_to_user((void __user *)uaddr, buffer, length);
	else
		left = copy_from_user(buffer, (void __user *)uaddr, length);
	if (borrow) {
		kthread_unuse_mm(mm);
		mmput(mm);
	}
	return left ? -EFAULT : 0;
}

/**
 * iopt_access_rw - read or write memory with the CPU
 * @access: the access
 * @iova: where
 * @buffer: to copy to or from
 * @length: in bytes, not 0; the range may span mappings
 * @flags: %IOPT_ACCESS_WRITE to write, otherwise it reads; with
 *         %IOPT_ACCESS_READ the mappings must allow reading in any case
 *
 * It is the memory of the process as it is now that is accessed.
 *
 * Context: process context of the process that mapped the memory, or a kernel
 * thread; may sleep for long.
 * Return: 0, -EINVAL if @length is 0, -EOVERFLOW if the range wraps, -ENOENT
 * if not all of it is mapped, -EPERM if a mapping does not allow that or the
 * process is gone, -EBUSY if a mapping is an orphan, -EFAULT if it is another
 * process' memory or there is none. What was copied up to there stays so.
 */
int iopt_access_rw(struct iopt_access *access, unsigned long iova, void *buffer,
		   unsigned long length, unsigned int flags)
{
	unsigned int need = flags & (IOPT_ACCESS_READ | IOPT_ACCESS_WRITE);
	struct io_pagetable *iopt = access->iopt;
	bool write = flags & IOPT_ACCESS_WRITE;
	unsigned long last;
	int rc = 0;

	if (!length)
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	while (!rc && length) {
		struct iopt_area *area = area_enter(iopt, iova,
						    need ?: IOPT_ACCESS_READ);
		unsigned long bytes, uaddr;

		if (IS_ERR(area))
			return PTR_ERR(area);
		bytes = min(length - 1, area->last - iova) + 1;
		uaddr = READ_ONCE(area->pages->uaddr) + (iova - area->start) +
			(area->slice.start << PAGE_SHIFT);
		rc = mm_copy(area->pages->payer->mm, uaddr, buffer, bytes,
			     write);
		mutex_lock(&iopt->lock);
		/* If it failed, it may still have written some of it. */
		if (write)
			iopt_area_mark_dirty(area, iova, iova + bytes - 1);
		iopt_area_leave(iopt, area);
		mutex_unlock(&iopt->lock);
		iova += bytes;
		buffer += bytes;
		length -= bytes;
	}
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_rw, IOPT);
