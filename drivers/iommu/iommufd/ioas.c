// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O address spaces: what user space may ask of them.
 *
 * Rule: check the arguments, ask the engine, answer. An answer that cannot be
 * copied out must not leave behind something new that the caller does not know
 * of: IDs are copied out before they lead anywhere, a mapping whose IOVA cannot
 * be told is unmapped, and an unmap tries the place of its answer first.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/iopt.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

static void iommufd_ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);

	iopt_free(ioas->iopt);
	mutex_destroy(&ioas->attach_lock);
}

const struct iommufd_object_type iommufd_ioas_type = {
	.destroy = iommufd_ioas_destroy,
};

/* Has an ID, which leads nowhere yet. */
static struct iommufd_ioas *ioas_alloc(struct iommufd_ctx *ictx)
{
	/* what user space makes the kernel allocate is charged to it */
	static const struct iopt_policy policy = {
		.gfp = GFP_KERNEL_ACCOUNT,
		.max_areas = UINT_MAX,
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
	return ioas;
}

/* Answers the call that made @ioas, and then lets the ID lead to it. */
static int ioas_answer(struct iommufd_ioas *ioas, struct iommufd_call *call,
		       size_t size)
{
	if (iommufd_respond(call, size)) {
		iommufd_ioas_destroy(&ioas->obj);
		iommufd_object_abort(&ioas->obj);
		return -EFAULT;
	}
	iommufd_object_publish(&ioas->obj);
	return 0;
}

int iommufd_ioas_alloc(struct iommufd_call *call)
{
	struct iommu_ioas_alloc *cmd = call->cmd;
	struct iommufd_ioas *ioas;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = ioas_alloc(call->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	cmd->out_ioas_id = ioas->obj.id;
	return ioas_answer(ioas, call, sizeof(*cmd));
}

int iommufd_ioasid_alloc(struct iommufd_call *call)
{
	struct iommu_ioasid_alloc *cmd = call->cmd;
	struct iommufd_ioas *ioas;

	if (cmd->flags & ~IOMMU_IOASID_ENFORCE_SNOOP)
		return -EOPNOTSUPP;
	if (cmd->addr_width > 64)
		return -EINVAL;

	ioas = ioas_alloc(call->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	ioas->enforce_snoop = cmd->flags & IOMMU_IOASID_ENFORCE_SNOOP;
	ioas->addr_width = cmd->addr_width;
	cmd->out_ioasid = ioas->obj.id;
	return ioas_answer(ioas, call, sizeof(*cmd));
}

/*
 * The engine's list, as far as the caller has room for it: at most @room
 * ranges, to be freed, and how many of them there are, in @nr. Returns how many
 * exist.
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
		/* more than a moment ago, and room for them */
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
	}
	kvfree(ranges);
	if (!rc)
		rc = iommufd_respond(call, sizeof(*cmd));
	if (!rc && cmd->num_iovas > room)
		rc = -EMSGSIZE;
	return rc;
}

int iommufd_ioas_map(struct iommufd_call *call)
{
	const u32 known = IOMMU_IOAS_MAP_FIXED_IOVA |
			  IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE;
	struct iommu_ioas_map *cmd = call->cmd;
	/* a process cannot flush caches, so its DMA has to be coherent */
	int prot = IOMMU_CACHE;
	struct iommu_ioas_map __user *answer = call->arg;
	unsigned long iova = cmd->iova, unmapped;
	unsigned int how = 0;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags & ~known || cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX ||
	    cmd->user_va > ULONG_MAX)
		return -EOVERFLOW;
	if (cmd->flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	if (cmd->flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	if (!(prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;
	if (cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA)
		how = IOPT_MAP_FIXED;

	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;
	rc = iopt_map_user(ioas->iopt, &iova, u64_to_user_ptr(cmd->user_va),
			   cmd->length, prot,
			   capable(CAP_IPC_LOCK) ? IOPT_ACCOUNT_NONE :
						   IOPT_ACCOUNT_USER, how);
	if (!rc && !how && put_user(iova, &answer->iova)) {
		iopt_unmap(ioas->iopt, iova, iova + (cmd->length - 1),
			   &unmapped);
		rc = -EFAULT;
	}
	iommufd_object_put(&ioas->obj);
	return rc;
}

/* The closed interval that @cmd means. */
static int unmap_interval(const struct iommu_ioas_unmap *cmd,
			  unsigned long *start, unsigned long *last)
{
	if (!cmd->iova && cmd->length == U64_MAX) {
		*start = 0;
		*last = ULONG_MAX;
		return 0;
	}
	if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX)
		return -EOVERFLOW;
	if (!cmd->length)
		return -EINVAL;
	*start = cmd->iova;
	if (check_add_overflow(*start, (unsigned long)cmd->length - 1, last))
		return -EOVERFLOW;
	return 0;
}

int iommufd_ioas_unmap(struct iommufd_call *call)
{
	struct iommu_ioas_unmap *cmd = call->cmd;
	struct iommu_ioas_unmap __user *answer = call->arg;
	unsigned long start, last, unmapped = 0;
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;

	rc = unmap_interval(cmd, &start, &last);
	/* what cannot be undone must not fail for want of a place to tell */
	if (!rc && put_user(cmd->length, &answer->length))
		rc = -EFAULT;
	if (rc)
		goto out;

	rc = iopt_unmap(ioas->iopt, start, last, &unmapped);
	if (!rc || unmapped) {
		cmd->length = unmapped;
		if (put_user(cmd->length, &answer->length))
			rc = -EFAULT;
	}
out:
	iommufd_object_put(&ioas->obj);
	return rc;
}

MODULE_IMPORT_NS(IOPT);
MODULE_DESCRIPTION("I/O address spaces for user space");
MODULE_LICENSE("GPL");
