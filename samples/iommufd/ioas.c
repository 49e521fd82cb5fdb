// SPDX-License-Identifier: GPL-2.0-only
/* Wrappers for the ioctls of /dev/iommu. See ioas.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "ioas.h"

int iommu_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int iommu_call(int iommufd, unsigned long request, void *argument)
{
	return ioctl(iommufd, request, argument) < 0 ? -errno : 0;
}

int ioas_alloc(int iommufd, __u32 *ioas_id)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };
	int err = iommu_call(iommufd, IOMMU_IOAS_ALLOC, &alloc);

	if (!err)
		*ioas_id = alloc.out_ioas_id;
	return err;
}

int ioas_map(int iommufd, __u32 ioas_id, const void *memory, size_t length,
	     __u64 iova, __u32 access)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | access,
		.ioas_id = ioas_id,
		.user_va = (uintptr_t)memory,
		.length = length,
		.iova = iova,
	};

	return iommu_call(iommufd, IOMMU_IOAS_MAP, &map);
}

int ioas_unmap(int iommufd, __u32 ioas_id, __u64 iova, __u64 *length)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = ioas_id,
		.iova = iova,
		.length = *length,
	};
	int err = iommu_call(iommufd, IOMMU_IOAS_UNMAP, &unmap);

	*length = err ? 0 : unmap.length;
	return err;
}

int ioas_ranges(int iommufd, __u32 ioas_id, struct iommu_iova_range *ranges,
		__u32 *nr, __u64 *alignment)
{
	struct iommu_ioas_iova_ranges query = {
		.size = sizeof(query),
		.ioas_id = ioas_id,
		.num_iovas = *nr,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int err = iommu_call(iommufd, IOMMU_IOAS_IOVA_RANGES, &query);

	*nr = query.num_iovas;
	*alignment = query.out_iova_alignment;
	return err;
}

int iommu_device_info(int iommufd, __u32 dev_id,
		      struct iommu_device_get_info *info)
{
	*info = (struct iommu_device_get_info){
		.size = sizeof(*info),
		.dev_id = dev_id,
	};
	return iommu_call(iommufd, IOMMU_DEVICE_GET_INFO, info);
}

int iommu_destroy(int iommufd, __u32 id)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = id };

	return iommu_call(iommufd, IOMMU_DESTROY, &destroy);
}
