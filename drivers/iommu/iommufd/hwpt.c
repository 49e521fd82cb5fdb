// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: the I/O page tables of an IOAS.
 *
 * An IOAS has as many HWPTs as its devices require, usually one. A device is
 * attached to the first HWPT that is compatible with it. If there is none, a
 * new HWPT is created, which is freed when its last device detaches. User space
 * can also create HWPTs and select one when it attaches a device. Such an HWPT
 * stays until user space destroys it.
 *
 * Devices are attached to a domain only through the IOMMU core, which keeps the
 * devices of a group together. Only the engine maps memory in a domain. Many
 * IOMMU drivers fix the format of a domain when the first device is attached,
 * so the engine fills the domain after that attach. For the same reason, the
 * engine empties the domain before the last device is detached, and the domain
 * is not used again.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iopt.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static void iommufd_hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	iommufd_object_unuse(&hwpt->ioas->obj);
}

const struct iommufd_object_type iommufd_hwpt_type = {
	.destroy = iommufd_hwpt_destroy,
};

/**
 * struct hwpt_attach - state of an attach in progress
 * @idev: the device
 * @msi_start: IOVA of the MSI doorbell window of @idev, or PHYS_ADDR_MAX
 * @refused: domain that the engine does not accept until a busy mapping becomes
 *           idle, or NULL. No device is attached to the domain
 */
struct hwpt_attach {
	struct iommufd_device *idev;
	phys_addr_t msi_start;
	struct iommu_domain *refused;
};

/* Check the requirements that IOMMU_IOASID_ALLOC set for devices of @ioas. */
static bool ioas_accepts(const struct iommufd_ioas *ioas,
			 const struct iommufd_device *idev)
{
	return (!ioas->enforce_snoop || idev->enforce_snoop) &&
	       ioas->addr_width <= idev->info.addr_width;
}

/* Allocate an HWPT with the properties of @idev, without publishing it. */
static struct iommufd_hwpt *hwpt_alloc(struct iommufd_ioas *ioas,
				       struct iommufd_device *idev)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = iommufd_object_alloc(idev->obj.ictx, sizeof(*hwpt),
				    &iommufd_hwpt_type);
	if (IS_ERR(hwpt))
		return hwpt;
	rc = iommufd_object_use(&ioas->obj);
	if (rc) {
		iommufd_object_abort(&hwpt->obj);
		return ERR_PTR(rc);
	}
	hwpt->ioas = ioas;
	hwpt->enforce_snoop = idev->enforce_snoop;
	hwpt->addr_width = idev->info.addr_width;
	return hwpt;
}

/*
 * Set up the window for MSI doorbells unless @start is PHYS_ADDR_MAX. A kernel
 * without support for such windows does not use them.
 */
static int hwpt_msi_window(struct iommufd_hwpt *hwpt, phys_addr_t start)
{
	int rc;

	if (start == PHYS_ADDR_MAX || hwpt->msi_window)
		return 0;
	rc = iommu_get_msi_cookie(hwpt->domain, start);
	if (rc == -ENODEV)
		return 0;
	if (!rc)
		hwpt->msi_window = true;
	return rc;
}

/*
 * Check whether @hwpt and @idev are compatible. This cannot be left to the
 * attach, because an IOMMU driver may accept the device and silently change the
 * domain to fit.
 */
static bool hwpt_compatible(const struct iommufd_hwpt *hwpt,
			    const struct iommufd_device *idev)
{
	return hwpt->enforce_snoop == idev->enforce_snoop &&
	       hwpt->addr_width <= idev->info.addr_width;
}

/*
 * Allocate and fill the domain of @hwpt for its first device. Returns -EAGAIN
 * with @attach->refused set if the caller must drop attach_lock and call
 * iopt_attach_wait().
 */
static int hwpt_alloc_domain(struct iommufd_hwpt *hwpt,
			     struct hwpt_attach *attach)
{
	struct iommufd_device *idev = attach->idev;
	struct iommu_domain *domain;
	int rc;

	domain = iommu_domain_alloc(idev->dev->bus);
	if (!domain)
		return -ENOMEM;
	hwpt->domain = domain;
	hwpt->msi_window = false;

	/*
	 * Some drivers enforce coherency with a bit in each page table entry,
	 * so do this before anything is mapped.
	 */
	rc = -EINVAL;
	if (hwpt->enforce_snoop &&
	    (!domain->ops->enforce_cache_coherency ||
	     !domain->ops->enforce_cache_coherency(domain)))
		goto err_free;
	rc = hwpt_msi_window(hwpt, attach->msi_start);
	if (rc)
		goto err_free;
	rc = iommu_device_attach_user_dma(idev->dev, domain);
	if (rc)
		goto err_free;
	rc = iopt_try_attach_domain(hwpt->ioas->iopt, domain);
	if (!rc)
		return 0;

	iommu_device_detach_user_dma(idev->dev);
	if (rc > 0) {
		attach->refused = domain;
		return -EAGAIN;
	}
	rc = iommufd_pin_errno(rc);
err_free:
	iommu_domain_free(domain);
	return rc;
}

/* Attach a device to @hwpt. The domain is allocated for the first device. */
static int hwpt_attach_device(struct iommufd_hwpt *hwpt,
			      struct hwpt_attach *attach)
{
	struct iommufd_device *idev = attach->idev;
	int rc;

	rc = iommufd_object_use(&hwpt->obj);
	if (rc)
		return rc;
	if (!hwpt->devices) {
		rc = hwpt_alloc_domain(hwpt, attach);
	} else {
		rc = hwpt_msi_window(hwpt, attach->msi_start);
		if (!rc)
			rc = iommu_device_attach_user_dma(idev->dev,
							  hwpt->domain);
	}
	if (rc) {
		iommufd_object_unuse(&hwpt->obj);
		return rc;
	}
	hwpt->devices++;
	idev->hwpt = hwpt;
	return 0;
}

/* Attach a device to a new HWPT, which other devices may join. */
static int hwpt_attach_new(struct iommufd_ioas *ioas,
			   struct hwpt_attach *attach)
{
	struct iommufd_hwpt *hwpt = hwpt_alloc(ioas, attach->idev);
	int rc;

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = hwpt_attach_device(hwpt, attach);
	if (rc) {
		iommufd_hwpt_destroy(&hwpt->obj);
		iommufd_object_abort(&hwpt->obj);
		return rc;
	}
	list_add_tail(&hwpt->item, &ioas->hwpts);
	iommufd_object_publish(&hwpt->obj);
	return 0;
}

/*
 * Attach a device to an existing HWPT of @ioas, or to a new one if none accepts
 * the device. IOMMU drivers use different errnos to reject a domain for a
 * device, so try the next HWPT after any errno except -ENOMEM.
 */
static int hwpt_attach_any(struct iommufd_ioas *ioas,
			   struct hwpt_attach *attach)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		if (!hwpt_compatible(hwpt, attach->idev))
			continue;
		rc = hwpt_attach_device(hwpt, attach);
		if (!rc || rc == -ENOMEM)
			return rc;
	}
	return hwpt_attach_new(ioas, attach);
}

/* Attach a device to the HWPT of @ioas that user space selected. */
static int hwpt_attach_id(struct iommufd_ioas *ioas, u32 hwpt_id,
			  struct hwpt_attach *attach)
{
	struct iommufd_device *idev = attach->idev;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;
	int rc = -ENOENT;

	lockdep_assert_held(&ioas->attach_lock);
	obj = iommufd_object_get(idev->obj.ictx, hwpt_id, &iommufd_hwpt_type);
	if (!obj)
		return -ENOENT;
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	/* The ID may have been reused, or the HWPT may be about to be freed. */
	if (hwpt->ioas == ioas && (hwpt->user_owned || hwpt->devices))
		rc = hwpt_compatible(hwpt, idev) ?
		     hwpt_attach_device(hwpt, attach) : -EINVAL;
	iommufd_object_put(obj);
	return rc;
}

/*
 * Look up the HWPT and attach the device. Both are done under attach_lock,
 * because the HWPT may be freed once the lock is dropped.
 */
static int hwpt_attach_once(struct iommufd_ioas *ioas, u32 hwpt_id,
			    struct hwpt_attach *attach)
{
	int rc;

	if (mutex_lock_killable(&ioas->attach_lock))
		return -EINTR;
	if (hwpt_id)
		rc = hwpt_attach_id(ioas, hwpt_id, attach);
	else
		rc = hwpt_attach_any(ioas, attach);
	mutex_unlock(&ioas->attach_lock);
	return rc;
}

/**
 * iommufd_hwpt_attach() - attach a device to an IOAS
 * @idev: the device, not attached
 * @ioas: the IOAS; the caller is a short-term user of it
 * @hwpt_id: ID of an HWPT of @ioas to attach to, or 0 for any HWPT
 *
 * Sets iommufd_device.hwpt. From then on, the device can access the memory
 * mapped in @ioas and no other memory.
 *
 * If a mapping that a new domain may be unable to translate is being created or
 * removed, the attach waits for that mapping. The wait is unbounded, since it
 * lasts until the memory is pinned or until a driver has unpinned its pages.
 * Closing another device takes attach_lock, so the lock is dropped for the
 * wait, and the HWPT is looked up again afterwards.
 *
 * Context: Takes iommufd_ioas.attach_lock. May sleep for an unbounded time
 * while it pins memory. The caller must not be a short-term user of an HWPT:
 * the destruction of that HWPT would then wait until the memory is pinned.
 * Return: 0, or
 * * %-EINVAL - The device does not meet the requirements of @ioas or of the
 *   HWPT @hwpt_id, its group is attached to another domain, or the IOMMU driver
 *   refuses the domain.
 * * %-ENOENT - The HWPT @hwpt_id has been freed, or @ioas is being destroyed.
 * * %-EBUSY - All IDs are in use.
 * * %-EADDRINUSE - IOVAs that the device or its IOMMU cannot use are mapped or
 *   allowed.
 * * %-EINTR - The caller was killed.
 * * %-ENOMEM - Out of memory, or RLIMIT_MEMLOCK is exceeded.
 * * Another errno of the IOMMU driver or of pinning.
 *
 * On failure DMA of the device remains blocked, unless another device of its
 * group is attached.
 */
int iommufd_hwpt_attach(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			u32 hwpt_id)
{
	struct hwpt_attach attach = { .idev = idev };
	int rc;

	if (!ioas_accepts(ioas, idev))
		return -EINVAL;
	/*
	 * Reserve the IOVAs that the device cannot use before the domain
	 * exists, so that no map uses them. The attach affects the whole group,
	 * but regions of other devices of the group are only reserved once
	 * these devices are attached as well. The reservation may wait for a
	 * map.
	 * Do not hold attach_lock meanwhile: a detach takes the lock and is not
	 * killable.
	 */
	rc = iopt_reserve_device(ioas->iopt, idev->dev, &attach.msi_start);
	if (rc)
		return rc;

	rc = hwpt_attach_once(ioas, hwpt_id, &attach);
	while (attach.refused) {
		rc = iopt_attach_wait(ioas->iopt, attach.refused);
		iommu_domain_free(attach.refused);
		attach.refused = NULL;
		if (!rc)
			rc = hwpt_attach_once(ioas, hwpt_id, &attach);
	}
	if (rc)
		iopt_unreserve(ioas->iopt, idev->dev);
	return rc;
}

/**
 * iommufd_hwpt_detach() - detach a device from its HWPT
 * @idev: the attached device
 *
 * DMA of the device is blocked when this returns, unless another device of its
 * group is still attached.
 *
 * Context: Takes iommufd_ioas.attach_lock. May sleep, not killable.
 */
void iommufd_hwpt_detach(struct iommufd_device *idev)
{
	struct iommufd_hwpt *hwpt = idev->hwpt;
	struct iommufd_ioas *ioas = hwpt->ioas;
	bool last, remove;

	/*
	 * Once @hwpt has no devices, @hwpt and then the IOAS can be destroyed.
	 */
	refcount_inc(&ioas->obj.refs);
	mutex_lock(&ioas->attach_lock);
	last = !--hwpt->devices;
	remove = last && !hwpt->user_owned;
	if (remove)
		list_del(&hwpt->item);
	if (last)
		iopt_detach_domain(ioas->iopt, hwpt->domain);
	iommu_device_detach_user_dma(idev->dev);
	if (last)
		iommu_domain_free(hwpt->domain);
	iopt_unreserve(ioas->iopt, idev->dev);
	idev->hwpt = NULL;
	/*
	 * Once it is unused, @hwpt may be freed by IOMMU_DESTROY or, after the
	 * lock is dropped, by the detach of its last device.
	 */
	if (!remove)
		iommufd_object_unuse(&hwpt->obj);
	mutex_unlock(&ioas->attach_lock);

	/*
	 * This waits for calls that have looked up @hwpt by its ID. Do not make
	 * other users of attach_lock wait for them.
	 */
	if (remove)
		iommufd_object_remove(&hwpt->obj);
	iommufd_object_put(&ioas->obj);
}

/*
 * Allocate an HWPT of the IOAS @pt_id for @idev. Return -EINVAL, not -ENOENT,
 * if there is no object @pt_id, as Linux 6.12 does.
 */
static struct iommufd_hwpt *hwpt_alloc_in(struct iommufd_ctx *ictx, u32 pt_id,
					  struct iommufd_device *idev)
{
	struct iommufd_hwpt *hwpt = ERR_PTR(-EINVAL);
	struct iommufd_object *parent;
	struct iommufd_ioas *ioas;

	parent = iommufd_object_get(ictx, pt_id, NULL);
	if (!parent)
		return hwpt;
	if (parent->type == &iommufd_ioas_type) {
		ioas = container_of(parent, struct iommufd_ioas, obj);
		if (ioas_accepts(ioas, idev))
			hwpt = hwpt_alloc(ioas, idev);
	} else if (parent->type == &iommufd_hwpt_type) {
		/* Nested page tables are not supported. */
		hwpt = ERR_PTR(-EOPNOTSUPP);
	}
	iommufd_object_put(parent);
	return hwpt;
}

int iommufd_hwpt_alloc(struct iommufd_call *call)
{
	struct iommu_hwpt_alloc *cmd = call->cmd;
	bool typed = cmd->data_type != IOMMU_HWPT_DATA_NONE;
	struct iommufd_device *idev;
	struct iommufd_hwpt *hwpt;

	if (cmd->flags || cmd->__reserved || cmd->__reserved2)
		return -EOPNOTSUPP;
	if (typed != !!cmd->data_len)
		return -EINVAL;
	if (typed)
		return -EOPNOTSUPP;

	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;
	hwpt = hwpt_alloc_in(call->ictx, cmd->pt_id, idev);
	/* Closing the device must not wait until the answer is written. */
	iommufd_object_put(&idev->obj);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->user_owned = true;
	cmd->out_hwpt_id = hwpt->obj.id;
	return iommufd_object_respond(&hwpt->obj, call, sizeof(*cmd));
}
