// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices bound to a context, for the subsystems that hand them out.
 *
 * The security contract: from bind to unbind no device of the group reaches
 * memory that the context's owner did not map, nor raises interrupts that are
 * not its own; the group as a whole belongs to this context or to nobody; and
 * what a process mapped is out of reach when its file is closed, however that
 * came.
 *
 * Rule: the IOMMU core knows who owns a group and what it is attached to. This
 * file keeps no second record of either.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/iommufd.h>
#include <linux/irqdomain.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched/signal.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Bind devices although the platform does not isolate their interrupts: by DMA they can then raise any interrupt of the host");

static void iommufd_device_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev =
		container_of(obj, struct iommufd_device, obj);

	iommu_device_exit_user_dma(idev->dev);
}

const struct iommufd_object_type iommufd_device_type = {
	.destroy = iommufd_device_destroy,
};

static int remaps_interrupts(struct device *dev, void *unused)
{
	return device_iommu_capable(dev, IOMMU_CAP_INTR_REMAP);
}

/* By the same measure as a vfio type1 container. */
static bool interrupts_isolated(struct device *dev)
{
	struct iommu_group *group;
	bool isolated;

	if (irq_domain_check_msi_remap())
		return true;

	group = iommu_group_get(dev);
	if (!group)
		return false;
	isolated = iommu_group_for_each_dev(group, NULL, remaps_interrupts);
	iommu_group_put(group);
	return isolated;
}

/**
 * iommufd_device_bind() - put a device, and its group, into a context
 * @ictx: the context; the caller holds a reference
 * @dev: the device. Its driver has driver_managed_dma set and has not let it
 *       do anything yet
 * @id: set to the ID of the device in @ictx
 *
 * When it returns the DMA of the whole group is blocked, or goes where an
 * earlier bound device of the group is attached. The device holds @ictx's file
 * until it is unbound.
 *
 * Context: a driver is bound to @dev until after iommufd_device_unbind(). May
 * sleep.
 * Return: the bound device; an ERR_PTR of -EINVAL if @dev is behind no IOMMU or
 * one that cannot keep DMA coherent; -EPERM if its interrupts are not isolated,
 * if another context or subsystem owns its group, or a kernel driver uses a
 * device of it; -EBUSY if the group is attached to some other domain; -ENOMEM;
 * what the IOMMU driver says. After a failure nothing changed.
 */
struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev, u32 *id)
{
	struct iommufd_device *idev;
	int rc;

	/* user space could not flush caches */
	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);
	if (!READ_ONCE(allow_unsafe_interrupts) && !interrupts_isolated(dev))
		return ERR_PTR(-EPERM);

	idev = iommufd_object_alloc(ictx, sizeof(*idev), &iommufd_device_type);
	if (IS_ERR(idev))
		return idev;
	rc = iommu_device_get_info(dev, &idev->info);
	if (!rc)
		rc = iommu_device_init_user_dma(dev, ictx);
	if (rc) {
		iommufd_object_abort(&idev->obj);
		return ERR_PTR(rc);
	}

	idev->dev = dev;
	/* whoever bound it is a user: user space cannot destroy it */
	idev->obj.users = 1;
	iommufd_ctx_get(ictx);
	*id = idev->obj.id;
	iommufd_object_publish(&idev->obj);
	return idev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, IOMMUFD);

/**
 * iommufd_device_unbind() - undo iommufd_device_bind()
 * @idev: the bound device; detached first if it is attached
 *
 * The last device of a group returns the group to kernel DMA. The context may
 * be gone afterwards.
 *
 * Context: may sleep; waits for calls that are looking at the device.
 */
void iommufd_device_unbind(struct iommufd_device *idev)
{
	struct iommufd_ctx *ictx = idev->obj.ictx;

	if (idev->hwpt)
		iommufd_hwpt_detach(idev);
	iommufd_object_remove(&idev->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, IOMMUFD);

/**
 * iommufd_device_attach() - let a device reach what an IOAS maps
 * @idev: the bound device
 * @pt_id: in: ID of an IOAS, or of an HWPT of it; out: ID of the HWPT that the
 *         device is attached to
 *
 * Captures all DMA that carries the device's requester ID.
 *
 * Context: may sleep, and does so long if much memory is to be pinned.
 * Return: 0; -EBUSY if the device is attached already; -ENOENT if there is no
 * object @pt_id; -EINVAL if it is another kind of object; the errnos of
 * iommufd_hwpt_attach(). After a failure the device is not attached and @pt_id
 * is as it was.
 */
int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id)
{
	struct iommufd_ioas *ioas = NULL;
	struct iommufd_object *obj;
	u32 hwpt_id = 0;
	int rc;

	if (idev->hwpt)
		return -EBUSY;
	obj = iommufd_object_get(idev->obj.ictx, *pt_id, NULL);
	if (!obj)
		return -ENOENT;

	if (obj->type == &iommufd_ioas_type) {
		ioas = container_of(obj, struct iommufd_ioas, obj);
	} else if (obj->type == &iommufd_hwpt_type) {
		/* an HWPT uses its IOAS, which is there as long as it is */
		ioas = container_of(obj, struct iommufd_hwpt, obj)->ioas;
		hwpt_id = obj->id;
	}
	if (ioas)
		refcount_inc(&ioas->obj.refs);
	iommufd_object_put(obj);
	if (!ioas)
		return -EINVAL;

	rc = iommufd_hwpt_attach(idev, ioas, hwpt_id);
	if (!rc)
		*pt_id = idev->hwpt->obj.id;
	iommufd_object_put(&ioas->obj);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, IOMMUFD);

/**
 * iommufd_device_detach() - undo iommufd_device_attach()
 * @idev: the bound device; nothing happens if it is not attached
 *
 * Context: may sleep.
 */
void iommufd_device_detach(struct iommufd_device *idev)
{
	if (idev->hwpt)
		iommufd_hwpt_detach(idev);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, IOMMUFD);

/**
 * iommufd_device_to_id() - the ID of a bound device
 * @idev: the bound device
 *
 * Return: its ID in the context.
 */
u32 iommufd_device_to_id(struct iommufd_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_id, IOMMUFD);

/**
 * iommufd_ctx_owns() - whether a context owns a device's group
 * @ictx: the context
 * @dev: the device, bound to this context, to another one or to none
 *
 * Context: @dev stays in its group, as it does while a driver is bound to it.
 * May sleep.
 * Return: true if a device of the group is bound to @ictx. That stays so for as
 * long as the caller keeps that device from being unbound.
 */
bool iommufd_ctx_owns(struct iommufd_ctx *ictx, struct device *dev)
{
	return iommu_device_user_dma_owner_is(dev, ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_owns, IOMMUFD);

int iommufd_device_get_info(struct iommufd_call *call)
{
	struct iommu_device_get_info *cmd = call->cmd;
	struct iommufd_device *idev;

	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;

	cmd->flags = 0;
	if (idev->info.coherent)
		cmd->flags |= IOMMU_DEVICE_INFO_COHERENT;
	if (idev->info.enforce_snoop)
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

/* Clear memory of a length that user space chooses, which may be gigabytes. */
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

/* Registers as the hardware has them, for whoever emulates it. */
int iommufd_device_get_hw_info(struct iommufd_call *call)
{
	struct iommu_hw_info *cmd = call->cmd;
	struct iommu_hw_info_vtd vtd = {};
	void __user *buffer = u64_to_user_ptr(cmd->data_uptr);
	struct iommufd_device *idev;
	u32 known = 0, copied;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;

	cmd->out_data_type = IOMMU_HW_INFO_TYPE_NONE;
	if (idev->info.vtd_cap) {
		cmd->out_data_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
		vtd.cap_reg = idev->info.vtd_cap;
		vtd.ecap_reg = idev->info.vtd_ecap;
		known = sizeof(vtd);
	}
	iommufd_object_put(&idev->obj);

	copied = min(known, cmd->data_len);
	if (copy_to_user(buffer, &vtd, copied))
		return -EFAULT;
	rc = clear_user_killable(buffer + copied, cmd->data_len - copied);
	if (rc)
		return rc;
	cmd->data_len = known;
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
