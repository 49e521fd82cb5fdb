// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of /dev/iommu: IDs, who uses an object, and when it may go.
 *
 * Vocabulary: a short-term user is a call that found the object by its ID and
 * is working with it. A long-term user is another object that needs it for as
 * long as it is set up that way, or a call that may work with it for long.
 *
 * Rule: an object gets into the reach of others whole, and leaves it before
 * any part of it is taken down. Destroying is fenced: it takes away the ID, so
 * that no call finds the object any more, and returns when the calls that had
 * found it are done. Long-term users make it fail instead.
 *
 * Whoever drops the last reference takes the object down. So a destroyer that
 * is killed while it waits leaves nothing behind: the call that it waited for
 * does the work.
 */
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "iommufd_private.h"

/**
 * iommufd_object_alloc() - start to make an object
 * @ictx: the context
 * @size: bytes of the struct that starts with the object
 * @type: its kind
 *
 * The ID is taken, but leads nowhere yet. To be followed by
 * iommufd_object_publish() or iommufd_object_abort().
 *
 * Return: the object, zeros but for its head; ERR_PTR(-ENOMEM), or -EBUSY if
 * all IDs are in use.
 */
void *iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size,
			   const struct iommufd_object_type *type)
{
	struct iommufd_object *obj;
	int rc;

	obj = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);

	rc = xa_alloc(&ictx->objects, &obj->id, NULL, xa_limit_31b,
		      GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(obj);
		return ERR_PTR(rc);
	}
	obj->ictx = ictx;
	obj->type = type;
	refcount_set(&obj->refs, 1);
	return obj;
}

/* Takes back iommufd_object_alloc(). What is special to the kind is undone. */
void iommufd_object_abort(struct iommufd_object *obj)
{
	xa_erase(&obj->ictx->objects, obj->id);
	kfree(obj);
}

/* The object is whole: whoever knows or guesses the ID gets it. */
void iommufd_object_publish(struct iommufd_object *obj)
{
	/* the slot is there since the ID was taken, so nothing is allocated */
	xa_store(&obj->ictx->objects, obj->id, obj, GFP_KERNEL);
}

/**
 * iommufd_object_answer() - end the call that makes an object
 * @obj: the object, whole
 * @call: the call, with the ID in its answer
 * @size: of the answer
 *
 * Nobody can have found the ID before the caller knows it, so that an answer
 * that does not get through can be taken back.
 *
 * Return: 0, and the ID leads to the object; -EFAULT, and the object is gone.
 */
int iommufd_object_answer(struct iommufd_object *obj, struct iommufd_call *call,
			  size_t size)
{
	int rc = iommufd_respond(call, size);

	if (rc) {
		obj->type->destroy(obj);
		iommufd_object_abort(obj);
		return rc;
	}
	iommufd_object_publish(obj);
	return 0;
}

/**
 * iommufd_object_get() - find an object and become its short-term user
 * @ictx: the context
 * @id: the ID
 * @type: the kind it must be of, NULL for any
 *
 * Return: the object, to be put; NULL if there is none such.
 */
struct iommufd_object *iommufd_object_get(struct iommufd_ctx *ictx, u32 id,
					  const struct iommufd_object_type *type)
{
	struct iommufd_object *obj;

	rcu_read_lock();
	obj = xa_load(&ictx->objects, id);
	if (obj && type && obj->type != type)
		obj = NULL;
	if (obj && !refcount_inc_not_zero(&obj->refs))
		obj = NULL;
	rcu_read_unlock();
	return obj;
}

static void end_object(struct iommufd_object *obj)
{
	obj->type->destroy(obj);
	kfree_rcu(obj, rcu);
}

/* Ends short-term use. The object may be gone afterwards. */
void iommufd_object_put(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	if (refcount_dec_and_test(&obj->refs)) {
		end_object(obj);
		return;
	}
	/* the caller has the file open or bound, so the context stays */
	if (wq_has_sleeper(&ictx->fence))
		wake_up_all(&ictx->fence);
}

/**
 * iommufd_object_use() - become a long-term user
 * @obj: the object, of which the caller is a short-term user
 *
 * Return: 0; -ENOENT if it is being destroyed.
 */
int iommufd_object_use(struct iommufd_object *obj)
{
	int rc = 0;

	xa_lock(&obj->ictx->objects);
	if (obj->gone)
		rc = -ENOENT;
	else
		obj->users++;
	xa_unlock(&obj->ictx->objects);
	return rc;
}

/*
 * Ends long-term use. The object can be freed at once, unless the caller is its
 * short-term user or holds a lock that destroying it needs.
 */
void iommufd_object_unuse(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	obj->users--;
	xa_unlock(&ictx->objects);
}

/**
 * iommufd_object_remove() - destroy an object that the kernel made
 * @obj: the object; the caller is its last long-term user and no other thread
 *       destroys it
 *
 * Waits for the short-term users, whatever comes: what they do with objects of
 * this sort is short.
 */
void iommufd_object_remove(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	/* Another long-term user would touch the object after it is freed. */
	WARN_ON_ONCE(obj->users != 1);
	obj->gone = true;
	__xa_erase(&ictx->objects, obj->id);
	xa_unlock(&ictx->objects);

	wait_event(ictx->fence, refcount_dec_if_one(&obj->refs));
	end_object(obj);
}

/**
 * iommufd_object_destroy() - destroy an object for user space
 * @ictx: the context
 * @id: the ID
 *
 * Return: 0, and nothing works with the object any more; -ENOENT without such
 * an object; -EBUSY if it has long-term users; -EINTR if a fatal signal came
 * first, and the object is destroyed soon.
 */
int iommufd_object_destroy(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	int rc = 0;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj) {
		rc = -ENOENT;
	} else if (obj->users) {
		rc = -EBUSY;
	} else {
		obj->gone = true;
		__xa_erase(&ictx->objects, id);
	}
	xa_unlock(&ictx->objects);
	if (rc)
		return rc;

	/* from the drop to 0 on a lookup that was about to get it does not */
	if (wait_event_killable(ictx->fence, refcount_dec_if_one(&obj->refs))) {
		iommufd_object_put(obj);
		return -EINTR;
	}
	end_object(obj);
	return 0;
}

/*
 * Destroys what is left when nobody has the context any more. What is used goes
 * after its users. HWPTs use IOASes and nothing uses HWPTs by now, so that the
 * second round destroys the last object.
 */
void iommufd_objects_release(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long id;
	bool more;

	do {
		more = false;
		xa_for_each(&ictx->objects, id, obj) {
			cond_resched();
			if (obj->users)
				continue;
			xa_erase(&ictx->objects, id);
			iommufd_object_put(obj);
			more = true;
		}
	} while (more);
	/* devices hold the file, and so does what has them as users */
	WARN_ON(!xa_empty(&ictx->objects));
	xa_destroy(&ictx->objects);
}
