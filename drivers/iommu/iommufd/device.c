// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bind devices to a context, for subsystems that pass devices to user space.
 *
 * Between bind and unbind, no device of the IOMMU group can access memory that
 * was not mapped through the context. The devices cannot raise interrupts of
 * other devices either, unless allow_unsafe_interrupts is set. A group belongs
 * to at most one context. Once the last reference to the file of a context is
 * dropped, for whatever reason, no device can access memory that was mapped
 * through the context.
 *
 * The IOMMU core records the owner of a group and the domain that the group is
 * attached to. This file keeps no copy of either.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Bind devices even if the platform does not isolate their interrupts. Such devices can raise any interrupt of the host by DMA");

static void iommufd_device_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev =
		container_of(obj, struct iommufd_device, obj);

	iommu_device_release_dma_owner(idev->dev);
	iommu_group_put(idev->group);
}

const struct iommufd_object_type iommufd_device_type = {
	.destroy = iommufd_device_destroy,
};

/**
 * iommufd_device_bind() - bind a device and its group to a context
 * @ictx: the context; the caller holds a reference
 * @dev: the device. Its driver has set driver_managed_dma and has not started
 *       the device yet
 * @id: set to the ID of the device in @ictx
 *
 * On success, DMA of the whole group is blocked, unless another device of the
 * group is bound and attached already. The bound device holds a reference to
 * the file of @ictx until it is unbound.
 *
 * Context: May sleep. The caller keeps the driver bound to @dev until
 * iommufd_device_unbind() has returned.
 * Return: the bound device, or an ERR_PTR():
 * * %-EINVAL - @dev has no IOMMU, or one that cannot make DMA coherent.
 * * %-EPERM - The interrupts of @dev are not isolated, another context or
 *   subsystem owns the group, or a kernel driver uses a device of the group.
 * * %-EBUSY - The group is attached to another domain, or all IDs are in use.
 * * %-ENOMEM - Out of memory.
 * * Another errno of the IOMMU driver.
 *
 * On failure nothing has changed.
 */
struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev, u32 *id)
{
	struct iommufd_device *idev;
	struct iommu_group *group;
	int rc;

	/* The uAPI has no cache maintenance, so DMA must be coherent. */
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);
	group = iommu_group_get(dev);
	if (!group)
		return ERR_PTR(-EINVAL);
	rc = -EPERM;
	if (!READ_ONCE(allow_unsafe_interrupts) &&
	    !iommu_group_has_isolated_msi(group))
		goto err_put;

	idev = iommufd_object_alloc(ictx, sizeof(*idev), &iommufd_device_type);
	rc = PTR_ERR_OR_ZERO(idev);
	if (rc)
		goto err_put;
	rc = iommu_device_get_info(dev, &idev->info);
	if (!rc)
		rc = iommu_device_claim_dma_owner(dev, ictx);
	if (rc)
		goto err_abort;

	idev->dev = dev;
	idev->group = group;
	idev->enforce_snoop =
		device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
	/*
	 * The subsystem is a long-term user, so IOMMU_DESTROY fails with
	 * -EBUSY.
	 */
	idev->obj.users = 1;
	iommufd_ctx_get(ictx);
	*id = idev->obj.id;
	iommufd_object_publish(&idev->obj);
	return idev;

err_abort:
	iommufd_object_abort(&idev->obj);
err_put:
	iommu_group_put(group);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, IOMMUFD);

/**
 * iommufd_device_remove() - unbind a device without dropping the file
 * @idev: the bound device, which is detached if it is attached
 *
 * Does not drop the reference to the file that iommufd_device_bind() took:
 * iommufd_device_unbind() drops the reference afterwards, and the creation of a
 * mock device has dropped it right after the bind.
 *
 * Context: As for iommufd_device_unbind().
 */
void iommufd_device_remove(struct iommufd_device *idev)
{
	if (READ_ONCE(idev->hwpt))
		iommufd_hwpt_detach(idev);
	iommufd_object_remove(&idev->obj);
}

/**
 * iommufd_device_unbind() - unbind a device from its context
 * @idev: the bound device, which is detached if it is attached
 *
 * Unbinding the last device of a group returns the group to kernel DMA. Drops
 * the reference to the file, so the context may be freed.
 *
 * Context: May sleep. Waits for ioctls that are using the device.
 */
void iommufd_device_unbind(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->obj.ictx;

	iommufd_device_remove(idev);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, IOMMUFD);

/**
 * iommufd_device_attach() - attach a device to an IOAS, or move it to another
 * @idev: the bound device
 * @pt_id: input: ID of an IOAS or of an HWPT; output: ID of the HWPT that the
 *         device is attached to
 *
 * While the device is attached, the HWPT translates all DMA that carries the
 * requester ID of the device. If the device is attached already, all attached
 * devices of its group are moved; see iommufd_hwpt_replace().
 *
 * Context: May sleep. Pinning the mapped memory may take an unbounded time. The
 * caller serialises attach and detach of @idev.
 * Return: 0, or
 * * %-ENOENT - There is no object @pt_id.
 * * %-EINVAL - @pt_id is an object of another type.
 * * An errno of iommufd_hwpt_attach() or iommufd_hwpt_replace().
 *
 * On failure the device and @pt_id are unchanged.
 */
int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	struct iommufd_ioas *ioas = NULL;
	struct iommufd_object *obj;
	u32 hwpt_id = 0;
	int rc;

	obj = iommufd_object_get(idev->obj.ictx, *pt_id, NULL);
	if (!obj)
		return -ENOENT;

	if (obj->type == &iommufd_ioas_type) {
		ioas = container_of(obj, struct iommufd_ioas, obj);
	} else if (obj->type == &iommufd_hwpt_type) {
		/*
		 * An HWPT is a long-term user of its IOAS, which thus stays
		 * valid.
		 */
		ioas = container_of(obj, struct iommufd_hwpt, obj)->ioas;
		hwpt_id = obj->id;
	}
	if (ioas)
		refcount_inc(&ioas->obj.refs);
	iommufd_object_put(obj);
	if (!ioas)
		return -EINVAL;

	if (READ_ONCE(idev->hwpt))
		rc = iommufd_hwpt_replace(idev, ioas, &hwpt_id);
	else
		rc = iommufd_hwpt_attach(idev, ioas, &hwpt_id);
	if (!rc)
		*pt_id = hwpt_id;
	iommufd_object_put(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, IOMMUFD);

/**
 * iommufd_device_detach() - detach a device from its IOAS
 * @idev: the bound device; nothing is done if it is not attached
 *
 * Context: May sleep, not killable. The caller serialises attach and detach of
 * @idev.
 */
void iommufd_device_detach(struct iommufd_device *idev)
{
	if (READ_ONCE(idev->hwpt))
		iommufd_hwpt_detach(idev);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, IOMMUFD);

/**
 * iommufd_device_to_id() - get the ID of a bound device
 * @idev: the bound device
 *
 * Return: the ID of @idev in its context.
 */
u32 iommufd_device_to_id(struct iommufd_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_id, IOMMUFD);

/**
 * iommufd_ctx_owns() - check whether a context owns the group of a device
 * @ictx: the context
 * @dev: the device, which need not be bound
 *
 * Context: May sleep. The caller ensures that @dev stays in its group, for
 * example because a driver is bound to @dev.
 * Return: true if a device of the group is bound to @ictx. The result stays
 * valid as long as the caller prevents that device from being unbound.
 */
bool iommufd_ctx_owns(struct iommufd_ctx *ictx, struct device *dev)
{
	return iommu_device_dma_owner_is(dev, ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_owns, IOMMUFD);

int iommufd_device_get_info(struct iommufd_call *call)
{
	struct iommu_device_get_info *cmd = call->cmd;
	struct iommufd_device *idev;

	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;

	/* iommufd_device_bind() accepts only devices with coherent DMA. */
	cmd->flags = IOMMU_DEVICE_INFO_COHERENT;
	if (idev->enforce_snoop)
		cmd->flags |= IOMMU_DEVICE_INFO_ENFORCE_SNOOP;
	if (idev->info.pgsize_bitmap)
		cmd->flags |= IOMMU_DEVICE_INFO_PGSIZES;
	if (idev->info.addr_width)
		cmd->flags |= IOMMU_DEVICE_INFO_ADDR_WIDTH;
	cmd->pgsize_bitmap = idev->info.pgsize_bitmap;
	cmd->addr_width = idev->info.addr_width;
	cmd->dev_cookie = atomic64_read(&idev->cookie);
	iommufd_object_put(&idev->obj);

	return iommufd_respond(call, sizeof(*cmd));
}

/*
 * Clear a user buffer. User space chooses the length, which may be gigabytes,
 * so the loop is killable.
 */
static int clear_user_killable(char __user *buffer, size_t length)
{
	while (length) {
		size_t part = min_t(size_t, length, PAGE_SIZE);

		if (clear_user(buffer, part))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		buffer += part;
		length -= part;
	}
	return 0;
}

/*
 * Get the registers of the IOMMU of a bound device from the IOMMU driver.
 * Returns a buffer that the caller frees, an ERR_PTR(), or NULL with @length 0
 * if the driver reports no registers.
 */
static void *hw_info_get(struct iommufd_device *idev, u32 *length, u32 *type)
{
	const struct iommu_ops *ops = dev_iommu_ops(idev->dev);

	*length = 0;
	*type = IOMMU_HW_INFO_TYPE_NONE;
	return ops->hw_info ? ops->hw_info(idev->dev, length, type) : NULL;
}

/* Copy @info to a user buffer. Truncate it, or zero the rest of the buffer. */
static int hw_info_copy(const struct iommu_hw_info *cmd, const void *info,
			u32 length)
{
	void __user *buffer = u64_to_user_ptr(cmd->data_uptr);
	u32 copied = min(length, cmd->data_len);

	if (copy_to_user(buffer, info, copied))
		return -EFAULT;
	return clear_user_killable(buffer + copied, cmd->data_len - copied);
}

/* Return raw register values of the IOMMU, for programs that emulate one. */
int iommufd_device_get_hw_info(struct iommufd_call *call)
{
	struct iommu_hw_info *cmd = call->cmd;
	u32 wanted = IOMMU_HW_INFO_TYPE_DEFAULT, length;
	struct iommufd_device *idev;
	void *info;
	int rc;

	if (cmd->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		wanted = cmd->in_data_type;
	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;

	info = hw_info_get(idev, &length, &cmd->out_data_type);
	iommufd_object_put(&idev->obj);
	if (IS_ERR(info))
		return PTR_ERR(info);

	if (wanted != IOMMU_HW_INFO_TYPE_DEFAULT &&
	    wanted != cmd->out_data_type)
		rc = -EOPNOTSUPP;
	else
		rc = hw_info_copy(cmd, info, length);
	kfree(info);
	if (rc)
		return rc;
	cmd->data_len = length;
	cmd->out_capabilities = 0;
	return iommufd_respond(call, sizeof(*cmd));
}

int iommufd_device_set_cookie(struct iommufd_call *call)
{
	struct iommu_device_set_cookie *cmd = call->cmd;
	struct iommufd_device *idev;

	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;
	atomic64_set(&idev->cookie, cmd->cookie);
	iommufd_object_put(&idev->obj);
	return 0;
}
