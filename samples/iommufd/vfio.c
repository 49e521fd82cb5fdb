// SPDX-License-Identifier: GPL-2.0-only
/* Wrappers for vfio device files. See vfio.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "pci.h"
#include "vfio.h"

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

int vfio_node(const char *device, char *path, size_t size)
{
	char name[PATH_MAX];
	struct dirent *entry;
	int err = -ENODEV;
	DIR *dir;

	snprintf(name, sizeof(name), "%s/vfio-dev", device);
	dir = opendir(name);
	if (!dir)
		return -ENODEV;
	while (err && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "vfio", 4))
			continue;
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

int vfio_open(const char *address)
{
	char path[PATH_MAX];
	int err, fd;

	err = pci_vfio_node(address, path, sizeof(path));
	if (err)
		return err;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int vfio_bind(int fd, int iommufd, __u32 *dev_id)
{
	return vfio_bind_with_token(fd, iommufd, NULL, dev_id);
}

int vfio_bind_with_token(int fd, int iommufd, const __u8 *token,
			 __u32 *dev_id)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.flags = token ? VFIO_DEVICE_BIND_FLAG_TOKEN : 0,
		.iommufd = iommufd,
		.token_uuid_ptr = (uintptr_t)token,
	};
	int err = call(fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);

	if (!err)
		*dev_id = bind.out_devid;
	return err;
}

int vfio_hot_reset_info(int fd, struct vfio_pci_hot_reset_info *info,
			unsigned int max)
{
	info->argsz = sizeof(*info) + max * sizeof(info->devices[0]);
	info->flags = 0;
	info->count = 0;
	return call(fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
}

int vfio_hot_reset(int fd)
{
	struct vfio_pci_hot_reset reset = { .argsz = sizeof(reset) };

	return call(fd, VFIO_DEVICE_PCI_HOT_RESET, &reset);
}

int vfio_attach(int fd, __u32 *pt_id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = *pt_id,
	};
	int err = call(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);

	if (!err)
		*pt_id = attach.pt_id;
	return err;
}

int vfio_detach(int fd)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	return call(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach);
}

int vfio_region(int fd, __u32 index, struct vfio_region_info *info)
{
	*info = (struct vfio_region_info){
		.argsz = sizeof(*info),
		.index = index,
	};
	return call(fd, VFIO_DEVICE_GET_REGION_INFO, info);
}

int vfio_enable_dma(int fd, bool on)
{
	const __u16 bits = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct vfio_region_info config;
	__u16 command;
	off_t offset;
	int err;

	err = vfio_region(fd, VFIO_PCI_CONFIG_REGION_INDEX, &config);
	if (err)
		return err;
	offset = (off_t)config.offset + PCI_COMMAND;
	if (pread(fd, &command, sizeof(command), offset) != sizeof(command))
		return -EIO;
	command = on ? command | bits : command & ~bits;
	if (pwrite(fd, &command, sizeof(command), offset) != sizeof(command))
		return -EIO;
	return 0;
}
