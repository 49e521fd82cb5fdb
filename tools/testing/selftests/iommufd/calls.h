/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wrappers for /dev/iommu commands that several selftests use, in addition to
 * those in ioas.h of samples/iommufd. Wrappers return 0 or -errno unless noted
 * otherwise.
 */
#ifndef SELFTESTS_IOMMUFD_CALLS_H
#define SELFTESTS_IOMMUFD_CALLS_H

#include <stdint.h>

#include "ioas.h"

/* An ID that is never allocated. */
#define NO_SUCH_ID	0x7ffffff0u

static inline int ioas_allow(int iommufd, __u32 ioas_id,
			     const struct iommu_iova_range *ranges, __u32 nr)
{
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = ioas_id,
		.num_iovas = nr,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return iommu_call(iommufd, IOMMU_IOAS_ALLOW_IOVAS, &allow);
}

/* Map at an IOVA that the kernel chooses and returns in @iova. */
static inline int ioas_map_anywhere(int iommufd, __u32 ioas_id,
				    const void *memory, size_t length,
				    __u32 access, __u64 *iova)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = access,
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)memory,
		.length = length,
	};
	int err = iommu_call(iommufd, IOMMU_IOAS_MAP, &map);

	*iova = map.iova;
	return err;
}

static inline int ioas_copy(int iommufd, __u32 src, __u64 src_iova, __u32 dst,
			    __u64 dst_iova, __u64 length, __u32 access)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | access,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = length,
		.dst_iova = dst_iova,
		.src_iova = src_iova,
	};

	return iommu_call(iommufd, IOMMU_IOAS_COPY, &copy);
}

static inline int option_set(int iommufd, __u32 option, __u32 object,
			     __u64 value)
{
	struct iommu_option set = {
		.size = sizeof(set),
		.option_id = option,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = object,
		.val64 = value,
	};

	return iommu_call(iommufd, IOMMU_OPTION, &set);
}

/* If the ioctl fails, @value keeps its old value. */
static inline int option_get(int iommufd, __u32 option, __u32 object,
			     __u64 *value)
{
	struct iommu_option get = {
		.size = sizeof(get),
		.option_id = option,
		.op = IOMMU_OPTION_OP_GET,
		.object_id = object,
		.val64 = *value,
	};
	int err = iommu_call(iommufd, IOMMU_OPTION, &get);

	*value = get.val64;
	return err;
}

static inline int hwpt_alloc(int iommufd, __u32 dev_id, __u32 pt_id,
			     __u32 *hwpt_id)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = dev_id,
		.pt_id = pt_id,
	};
	int err = iommu_call(iommufd, IOMMU_HWPT_ALLOC, &alloc);

	*hwpt_id = alloc.out_hwpt_id;
	return err;
}

/* Remove all mappings. Returns the number of bytes unmapped, or -errno. */
static inline long long ioas_unmap_all(int iommufd, __u32 ioas)
{
	__u64 length = ~0ull;
	int err = ioas_unmap(iommufd, ioas, 0, &length);

	return err ? err : (long long)length;
}

#endif
