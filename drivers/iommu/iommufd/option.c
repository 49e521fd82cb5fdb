// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_OPTION: set and get options.
 *
 * Setting an option changes neither existing charges nor existing I/O pages.
 * IOMMU_OPTION_RLIMIT_MODE can therefore only be set while the file has no
 * object, and IOMMU_OPTION_HUGE_PAGES cannot be set to 0 while a domain may
 * contain large I/O pages.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/iopt.h>
#include <linux/mm.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static int set_account(struct iommufd_ctx *ictx, enum iopt_account account)
{
	int rc = 0;

	xa_lock(&ictx->objects);
	if (xa_empty(&ictx->objects))
		WRITE_ONCE(ictx->account, account);
	else
		rc = -EBUSY;
	xa_unlock(&ictx->objects);
	return rc;
}

static int option_rlimit_mode(struct iommufd_ctx *ictx,
			      struct iommu_option *cmd)
{
	if (cmd->object_id)
		return -EOPNOTSUPP;

	switch (cmd->op) {
	case IOMMU_OPTION_OP_GET:
		cmd->val64 = READ_ONCE(ictx->account) != IOPT_ACCOUNT_USER;
		return 0;
	case IOMMU_OPTION_OP_SET:
		if (!capable(CAP_SYS_RESOURCE))
			return -EPERM;
		if (cmd->val64 > 1)
			return -EINVAL;
		return set_account(ictx, cmd->val64 ? IOPT_ACCOUNT_MM_PINNED :
						      IOPT_ACCOUNT_USER);
	}
	return -EOPNOTSUPP;
}

static int set_small_iopte(struct iommufd_ioas *ioas, bool small)
{
	int rc;

	/*
	 * Wait for an attach in progress: if it fails, the option can be set.
	 */
	if (mutex_lock_killable(&ioas->attach_lock))
		return -EINTR;
	rc = iopt_set_max_iopte(ioas->iopt, small ? PAGE_SIZE : IOPT_MAX_IOPTE);
	mutex_unlock(&ioas->attach_lock);
	/*
	 * The engine returns -EBUSY while large I/O pages may be in use. The
	 * uAPI defines this as -EINVAL.
	 */
	return rc == -EBUSY ? -EINVAL : rc;
}

static int option_huge_pages(struct iommufd_ctx *ictx,
			     struct iommu_option *cmd)
{
	struct iommufd_ioas *ioas = iommufd_ioas_get(ictx, cmd->object_id);
	int rc = 0;

	if (!ioas)
		return -ENOENT;
	if (cmd->op == IOMMU_OPTION_OP_GET)
		cmd->val64 = iopt_max_iopte(ioas->iopt) != PAGE_SIZE;
	else if (cmd->op != IOMMU_OPTION_OP_SET)
		rc = -EOPNOTSUPP;
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else
		rc = set_small_iopte(ioas, !cmd->val64);
	iommufd_object_put(&ioas->obj);
	return rc;
}

int iommufd_option(struct iommufd_call *call)
{
	struct iommu_option __user *answer = call->arg;
	struct iommu_option *cmd = call->cmd;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		rc = option_rlimit_mode(call->ictx, cmd);
		break;
	case IOMMU_OPTION_HUGE_PAGES:
		rc = option_huge_pages(call->ictx, cmd);
		break;
	default:
		rc = -EOPNOTSUPP;
	}
	if (!rc && cmd->op == IOMMU_OPTION_OP_GET &&
	    put_user(cmd->val64, &answer->val64))
		rc = -EFAULT;
	return rc;
}
