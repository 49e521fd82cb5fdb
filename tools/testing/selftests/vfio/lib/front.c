// SPDX-License-Identifier: GPL-2.0-only
/* An address space of type1 or of /dev/iommu. See front.h. */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "front.h"
#include "mdev_testbed.h"

static int open_ioas(struct front *front)
{
	front->iommufd = iommu_open();
	if (front->iommufd < 0)
		return front->iommufd;
	return ioas_alloc(front->iommufd, &front->ioas);
}

static int attach(const struct front *front)
{
	__u32 pt_id = front->ioas;

	return vfio_attach(front->device.fd, &pt_id);
}

void front_close(struct front *front)
{
	legacy_close(&front->legacy);
	device_close(&front->device);
	if (front->iommufd >= 0)
		close(front->iommufd);
	front->iommufd = -1;
}

int front_open(struct front *front, bool type1, const char *address)
{
	int err;

	*front = NO_FRONT;
	front->type1 = type1;
	if (type1)
		return legacy_open(&front->legacy, address);

	err = open_ioas(front);
	if (!err)
		err = device_open(&front->device, address, front->iommufd);
	if (!err)
		err = attach(front);
	if (err)
		front_close(front);
	return err;
}

int front_open_mediated(struct front *front, bool type1,
			const struct mediated *device)
{
	int err;

	*front = NO_FRONT;
	front->type1 = type1;
	if (type1)
		return legacy_open_mediated(&front->legacy, device->uuid);

	err = open_ioas(front);
	if (!err)
		err = mdev_open(device, front->iommufd, &front->device.fd,
				&front->device.id);
	if (!err)
		err = attach(front);
	if (err)
		front_close(front);
	return err;
}

int front_map(const struct front *front, const void *memory, size_t length,
	      __u64 iova, bool writable)
{
	if (front->type1)
		return legacy_map((struct legacy *)&front->legacy, memory,
				  length, iova, writable);
	return ioas_map(front->iommufd, front->ioas, memory, length, iova,
			writable ? IOAS_READ_WRITE : IOAS_READ);
}

long front_unmap(const struct front *front, __u64 iova, __u64 length)
{
	int err;

	if (front->type1)
		err = legacy_unmap((struct legacy *)&front->legacy, iova,
				   &length);
	else
		err = ioas_unmap(front->iommufd, front->ioas, iova, &length);
	return err ? err : (long)length;
}

int front_query(const struct front *front)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	struct iommu_iova_range ranges[8];
	__u64 alignment;
	__u32 nr = 8;

	if (front->type1)
		return ioctl(front->legacy.container, VFIO_IOMMU_GET_INFO,
			     &info) ? -errno : 0;
	return ioas_ranges(front->iommufd, front->ioas, ranges, &nr,
			   &alignment);
}

long front_unmap_all(const struct front *front)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_ALL,
	};

	if (!front->type1)
		return front_unmap(front, 0, ~0ull);
	if (ioctl(front->legacy.container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return (long)unmap.size;
}

long front_call_map(void *data)
{
	const struct front *front = data;
	int err = front_map(front, front->spare, SPARE_LENGTH, SPARE_IOVA,
			    true);

	return err ? err : front_unmap(front, SPARE_IOVA, SPARE_LENGTH);
}

long front_call_query(void *front)
{
	return front_query(front);
}

long front_call_check_extension(void *data)
{
	const struct front *front = data;

	return ioctl(front->legacy.container, VFIO_CHECK_EXTENSION,
		     VFIO_TYPE1v2_IOMMU);
}

int front_attach_and_detach(const struct front *front, int fd)
{
	__u32 pt_id = front->ioas;
	int err;

	if (front->type1) {
		if (ioctl(fd, VFIO_GROUP_SET_CONTAINER,
			  &front->legacy.container))
			return -errno;
		return ioctl(fd, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
	}
	err = vfio_attach(fd, &pt_id);
	return err ? err : vfio_detach(fd);
}
