// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: drivers that access the memory of an IOAS with the CPU.
 *
 * A device that does no DMA of its own, such as a mediated device, joins a
 * context as an access instead of a DEVICE. Its driver pins pages by IOVA, and
 * reads and writes memory. The engine records the pins. This file tracks which
 * IOAS an access is attached to.
 *
 * Vocabulary: a copy is a call to iommufd_access_rw(), which copies data from
 * or to memory. A call is a pin, an unpin or a copy in progress.
 *
 * Detaching an access blocks new pins and copies, waits for the calls in
 * progress, and then invokes the driver's unmap callback for every mapping in
 * which the access has pages pinned, unless the driver has stopped the
 * callbacks. The callback can unpin pages, but not pin or copy. When detach
 * returns, all pins of the access are released, even those that the driver did
 * not release, and no callback is running. The callbacks of an access never run
 * concurrently. A move to another IOAS first does everything that can fail. It
 * then detaches the access in the same way, and attaches it to the new IOAS.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/iopt.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "iommufd_private.h"

/**
 * struct iommufd_access - driver that accesses the memory of an IOAS
 * @obj: object head; the only long-term user is the driver
 * @ops: operations of the driver, or NULL if it never pins
 * @data: argument of @ops
 * @unmap_lock: held across @ops->unmap; protects @quiesced. Drivers take their
 *              own locks in the callback and may hold the same locks when they
 *              pin, unpin or copy, so these calls must not take @unmap_lock
 * @quiesced: @ops->unmap is not called any more
 * @lock: protects @ioas, @iopt_access, @blocked and @calls; a leaf lock
 * @ioas: IOAS that the access is attached to, or NULL; stays set until detach
 *        has finished
 * @iopt_access: access of the engine while attached, or NULL
 * @blocked: new pins and copies fail with -ENOENT
 * @notifier: task that is calling @ops->unmap to detach the access, or NULL
 * @calls: number of calls in progress
 * @idle: woken when @calls drops to 0
 */
struct iommufd_access {
	struct iommufd_object obj;
	const struct iommufd_access_ops *ops;
	void *data;
	struct mutex unmap_lock;	/* Serialises ops->unmap */
	bool quiesced;
	spinlock_t lock;	/* Innermost */
	struct iommufd_ioas *ioas;
	struct iopt_access *iopt_access;
	bool blocked;
	struct task_struct *notifier;
	unsigned int calls;
	wait_queue_head_t idle;
};

static void access_object_destroy(struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);

	mutex_destroy(&access->unmap_lock);
}

static const struct iommufd_object_type iommufd_access_type = {
	.destroy = access_object_destroy,
};

static void access_unmap(void *data, unsigned long start, unsigned long last)
{
	struct iommufd_access *access = data;

	/*
	 * Another callback may hold the lock for an unbounded time, since it
	 * may wait for a driver lock that is held while memory is pinned. If a
	 * task that unmaps is killed while it waits here and pages stay pinned,
	 * the engine fails the unmap with -EINTR and keeps the mapping. A
	 * detach cannot fail, so it has to wait.
	 */
	if (READ_ONCE(access->notifier) == current)
		mutex_lock(&access->unmap_lock);
	else if (mutex_lock_killable(&access->unmap_lock))
		return;
	if (!access->quiesced)
		access->ops->unmap(access->data, start, last - start + 1);
	mutex_unlock(&access->unmap_lock);
}

static const struct iopt_access_ops access_ops = {
	.unmap = access_unmap,
	.owns_pins = true,
};

/**
 * iommufd_access_create() - create an access for a driver
 * @ictx: the context; the caller holds a reference
 * @ops: operations of the driver, which must remain valid until the access is
 *       destroyed; NULL if the driver never pins pages
 * @data: argument of @ops
 * @id: set to the ID of the access in @ictx
 *
 * The access cannot use any memory until it is attached. It holds a reference
 * to the file of @ictx until it is destroyed.
 *
 * Context: May sleep.
 * Return: the access, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * %-EBUSY - All IDs are in use.
 */
struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data, u32 *id)
{
	struct iommufd_access *access;

	access = iommufd_object_alloc(ictx, sizeof(*access),
				      &iommufd_access_type);
	if (IS_ERR(access))
		return access;

	access->ops = ops;
	access->data = data;
	mutex_init(&access->unmap_lock);
	spin_lock_init(&access->lock);
	init_waitqueue_head(&access->idle);
	/*
	 * The driver is a long-term user, so IOMMU_DESTROY fails with -EBUSY.
	 */
	access->obj.users = 1;
	iommufd_ctx_get(ictx);
	*id = access->obj.id;
	iommufd_object_publish(&access->obj);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_create, IOMMUFD);

/**
 * iommufd_access_destroy() - destroy an access
 * @access: the access, which is detached if it is attached. The driver must not
 *          use it any more
 *
 * Drops the reference to the file, so the context may be freed.
 *
 * Context: As for iommufd_access_detach().
 */
void iommufd_access_destroy(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->obj.ictx;

	iommufd_access_detach(access);
	iommufd_object_remove(&access->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_destroy, IOMMUFD);

/*
 * Begin a call. Returns NULL if the access is not attached, or if it is being
 * detached and @allow_blocked is false.
 */
static struct iopt_access *access_enter(struct iommufd_access *access,
					bool allow_blocked)
{
	struct iopt_access *iopt_access = NULL;

	spin_lock(&access->lock);
	if (!access->blocked || allow_blocked)
		iopt_access = access->iopt_access;
	if (iopt_access)
		access->calls++;
	spin_unlock(&access->lock);
	return iopt_access;
}

static void access_exit(struct iommufd_access *access)
{
	spin_lock(&access->lock);
	/*
	 * Wake up the waiter before the lock is dropped: once it is dropped,
	 * the waiter may free @access.
	 */
	if (!--access->calls)
		wake_up_all(&access->idle);
	spin_unlock(&access->lock);
}

static void access_set_blocked(struct iommufd_access *access, bool blocked)
{
	spin_lock(&access->lock);
	access->blocked = blocked;
	spin_unlock(&access->lock);
}

static bool access_is_idle(struct iommufd_access *access)
{
	bool idle;

	spin_lock(&access->lock);
	idle = !access->calls;
	spin_unlock(&access->lock);
	return idle;
}

/**
 * iommufd_access_block() - block pins and copies before an access is detached
 * @access: the access; nothing is done if it is not attached
 *
 * A call that faults in pages may block for an unbounded time in the filesystem
 * that backs them. iommufd_access_detach() waits for such calls, too, but is
 * not killable. Calling this function first makes the wait killable.
 *
 * Context: May sleep for an unbounded time, killable. The caller serialises
 * attach and detach of @access, and detaches or moves it next.
 * Return: 0, or
 * * %-EINTR - The caller was killed while waiting. @access permits pins and
 *   copies as before.
 */
int iommufd_access_block(struct iommufd_access *access)
{
	if (!access->ioas)
		return 0;

	access_set_blocked(access, true);
	if (!wait_event_killable(access->idle, access_is_idle(access)))
		return 0;
	access_set_blocked(access, false);
	return -EINTR;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_block, IOMMUFD);

/*
 * Release all pins of the access, and stop being a user of the IOAS that it is
 * attached to. The caller has blocked @access and waited for the calls in
 * progress.
 */
static void access_release(struct iommufd_access *access)
{
	struct iopt_access *iopt_access = access->iopt_access;

	WRITE_ONCE(access->notifier, current);
	if (access->ops)
		iopt_access_unpin_all(iopt_access);
	WRITE_ONCE(access->notifier, NULL);

	/* The driver may still be unpinning. */
	spin_lock(&access->lock);
	access->iopt_access = NULL;
	spin_unlock(&access->lock);
	wait_event_idle(access->idle, access_is_idle(access));
	iopt_access_destroy(iopt_access);
	iommufd_object_unuse(&access->ioas->obj);
}

/* Set the IOAS of an access. Pins and copies can start unless @ioas is NULL. */
static void access_set(struct iommufd_access *access, struct iommufd_ioas *ioas,
		       struct iopt_access *iopt_access)
{
	spin_lock(&access->lock);
	access->ioas = ioas;
	access->iopt_access = iopt_access;
	access->blocked = false;
	spin_unlock(&access->lock);
}

/**
 * iommufd_access_detach() - detach an access from its IOAS
 * @access: the access; nothing is done if it is not attached
 *
 * Calls the unmap callback for each mapping in which the access has pages
 * pinned, unless iommufd_access_stop_notify() was called, and then unpins the
 * pages that are still pinned. When this returns, @access has no pages pinned
 * and no callback is running. Pins and copies fail until @access is attached
 * again.
 *
 * Context: May sleep for an unbounded time, not killable. Waits for calls and
 * callbacks in other threads. The caller serialises attach and detach of
 * @access. Must not be called from an unmap callback, or with a lock held that
 * a callback takes.
 */
void iommufd_access_detach(struct iommufd_access *access)
{
	if (!access->ioas)
		return;

	access_set_blocked(access, true);
	/*
	 * A pin may wait for a page fault for a long time. Do not report that
	 * as a hung task.
	 */
	wait_event_idle(access->idle, access_is_idle(access));
	access_release(access);
	access_set(access, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_detach, IOMMUFD);

/* Attach an access that is not attached, or move it to another IOAS. */
static int access_attach(struct iommufd_access *access,
			 struct iommufd_ioas *ioas)
{
	struct iopt_access *iopt_access;
	int rc;

	/*
	 * When moving, first wait for calls in progress on the old IOAS. Once
	 * iopt_access_create() has added the access to @ioas, an unmap there
	 * may call the driver. If the driver waited for such a call, which may
	 * be blocked in a page fault, the unmap would be blocked as well.
	 */
	rc = iommufd_access_block(access);
	if (rc)
		return rc;
	iopt_access = iopt_access_create(ioas->iopt,
					 access->ops ? &access_ops : NULL,
					 access);
	if (IS_ERR(iopt_access)) {
		access_set_blocked(access, false);
		return PTR_ERR(iopt_access);
	}

	if (access->ioas)
		access_release(access);
	access_set(access, ioas, iopt_access);
	return 0;
}

/**
 * iommufd_access_attach() - attach an access to an IOAS, or move it to another
 * @access: the access
 * @ioas_id: ID of the IOAS. IOMMU_DESTROY of the IOAS fails until the access is
 *           detached or moved
 *
 * No memory is pinned. If @access is attached to another IOAS, its pages there
 * are unpinned as by iommufd_access_detach(), and pins and copies fail until
 * that is done.
 *
 * Context: May sleep. If @access is attached, may sleep for an unbounded time,
 * killable until the unmap callback is called. The caller serialises attach and
 * detach of @access. Must not be called from an unmap callback, or with a lock
 * held that a callback takes.
 * Return: 0, also if @access is attached to the IOAS already, or
 * * %-ENOENT - There is no IOAS @ioas_id.
 * * %-ENOSPC - 65535 accesses that can pin pages are already attached to the
 *   IOAS.
 * * %-ENOMEM - Out of memory.
 * * %-EADDRINUSE - @access can pin pages, and a mapping is not page aligned.
 * * %-EINTR - The caller was killed while waiting for a pin or copy, or for a
 *   mapping that is not page aligned to be built or torn down.
 *
 * On failure @access is unchanged.
 */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_ioas_get(access->obj.ictx, ioas_id);
	if (!ioas)
		return -ENOENT;
	rc = 0;
	if (ioas == access->ioas)
		goto out;
	rc = iommufd_object_use(&ioas->obj);
	if (rc)
		goto out;
	rc = access_attach(access, ioas);
	if (rc)
		iommufd_object_unuse(&ioas->obj);
out:
	iommufd_object_put(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_attach, IOMMUFD);

/**
 * iommufd_access_stop_notify() - stop calling the unmap callback of an access
 * @access: the access
 *
 * Called by a driver that is about to become unable to handle callbacks. When
 * this returns, no callback is running and none will be called. Pages that are
 * still pinned stay pinned until the driver unpins them or the access is
 * detached, and an unmap of these pages waits until then.
 *
 * Context: May sleep. Waits for a running callback. Must not be called from a
 * callback, or with a lock held that a callback takes.
 */
void iommufd_access_stop_notify(struct iommufd_access *access)
{
	mutex_lock(&access->unmap_lock);
	access->quiesced = true;
	mutex_unlock(&access->unmap_lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_stop_notify, IOMMUFD);

static unsigned int engine_flags(unsigned int flags)
{
	return (flags & IOMMUFD_ACCESS_RW_READ ? IOPT_ACCESS_READ : 0) |
	       (flags & IOMMUFD_ACCESS_RW_WRITE ? IOPT_ACCESS_WRITE : 0) |
	       (flags & IOMMUFD_ACCESS_RW_PINNED ? IOPT_ACCESS_PINNED : 0);
}

/* Compute the last IOVA of a range, which must not be empty. */
static int range_last(unsigned long iova, unsigned long length,
		      unsigned long *last)
{
	if (!length)
		return -EINVAL;
	return check_add_overflow(iova, length - 1, last) ? -EOVERFLOW : 0;
}

/**
 * iommufd_access_pin_pages() - pin pages
 * @access: the access
 * @iova: first IOVA, page aligned
 * @length: length in bytes, a multiple of the page size
 * @pages: receives the pages
 * @flags: IOMMUFD_ACCESS_RW_READ and IOMMUFD_ACCESS_RW_WRITE, the permissions
 *         that the mappings must have
 *
 * Each page stays pinned until @access has unpinned it as often as it was
 * pinned, or until @access is detached. See iopt_access_pin().
 *
 * Context: May sleep for an unbounded time.
 * Return: 0, or
 * * %-ENOENT - @access is not attached or is being detached, or a part of the
 *   range is not mapped.
 * * %-EINVAL - @length is 0, @iova or @length is not page aligned, or @access
 *   was created without operations.
 * * %-EOVERFLOW - The range wraps.
 * * Another errno of iopt_access_pin().
 *
 * On failure nothing is pinned.
 */
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **pages,
			     unsigned int flags)
{
	struct iopt_access *iopt_access;
	unsigned long last;
	int rc;

	rc = range_last(iova, length, &last);
	if (rc)
		return rc;
	iopt_access = access_enter(access, false);
	if (!iopt_access)
		return -ENOENT;
	rc = iopt_access_pin(iopt_access, iova, last, pages,
			     engine_flags(flags));
	access_exit(access);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_pin_pages, IOMMUFD);

/**
 * iommufd_access_unpin_pages() - unpin pages
 * @access: the access
 * @iova: first IOVA
 * @length: length in bytes
 *
 * Drops one pin of each page in the range. Pages that @access has not pinned
 * are ignored.
 *
 * Context: May sleep. May be called from the unmap callback.
 */
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length)
{
	struct iopt_access *iopt_access;
	unsigned long last;

	if (range_last(iova, length, &last))
		return;
	iopt_access = access_enter(access, true);
	if (!iopt_access)
		return;
	iopt_access_unpin(iopt_access, iova, last);
	access_exit(access);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_unpin_pages, IOMMUFD);

/**
 * iommufd_access_rw() - read or write memory with the CPU
 * @access: the access
 * @iova: first IOVA
 * @data: kernel buffer
 * @length: length in bytes
 * @flags: IOMMUFD_ACCESS_RW_WRITE to write to the memory; without it, the
 *         memory is read. With IOMMUFD_ACCESS_RW_READ as well, a write requires
 *         mappings that permit both
 *
 * @access may have been created without operations. See iopt_access_rw().
 *
 * Context: Any process, or a kernel thread. May sleep for an unbounded time.
 * Return: 0, or
 * * %-ENOENT - @access is not attached or is being detached, or a part of the
 *   range is not mapped.
 * * Another errno of iopt_access_rw().
 *
 * On failure a part of the range may have been copied.
 */
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t length, unsigned int flags)
{
	struct iopt_access *iopt_access;
	int rc;

	iopt_access = access_enter(access, false);
	if (!iopt_access)
		return -ENOENT;
	rc = iopt_access_rw(iopt_access, iova, data, length,
			    engine_flags(flags) | IOPT_ACCESS_FOREIGN);
	access_exit(access);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_rw, IOMMUFD);
