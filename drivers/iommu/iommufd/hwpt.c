// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: the I/O page tables of an IOAS.
 *
 * An IOAS has as many HWPTs as its devices require, usually one. A device is
 * attached to the first HWPT that is compatible with it. If there is none, the
 * attach creates a new HWPT, which is freed when its last device detaches. User
 * space can also create HWPTs and select one when it attaches a device. Such an
 * HWPT stays until user space destroys it, and is used only for devices for
 * which it was selected, and for devices of the same group that move with them.
 *
 * Devices are attached to a domain only through the IOMMU core, which keeps the
 * devices of a group together. Only the engine maps memory in a domain. Many
 * IOMMU drivers fix the format of a domain when the first device is attached,
 * so the engine fills a domain after that attach. If a device is to be moved
 * (replace.c), the engine has to fill the new domain before the device is
 * attached to it, so a device can be moved only if the driver can choose the
 * format earlier. A driver may also change the format when no device is
 * attached any more, so the engine empties the domain before the last device is
 * detached, and the domain is not used again.
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

/* Check the requirements that IOMMU_IOASID_ALLOC set for devices of @ioas. */
bool iommufd_ioas_accepts(const struct iommufd_ioas *ioas,
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
	INIT_LIST_HEAD(&hwpt->attached);
	hwpt->ioas = ioas;
	hwpt->enforce_snoop = idev->enforce_snoop;
	hwpt->addr_width = idev->info.addr_width;
	return hwpt;
}

/*
 * Set up the window for MSI doorbells unless @start is PHYS_ADDR_MAX. A kernel
 * without support for such windows (-ENODEV) needs none, so ignore that errno.
 */
int iommufd_hwpt_msi_window(struct iommufd_hwpt *hwpt, phys_addr_t start)
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
bool iommufd_hwpt_compatible(const struct iommufd_hwpt *hwpt,
			     const struct iommufd_device *idev)
{
	return hwpt->enforce_snoop == idev->enforce_snoop &&
	       hwpt->addr_width <= idev->info.addr_width;
}

/*
 * Allocate the domain of @hwpt for its first device, attach the device unless
 * it is to be moved, and fill the domain. Returns -EAGAIN with @join->refused
 * set if the caller must drop attach_lock, call iopt_attach_wait() and free
 * @join->refused.
 */
static int hwpt_alloc_domain(struct iommufd_hwpt *hwpt,
			     struct iommufd_join *join)
{
	struct device *dev = join->idev->dev;
	struct iommu_domain *domain;
	int rc;

	domain = iommu_domain_alloc(dev->bus);
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
	rc = iommufd_hwpt_msi_window(hwpt, join->msi_start);
	if (rc)
		goto err_free;
	/* A device may do DMA while it is moved, so fill the domain first. */
	rc = join->move ? iommu_domain_prepare(domain, dev) :
			  iommu_device_attach_user_dma(dev, domain);
	if (rc)
		goto err_free;
	rc = iopt_try_attach_domain(hwpt->ioas->iopt, domain);
	if (!rc)
		return 0;

	if (!join->move)
		iommu_device_detach_user_dma(dev);
	if (rc > 0) {
		join->refused = domain;
		return -EAGAIN;
	}
	rc = iommufd_pin_errno(rc);
err_free:
	iommu_domain_free(domain);
	return rc;
}

/*
 * Count the device as one of the devices of @hwpt, and attach the device unless
 * it is to be moved. The domain is allocated for the first device.
 */
static int hwpt_join(struct iommufd_hwpt *hwpt, struct iommufd_join *join)
{
	struct iommufd_device *idev = join->idev;
	int rc;

	if (!hwpt->devices) {
		rc = iommufd_object_use(&hwpt->obj);
		if (rc)
			return rc;
		rc = hwpt_alloc_domain(hwpt, join);
		if (rc)
			iommufd_object_unuse(&hwpt->obj);
	} else if (join->move && !hwpt->domain->ops->prepare) {
		/*
		 * The driver may be unable to map memory while no device is
		 * attached to the domain, and all other devices of @hwpt may be
		 * detached before this one is moved.
		 */
		rc = -EOPNOTSUPP;
	} else {
		rc = iommufd_hwpt_msi_window(hwpt, join->msi_start);
		if (!rc && !join->move)
			rc = iommu_device_attach_user_dma(idev->dev,
							  hwpt->domain);
	}
	if (rc)
		return rc;

	if (!hwpt->devices++) {
		hwpt->ioas->incoherent += !hwpt->enforce_snoop;
		/* The IOMMU does not report which pages are written. */
		iopt_dirty_add_untracked(hwpt->ioas->iopt);
	}
	join->hwpt = hwpt;
	join->hwpt_id = hwpt->obj.id;
	if (!join->move) {
		list_add_tail(&idev->item, &hwpt->attached);
		WRITE_ONCE(idev->hwpt, hwpt);
	}
	return 0;
}

/* Create an HWPT and join it. From then on, other devices can join it. */
static int hwpt_join_new(struct iommufd_join *join)
{
	struct iommufd_hwpt *hwpt = hwpt_alloc(join->ioas, join->idev);
	int rc;

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = hwpt_join(hwpt, join);
	if (rc) {
		iommufd_hwpt_destroy(&hwpt->obj);
		iommufd_object_abort(&hwpt->obj);
		return rc;
	}
	join->created = true;
	list_add_tail(&hwpt->item, &join->ioas->hwpts);
	iommufd_object_publish(&hwpt->obj);
	return 0;
}

/*
 * Join an existing HWPT of the IOAS, or a new one if none accepts the device.
 * IOMMU drivers use different errnos to reject a domain for a device, so try
 * the next HWPT after any errno except -ENOMEM. If the device is to be moved,
 * the driver can reject an HWPT only after the device has joined it. The caller
 * then tries again, so skip the HWPTs that have been rejected for the move.
 */
static int hwpt_join_any(struct iommufd_join *join)
{
	struct iommufd_device *idev = join->idev;
	unsigned int skip = join->rejections;
	struct iommufd_hwpt *hwpt;
	int rc;

	if (join->move && iommufd_device_in(idev, join->ioas) &&
	    !idev->hwpt->user_owned)
		return hwpt_join(idev->hwpt, join);
	list_for_each_entry(hwpt, &join->ioas->hwpts, item) {
		if (!iommufd_hwpt_compatible(hwpt, idev))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		rc = hwpt_join(hwpt, join);
		if (!rc || rc == -ENOMEM)
			return rc;
	}
	return hwpt_join_new(join);
}

/* Join the HWPT that user space selected by its ID. */
static int hwpt_join_id(struct iommufd_join *join)
{
	struct iommufd_device *idev = join->idev;
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;
	int rc = -ENOENT;

	lockdep_assert_held(&join->ioas->attach_lock);
	obj = iommufd_object_get(idev->obj.ictx, join->hwpt_id,
				 &iommufd_hwpt_type);
	if (!obj)
		return -ENOENT;
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	/* The ID may have been reused, or the HWPT may be about to be freed. */
	if (hwpt->ioas == join->ioas && (hwpt->user_owned || hwpt->devices))
		rc = iommufd_hwpt_compatible(hwpt, idev) ?
		     hwpt_join(hwpt, join) : -EINVAL;
	iommufd_object_put(obj);
	return rc;
}

/*
 * Look up the HWPT and join it. Both are done under attach_lock, because the
 * HWPT may be freed once the lock is dropped.
 */
static int hwpt_join_once(struct iommufd_join *join)
{
	int rc;

	if (mutex_lock_killable(&join->ioas->attach_lock))
		return -EINTR;
	if (join->hwpt_id)
		rc = hwpt_join_id(join);
	else
		rc = hwpt_join_any(join);
	mutex_unlock(&join->ioas->attach_lock);
	return rc;
}

/**
 * iommufd_hwpt_join() - make a device one of the devices of an HWPT
 * @join: the device, the IOAS, and the ID of the HWPT or 0. On success, the
 *        members @hwpt and @hwpt_id are set to the HWPT that the device joined
 *
 * Attaches the device unless @join->move is set. The HWPT and its domain stay
 * valid until the device leaves.
 *
 * Context: As for iommufd_hwpt_attach().
 * Return: As for iommufd_hwpt_attach(), and
 * * %-EOPNOTSUPP - The device is to be moved, but the IOMMU driver cannot map
 *   memory while no device is attached.
 */
int iommufd_hwpt_join(struct iommufd_join *join)
{
	int rc = hwpt_join_once(join);

	while (join->refused) {
		rc = iopt_attach_wait(join->ioas->iopt, join->refused);
		iommu_domain_free(join->refused);
		join->refused = NULL;
		if (!rc)
			rc = hwpt_join_once(join);
	}
	return rc;
}

/**
 * iommufd_hwpt_leave() - remove devices from the count of an HWPT
 * @hwpt: the HWPT
 * @nr: number of devices
 *
 * Context: The caller holds iommufd_ioas.attach_lock. May sleep, not killable.
 * Return: true if no devices are left. Then the domain is empty, no device can
 * join @hwpt unless user space owns it, and the caller has to call
 * iommufd_hwpt_free_domain().
 */
bool iommufd_hwpt_leave(struct iommufd_hwpt *hwpt, unsigned int nr)
{
	lockdep_assert_held(&hwpt->ioas->attach_lock);
	hwpt->devices -= nr;
	if (hwpt->devices)
		return false;
	hwpt->ioas->incoherent -= !hwpt->enforce_snoop;
	if (!hwpt->user_owned)
		list_del(&hwpt->item);
	iopt_detach_domain(hwpt->ioas->iopt, hwpt->domain);
	iopt_dirty_remove_untracked(hwpt->ioas->iopt, false);
	return true;
}

/**
 * iommufd_hwpt_free_domain() - free the domain of an HWPT without devices
 * @hwpt: the HWPT, for which iommufd_hwpt_leave() returned true
 *
 * Context: The caller holds iommufd_ioas.attach_lock.
 * Return: @hwpt if the caller has to pass it to iommufd_object_remove() after
 * dropping the lock, or NULL if user space owns @hwpt and may have freed it.
 */
struct iommufd_hwpt *iommufd_hwpt_free_domain(struct iommufd_hwpt *hwpt)
{
	iommu_domain_free(hwpt->domain);
	if (!hwpt->user_owned)
		return hwpt;
	iommufd_object_unuse(&hwpt->obj);
	return NULL;
}

/**
 * iommufd_hwpt_attach() - attach a device to an IOAS
 * @idev: the device, not attached
 * @ioas: the IOAS; the caller is a short-term user of it
 * @hwpt_id: input: ID of an HWPT of @ioas to attach to, or 0 for any HWPT;
 *           output: ID of the HWPT that the device is attached to
 *
 * Sets iommufd_device.hwpt. From then on, the device can access the memory
 * mapped in @ioas and no other memory.
 *
 * If a mapping that a new domain may be unable to translate is being created or
 * removed, the attach waits for that mapping. The wait is unbounded, since it
 * lasts until the memory is pinned or until a driver has unpinned the pages.
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
			u32 *hwpt_id)
{
	struct iommufd_join join = {
		.idev = idev,
		.ioas = ioas,
		.hwpt_id = *hwpt_id,
	};
	int rc;

	if (!iommufd_ioas_accepts(ioas, idev))
		return -EINVAL;
	/*
	 * Before the device joins a domain, reserve the IOVAs that the device
	 * cannot use, so that no map uses them. The attach affects the whole
	 * group, but the IOVAs that another device of the group cannot use are
	 * reserved only when that device is attached as well. The reservation
	 * may wait for a map. Do not hold attach_lock meanwhile: a detach takes
	 * the lock and is not killable.
	 */
	rc = iopt_reserve_device(ioas->iopt, idev->dev, idev->dev,
				 &join.msi_start);
	if (rc)
		return rc;

	rc = iommufd_hwpt_join(&join);
	if (rc)
		iopt_unreserve(ioas->iopt, idev->dev);
	else
		*hwpt_id = join.hwpt_id;
	return rc;
}

/**
 * iommufd_device_ioas() - get the IOAS that a device is attached to
 * @idev: the attached device; the caller prevents it from being detached
 *
 * A move of another device of the group also moves @idev, so @idev may be in
 * another IOAS by the time the caller has taken attach_lock.
 *
 * Context: Any context.
 * Return: the IOAS. The caller is a short-term user of it.
 */
struct iommufd_ioas *iommufd_device_ioas(struct iommufd_device *idev)
{
	struct iommufd_ioas *ioas;

	/* The HWPT and its IOAS may be freed after the device has moved. */
	rcu_read_lock();
	do
		ioas = READ_ONCE(idev->hwpt)->ioas;
	while (!refcount_inc_not_zero(&ioas->obj.refs));
	rcu_read_unlock();
	return ioas;
}

/**
 * iommufd_device_in() - check whether a device is attached to an IOAS
 * @idev: the attached device; the caller prevents it from being detached
 * @ioas: the IOAS
 *
 * Context: The caller holds attach_lock of @ioas, so that a device in @ioas
 * stays there.
 * Return: true if @idev is attached to @ioas.
 */
bool iommufd_device_in(struct iommufd_device *idev,
		       const struct iommufd_ioas *ioas)
{
	bool in;

	lockdep_assert_held(&ioas->attach_lock);
	/* A move between two other IOASes may free the HWPT. */
	rcu_read_lock();
	in = READ_ONCE(idev->hwpt)->ioas == ioas;
	rcu_read_unlock();
	return in;
}

/* Get the IOAS that a device is attached to, and lock its attach_lock. */
static struct iommufd_ioas *device_lock_ioas(struct iommufd_device *idev)
{
	struct iommufd_ioas *ioas;

	for (;;) {
		ioas = iommufd_device_ioas(idev);
		mutex_lock(&ioas->attach_lock);
		if (iommufd_device_in(idev, ioas))
			return ioas;
		mutex_unlock(&ioas->attach_lock);
		iommufd_object_put(&ioas->obj);
	}
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
	struct iommufd_hwpt *hwpt, *unused = NULL;
	struct iommufd_ioas *ioas;
	bool last;

	/*
	 * Once the HWPT has no devices, user space can destroy the IOAS, so
	 * hold a short-term reference to the IOAS.
	 */
	ioas = device_lock_ioas(idev);
	hwpt = idev->hwpt;
	last = iommufd_hwpt_leave(hwpt, 1);
	iommu_device_detach_user_dma(idev->dev);
	list_del(&idev->item);
	WRITE_ONCE(idev->hwpt, NULL);
	iopt_unreserve(ioas->iopt, idev->dev);
	if (last)
		unused = iommufd_hwpt_free_domain(hwpt);
	mutex_unlock(&ioas->attach_lock);

	/*
	 * This waits for calls that have looked up the HWPT by its ID. Do not
	 * make other users of attach_lock wait for them.
	 */
	if (unused)
		iommufd_object_remove(&unused->obj);
	iommufd_object_put(&ioas->obj);
}

/*
 * Allocate an HWPT of the IOAS @pt_id for @idev. Return -EINVAL, not -ENOENT,
 * if there is no object @pt_id, as Linux 6.12 does. @typed is set if the
 * program chooses the format of the page table.
 */
static struct iommufd_hwpt *hwpt_alloc_in(struct iommufd_ctx *ictx, u32 pt_id,
					  struct iommufd_device *idev,
					  bool typed)
{
	struct iommufd_hwpt *hwpt = ERR_PTR(-EINVAL);
	struct iommufd_object *parent;
	struct iommufd_ioas *ioas;

	parent = iommufd_object_get(ictx, pt_id, NULL);
	if (!parent)
		return hwpt;
	if (parent->type == &iommufd_hwpt_type ||
	    (parent->type == &iommufd_ioas_type && typed)) {
		/* Neither nesting nor a choice of the format is supported. */
		hwpt = ERR_PTR(-EOPNOTSUPP);
	} else if (parent->type == &iommufd_ioas_type) {
		ioas = container_of(parent, struct iommufd_ioas, obj);
		if (iommufd_ioas_accepts(ioas, idev))
			hwpt = hwpt_alloc(ioas, idev);
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

	idev = iommufd_device_get(call->ictx, cmd->dev_id);
	if (!idev)
		return -ENOENT;
	hwpt = hwpt_alloc_in(call->ictx, cmd->pt_id, idev, typed);
	/* Closing the device must not wait until the answer is written. */
	iommufd_object_put(&idev->obj);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->user_owned = true;
	cmd->out_hwpt_id = hwpt->obj.id;
	return iommufd_object_respond(&hwpt->obj, call, sizeof(*cmd));
}
