// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test commands for mock devices.
 *
 * A mock device is an object that user space destroys. It is bound to the
 * context and attached from its creation on. Unlike a real device, it does not
 * keep the file open, because nothing but the file owns it.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iommufd.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>

#include "test.h"

/* Size in bytes of the small I/O pages of the mock IOMMU */
#define STEP	(PAGE_SIZE / 2)

/**
 * struct mock_object - mock device, as an object of a context
 * @obj: object head
 * @dev: the device
 * @idev: the bound device
 * @lock: serialises moves of the device
 */
struct mock_object {
	struct iommufd_object obj;
	struct device *dev;
	struct iommufd_device *idev;
	struct mutex lock;	/* Serialises moves */
};

static void mock_object_destroy(struct iommufd_object *obj)
{
	struct mock_object *mock = container_of(obj, struct mock_object, obj);

	iommufd_device_remove(mock->idev);
	mock_device_destroy(mock->dev);
	mutex_destroy(&mock->lock);
}

static const struct iommufd_object_type mock_object_type = {
	.destroy = mock_object_destroy,
};

/* Create the device, bind it, and attach it to the IOAS or HWPT @pt_id. */
static int mock_object_init(struct mock_object *mock, u32 flags, u32 *bound_id,
			    u32 *pt_id)
{
	struct iommufd_ctx *ictx = mock->obj.ictx;
	int rc;

	mock->dev = mock_device_create(flags);
	if (IS_ERR(mock->dev))
		return PTR_ERR(mock->dev);
	mock->idev = iommufd_device_bind(ictx, mock->dev, bound_id);
	if (IS_ERR(mock->idev)) {
		rc = PTR_ERR(mock->idev);
		goto err_device;
	}
	/*
	 * Drop the reference to the file that iommufd_device_bind() took, so
	 * that the device does not keep the file open.
	 */
	iommufd_ctx_put(ictx);
	rc = iommufd_device_attach(mock->idev, pt_id);
	if (rc)
		goto err_unbind;
	mutex_init(&mock->lock);
	return 0;

err_unbind:
	iommufd_device_remove(mock->idev);
err_device:
	mock_device_destroy(mock->dev);
	return rc;
}

int iommufd_test_create_device(struct iommufd_call *call, u32 flags)
{
	struct test_command *cmd = call->cmd;
	u32 pt_id = cmd->id, bound_id;
	struct mock_object *mock;
	int rc;

	if (flags & ~(TEST_DEVICE_NO_DIRTY | TEST_DEVICE_HUGE |
		      TEST_DEVICE_PASID))
		return -EOPNOTSUPP;
	mock = iommufd_object_alloc(call->ictx, sizeof(*mock),
				    &mock_object_type);
	if (IS_ERR(mock))
		return PTR_ERR(mock);
	rc = mock_object_init(mock, flags, &bound_id, &pt_id);
	if (rc) {
		iommufd_object_abort(&mock->obj);
		return rc;
	}
	cmd->device.out_id = mock->obj.id;
	cmd->device.out_hwpt_id = pt_id;
	cmd->device.out_bound_id = bound_id;
	return iommufd_object_respond(&mock->obj, call, sizeof(*cmd));
}

int iommufd_test_move_device(struct iommufd_call *call)
{
	struct test_command *cmd = call->cmd;
	struct iommufd_object *obj;
	struct mock_object *mock;
	int rc;

	obj = iommufd_object_get(call->ictx, cmd->id, &mock_object_type);
	if (!obj)
		return -ENOENT;
	mock = container_of(obj, struct mock_object, obj);
	mutex_lock(&mock->lock);
	rc = iommufd_device_attach(mock->idev, &cmd->pt_id);
	mutex_unlock(&mock->lock);
	iommufd_object_put(obj);
	return rc ?: iommufd_respond(call, sizeof(*cmd));
}

/*
 * Return the page at a user address, with a reference that the caller has to
 * drop, or an ERR_PTR().
 */
struct page *iommufd_test_user_page(unsigned long uaddr)
{
	struct page *page;
	int rc;

	if (fatal_signal_pending(current))
		return ERR_PTR(-EINTR);
	cond_resched();
	rc = get_user_pages_fast(uaddr & PAGE_MASK, 1, 0, &page);
	if (rc == 1)
		return page;
	return ERR_PTR(rc ?: -EFAULT);
}

/*
 * Check that the HWPT @id translates the I/O page at @iova to @phys. An HWPT
 * without devices translates nothing.
 */
static int check_page(struct iommufd_ctx *ictx, u32 id, unsigned long iova,
		      phys_addr_t phys)
{
	struct iommufd_object *obj;
	struct iommufd_hwpt *hwpt;
	bool right;

	obj = iommufd_object_get(ictx, id, &iommufd_hwpt_type);
	if (!obj)
		return -ENOENT;
	hwpt = container_of(obj, struct iommufd_hwpt, obj);
	mutex_lock(&hwpt->ioas->attach_lock);
	right = hwpt->devices && mock_domain_maps(hwpt->domain, iova, phys);
	mutex_unlock(&hwpt->ioas->attach_lock);
	iommufd_object_put(obj);
	return right ? 0 : -EINVAL;
}

int iommufd_test_check_map(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;
	unsigned long done;
	int rc = 0;

	if (cmd->memory.length > TEST_LENGTH_MAX ||
	    !IS_ALIGNED(cmd->memory.iova | cmd->memory.length |
			cmd->memory.uaddr, STEP))
		return -EINVAL;
	for (done = 0; !rc && done < cmd->memory.length; done += STEP) {
		unsigned long addr = cmd->memory.uaddr + done;
		struct page *page = iommufd_test_user_page(addr);
		phys_addr_t phys;

		if (IS_ERR(page))
			return PTR_ERR(page);
		phys = page_to_phys(page) + offset_in_page(addr);
		put_page(page);
		rc = check_page(call->ictx, cmd->id, cmd->memory.iova + done,
				phys);
	}
	return rc;
}

/*
 * Return true if a page has @nr pins. Always return true for a page of a large
 * folio, because the kernel counts only the pins of the whole folio.
 */
static bool has_pins(struct page *page, u32 nr)
{
	struct folio *folio = page_folio(page);

	return folio_test_large(folio) ||
	       folio_ref_count(folio) / GUP_PIN_COUNTING_BIAS == nr;
}

/* Check that each page of the memory has @cmd->pins.nr pins. */
int iommufd_test_check_pins(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;
	unsigned long done;

	if (cmd->pins.length > TEST_LENGTH_MAX ||
	    !PAGE_ALIGNED(cmd->pins.uaddr | cmd->pins.length))
		return -EINVAL;
	for (done = 0; done < cmd->pins.length; done += PAGE_SIZE) {
		struct page *page = iommufd_test_user_page(cmd->pins.uaddr + done);
		bool right;

		if (IS_ERR(page))
			return PTR_ERR(page);
		right = has_pins(page, cmd->pins.nr);
		put_page(page);
		if (!right)
			return -EIO;
	}
	return 0;
}
