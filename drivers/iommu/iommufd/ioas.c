// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O address spaces: their allocation and their usable IOVAs.
 *
 * The functions check their arguments and leave the rest to the engine.
 */
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iopt.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

/*
 * Maximum number of ranges for IOMMU_IOAS_ALLOW_IOVAS. A map that lets the
 * kernel choose the IOVA may walk all of them while other calls wait.
 */
#define ALLOWED_MAX	65536

static void iommufd_ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);

	/* The test command reserves ranges that no detach removes. */
	if (IS_ENABLED(CONFIG_IOMMUFD_TEST))
		iopt_unreserve(ioas->iopt, ioas);
	iopt_free(ioas->iopt);
	iommufd_container_destroy(ioas);
	mutex_destroy(&ioas->attach_lock);
}

const struct iommufd_object_type iommufd_ioas_type = {
	.destroy = iommufd_ioas_destroy,
};

/* Allocate an IOAS without publishing it. */
struct iommufd_ioas *iommufd_ioas_new(struct iommufd_ctx *ictx)
{
	/* Charge allocations to the memory cgroup of the calling process. */
	static const struct iopt_policy policy = {
		.gfp = GFP_KERNEL_ACCOUNT,
		.max_areas = UINT_MAX,
		.alignment = 1,
	};
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_object_alloc(ictx, sizeof(*ioas), &iommufd_ioas_type);
	if (IS_ERR(ioas))
		return ioas;

	ioas->iopt = iopt_alloc(&policy);
	if (IS_ERR(ioas->iopt)) {
		rc = PTR_ERR(ioas->iopt);
		iommufd_object_abort(&ioas->obj);
		return ERR_PTR(rc);
	}
	mutex_init(&ioas->attach_lock);
	INIT_LIST_HEAD(&ioas->hwpts);
	iommufd_container_init(ioas);
	return ioas;
}

int iommufd_ioas_alloc(struct iommufd_call *call)
{
	struct iommu_ioas_alloc *cmd = call->cmd;
	struct iommufd_ioas *ioas;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_new(call->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	cmd->out_ioas_id = ioas->obj.id;
	return iommufd_object_respond(&ioas->obj, call, sizeof(*cmd));
}

int iommufd_ioasid_alloc(struct iommufd_call *call)
{
	struct iommu_ioasid_alloc *cmd = call->cmd;
	struct iommufd_ioas *ioas;

	if (cmd->flags & ~IOMMU_IOASID_ENFORCE_SNOOP)
		return -EOPNOTSUPP;
	if (cmd->addr_width > 64)
		return -EINVAL;

	ioas = iommufd_ioas_new(call->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	ioas->enforce_snoop = cmd->flags & IOMMU_IOASID_ENFORCE_SNOOP;
	ioas->addr_width = cmd->addr_width;
	cmd->out_ioasid = ioas->obj.id;
	return iommufd_object_respond(&ioas->obj, call, sizeof(*cmd));
}

/*
 * Get at most @room usable ranges from the engine. Sets @ranges to a new array,
 * which the caller frees, and @nr to the number of ranges in it. If out of
 * memory, sets @ranges to NULL. Returns the number of ranges that exist.
 */
static unsigned int ranges_snapshot(struct io_pagetable *iopt, u32 room,
				    struct iopt_range **ranges,
				    unsigned int *nr)
{
	unsigned int exist = iopt_iova_ranges(iopt, NULL, 0);

	for (;;) {
		*nr = min_t(unsigned int, exist, room);
		*ranges = kvmalloc_array(*nr, sizeof(**ranges),
					 GFP_KERNEL_ACCOUNT);
		if (!*ranges)
			return 0;
		exist = iopt_iova_ranges(iopt, *ranges, *nr);
		/* Retry if ranges were added and there is room for them. */
		if (exist > *nr && *nr < room) {
			kvfree(*ranges);
			continue;
		}
		*nr = min(*nr, exist);
		return exist;
	}
}

int iommufd_ioas_iova_ranges(struct iommufd_call *call)
{
	struct iommu_ioas_iova_ranges *cmd = call->cmd;
	struct iommu_iova_range __user *array;
	struct iopt_range *ranges;
	struct iommufd_ioas *ioas;
	u32 room = cmd->num_iovas;
	unsigned int nr, i;
	int rc = 0;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;

	cmd->num_iovas = ranges_snapshot(ioas->iopt, room, &ranges, &nr);
	cmd->out_iova_alignment = iopt_iova_alignment(ioas->iopt);
	iommufd_object_put(&ioas->obj);
	if (!ranges)
		return -ENOMEM;

	array = u64_to_user_ptr(cmd->allowed_iovas);
	for (i = 0; i < nr; i++) {
		struct iommu_iova_range range = {
			.start = ranges[i].start,
			.last = ranges[i].last,
		};

		if (copy_to_user(&array[i], &range, sizeof(range))) {
			rc = -EFAULT;
			break;
		}
		cond_resched();
	}
	kvfree(ranges);
	if (!rc)
		rc = iommufd_respond(call, sizeof(*cmd));
	if (!rc && cmd->num_iovas > room)
		rc = -EMSGSIZE;
	return rc;
}

/*
 * Copy the allowed ranges from user space, and check each of them on its own.
 * The engine checks that they do not overlap. The caller frees the returned
 * array.
 */
static struct iopt_range *allowed_ranges(struct iommu_iova_range __user *array,
					 u32 nr)
{
	struct iopt_range *ranges;
	u32 i;

	if (nr > ALLOWED_MAX)
		return ERR_PTR(-ENOMEM);
	ranges = kvmalloc_array(nr, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	if (!ranges)
		return ERR_PTR(-ENOMEM);

	for (i = 0; i != nr; i++) {
		struct iommu_iova_range range;
		int rc = 0;

		if (copy_from_user(&range, &array[i], sizeof(range)))
			rc = -EFAULT;
		else if (range.start >= range.last)
			rc = -EINVAL;
		else if (range.last > ULONG_MAX)
			rc = -EOVERFLOW;
		if (rc) {
			kvfree(ranges);
			return ERR_PTR(rc);
		}
		ranges[i].start = range.start;
		ranges[i].last = range.last;
		cond_resched();
	}
	return ranges;
}

int iommufd_ioas_allow_iovas(struct iommufd_call *call)
{
	struct iommu_ioas_allow_iovas *cmd = call->cmd;
	struct iopt_range *ranges;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;

	ranges = allowed_ranges(u64_to_user_ptr(cmd->allowed_iovas),
				cmd->num_iovas);
	rc = PTR_ERR_OR_ZERO(ranges);
	if (!rc) {
		rc = iopt_allow_iova(ioas->iopt, ranges, cmd->num_iovas);
		kvfree(ranges);
	}
	iommufd_object_put(&ioas->obj);
	return rc;
}

MODULE_IMPORT_NS(IOPT);
MODULE_DESCRIPTION("I/O address spaces for user space");
MODULE_LICENSE("GPL");
