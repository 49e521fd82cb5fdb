// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that map memory, copy mappings and unmap.
 *
 * The functions check their arguments and leave the rest to the engine.
 *
 * User space must always know which mappings exist, even if an answer cannot be
 * returned. A new mapping is therefore removed if the chosen IOVA cannot be
 * returned, and an unmap checks that its answer can be written before it
 * removes any mapping.
 */
#include <linux/errno.h>
#include <linux/iopt.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <uapi/linux/iommufd.h>

#include "iommufd_private.h"

/**
 * struct mapping_flags - enum iommufd_ioas_map_flags, decoded for the engine
 * @prot: IOMMU_READ, IOMMU_WRITE and IOMMU_CACHE
 * @map_flags: IOPT_MAP_FIXED, or 0 for the engine to choose the IOVA
 */
struct mapping_flags {
	int prot;
	unsigned int map_flags;
};

static int decode_flags(u32 flags, struct mapping_flags *decoded)
{
	const u32 access = IOMMU_IOAS_MAP_WRITEABLE | IOMMU_IOAS_MAP_READABLE;

	if (flags & ~(access | IOMMU_IOAS_MAP_FIXED_IOVA))
		return -EOPNOTSUPP;
	if (!(flags & access))
		return -EINVAL;
	decoded->map_flags =
		flags & IOMMU_IOAS_MAP_FIXED_IOVA ? IOPT_MAP_FIXED : 0;
	/* The uAPI has no command to flush CPU caches: require coherent DMA. */
	decoded->prot = IOMMU_CACHE;
	if (flags & IOMMU_IOAS_MAP_READABLE)
		decoded->prot |= IOMMU_READ;
	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		decoded->prot |= IOMMU_WRITE;
	return 0;
}

/*
 * Return the chosen IOVA to user space. Remove the mapping if that fails. If
 * drivers have already pinned pages of the mapping, the removal waits until the
 * pages are unpinned, and the mapping stays if the caller is killed meanwhile.
 */
static int mapping_respond(struct iommufd_ioas *ioas, unsigned long iova,
			   u64 length, u64 __user *answer)
{
	unsigned long unmapped;

	if (!put_user((u64)iova, answer))
		return 0;
	iopt_unmap(ioas->iopt, iova, iova + (length - 1), &unmapped);
	return -EFAULT;
}

/*
 * Look up an IOAS for a call that pins memory, and make the call a long-term
 * user of the IOAS. Pinning may block forever. IOMMU_DESTROY would wait for
 * a short-term user, but fails with -EBUSY if there is a long-term user.
 */
static struct iommufd_ioas *ioas_enter(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_ioas *ioas = iommufd_ioas_get(ictx, id);

	if (ioas && iommufd_object_use(&ioas->obj)) {
		iommufd_object_put(&ioas->obj);
		return NULL;
	}
	return ioas;
}

static void ioas_exit(struct iommufd_ioas *ioas)
{
	iommufd_object_unuse(&ioas->obj);
	iommufd_object_put(&ioas->obj);
}

int iommufd_ioas_map(struct iommufd_call *call)
{
	struct iommu_ioas_map __user *answer = call->arg;
	struct iommu_ioas_map *cmd = call->cmd;
	unsigned long iova = cmd->iova;
	struct mapping_flags flags;
	struct iommufd_ioas *ioas;
	int rc;

	rc = decode_flags(cmd->flags, &flags);
	if (rc)
		return rc;
	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->iova >= ULONG_MAX || cmd->length >= ULONG_MAX ||
	    cmd->user_va > ULONG_MAX)
		return -EOVERFLOW;

	ioas = ioas_enter(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;
	rc = iopt_map_user(ioas->iopt, &iova, u64_to_user_ptr(cmd->user_va),
			   cmd->length, flags.prot,
			   iommufd_account(call->ictx), flags.map_flags);
	if (!rc && !flags.map_flags)
		rc = mapping_respond(ioas, iova, cmd->length, &answer->iova);
	ioas_exit(ioas);
	return rc;
}

int iommufd_ioas_copy(struct iommufd_call *call)
{
	struct iommu_ioas_copy __user *answer = call->arg;
	struct iommu_ioas_copy *cmd = call->cmd;
	unsigned long iova = cmd->dst_iova;
	struct iommufd_ioas *src, *dst;
	struct mapping_flags flags;
	int rc;

	rc = decode_flags(cmd->flags, &flags);
	if (rc)
		return rc;
	if (cmd->dst_iova >= ULONG_MAX || cmd->length >= ULONG_MAX ||
	    cmd->src_iova >= ULONG_MAX)
		return -EOVERFLOW;

	src = ioas_enter(call->ictx, cmd->src_ioas_id);
	if (!src)
		return -ENOENT;
	rc = -ENOENT;
	dst = ioas_enter(call->ictx, cmd->dst_ioas_id);
	if (!dst)
		goto out_src;
	rc = iopt_copy(dst->iopt, &iova, src->iopt, cmd->src_iova, cmd->length,
		       flags.prot, flags.map_flags);
	rc = iommufd_pin_errno(rc);
	if (!rc && !flags.map_flags)
		rc = mapping_respond(dst, iova, cmd->length, &answer->dst_iova);
	ioas_exit(dst);
out_src:
	ioas_exit(src);
	return rc;
}

/*
 * Convert @cmd to a closed interval. IOVA 0 with length U64_MAX stands for the
 * whole address space.
 */
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
	unsigned long start, last, unmapped;
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_ioas_get(call->ictx, cmd->ioas_id);
	if (!ioas)
		return -ENOENT;

	rc = unmap_interval(cmd, &start, &last);
	/* Fail before anything is unmapped if the answer cannot be written. */
	if (!rc && put_user(cmd->length, &answer->length))
		rc = -EFAULT;
	if (rc)
		goto out;

	rc = iopt_unmap(ioas->iopt, start, last, &unmapped);
	if (!rc && put_user(unmapped, &answer->length))
		rc = -EFAULT;
out:
	iommufd_object_put(&ioas->obj);
	return rc;
}
