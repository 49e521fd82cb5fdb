// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: the I/O page tables of an IOAS.
 *
 * An IOAS has as many as its devices need, most often one. A device is put on
 * the first that it accepts; for one that accepts none a new one is made, which
 * goes with the last device on it. A program can also make HWPTs itself and
 * name them when it attaches a device; these stay until it destroys them.
 *
 * Rule: a device reaches a domain only through the IOMMU core, which keeps the
 * devices of a group together, and a domain gets its content only from the
 * engine. A domain is offered to a device first and filled then, since many
 * drivers decide on its format when they attach the first device; for the same
 * reason it is emptied before the last one leaves, and not used again.
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
 * struct hwpt_attach - an attach that is in progress
 * @idev: the device
 * @msi_start: bus address of the window for its MSI doorbell, or PHYS_ADDR_MAX
 * @refused: a domain, not attached to anything, that the engine does not accept
 *           until a busy mapping settles; or NULL
 */
struct hwpt_attach {
	struct iommufd_device *idev;
	phys_addr_t msi_start;
	struct iommu_domain *refused;
};

/* Whether @ioas takes devices like @idev at all. */
static bool ioas_takes(const struct iommufd_ioas *ioas,
		       const struct iommufd_device *idev)
{
	return (!ioas->enforce_snoop || idev->info.enforce_snoop) &&
	       ioas->addr_width <= idev->info.addr_width;
}

/* An HWPT for devices like @idev. Its ID leads nowhere yet. */
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
	hwpt->enforce_snoop = idev->info.enforce_snoop;
	hwpt->addr_width = idev->info.addr_width;
	return hwpt;
}

/* Interrupts that are memory writes get their window into @hwpt's domain. */
static int hwpt_msi_window(struct iommufd_hwpt *hwpt, phys_addr_t start)
{
	int rc;

	if (start == PHYS_ADDR_MAX || hwpt->msi_window)
		return 0;
	rc = iommu_get_msi_cookie(hwpt->domain, start);
	if (!rc)
		hwpt->msi_window = true;
	return rc;
}

/*
 * Whether what @hwpt promises or needs allows @idev: a driver may accept a
 * device and silently change the domain to fit it.
 */
static bool hwpt_suits(const struct iommufd_hwpt *hwpt,
		       const struct iommufd_device *idev)
{
	return hwpt->enforce_snoop == idev->info.enforce_snoop &&
	       hwpt->addr_width <= idev->info.addr_width;
}

/*
 * Makes the domain of @hwpt with its first device, and fills it. Returns -EAGAIN
 * with @attach->refused set if the caller must drop attach_lock and wait.
 */
static int hwpt_begin(struct iommufd_hwpt *hwpt, struct hwpt_attach *attach)
{
	struct iommufd_device *idev = attach->idev;
	struct iommu_domain *domain;
	int rc;

	domain = iommu_domain_alloc(idev->dev->bus);
	if (!domain)
		return -ENOMEM;
	hwpt->domain = domain;
	hwpt->msi_window = false;

	/* before the first entry is written: some carry a bit for it */
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

/* Puts a device on @hwpt. */
static int hwpt_join(struct iommufd_hwpt *hwpt, struct hwpt_attach *attach)
{
	struct iommufd_device *idev = attach->idev;
	int rc;

	rc = iommufd_object_use(&hwpt->obj);
	if (rc)
		return rc;
	if (!hwpt->devices) {
		rc = hwpt_begin(hwpt, attach);
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

/* Puts a device on an HWPT of its own, which others may join. */
static int hwpt_create(struct iommufd_ioas *ioas, struct hwpt_attach *attach)
{
	struct iommufd_hwpt *hwpt = hwpt_alloc(ioas, attach->idev);
	int rc;

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = hwpt_join(hwpt, attach);
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
 * Finds the place of a device in @ioas. That a device does not accept a domain
 * shows in many errnos, depending on the driver, so any of them makes it try
 * the next; what counts is what the domain made for itself says.
 */
static int hwpt_find(struct iommufd_ioas *ioas, struct hwpt_attach *attach)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		if (!hwpt_suits(hwpt, attach->idev))
			continue;
		rc = hwpt_join(hwpt, attach);
		if (!rc || rc == -ENOMEM)
			return rc;
	}
	return hwpt_create(ioas, attach);
}

/* Puts a device on the HWPT of @ioas that a program names. */
static int hwpt_join_id(struct iommufd_ioas *ioas, u32 hwpt_id,
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
	/* it may be another one meanwhile, or about to go */
	if (hwpt->ioas == ioas && (hwpt->keep || hwpt->devices))
		rc = hwpt_suits(hwpt, idev) ? hwpt_join(hwpt, attach) : -EINVAL;
	iommufd_object_put(obj);
	return rc;
}

/*
 * Look up the HWPT and put the device on it, or have the engine refuse. Nothing
 * that was looked up is used after attach_lock is dropped.
 */
static int hwpt_attach_once(struct iommufd_ioas *ioas, u32 hwpt_id,
			    struct hwpt_attach *attach)
{
	int rc;

	if (mutex_lock_killable(&ioas->attach_lock))
		return -EINTR;
	if (hwpt_id)
		rc = hwpt_join_id(ioas, hwpt_id, attach);
	else
		rc = hwpt_find(ioas, attach);
	mutex_unlock(&ioas->attach_lock);
	return rc;
}

/**
 * iommufd_hwpt_attach() - attach a device to an IOAS
 * @idev: the device, not attached
 * @ioas: the IOAS; the caller is its short-term user
 * @hwpt_id: ID of the HWPT of it to attach to, or 0 for any
 *
 * Sets @idev's hwpt. From then on the device reaches what is mapped and nothing
 * else.
 *
 * A mapping that is being built or torn down outside of the new domain's
 * aperture makes it wait, as long as the mapping's memory or a driver likes.
 * attach_lock is not held meanwhile, since closing another device takes it, and
 * the HWPT is looked up again after it.
 *
 * Context: takes the IOAS's attach_lock. Pins memory. The caller is no user of
 * an HWPT: who destroys that waits for its users, which may wait here for pages
 * that never come.
 * Return: 0; -EINVAL if the device does not meet the conditions of the IOAS, if
 * its group is attached elsewhere, or if the IOMMU driver finds that it does
 * not fit; -ENOENT if the HWPT was just freed; -EADDRINUSE if something is mapped
 * where the device or its IOMMU cannot have it; -EINTR on a fatal signal;
 * -ENOMEM; other errnos of the IOMMU driver and of pinning. After a failure
 * DMA of the device is blocked, as it was.
 */
int iommufd_hwpt_attach(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			u32 hwpt_id)
{
	struct hwpt_attach attach = { .idev = idev };
	int rc;

	if (!ioas_takes(ioas, idev))
		return -EINVAL;
	/*
	 * Before the domain is there: mappings must know what to avoid. This may
	 * wait for a map, and detach for the lock.
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
 * iommufd_hwpt_detach() - undo iommufd_hwpt_attach()
 * @idev: an attached device
 *
 * DMA of the device is blocked when it returns, unless another device of its
 * group is still attached.
 *
 * Context: takes the IOAS's attach_lock.
 */
void iommufd_hwpt_detach(struct iommufd_device *idev)
{
	struct iommufd_hwpt *hwpt = idev->hwpt;
	struct iommufd_ioas *ioas = hwpt->ioas;
	bool last, remove;

	/* Without devices on @hwpt, IOMMU_DESTROY of the IOAS succeeds. */
	refcount_inc(&ioas->obj.refs);
	mutex_lock(&ioas->attach_lock);
	last = !--hwpt->devices;
	remove = last && !hwpt->keep;
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
	 * Once the lock is dropped, the last device to detach frees @hwpt, or
	 * IOMMU_DESTROY does.
	 */
	if (!remove)
		iommufd_object_unuse(&hwpt->obj);
	mutex_unlock(&ioas->attach_lock);

	/* Waits for calls that found @hwpt by its ID and may need the lock. */
	if (remove)
		iommufd_object_remove(&hwpt->obj);
	iommufd_object_put(&ioas->obj);
}

/* An HWPT of the object @pt_id for a device, that stays until it is destroyed. */
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
		if (ioas_takes(ioas, idev))
			hwpt = hwpt_alloc(ioas, idev);
	} else if (parent->type == &iommufd_hwpt_type) {
		/* one page table below another */
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
	/* Closing the device does not wait for the answer to be written. */
	iommufd_object_put(&idev->obj);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->keep = true;
	cmd->out_hwpt_id = hwpt->obj.id;
	return iommufd_object_answer(&hwpt->obj, call, sizeof(*cmd));
}
