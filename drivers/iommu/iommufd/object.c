// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects of /dev/iommu: their IDs, references and destruction.
 *
 * Vocabulary: a short-term user is a call in progress that has looked up the
 * object by its ID. A long-term user is another object or a driver that depends
 * on the object, or a call in progress that may pin memory, such as a map.
 *
 * An object is published only when it is fully set up, and the ID of a
 * published object is removed before its destroy operation is called.
 * IOMMU_DESTROY fails with -EBUSY while the object has long-term users.
 * Otherwise it removes the ID, so that no further call finds the object, and
 * waits for the short-term users.
 *
 * The task that drops the last reference tears the object down. Normally this
 * is the task that destroys the object. If that task is killed while it waits
 * for short-term users, the last of these users tears the object down instead.
 */
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "iommufd_private.h"

/**
 * iommufd_object_alloc() - allocate an object and reserve an ID
 * @ictx: the context
 * @size: size in bytes of the struct that embeds the object
 * @type: type of the object
 *
 * Lookups of the ID fail until the object is published. The caller must call
 * iommufd_object_publish(), iommufd_object_publish_locked() or
 * iommufd_object_abort().
 *
 * Context: May sleep.
 * Return: the object, zeroed except for its head, or an ERR_PTR():
 * * %-ENOMEM - Out of memory.
 * * %-EBUSY - All IDs are in use.
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

/*
 * Undo iommufd_object_alloc(). The caller has torn down the type-specific part.
 */
void iommufd_object_abort(struct iommufd_object *obj)
{
	xa_erase(&obj->ictx->objects, obj->id);
	kfree(obj);
}

/* Publish an object with the lock of iommufd_ctx.objects held. */
void iommufd_object_publish_locked(struct iommufd_object *obj)
{
	lockdep_assert_held(&obj->ictx->objects.xa_lock);
	/*
	 * iommufd_object_alloc() reserved the slot, so this does not allocate.
	 */
	__xa_store(&obj->ictx->objects, obj->id, obj, 0);
}

/*
 * Publish a fully set up object. User space may guess the ID, so the object can
 * be in use before this returns.
 */
void iommufd_object_publish(struct iommufd_object *obj)
{
	xa_lock(&obj->ictx->objects);
	iommufd_object_publish_locked(obj);
	xa_unlock(&obj->ictx->objects);
}

/**
 * iommufd_object_respond() - complete a call that creates an object
 * @obj: the object, fully set up but not published
 * @call: the call; its answer contains the ID of @obj
 * @size: size of the answer in bytes
 *
 * The object is published last, so that it can be freed without waiting for
 * users if the answer cannot be copied to user space.
 *
 * Context: May sleep.
 * Return: 0 if the object was published, or
 * * %-EFAULT - The answer could not be written. @obj was destroyed.
 */
int iommufd_object_respond(struct iommufd_object *obj,
			   struct iommufd_call *call, size_t size)
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
 * iommufd_object_get() - look up an object and take a short-term reference
 * @ictx: the context
 * @id: ID of the object
 * @type: required type, or NULL for any
 *
 * Context: Any context. Takes no lock.
 * Return: the object, which the caller releases with iommufd_object_put(), or
 * NULL if there is no such object.
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

static void object_free(struct iommufd_object *obj)
{
	obj->type->destroy(obj);
	kfree_rcu(obj, rcu);
}

/* Drop a short-term reference. The object may be freed. */
void iommufd_object_put(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	if (refcount_dec_and_test(&obj->refs)) {
		object_free(obj);
		return;
	}
	/*
	 * The context stays valid, because the caller holds a reference to its
	 * file, or has a device or an access in the context.
	 */
	if (wq_has_sleeper(&ictx->put_wq))
		wake_up_all(&ictx->put_wq);
}

/**
 * iommufd_object_use() - become a long-term user of an object
 * @obj: the object; the caller is a short-term user
 *
 * Context: Takes the xa_lock of the context's objects.
 * Return: 0, or
 * * %-ENOENT - The object is being destroyed.
 */
int iommufd_object_use(struct iommufd_object *obj)
{
	int rc = 0;

	xa_lock(&obj->ictx->objects);
	if (obj->removed)
		rc = -ENOENT;
	else
		obj->users++;
	xa_unlock(&obj->ictx->objects);
	return rc;
}

/*
 * Stop being a long-term user. The object may be freed at any time after this,
 * unless the caller is also a short-term user or holds a lock that the
 * destruction of the object takes.
 */
void iommufd_object_unuse(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	obj->users--;
	xa_unlock(&ictx->objects);
}

/* Remove the ID of an object, so that it accepts no new users. */
static void object_remove_id(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	obj->removed = true;
	__xa_erase(&ictx->objects, obj->id);
	if (ictx->container == obj)
		WRITE_ONCE(ictx->container, NULL);
}

/**
 * iommufd_object_remove() - destroy an object that the kernel created
 * @obj: the object; the caller is its only long-term user, and no other thread
 *       destroys it
 *
 * Context: May sleep, not killable. Waits for all short-term users, which use a
 * device, an access or an HWPT only for a short time.
 */
void iommufd_object_remove(struct iommufd_object *obj)
{
	struct iommufd_ctx *ictx = obj->ictx;

	xa_lock(&ictx->objects);
	/* A remaining long-term user would use the object after free. */
	WARN_ON_ONCE(obj->users != 1);
	object_remove_id(obj);
	xa_unlock(&ictx->objects);

	wait_event(ictx->put_wq, refcount_dec_if_one(&obj->refs));
	object_free(obj);
}

/**
 * iommufd_object_destroy() - destroy an object for user space
 * @ictx: the context
 * @id: ID of the object
 *
 * Context: May sleep, killable. Waits for all short-term users.
 * Return: 0 if the object was destroyed, or
 * * %-ENOENT - There is no such object.
 * * %-EBUSY - The object has long-term users.
 * * %-EINTR - The caller was killed while waiting. The ID is removed, and the
 *   last short-term user destroys the object.
 */
int iommufd_object_destroy(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	int rc = 0;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj)
		rc = -ENOENT;
	else if (obj->users)
		rc = -EBUSY;
	else
		object_remove_id(obj);
	xa_unlock(&ictx->objects);
	if (rc)
		return rc;

	/* Once obj->refs is 0, a lookup that races with this fails. */
	if (wait_event_killable(ictx->put_wq, refcount_dec_if_one(&obj->refs))) {
		iommufd_object_put(obj);
		return -EINTR;
	}
	object_free(obj);
	return 0;
}

/*
 * Destroy all objects when the file is released. An object with long-term users
 * is destroyed after them. The only long-term users at this point are HWPTs,
 * and the mock devices that are attached to them. The destruction of a mock
 * device unbinds it and removes its HWPT unless user space owns the HWPT. The
 * IOASes are thus destroyed in the third round at the latest.
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
	/* Devices and accesses hold the file, except for mock devices. */
	WARN_ON(!xa_empty(&ictx->objects));
	xa_destroy(&ictx->objects);
}
