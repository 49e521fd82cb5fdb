// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: the I/O page tables of an IOAS.
 *
 * An IOAS has as many as its devices need, most often one. A device is put on
 * the first that it accepts; for one that accepts none a new one is made. An
 * HWPT goes with the last device on it.
 *
 * Rule: a device reaches a domain only through the IOMMU core, which keeps the
 * devices of a group together, and a domain gets its content only from the
 * engine. A domain is offered to a device first and filled then, since many
 * drivers decide on its format when they attach the first device.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iopt.h>

#include "iommufd_private.h"

static void iommufd_hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	iommu_domain_free(hwpt->domain);
	iommufd_object_unuse(&hwpt->ioas->obj);
}

const struct iommufd_object_type iommufd_hwpt_type = {
	.destroy = iommufd_hwpt_destroy,
};

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
 * Whether what the domain already promises or needs allows @idev: a driver may
 * accept a device and silently change the domain to fit it.
 */
static bool hwpt_suits(struct iommufd_hwpt *hwpt, struct iommufd_device *idev)
{
	return hwpt->enforce_snoop == idev->info.enforce_snoop &&
	       hwpt->addr_width <= idev->info.addr_width;
}

/* Puts @idev on an HWPT that other devices are on. */
static int hwpt_join(struct iommufd_hwpt *hwpt, struct iommufd_device *idev,
		     phys_addr_t msi_start)
{
	int rc;

	rc = hwpt_msi_window(hwpt, msi_start);
	if (!rc)
		rc = iommu_device_attach_user_dma(idev->dev, hwpt->domain);
	if (rc)
		return rc;
	hwpt->devices++;
	idev->hwpt = hwpt;
	return 0;
}

/* Makes an HWPT for @idev and fills it. */
static int hwpt_create(struct iommufd_ioas *ioas, struct iommufd_device *idev,
		       phys_addr_t msi_start)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = iommufd_object_alloc(idev->obj.ictx, sizeof(*hwpt),
				    &iommufd_hwpt_type);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = iommufd_object_use(&ioas->obj);
	if (rc)
		goto err_abort;

	rc = -ENOMEM;
	hwpt->domain = iommu_domain_alloc(idev->dev->bus);
	if (!hwpt->domain)
		goto err_unuse;
	hwpt->ioas = ioas;
	hwpt->addr_width = idev->info.addr_width;

	/* before the first entry is written: some carry a bit for it */
	if (idev->info.enforce_snoop) {
		struct iommu_domain *domain = hwpt->domain;

		hwpt->enforce_snoop = domain->ops->enforce_cache_coherency &&
			domain->ops->enforce_cache_coherency(domain);
		if (!hwpt->enforce_snoop) {
			rc = -EINVAL;
			goto err_free;
		}
	}

	rc = hwpt_msi_window(hwpt, msi_start);
	if (rc)
		goto err_free;
	rc = iommu_device_attach_user_dma(idev->dev, hwpt->domain);
	if (rc)
		goto err_free;
	rc = iopt_attach_domain(ioas->iopt, hwpt->domain);
	if (rc)
		goto err_detach;

	/* the devices on it are a user: user space cannot destroy it */
	hwpt->obj.users = 1;
	hwpt->devices = 1;
	list_add_tail(&hwpt->item, &ioas->hwpts);
	idev->hwpt = hwpt;
	iommufd_object_publish(&hwpt->obj);
	return 0;

err_detach:
	iommu_device_detach_user_dma(idev->dev);
err_free:
	iommu_domain_free(hwpt->domain);
err_unuse:
	iommufd_object_unuse(&ioas->obj);
err_abort:
	iommufd_object_abort(&hwpt->obj);
	return rc;
}

/*
 * Finds the place of @idev in @ioas. That a device does not accept a domain
 * shows in many errnos, depending on the driver, so any of them makes it try
 * the next; what counts is what the domain made for itself says.
 */
static int hwpt_find(struct iommufd_ioas *ioas, struct iommufd_device *idev,
		     phys_addr_t msi_start)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		if (!hwpt_suits(hwpt, idev))
			continue;
		rc = hwpt_join(hwpt, idev, msi_start);
		if (!rc || rc == -ENOMEM)
			return rc;
	}
	return hwpt_create(ioas, idev, msi_start);
}

/**
 * iommufd_hwpt_attach() - attach a device to an IOAS
 * @idev: the device, not attached
 * @ioas: the IOAS; the caller is its short-term user
 * @hwpt: the HWPT of it to attach to, of which the caller is a short-term user
 *        too; NULL for any
 *
 * Sets @idev's hwpt. From then on the device reaches what is mapped and nothing
 * else.
 *
 * Context: takes the IOAS's attach_lock. Pins memory.
 * Return: 0; -EINVAL if the device does not meet the conditions of the IOAS, if
 * its group is attached elsewhere, or if the IOMMU driver finds that it does
 * not fit; -ENOENT if @hwpt was just freed; -EADDRINUSE if something is mapped
 * where the device or its IOMMU cannot have it; -EINTR on a fatal signal;
 * -ENOMEM; other errnos of the IOMMU driver and of pinning. After a failure
 * DMA of the device is blocked, as it was.
 */
int iommufd_hwpt_attach(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			struct iommufd_hwpt *hwpt)
{
	phys_addr_t msi_start;
	int rc;

	if (ioas->enforce_snoop && !idev->info.enforce_snoop)
		return -EINVAL;
	if (idev->info.addr_width < ioas->addr_width)
		return -EINVAL;

	if (mutex_lock_killable(&ioas->attach_lock))
		return -EINTR;

	/* before the domain is there: mappings must know what to avoid */
	rc = iopt_reserve_device(ioas->iopt, idev->dev, &msi_start);
	if (rc)
		goto out;

	if (!hwpt)
		rc = hwpt_find(ioas, idev, msi_start);
	else if (!hwpt->devices)
		rc = -ENOENT;
	else if (!hwpt_suits(hwpt, idev))
		rc = -EINVAL;
	else
		rc = hwpt_join(hwpt, idev, msi_start);
	if (rc)
		iopt_unreserve_device(ioas->iopt, idev->dev);
out:
	mutex_unlock(&ioas->attach_lock);
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
	bool last;

	/* whoever comes last may let the IOAS go before this is out of here */
	refcount_inc(&ioas->obj.refs);
	mutex_lock(&ioas->attach_lock);
	last = !--hwpt->devices;
	/* while it has a device: drivers settle on a new format without one */
	if (last) {
		list_del(&hwpt->item);
		iopt_detach_domain(ioas->iopt, hwpt->domain);
	}
	iommu_device_detach_user_dma(idev->dev);
	iopt_unreserve_device(ioas->iopt, idev->dev);
	idev->hwpt = NULL;
	mutex_unlock(&ioas->attach_lock);

	/* waits for who holds it by its ID, and that one may want the lock */
	if (last)
		iommufd_object_remove(&hwpt->obj);
	iommufd_object_put(&ioas->obj);
}
