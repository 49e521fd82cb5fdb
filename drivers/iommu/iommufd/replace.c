// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replace: move an attached device to another HWPT while it performs DMA.
 *
 * The IOMMU core moves all devices of a group at once, so all devices of the
 * group that are attached here move together. The device first joins the new
 * HWPT. If the new HWPT had no devices, it is filled now, while the old HWPT
 * still translates DMA. Then the group is switched with attach_lock of both
 * IOASes held, and finally the devices leave the old HWPT, which is emptied if
 * no other device is left. At each moment, a device can thus access the memory
 * mapped in one of the two IOASes, or none while the IOMMU driver blocks DMA.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/minmax.h>
#include <linux/mutex.h>

#include "iommufd_private.h"

static int lock_both(struct iommufd_ioas *a, struct iommufd_ioas *b)
{
	/* Moves in opposite directions must not deadlock. */
	if (a > b)
		swap(a, b);
	if (mutex_lock_killable(&a->attach_lock))
		return -EINTR;
	if (a == b || !mutex_lock_killable_nested(&b->attach_lock,
						  SINGLE_DEPTH_NESTING))
		return 0;
	mutex_unlock(&a->attach_lock);
	return -EINTR;
}

/*
 * Lock the IOAS that a device is attached to, together with @to. Returns the
 * IOAS, of which the caller is a short-term user, or an ERR_PTR().
 */
static struct iommufd_ioas *lock_to_move(struct iommufd_device *idev,
					 struct iommufd_ioas *to)
{
	struct iommufd_ioas *ioas;
	int rc;

	/* A move of another device of the group may move @idev meanwhile. */
	for (;;) {
		ioas = iommufd_device_ioas(idev);
		rc = lock_both(ioas, to);
		if (!rc && iommufd_device_in(idev, ioas))
			return ioas;
		if (!rc) {
			mutex_unlock(&ioas->attach_lock);
			if (ioas != to)
				mutex_unlock(&to->attach_lock);
		}
		iommufd_object_put(&ioas->obj);
		if (rc)
			return ERR_PTR(rc);
	}
}

/*
 * Check whether @idev can move to @hwpt. If the IOAS changes, also reserve the
 * IOVAs that @idev cannot use, and set up the MSI window of @hwpt.
 */
static int prepare_device(struct iommufd_device *idev, struct iommufd_hwpt *old,
			  struct iommufd_hwpt *hwpt)
{
	phys_addr_t msi_start;
	int rc;

	if (!iommufd_ioas_accepts(hwpt->ioas, idev) ||
	    !iommufd_hwpt_compatible(hwpt, idev))
		return -EINVAL;
	if (old->ioas == hwpt->ioas)
		return 0;
	rc = iopt_try_reserve_device(hwpt->ioas->iopt, idev->dev, idev->dev,
				     &msi_start);
	if (rc)
		return rc;
	rc = iommufd_hwpt_msi_window(hwpt, msi_start);
	if (rc)
		iopt_unreserve(hwpt->ioas->iopt, idev->dev);
	return rc;
}

static void record_move(struct iommufd_device *idev, struct iommufd_hwpt *old,
			struct iommufd_hwpt *hwpt)
{
	list_move_tail(&idev->item, &hwpt->attached);
	WRITE_ONCE(idev->hwpt, hwpt);
	if (old->ioas != hwpt->ioas)
		iopt_unreserve(old->ioas->iopt, idev->dev);
}

/*
 * Move the attached devices of the group to the HWPT that the device has
 * joined. Returns the number of devices that were moved, or a negative errno if
 * no device was moved. Counts a rejection if iommu_device_replace_user_dma()
 * fails, except with -ENOMEM.
 */
static int move_group(struct iommufd_join *join, struct iommufd_hwpt *old)
{
	struct iommu_group *group = join->idev->group;
	struct iommufd_hwpt *hwpt = join->hwpt;
	struct iommufd_device *idev, *next;
	int nr = 0, rc = 0;

	lockdep_assert_held(&old->ioas->attach_lock);
	lockdep_assert_held(&hwpt->ioas->attach_lock);
	list_for_each_entry(idev, &old->attached, item) {
		if (idev->group != group)
			continue;
		rc = prepare_device(idev, old, hwpt);
		if (rc)
			goto err_unreserve;
		nr++;
	}
	rc = iommu_device_replace_user_dma(join->idev->dev, hwpt->domain);
	if (rc) {
		if (rc != -ENOMEM)
			join->rejections++;
		goto err_unreserve;
	}

	list_for_each_entry_safe(idev, next, &old->attached, item)
		if (idev->group == group)
			record_move(idev, old, hwpt);
	return nr;

err_unreserve:
	list_for_each_entry(idev, &old->attached, item) {
		if (!nr)
			break;
		if (idev->group != group)
			continue;
		if (old->ioas != hwpt->ioas)
			iopt_unreserve(hwpt->ioas->iopt, idev->dev);
		nr--;
	}
	return rc;
}

/*
 * Remove @nr devices from the count of @hwpt. If the count drops to 0, no
 * device is attached to the domain of @hwpt any more, and the domain is freed.
 * Returns @hwpt if the caller has to pass it to iommufd_object_remove() after
 * dropping attach_lock, otherwise NULL.
 */
static struct iommufd_hwpt *leave(struct iommufd_hwpt *hwpt, unsigned int nr)
{
	return iommufd_hwpt_leave(hwpt, nr) ? iommufd_hwpt_free_domain(hwpt) :
					      NULL;
}

/* Undo a join. */
static void unjoin(struct iommufd_join *join)
{
	struct iommufd_hwpt *unused;

	mutex_lock(&join->ioas->attach_lock);
	unused = leave(join->hwpt, 1);
	mutex_unlock(&join->ioas->attach_lock);
	if (unused)
		iommufd_object_remove(&unused->obj);
}

/*
 * Move the device to the HWPT that it has joined, and undo the join. The device
 * then counts as one of the devices of the HWPT that it is attached to and of
 * no other.
 */
static int move_joined(struct iommufd_join *join)
{
	struct iommufd_hwpt *hwpt = join->hwpt, *unused, *old;
	struct iommufd_device *idev = join->idev;
	struct iommufd_ioas *ioas;
	int nr;

	ioas = lock_to_move(idev, join->ioas);
	if (IS_ERR(ioas)) {
		unjoin(join);
		return PTR_ERR(ioas);
	}
	old = idev->hwpt;
	nr = old == hwpt ? 0 : move_group(join, old);
	if (nr > 0)
		hwpt->devices += nr;
	unused = leave(hwpt, 1);
	if (ioas != join->ioas)
		mutex_unlock(&join->ioas->attach_lock);

	if (nr > 0)
		unused = leave(old, nr);
	mutex_unlock(&ioas->attach_lock);
	iommufd_object_put(&ioas->obj);
	if (unused)
		iommufd_object_remove(&unused->obj);
	return min(nr, 0);
}

/**
 * iommufd_hwpt_replace() - move an attached device to another HWPT
 * @idev: the attached device
 * @ioas: IOAS to move to, which may be the one that the device is attached to;
 *        the caller is a short-term user of it
 * @hwpt_id: input: ID of an HWPT of @ioas to move to, or 0 for any HWPT;
 *           output: ID of the HWPT that the device is attached to
 *
 * All attached devices of the group move. DMA is translated by the old or by
 * the new HWPT, and is not blocked in between if the IOMMU driver can exchange
 * page tables atomically.
 *
 * Context: As for iommufd_hwpt_attach(), for both IOASes.
 * Return: 0, also if the device is attached to the HWPT already, or
 * * %-EINVAL - As for iommufd_hwpt_attach(), for any of the devices that move.
 * * %-EOPNOTSUPP - The IOMMU driver cannot map memory while no device is
 *   attached.
 * * %-EADDRINUSE - IOVAs that one of these devices or its IOMMU cannot use are
 *   mapped, allowed, or being mapped or unmapped by another thread.
 * * Another errno of iommufd_hwpt_attach().
 *
 * On failure the devices are attached as before.
 */
int iommufd_hwpt_replace(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			 u32 *hwpt_id)
{
	struct iommufd_join join = {
		.idev = idev,
		.ioas = ioas,
		.hwpt_id = *hwpt_id,
		.move = true,
	};
	unsigned int rejections;
	int rc;

	if (!iommufd_ioas_accepts(ioas, idev))
		return -EINVAL;
	/*
	 * Do not make the device the owner of the reservation: a concurrent
	 * move of another device of the group may reserve IOVAs with this
	 * device as the owner. If that move fails, it removes all reservations
	 * of the owner.
	 */
	rc = iopt_reserve_device(ioas->iopt, idev->dev, &join, &join.msi_start);
	if (rc)
		return rc;

	do {
		rejections = join.rejections;
		join.hwpt_id = *hwpt_id;
		rc = iommufd_hwpt_join(&join);
		if (!rc)
			rc = move_joined(&join);
	} while (join.rejections != rejections && !*hwpt_id && !join.created);
	iopt_unreserve(ioas->iopt, &join);
	if (!rc)
		*hwpt_id = join.hwpt_id;
	return rc;
}
