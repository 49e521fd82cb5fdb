// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: drivers that reach the memory of an IOAS with the CPU.
 *
 * A device without DMA of its own, such as a mediated one, is in a context by
 * an access instead of a DEVICE: its driver pins pages by IOVA, and reads and
 * writes memory. What is pinned, by whom and for how long is the engine's to
 * know; this file says in which IOAS an access is, and when.
 *
 * Vocabulary: a call is a pin, an unpin or a copy that is under way.
 *
 * Rule: an access that leaves its IOAS takes no new pins, waits for the calls
 * under way, and is then told of every mapping that it has pinned, as if it
 * were unmapped. Only unpinning works meanwhile. When it is out nothing of its
 * own is pinned, whatever its driver made of that, and no callback runs.
 * Callbacks of one access never run at the same time.
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
 * struct iommufd_access - driver in a context
 * @obj: its one user is the driver that made it
 * @ops: of the driver, or NULL if it never pins
 * @data: for @ops
 * @unmap_lock: held across @ops->unmap; protects @quiesced. The driver's locks
 *              are taken under it, so that no call which a driver makes with
 *              its locks held may take it: those are pin, unpin and copy
 * @quiesced: @ops->unmap is not called any more
 * @lock: protects all below; nothing is called under it
 * @ioas: where it is attached, or NULL; stays until it is out
 * @inside: what the engine knows of it, as long as @ioas
 * @leaving: it takes no new pins or copies
 * @evictor: the task whose detach calls @ops->unmap, or NULL
 * @calls: how many are under way
 * @idle: woken when @calls becomes 0
 */
struct iommufd_access {
	struct iommufd_object obj;
	const struct iommufd_access_ops *ops;
	void *data;
	struct mutex unmap_lock;	/* ops->unmap against itself */
	bool quiesced;
	spinlock_t lock;	/* innermost */
	struct iommufd_ioas *ioas;
	struct iopt_access *inside;
	bool leaving;
	struct task_struct *evictor;
	unsigned int calls;
	wait_queue_head_t idle;
};

static void iommufd_access_end(struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);

	mutex_destroy(&access->unmap_lock);
}

static const struct iommufd_object_type iommufd_access_type = {
	.destroy = iommufd_access_end,
};

static void access_unmap(void *data, unsigned long start, unsigned long last)
{
	struct iommufd_access *access = data;

	/*
	 * A driver may be pinning memory in an earlier call, which can take
	 * long. The engine ends the unmap of a caller that is killed here with
	 * -EINTR, and leaves the mapping. A detach that evicts goes on, so that
	 * it has to wait.
	 */
	if (READ_ONCE(access->evictor) == current)
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
 * iommufd_access_create() - put a driver into a context
 * @ictx: the context; the caller holds a reference
 * @ops: what to call, which stays; NULL for a driver that never pins
 * @data: for @ops
 * @id: set to the ID of the access in @ictx
 *
 * The access reaches nothing until it is attached. It holds @ictx's file until
 * it is destroyed.
 *
 * Context: may sleep.
 * Return: the access; ERR_PTR(-ENOMEM), or -EBUSY if all IDs are in use.
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
	/* the driver is a user: user space cannot destroy it */
	access->obj.users = 1;
	iommufd_ctx_get(ictx);
	*id = access->obj.id;
	iommufd_object_publish(&access->obj);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_create, IOMMUFD);

/**
 * iommufd_access_destroy() - undo iommufd_access_create()
 * @access: the access, detached first if it is attached; the driver makes no
 *          more calls with it
 *
 * The context may be gone afterwards.
 *
 * Context: may sleep. As iommufd_access_detach().
 */
void iommufd_access_destroy(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->obj.ictx;

	iommufd_access_detach(access);
	iommufd_object_remove(&access->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_destroy, IOMMUFD);

/**
 * iommufd_access_attach() - let an access reach what an IOAS maps
 * @access: the access
 * @ioas_id: ID of the IOAS, which IOMMU_DESTROY refuses until the access is
 *           detached
 *
 * Nothing is pinned by that.
 *
 * Context: may sleep. The caller keeps other attaches and detaches out. Not
 * from an unmap callback, and with no lock held that one takes.
 * Return: 0; -EBUSY if it is attached already; -ENOENT if there is no IOAS
 * @ioas_id; -ENOSPC if 65535 accesses are attached to it; -ENOMEM. After a
 * failure the access is attached to what it was.
 */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	struct iopt_access *inside;
	struct iommufd_ioas *ioas;
	int rc;

	if (access->ioas)
		return -EBUSY;
	ioas = iommufd_ioas_get(access->obj.ictx, ioas_id);
	if (!ioas)
		return -ENOENT;
	rc = iommufd_object_use(&ioas->obj);
	if (rc)
		goto out;

	inside = iopt_access_create(ioas->iopt, access->ops ? &access_ops : NULL,
				    access);
	if (IS_ERR(inside)) {
		iommufd_object_unuse(&ioas->obj);
		rc = PTR_ERR(inside);
		goto out;
	}
	spin_lock(&access->lock);
	access->ioas = ioas;
	access->inside = inside;
	spin_unlock(&access->lock);
out:
	iommufd_object_put(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_attach, IOMMUFD);

/* Begins a call; NULL if the access is nowhere, or leaves and that matters. */
static struct iopt_access *access_enter(struct iommufd_access *access,
					bool even_leaving)
{
	struct iopt_access *inside = NULL;

	spin_lock(&access->lock);
	if (!access->leaving || even_leaving)
		inside = access->inside;
	if (inside)
		access->calls++;
	spin_unlock(&access->lock);
	return inside;
}

static void access_exit(struct iommufd_access *access)
{
	spin_lock(&access->lock);
	/* under the lock: who waits for it may free the access right after */
	if (!--access->calls)
		wake_up_all(&access->idle);
	spin_unlock(&access->lock);
}

static void access_set_leaving(struct iommufd_access *access, bool leaving)
{
	spin_lock(&access->lock);
	access->leaving = leaving;
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
 * iommufd_access_leave() - keep calls out of an access that is to be detached
 * @access: the access; nothing happens if it is not attached
 *
 * A call that is pinning memory may take as long as the memory's filesystem
 * likes. iommufd_access_detach() would wait for it and could not be killed.
 *
 * Context: may sleep without bound, killably. The caller keeps other attaches
 * and detaches out, and detaches the access next.
 * Return: 0, or -EINTR if killed; the access takes calls as before then.
 */
int iommufd_access_leave(struct iommufd_access *access)
{
	if (!access->ioas)
		return 0;

	access_set_leaving(access, true);
	if (!wait_event_killable(access->idle, access_is_idle(access)))
		return 0;
	access_set_leaving(access, false);
	return -EINTR;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_leave, IOMMUFD);

/**
 * iommufd_access_detach() - undo iommufd_access_attach()
 * @access: the access; nothing happens if it is not attached
 *
 * The unmap callback is called for each mapping that the access has pages
 * pinned in. What it leaves pinned is unpinned after it. When this returns
 * nothing is pinned by @access, calls do nothing, and no callback runs.
 *
 * Context: may sleep; waits for calls of other threads. The caller keeps other
 * attaches and detaches out. Not from an unmap callback, and with no lock held
 * that one takes.
 */
void iommufd_access_detach(struct iommufd_access *access)
{
	struct iommufd_ioas *ioas = access->ioas;
	struct iopt_access *inside = access->inside;

	if (!ioas)
		return;

	access_set_leaving(access, true);
	/* who pins may be kept for long by the memory that it faults in */
	wait_event_idle(access->idle, access_is_idle(access));
	WRITE_ONCE(access->evictor, current);
	if (access->ops)
		iopt_access_evict(inside);
	WRITE_ONCE(access->evictor, NULL);

	spin_lock(&access->lock);
	access->inside = NULL;
	spin_unlock(&access->lock);
	wait_event_idle(access->idle, access_is_idle(access));
	iopt_access_destroy(inside);

	spin_lock(&access->lock);
	access->ioas = NULL;
	access->leaving = false;
	spin_unlock(&access->lock);
	iommufd_object_unuse(&ioas->obj);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_detach, IOMMUFD);

/**
 * iommufd_access_quiesce() - end the unmap callbacks of an access for good
 * @access: the access
 *
 * For a driver that is about to be unable to handle them. When this returns no
 * callback runs, and none is called until the access is destroyed. What the
 * driver leaves pinned is unpinned when the access is detached; until then an
 * unmap of it waits.
 *
 * Context: may sleep; waits for a callback that runs. Not from one, and with no
 * lock held that one takes.
 */
void iommufd_access_quiesce(struct iommufd_access *access)
{
	mutex_lock(&access->unmap_lock);
	access->quiesced = true;
	mutex_unlock(&access->unmap_lock);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_quiesce, IOMMUFD);

static unsigned int engine_flags(unsigned int flags)
{
	return (flags & IOMMUFD_ACCESS_RW_READ ? IOPT_ACCESS_READ : 0) |
	       (flags & IOMMUFD_ACCESS_RW_WRITE ? IOPT_ACCESS_WRITE : 0);
}

/* The last byte of a range that has one. */
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
 * @iova: first byte, page aligned
 * @length: bytes, a multiple of the page size
 * @pages: receives the pages
 * @flags: IOMMUFD_ACCESS_RW_READ, IOMMUFD_ACCESS_RW_WRITE: what the mappings
 *         must allow
 *
 * The pages stay pinned until the access has unpinned them as often, or is
 * detached. See iopt_access_pin().
 *
 * Context: may sleep, for long.
 * Return: 0; -ENOENT if @access is not attached or not all of the range is
 * mapped; -EINVAL if @length is 0, or another one of iopt_access_pin(), whose
 * errnos come too; -EOVERFLOW if the range wraps. Nothing is pinned then.
 */
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **pages,
			     unsigned int flags)
{
	struct iopt_access *inside;
	unsigned long last;
	int rc;

	rc = range_last(iova, length, &last);
	if (rc)
		return rc;
	inside = access_enter(access, false);
	if (!inside)
		return -ENOENT;
	rc = iopt_access_pin(inside, iova, last, pages, engine_flags(flags));
	access_exit(access);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_pin_pages, IOMMUFD);

/**
 * iommufd_access_unpin_pages() - unpin pages
 * @access: the access
 * @iova: first byte
 * @length: bytes
 *
 * Each page once. Those that this access has not pinned are left alone.
 *
 * Context: may sleep. May be called from the unmap callback.
 */
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length)
{
	struct iopt_access *inside;
	unsigned long last;

	if (range_last(iova, length, &last))
		return;
	inside = access_enter(access, true);
	if (!inside)
		return;
	iopt_access_unpin(inside, iova, last);
	access_exit(access);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_unpin_pages, IOMMUFD);

/**
 * iommufd_access_rw() - read or write memory with the CPU
 * @access: the access
 * @iova: first byte
 * @data: to copy to or from
 * @length: bytes
 * @flags: IOMMUFD_ACCESS_RW_WRITE to write, else it reads
 *
 * Works for a driver that never pins too. See iopt_access_rw().
 *
 * Context: in the process that mapped the memory, or in a kernel thread. May
 * sleep, for long.
 * Return: 0; -ENOENT if @access is not attached; the errnos of
 * iopt_access_rw(). What was copied before that stays so.
 */
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t length, unsigned int flags)
{
	struct iopt_access *inside;
	int rc;

	inside = access_enter(access, false);
	if (!inside)
		return -ENOENT;
	rc = iopt_access_rw(inside, iova, data, length, engine_flags(flags));
	access_exit(access);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_rw, IOMMUFD);
