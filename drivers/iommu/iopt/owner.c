// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose memory a mapping is, and how that changes.
 *
 * A process may replace itself by another one that has the same memory, at
 * another address. It first declares the mappings orphans: their pages stay
 * pinned and translated, but nobody knows where they are in which process, so
 * that nothing new can be pinned, read or written. The new process then adopts
 * them one by one.
 *
 * Rule: what is pinned stays pinned, and somebody pays for it all the time.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched.h>

#include "io_pagetable.h"
#include "pages.h"

/* Do other mappings, here or in other spaces, show the same pages? */
static bool area_is_shared(const struct iopt_area *area)
{
	return kref_read(&area->pages->kref) != 1;
}

/*
 * Both locks are held; drop both while waiting, because detach, which cannot be
 * killed, takes attach_mutex too.
 */
static int wait_settled_detached(struct io_pagetable *iopt, unsigned long seen)
{
	int rc;

	mutex_unlock(&iopt->attach_mutex);
	rc = iopt_wait_settled_since(iopt, seen, TASK_KILLABLE);
	mutex_unlock(&iopt->lock);
	if (!rc && mutex_lock_killable(&iopt->attach_mutex))
		rc = -EINTR;
	if (!rc)
		mutex_lock(&iopt->lock);
	return rc;
}

/* May a mapping of [@start, @last] become an orphan? */
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

/* Undo what areas_orphan() did below @end: nobody else makes or ends orphans. */
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

/* Make all mappings of an interval orphans, or none. */
static int areas_orphan(struct io_pagetable *iopt, unsigned long start,
			unsigned long last, unsigned long *bytes)
{
	unsigned int steps = 0;
	struct iopt_area *area;
	int rc;

	*bytes = 0;
	rc = areas_check_orphan(iopt, start, last);
	if (rc)
		return rc;
	for (area = iopt_area_first(iopt, start, last); area;
	     area = iopt_area_walk(iopt, area, last, &steps)) {
		/* The lock may have been dropped since the check. */
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
 * iopt_orphan - the memory of mappings is no longer where it was
 * @iopt: the space
 * @start: first byte of an interval
 * @last: last byte
 * @bytes: receives the bytes of the mappings in it, 0 on failure
 *
 * Each mapping in the interval becomes an orphan: domains translate it as
 * before and it can be unmapped, but accesses cannot pin, read or write, it
 * cannot be copied, and no domain can be attached, until iopt_adopt().
 *
 * Context: process context, may sleep. Waits, killably, for mappings in the
 * interval that are being built or torn down, and for attaches and detaches.
 * Return: 0, -ENOENT if a mapping sticks out of the interval, or if there is
 * none and the interval is not the whole address space, -EINVAL if one is an
 * orphan already, -EBUSY if a copy of one shares its pages, -EINTR if killed.
 * Nothing has changed then.
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
		seen = iopt->nr_settled;
		rc = areas_orphan(iopt, start, last, bytes);
		if (rc != -EAGAIN)
			break;
		rc = wait_settled_detached(iopt, seen);
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

/* The orphan that is exactly [@start, @last], with nobody at work in it. */
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
 * Wait until an orphan can be adopted. Both locks are held afterwards, unless it
 * returns -EINTR.
 */
static int orphan_lock(struct io_pagetable *iopt, unsigned long start,
		       unsigned long last, struct iopt_area **orphan)
{
	int rc;

	if (mutex_lock_killable(&iopt->attach_mutex))
		return -EINTR;
	mutex_lock(&iopt->lock);
	do {
		rc = orphan_find(iopt, start, last, orphan);
		if (rc == -EAGAIN)
			rc = wait_settled_detached(iopt, iopt->nr_settled) ?:
			     -EAGAIN;
	} while (rc == -EAGAIN);
	return rc;
}

static int area_adopt(struct io_pagetable *iopt, struct iopt_area *area,
		      void __user *uptr, enum iopt_account account)
{
	struct iopt_payer *payer = area->pages->payer;
	int rc;

	/* The process that has it need not pay anew for another address. */
	if (payer->mm == current->mm)
		payer = iopt_payer_get(payer);
	else
		payer = iopt_current_payer(iopt, account);
	if (!payer)
		return -ENOMEM;
	/* It may be a part of the pages, if others that were copied are gone. */
	rc = iopt_pages_adopt(area->pages,
			      uptr - (area->slice.start << PAGE_SHIFT), payer);
	iopt_payer_put(payer);
	return rc;
}

/**
 * iopt_adopt - the memory of an orphan is now here
 * @iopt: the space
 * @start: first byte of the mapping
 * @last: its last byte
 * @uptr: where its memory is in the current process, page aligned
 * @account: whom to charge, if that was another process before
 *
 * That it is the same memory is up to the caller: it is not looked at. If the
 * process is the same it pays as before, whatever @account says.
 *
 * Context: process context with an mm, may sleep. Waits, killably, for a
 * mapping there that is being built or torn down, for accesses at work and for
 * attaches and detaches.
 * Return: 0, -ENOENT if nothing is mapped there, -EINVAL if it is no orphan or
 * not exactly that mapping or @uptr is misaligned, -EOVERFLOW if the memory
 * wraps, -EBUSY if a copy shares the pages, -ENOMEM for memory or the limit on
 * locked memory, -EINTR if killed. It is an orphan as before then.
 */
int iopt_adopt(struct io_pagetable *iopt, unsigned long start,
	       unsigned long last, void __user *uptr, enum iopt_account account)
{
	unsigned long uaddr = (unsigned long)uptr, uaddr_last;
	struct iopt_area *area;
	int rc;

	if (!PAGE_ALIGNED(uptr) || last < start)
		return -EINVAL;
	if (check_add_overflow(uaddr, last - start, &uaddr_last))
		return -EOVERFLOW;

	rc = orphan_lock(iopt, start, last, &area);
	if (rc == -EINTR)
		return rc;
	if (!rc) {
		/*
		 * The busy mark keeps the area. To charge may wait for the
		 * mmap_lock, and detach, which cannot be killed, must not.
		 */
		area->busy = true;
		mutex_unlock(&iopt->lock);
		mutex_unlock(&iopt->attach_mutex);
		rc = area_adopt(iopt, area, uptr, account);
		mutex_lock(&iopt->lock);
		area->busy = false;
		if (!rc) {
			area->orphan = false;
			iopt->nr_orphans--;
		}
		iopt_wake_settled(iopt);
	} else {
		mutex_unlock(&iopt->attach_mutex);
	}
	mutex_unlock(&iopt->lock);
	iopt_debug_validate(iopt);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_adopt, IOPT);

/**
 * iopt_has_orphans - are there orphans?
 * @iopt: the space
 *
 * Context: any; it may change at any time.
 * Return: true if a mapping waits to be adopted.
 */
bool iopt_has_orphans(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->nr_orphans);
}
EXPORT_SYMBOL_NS_GPL(iopt_has_orphans, IOPT);
