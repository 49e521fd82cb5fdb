// SPDX-License-Identifier: GPL-2.0-only
/* Access to a device through its group. See legacy.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "legacy.h"
#include "pci.h"

int legacy_open_group(int number)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/%d", number);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int close_file(int fd)
{
	if (fd >= 0)
		close(fd);
	return -1;
}

void legacy_close(struct legacy *legacy)
{
	legacy->device = close_file(legacy->device);
	legacy->group = close_file(legacy->group);
	legacy->container = close_file(legacy->container);
}

int legacy_open_container(void)
{
	const char *path = getenv("VFIO_CONTAINER");
	int fd = open(path ? path : "/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int open_all(struct legacy *legacy, int group, const char *name)
{
	legacy->container = legacy_open_container();
	if (legacy->container < 0)
		return legacy->container;
	legacy->group = legacy_open_group(group);
	if (legacy->group < 0)
		return legacy->group;
	if (ioctl(legacy->group, VFIO_GROUP_SET_CONTAINER, &legacy->container))
		return -errno;
	if (ioctl(legacy->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	legacy->device = ioctl(legacy->group, VFIO_GROUP_GET_DEVICE_FD, name);
	return legacy->device < 0 ? -errno : 0;
}

int legacy_open(struct legacy *legacy, const char *address)
{
	return legacy_open_as(legacy, address, address);
}

static int open_group(struct legacy *legacy, int group, const char *name)
{
	int err;

	*legacy = (struct legacy){ -1, -1, -1 };
	err = open_all(legacy, group, name);
	if (err)
		legacy_close(legacy);
	return err;
}

int legacy_open_as(struct legacy *legacy, const char *address,
		   const char *name)
{
	return open_group(legacy, pci_group(address), name);
}

/* Return the group number of a mediated device, or -errno. */
static int mediated_group(const char *uuid)
{
	char path[128], target[128];
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/mdev/devices/%s/iommu_group",
		 uuid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return -errno;
	target[length] = 0;
	return atoi(strrchr(target, '/') + 1);
}

int legacy_open_mediated_group(const char *uuid)
{
	return legacy_open_group(mediated_group(uuid));
}

int legacy_open_mediated(struct legacy *legacy, const char *uuid)
{
	return open_group(legacy, mediated_group(uuid), uuid);
}

int legacy_map(struct legacy *legacy, const void *memory, size_t length,
	       __u64 iova, bool writable)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ |
			 (writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)memory,
		.iova = iova,
		.size = length,
	};

	if (ioctl(legacy->container, VFIO_IOMMU_MAP_DMA, &map))
		return -errno;
	return 0;
}

int legacy_unmap(struct legacy *legacy, __u64 iova, __u64 *length)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = *length,
	};

	if (ioctl(legacy->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	*length = unmap.size;
	return 0;
}
