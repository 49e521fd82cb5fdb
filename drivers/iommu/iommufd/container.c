// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/iommu in the role of a VFIO container that is set to type1.
 *
 * VFIO adds a group to a context as it adds one to a container. The ioctls of a
 * container then apply to one IOAS, the container IOAS of the context, to which
 * the devices of the group are attached when they are opened. The container
 * IOAS is created when the first group is added, unless user space has already
 * selected an IOAS with IOMMU_VFIO_IOAS. Like any other IOAS, it can also be
 * used by its ID.
 *
 * The ioctls that map memory are those of type1 (vfio_type1_ioctl). This file
 * contains what depends on the context.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/module.h>
#include <uapi/linux/iommufd.h>
#include <uapi/linux/vfio.h>

#include "iommufd_private.h"

static struct iommufd_ioas *ioas_of(struct type1_space *space)
{
	return container_of(space, struct iommufd_ioas, type1);
}

static enum iopt_account container_account(struct type1_space *space)
{
	return iommufd_account(ioas_of(space)->obj.ictx);
}

static bool container_coherent(struct type1_space *space)
{
	return !READ_ONCE(ioas_of(space)->incoherent);
}

static bool container_has_accesses(struct type1_space *space)
{
	return iopt_has_accesses(space->iopt);
}

static const struct type1_space_ops container_ops = {
	.account = container_account,
	.coherent = container_coherent,
	.has_mediated = container_has_accesses,
	.has_notified = container_has_accesses,
};

/* Set up an IOAS so that it can become the container IOAS. */
void iommufd_container_init(struct iommufd_ioas *ioas)
{
	type1_space_init(&ioas->type1, ioas->iopt, &container_ops);
	ioas->type1.ranges_known = true;
}

void iommufd_container_destroy(struct iommufd_ioas *ioas)
{
	type1_space_destroy(&ioas->type1);
}

/*
 * Become a long-term user of the container IOAS. Returns NULL if there is none.
 */
static struct iommufd_ioas *container_use(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;

	xa_lock(&ictx->objects);
	obj = ictx->container;
	if (obj)
		obj->users++;
	xa_unlock(&ictx->objects);
	return obj ? container_of(obj, struct iommufd_ioas, obj) : NULL;
}

/*
 * Make an IOAS the container IOAS, or select none if @obj is NULL. Returns
 * -ENOENT if the IOAS is being destroyed.
 */
static int container_set(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	int rc = 0;

	xa_lock(&ictx->objects);
	if (obj && obj->removed)
		rc = -ENOENT;
	else
		WRITE_ONCE(ictx->container, obj);
	xa_unlock(&ictx->objects);
	return rc;
}

/**
 * iommufd_container_create() - ensure that a context has a container IOAS
 * @ictx: the context; the caller holds a reference
 *
 * Allocates an IOAS if there is no container IOAS yet.
 *
 * Context: May sleep.
 * Return: 0, or
 * * %-ENOMEM - Out of memory.
 * * %-EBUSY - All IDs are in use.
 */
int iommufd_container_create(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas;
	bool created = false;

	if (READ_ONCE(ictx->container))
		return 0;
	ioas = iommufd_ioas_new(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	xa_lock(&ictx->objects);
	if (!ictx->container) {
		/*
		 * A thread that sees the container IOAS must be able to look it
		 * up by its ID.
		 */
		iommufd_object_publish_locked(&ioas->obj);
		WRITE_ONCE(ictx->container, &ioas->obj);
		created = true;
	}
	xa_unlock(&ictx->objects);
	if (!created) {
		iommufd_ioas_type.destroy(&ioas->obj);
		iommufd_object_abort(&ioas->obj);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_container_create, IOMMUFD);

/**
 * iommufd_container_ioas_id() - get the ID of the container IOAS
 * @ictx: the context; the caller holds a reference
 * @id: set to the ID
 *
 * Context: Takes the xa_lock of the context's objects.
 * Return: 0, or
 * * %-ENODEV - There is no container IOAS: none was created or selected, or
 *   user space has destroyed or deselected it.
 */
int iommufd_container_ioas_id(struct iommufd_ctx *ictx, u32 *id)
{
	int rc = -ENODEV;

	xa_lock(&ictx->objects);
	if (ictx->container) {
		*id = ictx->container->id;
		rc = 0;
	}
	xa_unlock(&ictx->objects);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_container_ioas_id, IOMMUFD);

static int vfio_ioas_get(struct iommufd_call *call)
{
	struct iommu_vfio_ioas *cmd = call->cmd;

	return iommufd_container_ioas_id(call->ictx, &cmd->ioas_id) ?:
	       iommufd_respond(call, sizeof(*cmd));
}

static int vfio_ioas_set(struct iommufd_call *call)
{
	struct iommu_vfio_ioas *cmd = call->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;
	rc = container_set(call->ictx, &ioas->obj);
	iommufd_object_put(&ioas->obj);
	return rc;
}

int iommufd_vfio_ioas(struct iommufd_call *call)
{
	struct iommu_vfio_ioas *cmd = call->cmd;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		return vfio_ioas_get(call);
	case IOMMU_VFIO_IOAS_SET:
		return vfio_ioas_set(call);
	case IOMMU_VFIO_IOAS_CLEAR:
		return container_set(call->ictx, NULL);
	default:
		return -EOPNOTSUPP;
	}
}

/*
 * Unlike VFIO_SET_IOMMU of a container, this does not attach groups, and it can
 * be called again to set another version. VFIO_TYPE1_NESTING_IOMMU is rejected,
 * since user space has no command to set up nested translation.
 */
static int set_iommu(struct type1_space *space, unsigned long type)
{
	if (!space)
		return -ENODEV;
	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;
	WRITE_ONCE(space->v2, type == VFIO_TYPE1v2_IOMMU);
	return 0;
}

static long space_ioctl(struct type1_space *space, unsigned int cmd,
			unsigned long arg)
{
	switch (cmd) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_SET_IOMMU:
		return set_iommu(space, arg);
	case VFIO_CHECK_EXTENSION:
		if (arg == VFIO_TYPE1_NESTING_IOMMU)
			return 0;
		break;
	}
	return type1_space_ioctl(space, cmd, arg);
}

/**
 * iommufd_container_ioctl() - handle an ioctl of a VFIO container
 * @ictx: the context
 * @cmd: number of the ioctl
 * @arg: its argument
 *
 * IOMMU_DESTROY of the container IOAS fails with -EBUSY during the call, which
 * may pin memory.
 *
 * Context: Process context. May sleep for an unbounded time, killable.
 * Return: result of the ioctl, or
 * * %-ENODEV - The ioctl needs a container IOAS, and there is none.
 * * %-ENOTTY - The ioctl is not one of a container that is set to type1.
 */
long iommufd_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			     unsigned long arg)
{
	struct iommufd_ioas *ioas = container_use(ictx);
	long rc;

	rc = space_ioctl(ioas ? &ioas->type1 : NULL, cmd, arg);
	if (ioas)
		iommufd_object_unuse(&ioas->obj);
	return rc;
}

MODULE_IMPORT_NS(VFIO_TYPE1);
