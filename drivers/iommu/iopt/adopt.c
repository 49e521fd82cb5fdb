// SPDX-License-Identifier: GPL-2.0-only
/*
 * Transferring mappings to another process or address.
 *
 * A process may replace itself with another one that has the same memory at a
 * different address. It first declares its mappings orphans. The pages of an
 * orphan stay pinned, and domains still translate them, but the engine does not
 * know which process has the memory at which address. Accesses therefore cannot
 * pin, read or write the memory. The new process then adopts the mappings one
 * by one.
 *
 * Pinned pages stay pinned, and are charged at all times.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "account.h"
#include "area.h"
#include "io_pagetable.h"
#include "map.h"
#include "pages.h"
#include "validate.h"

/* True if another mapping, in this or in another space, shares the pages. */
static bool area_is_shared(const struct iopt_area *area)
{
	return kref_read(&area->pages->kref) != 1;
}

/*
 * Wait until an area has become idle since @seen. Called with attach_mutex and
 * iopt->lock held. Drops both, because detach takes attach_mutex
 * uninterruptibly. Retakes both on success only.
 */
static int wait_idle_detached(struct io_pagetable *iopt, unsigned long seen)
{
	int rc;

	mutex_unlock(&iopt->attach_mutex);
	rc = iopt_wait_idle_since(iopt, seen, TASK_KILLABLE);
	mutex_unlock(&iopt->lock);
	if (!rc && mutex_lock_killable(&iopt->attach_mutex))
		rc = -EINTR;
	if (!rc)
		mutex_lock(&iopt->lock);
	return rc;
}

/*
 * Check whether an area that intersects [@start, @last] can become an orphan.
 * Returns -EAGAIN if it is busy.
 */
static int area_check_orphan(const struct iopt_area *area, unsigned long start,
			     unsigned long last)
{
	if (area->busy)
		return -EAGAIN;
	if (area->start < start || area->last > last)
		return -ENOENT;
	if (area->orphan)
		return -EINVAL;
	return area_is_shared(area) ? -EBUSY : 0;
}

static int areas_check_orphan(struct io_pagetable *iopt, unsigned long start,
			      unsigned long last)
{
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc = 0;

	for (area = iopt_area_first(iopt, start, last); area && !rc;
	     area = iopt_area_walk(iopt, area, last, &steps))
		rc = area_check_orphan(area, start, last);
	return rc;
}

/*
 * Roll back areas_orphan() for the areas below @end. The caller holds
 * attach_mutex, so none of them can have been adopted.
 */
static void areas_unorphan(struct io_pagetable *iopt, unsigned long start,
			   unsigned long end)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	for (area = iopt_area_first(iopt, start, end); area && area->start < end;
	     area = iopt_area_walk(iopt, area, end, &steps)) {
		iopt->nr_orphans -= area->orphan;
		area->orphan = false;
	}
}

/* Make all mappings of an interval orphans, or none of them. */
static int areas_orphan(struct io_pagetable *iopt, unsigned long start,
			unsigned long last, unsigned long *bytes)
{
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc;

	rc = areas_check_orphan(iopt, start, last);
	if (rc)
		return rc;
	iopt_for_each_area_break(iopt, area, start, last, &steps) {
		/* iopt->lock may have been dropped since the check. */
		rc = area_check_orphan(area, start, last);
		if (rc) {
			areas_unorphan(iopt, start, area->start);
			*bytes = 0;
			return rc;
		}
		area->orphan = true;
		iopt->nr_orphans++;
		*bytes += iopt_area_length(area);
	}
	return 0;
}

/**
 * iopt_orphan() - declare that mapped memory moves to a new process or address
 * @iopt: the space
 * @start: first byte of an interval
 * @last: last byte of the interval
 * @bytes: receives the total length of the mappings in bytes, 0 on failure
 *
 * Each mapping in the interval becomes an orphan. Domains still translate an
 * orphan, and an orphan can be unmapped. Until iopt_adopt() succeeds for it,
 * accesses cannot start to pin, read or write its memory, it cannot be copied,
 * and no domain can be attached to the space. The function does not wait for
 * accesses that use a mapping already; iopt_adopt() does.
 *
 * Context: process context, may block indefinitely (killable): waits for
 * mappings in the interval that are being built, torn down or adopted, and for
 * attach and detach.
 * Return: 0, or
 * * %-ENOENT - A mapping extends beyond the interval, or the interval contains
 *   no mapping and is not the whole address space.
 * * %-EINVAL - A mapping is an orphan already.
 * * %-EBUSY - A copy shares the pages of a mapping.
 * * %-EINTR - A fatal signal is pending.
 *
 * On failure the space is unchanged.
 */
int iopt_orphan(struct io_pagetable *iopt, unsigned long start,
		unsigned long last, unsigned long *bytes)
{
	unsigned long seen;
	int rc;

	*bytes = 0;
	if (mutex_lock_killable(&iopt->attach_mutex))
		return -EINTR;
	mutex_lock(&iopt->lock);
	for (;;) {
		seen = iopt->idle_seq;
		rc = areas_orphan(iopt, start, last, bytes);
		if (rc != -EAGAIN)
			break;
		rc = wait_idle_detached(iopt, seen);
		if (rc)
			return rc;
	}
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	if (!rc && !*bytes && !(start == 0 && last == ULONG_MAX))
		rc = -ENOENT;
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_orphan, IOPT);

/*
 * Find the orphan that is mapped at exactly [@start, @last]. Returns -EAGAIN if
 * the lowest area in the interval is busy, or if accesses are using the orphan.
 */
static int orphan_find(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct iopt_area **orphan)
{
	struct iopt_area *area = iopt_area_first(iopt, start, last);

	if (!area)
		return -ENOENT;
	if (area->busy)
		return -EAGAIN;
	if (!area->orphan || area->start != start || area->last != last)
		return -EINVAL;
	if (area_is_shared(area))
		return -EBUSY;
	*orphan = area;
	return area->nr_users ? -EAGAIN : 0;
}

/*
 * Wait until the orphan can be adopted, and mark it as busy. The mark keeps the
 * orphan in the tree while the caller charges the pages. The caller does so
 * without attach_mutex and iopt->lock: charging may wait for the mmap_lock, and
 * detach takes both locks uninterruptibly.
 */
static int orphan_take(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct iopt_area **orphan)
{
	int rc;

	if (mutex_lock_killable(&iopt->attach_mutex))
		return -EINTR;
	mutex_lock(&iopt->lock);
	for (;;) {
		rc = orphan_find(iopt, start, last, orphan);
		if (rc != -EAGAIN)
			break;
		rc = wait_idle_detached(iopt, iopt->idle_seq);
		if (rc)
			return rc;
	}
	if (!rc)
		(*orphan)->busy = true;
	mutex_unlock(&iopt->lock);
	mutex_unlock(&iopt->attach_mutex);
	return rc;
}

static int area_adopt(struct io_pagetable *iopt, struct iopt_area *area,
		      void __user *uptr, enum iopt_account account)
{
	struct iopt_payer *payer = area->pages->payer;
	int rc;

	if (offset_in_page(uptr) != area->offset)
		return -EINVAL;
	/* If the memory has moved within the process, keep the payer. */
	if (payer->mm == current->mm)
		payer = iopt_payer_get(payer);
	else
		payer = iopt_current_payer(iopt, account);
	if (!payer)
		return -ENOMEM;
	/*
	 * @uptr is the address of the first byte of the area, which need not be
	 * in the first page of @area->pages.
	 */
	rc = iopt_pages_adopt(area->pages, uptr - area->offset -
			      (area->slice.start << PAGE_SHIFT), payer);
	iopt_payer_put(payer);
	return rc;
}

/**
 * iopt_adopt() - declare the new location of the memory of an orphan
 * @iopt: the space
 * @start: first byte of the mapping
 * @last: last byte of the mapping
 * @uptr: user address of the memory in the current process, with the same
 *        offset in its page as before
 * @account: accounting mode; ignored if the mapping belonged to the current
 *           process already
 *
 * The engine does not check that the memory at @uptr is the memory of the
 * orphan: the caller is responsible for that.
 *
 * Context: process context with an mm. May wait for an unbounded time for the
 * mmap_lock of the current process, which the caller must not hold. Also waits
 * for mappings in the interval that are being built, torn down or adopted, for
 * accesses that use the mapping, and for attach and detach. All of these waits
 * are killable.
 * Return: 0, or
 * * %-ENOENT - Nothing is mapped in the interval.
 * * %-EINVAL - The interval is not exactly one orphan, or @uptr is misaligned.
 * * %-EOVERFLOW - The range of user addresses wraps around.
 * * %-EBUSY - A copy shares the pages.
 * * %-ENOMEM - Out of memory, or RLIMIT_MEMLOCK would be exceeded.
 * * %-EINTR - A fatal signal is pending.
 *
 * On failure the space is unchanged.
 */
int iopt_adopt(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, void __user *uptr, enum iopt_account account)
{
	unsigned long uaddr = (unsigned long)uptr, uaddr_last;
	struct iopt_area *area;
	int rc;

	if (last < start)
		return -EINVAL;
	if (check_add_overflow(uaddr, last - start, &uaddr_last))
		return -EOVERFLOW;

	rc = orphan_take(iopt, start, last, &area);
	if (rc)
		return rc;
	rc = area_adopt(iopt, area, uptr, account);
	mutex_lock(&iopt->lock);
	area->busy = false;
	if (!rc) {
		area->orphan = false;
		iopt->nr_orphans--;
	}
	iopt_wake_idle(iopt);
	mutex_unlock(&iopt->lock);
	iopt_debug_validate(iopt);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_adopt, IOPT);

/**
 * iopt_has_orphans() - check whether a space has orphans
 * @iopt: the space
 *
 * Context: any; the result may change at any time.
 * Return: true if a mapping is waiting to be adopted.
 */
bool iopt_has_orphans(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->nr_orphans);
}
EXPORT_SYMBOL_NS_GPL(iopt_has_orphans, IOPT);
