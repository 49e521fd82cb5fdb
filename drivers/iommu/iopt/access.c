// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: in-kernel users of the mapped memory.
 *
 * An access pins and unpins pages by IOVA, and reads and writes the memory with
 * the CPU. It is notified when a mapping that has pinned pages is unmapped, no
 * matter which access pinned them.
 *
 * A call of an access counts itself in iopt_area.nr_users while it works in an
 * area. The count keeps the area in place, so the call needs no lock. An unmap
 * notifies every access without any lock held, up to iopt_policy.notices times.
 * Before the last notification it blocks new pins, and afterwards it waits
 * until the area has no pins and no users. A notification covers a whole
 * mapping, and mappings without pinned pages cause none. Each access counts the
 * callbacks that run in it, so that iopt_access_destroy() waits for these only.
 *
 * Pins belong to the space: any access may unpin pages that another one pinned.
 * The exception is an access that owns its pins. Other accesses cannot remove
 * its pins, and iopt_access_unpin_all() can find them when the access leaves.
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
#include "pins.h"
#include "trace.h"

/**
 * struct iopt_access - an in-kernel user of a space
 * @iopt: the space
 * @ops: callbacks of the user; NULL for an access that never pins
 * @data: argument of the callbacks in @ops
 * @owner: unique number of an access that owns its pins, 0 for all others
 * @leaving: no new callback is started
 * @nr_callbacks: running callbacks of unmaps; the access stays on the list
 *                until they have returned
 * @node: entry in io_pagetable.accesses
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
 * iopt_access_create() - create an access to a space
 * @iopt: the space; it must outlive the access
 * @ops: callbacks, or NULL for an access that never pins
 * @data: argument of the callbacks
 *
 * Context: process context, may sleep. Must not be called from a callback in
 * @ops.
 * Return: the access, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * %-ENOSPC - 65535 accesses of the space own their pins already.
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
 * iopt_access_destroy() - destroy an access
 * @access: the access, which must have unpinned all pages it pinned
 *
 * No callback of @access runs once this function has returned.
 *
 * Context: process context, may sleep. Waits, not killably, for running
 * callbacks into @access, but not for those into other accesses. Must not be
 * called from a callback into @access.
 */
void iopt_access_destroy(struct iopt_access *access)
{
	struct io_pagetable *iopt = access->iopt;

	mutex_lock(&iopt->lock);
	access->leaving = true;
	while (access->nr_callbacks)
		iopt_wait_idle(iopt, TASK_UNINTERRUPTIBLE);
	list_del(&access->node);
	/* An unmap that waits for pins gives up once the list is empty. */
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
	if (access->owner)
		ida_free(&iopt->owners, access->owner);
	kfree(access);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_destroy, IOPT);

/*
 * Notify all accesses that an area is being unmapped. The lock is dropped for
 * each callback.
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
			iopt_wake_idle(iopt);
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

/* Wait until a dying area, which accesses no longer find, is unused. */
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
		rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	}
	return rc;
}

/**
 * iopt_areas_quiesce() - make all accesses stop using areas
 * @iopt: the space
 * @areas: list of areas by iopt_area.node, all leaving or dying
 *
 * Context: process context, may sleep without bound, killably. @iopt->lock is
 * held, and dropped while accesses are notified and waited for.
 * Return: 0 if the areas are dying and no access uses them any more, or
 * * %-EINTR - A fatal signal is pending. The caller makes the areas live again.
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
		seen = iopt->idle_seq;
		areas_find_users(iopt, areas, &pinned, &used);
		if (!pinned && !used)
			break;
		areas_set_state(iopt, areas, IOPT_AREA_QUIESCING);
		if (pinned)
			areas_notify(iopt, areas);
		else
			rc = iopt_wait_idle_since(iopt, seen, TASK_KILLABLE);
		if (rc)
			return rc;
	}

	/*
	 * Accesses no longer find dying areas. The last notification thus
	 * covers all pins there are, and no new ones can follow.
	 */
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

/* Find the area at an IOVA and keep it in place until iopt_area_put(). */
static struct iopt_area *iopt_area_get(struct io_pagetable *iopt,
				       unsigned long iova, unsigned int flags)
{
	struct iopt_area *area;

	mutex_lock(&iopt->lock);
	area = iopt_area_first(iopt, iova, iova);
	if (!area || !iopt_area_is_accessible(area))
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
 * iopt_area_put() - stop using an area
 * @iopt: the space
 * @area: an area that the caller has counted itself in, see iopt_area.nr_users;
 *        it may be freed once the lock is dropped
 *
 * Context: @iopt->lock is held.
 */
void iopt_area_put(struct io_pagetable *iopt, struct iopt_area *area)
{
	lockdep_assert_held(&iopt->lock);
	area->nr_users--;
	/* Only unmap and iopt_adopt() wait for users. */
	if (area->state != IOPT_AREA_LIVE || area->orphan)
		iopt_wake_idle(iopt);
}

/*
 * Clip [@start, @last], which starts in the area, to the area. Returns the
 * number of pages in it, and the index of the first one in @first.
 */
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

/*
 * Pin the pages of [@start, @last] that are in one area. Returns their number
 * with the area still entered, or a negative errno with the area left.
 */
static long area_pin(struct iopt_access *access, unsigned long start,
		     unsigned long last, struct page **pages,
		     unsigned int flags)
{
	struct io_pagetable *iopt = access->iopt;
	unsigned long first, nr, done, lost = 0;
	struct iopt_area *area;
	int rc;

	area = iopt_area_get(iopt, start, flags);
	if (IS_ERR(area))
		return PTR_ERR(area);

	nr = area_slice(area, start, last, &first);
	rc = iopt_pins_add(area->pages, pinner(access, area), first, nr, pages,
			   &done, &lost);
	if (!rc)
		return nr;
	atomic_long_add(lost, &iopt->nr_lost);
	mutex_lock(&iopt->lock);
	/* These pages were pinned for a while and may have been written to. */
	if (done)
		iopt_area_mark_dirty(area, start,
				     start + (done << PAGE_SHIFT) - 1);
	iopt_area_put(iopt, area);
	mutex_unlock(&iopt->lock);
	return rc;
}

/*
 * Unpin the pages of one area that are in [@start, @last]: one pin of each
 * page, or with @all as many as there are.
 */
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
 * The caller has pinned all of [@start, @last] and is a user of each area in
 * it. Leave these areas with their pages pinned, or return -ENOENT if an unmap
 * has sent its last notification for one of them. The driver did not know yet
 * which pages it would get, so it cannot have unpinned them in its callback.
 */
static int areas_put_pinned(struct io_pagetable *iopt, unsigned long start,
			    unsigned long last)
{
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	/*
	 * Do not drop the lock, however many areas there are: a notification in
	 * between would make the driver's callback unpin only some of the
	 * pages.
	 */
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last))
		if (!iopt_area_is_accessible(area))
			return -ENOENT;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_next(area, last)) {
		iopt_area_mark_dirty(area, max(start, area->start),
				     min(last, area->last));
		iopt_area_put(iopt, area);
	}
	return 0;
}

/* Undo the pins in [@start, @last] and leave the areas, on the error path. */
static void areas_put_unpinned(struct iopt_access *access, unsigned long start,
			       unsigned long last)
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
		iopt_area_put(iopt, area);
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
	rc = nr < 0 ? nr : areas_put_pinned(iopt, start, last);
	if (rc && done)
		areas_put_unpinned(access, start, next - 1);
	mutex_unlock(&iopt->lock);
	if (rc)
		memset(pages, 0, (done + (nr < 0)) * sizeof(*pages));
	return rc;
}

/**
 * iopt_access_pin() - pin the pages of an IOVA range
 * @access: the access
 * @start: first IOVA
 * @last: last IOVA; the range may span mappings
 * @pages: array that receives the pages, starting with the page of @start; on
 *         failure it is NULL up to the page that could not be pinned
 * @flags: %IOPT_ACCESS_READ and %IOPT_ACCESS_WRITE are the rights that the
 *         mappings must grant; with %IOPT_ACCESS_UNALIGNED the range need not
 *         be page aligned
 *
 * Pinning a page that is pinned already adds one more pin, whichever access
 * pinned it first, and returns the same page until all pins are removed. The
 * protection of the mapping, not @flags, decides whether pages are pinned for
 * writing. Pages are charged to the payer of the mapping.
 *
 * Context: process context, may sleep without bound, killably: pages may have
 * to be faulted in.
 * Return: 0 if all pages were pinned, or
 * * %-EINVAL - The range is empty or misaligned, a page has no struct page, or
 *   @access has no callbacks and so cannot be notified of an unmap.
 * * %-ENOENT - A part of the range is not mapped, or its unmap blocks new pins.
 * * %-EPERM - A mapping does not grant the rights in @flags.
 * * %-EBUSY - A mapping is an orphan.
 * * %-EOVERFLOW - A mapping has too many pins.
 * * %-ESRCH - The process that owns the memory has exited.
 * * Another errno of pinning, see iopt_map_user().
 *
 * Nothing is pinned on failure. Pages before the failing one were pinned
 * temporarily, and are marked dirty.
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
 * iopt_access_unpin() - unpin the pages of an IOVA range
 * @access: the access
 * @start: first IOVA; need not be page aligned
 * @last: last IOVA
 *
 * Removes one pin from each page. Skips IOVAs that are not mapped, pages that
 * were not pinned through this mapping and, if @access owns its pins, pages
 * that it did not pin. A callback may therefore unpin the whole range it is
 * notified of.
 *
 * Context: process context, may sleep. May be called from a callback.
 * Return: the number of pins removed.
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
			iopt_area_put(iopt, area);
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
 * iopt_access_unpin_all() - remove all pins of an access
 * @access: an access that owns its pins and does not pin concurrently
 *
 * Calls the unmap callback for each mapping in which @access has pages pinned,
 * as if that mapping were being unmapped, and then unpins the pages that the
 * callback left pinned.
 *
 * Context: process context, may sleep. Must not be called from a callback, nor
 * with a lock held that the callback takes.
 */
void iopt_access_unpin_all(struct iopt_access *access)
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
			iopt_area_put(iopt, area);
		}
		more = iopt_next_start(area->last, &start);
		iopt_lock_break(iopt, &steps);
	}
	mutex_unlock(&iopt->lock);
}
EXPORT_SYMBOL_NS_GPL(iopt_access_unpin_all, IOPT);

/*
 * Copy between a buffer and the memory of a process. Unless @mm is that of the
 * current process, only a kernel thread without an mm of its own can use it.
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
 * iopt_access_rw() - read or write mapped memory with the CPU
 * @access: the access
 * @iova: first IOVA
 * @buffer: kernel buffer to copy to or from
 * @length: length in bytes, not 0; the range may span mappings
 * @flags: %IOPT_ACCESS_WRITE to write, otherwise the function reads; with
 *         %IOPT_ACCESS_READ a write also requires that mappings permit reading
 *
 * The copy uses the current page tables of the process, not pinned pages.
 *
 * Context: in the process that mapped the memory, or in a kernel thread without
 * an mm; may sleep without bound for page faults.
 * Return: 0 if all bytes were copied, or
 * * %-EINVAL - @length is 0.
 * * %-EOVERFLOW - The range wraps.
 * * %-ENOENT - A part of the range is not mapped, or its unmap blocks access.
 * * %-EPERM - A mapping does not permit the access, or the process has exited.
 * * %-EBUSY - A mapping is an orphan.
 * * %-EFAULT - The memory belongs to another process and the caller is not a
 *   kernel thread, or the process cannot access the address.
 *
 * Bytes that were copied before the failure stay copied.
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
		struct iopt_area *area =
			iopt_area_get(iopt, iova, need ?: IOPT_ACCESS_READ);
		unsigned long bytes, uaddr;

		if (IS_ERR(area))
			return PTR_ERR(area);
		bytes = min(length - 1, area->last - iova) + 1;
		uaddr = READ_ONCE(area->pages->uaddr) + (iova - area->start) +
			(area->slice.start << PAGE_SHIFT);
		rc = mm_copy(area->pages->payer->mm, uaddr, buffer, bytes,
			     write);
		mutex_lock(&iopt->lock);
		/* A failed copy may have written a part of the range. */
		if (write)
			iopt_area_mark_dirty(area, iova, iova + bytes - 1);
		iopt_area_put(iopt, area);
		mutex_unlock(&iopt->lock);
		iova += bytes;
		buffer += bytes;
		length -= bytes;
	}
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_access_rw, IOPT);
