// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test command, for the kselftests of iommufd in newer kernels.
 *
 * The test command and IOMMU_DEVICE_GET_INFO have the same ioctl number. The
 * size of the argument distinguishes them.
 */
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <uapi/linux/iommufd.h>

#include "test.h"

/*
 * Make a range of IOVAs unusable until the IOAS is destroyed, as if a device
 * had reserved the range. If the engine cannot reserve the range, it also
 * removes all earlier reservations by this command in the IOAS.
 */
static int test_reserve(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;
	struct iommu_resv_region *region;
	struct iommufd_ioas *ioas;
	phys_addr_t msi_start;
	LIST_HEAD(regions);
	u64 last;
	int rc;

	if (!cmd->range.length ||
	    check_add_overflow(cmd->range.start, cmd->range.length - 1, &last))
		return -EINVAL;
	ioas = iommufd_ioas_get(call->ictx, cmd->id);
	if (!ioas)
		return -ENOENT;
	rc = -ENOMEM;
	region = iommu_alloc_resv_region(cmd->range.start, cmd->range.length, 0,
					 IOMMU_RESV_RESERVED, GFP_KERNEL);
	if (region) {
		list_add(&region->list, &regions);
		rc = iopt_reserve_regions(ioas->iopt, &regions, ioas,
					  &msi_start);
		kfree(region);
	}
	iommufd_object_put(&ioas->obj);
	return rc;
}

/*
 * Pin memory in small batches if @cmd->bytes is less than a page, otherwise in
 * batches of normal size. This applies to all files until the next command of
 * this kind.
 */
static int test_limit_memory(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;

	iopt_debug_small_batches(cmd->bytes < PAGE_SIZE);
	return 0;
}

static int run(struct iommufd_call *call)
{
	const struct test_command *cmd = call->cmd;

	switch (cmd->op) {
	case TEST_OP_RESERVE:
		return test_reserve(call);
	case TEST_OP_CREATE_DEVICE:
		return iommufd_test_create_device(call, 0);
	case TEST_OP_CREATE_DEVICE_FLAGS:
		return iommufd_test_create_device(call, cmd->device.flags);
	case TEST_OP_MOVE_DEVICE:
		return iommufd_test_move_device(call);
	case TEST_OP_CHECK_MAP:
		return iommufd_test_check_map(call);
	case TEST_OP_CHECK_PINS:
		return iommufd_test_check_pins(call);
	case TEST_OP_CREATE_ACCESS:
		return iommufd_test_create_access(call);
	case TEST_OP_MOVE_ACCESS:
	case TEST_OP_PIN:
	case TEST_OP_UNPIN:
	case TEST_OP_RW:
		return iommufd_test_access(call);
	case TEST_OP_LIMIT_MEMORY:
		return test_limit_memory(call);
	}
	return -EOPNOTSUPP;
}

/**
 * iommufd_test() - run a test command
 * @call: the ioctl; @call->cmd is not set
 *
 * Context: May sleep.
 * Return: 0 or an errno that depends on the operation.
 */
int iommufd_test(struct iommufd_call *call)
{
	struct test_command cmd;

	if (copy_from_user(&cmd, call->arg, sizeof(cmd)))
		return -EFAULT;
	call->cmd = &cmd;
	return run(call);
}

/**
 * iommufd_is_test() - check whether an ioctl is a test command
 * @nr: number of the ioctl
 * @size: size of its argument in bytes
 *
 * Context: Any context.
 * Return: true if iommufd_test() has to be called.
 */
bool iommufd_is_test(unsigned int nr, u32 size)
{
	return nr == IOMMUFD_CMD_BASE + 32 && size == sizeof(struct test_command);
}
