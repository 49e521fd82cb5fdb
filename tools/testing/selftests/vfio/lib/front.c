// SPDX-License-Identifier: GPL-2.0-only
/* One space by either of the two ways, see front.h. */
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "front.h"

int front_open(struct front *front, bool type1, const char *address)
{
	int err;

	*front = (struct front){
		.type1 = type1,
		.legacy = { -1, -1, -1 },
		.iommufd = -1,
		.device.fd = -1,
	};
	if (type1)
		return legacy_open(&front->legacy, address);

	front->iommufd = iommu_open();
	if (front->iommufd < 0)
		return front->iommufd;
	err = ioas_alloc(front->iommufd, &front->ioas);
	if (!err)
		err = device_open(&front->device, address, front->iommufd);
	if (!err) {
		__u32 pt_id = front->ioas;

		err = vfio_attach(front->device.fd, &pt_id);
	}
	return err;
}

void front_close(struct front *front)
{
	legacy_close(&front->legacy);
	device_close(&front->device);
	if (front->iommufd >= 0)
		close(front->iommufd);
	front->iommufd = -1;
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
