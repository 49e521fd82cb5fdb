// SPDX-License-Identifier: GPL-2.0-only
/* Containers, groups and the ioctls of type1. See type1.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "legacy.h"
#include "type1.h"

#define MAX_EDU 16

/* Default of the module parameter dma_entry_limit of type1 */
#define LIMIT	65535u

static long result(long rc)
{
	return rc < 0 ? -errno : rc;
}

static void sort_devices(struct devices *all, const struct pci_address *found,
			 const int *group, int nr)
{
	int i, j, other;

	for (i = 0; i < nr; i++) {
		for (other = -1, j = 0; j < nr; j++)
			if (j != i && group[j] == group[i])
				other = j;
		if (other < 0 && all->nr_singletons < 2)
			all->singleton[all->nr_singletons++] = found[i];
		if (other > i && !all->has_siblings) {
			all->siblings[0] = found[i];
			all->siblings[1] = found[other];
			all->has_siblings = true;
		}
	}
}

const struct devices *devices(void)
{
	struct pci_address found[MAX_EDU];
	static struct devices all;
	int group[MAX_EDU], nr, i;

	if (all.nr_singletons)
		return &all;
	nr = pci_find(EDU_VENDOR, EDU_DEVICE, found, MAX_EDU);
	for (i = 0; i < nr; i++) {
		if (pci_bind_vfio(found[i].text))
			die("vfio-pci does not bind to %s", found[i].text);
		group[i] = pci_group(found[i].text);
		if (group[i] < 0)
			die("%s has no IOMMU group", found[i].text);
	}
	sort_devices(&all, found, group, nr);
	if (!all.nr_singletons)
		die("no edu device has a group of its own");
	return &all;
}

bool for_iommufd(void)
{
	return getenv("CONTRACT_IOMMUFD");
}

int new_container(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/vfio/vfio: %s", strerror(errno));
	return fd;
}

long open_group(const struct pci_address *device)
{
	return legacy_open_group(pci_group(device->text));
}

int new_group(const struct pci_address *device)
{
	long fd = open_group(device);

	if (fd < 0)
		die("the group of %s: %s", device->text, rc_text(fd));
	return (int)fd;
}

long get_device(int group, const struct pci_address *device)
{
	return result(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, device->text));
}

long join(int group, int container)
{
	return result(ioctl(group, VFIO_GROUP_SET_CONTAINER, &container));
}

long leave(int group)
{
	return result(ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
}

long set_iommu(int container, unsigned long type)
{
	return result(ioctl(container, VFIO_SET_IOMMU, type));
}

long check_extension(int container, unsigned long extension)
{
	return result(ioctl(container, VFIO_CHECK_EXTENSION, extension));
}

long map(int container, __u64 iova, const void *vaddr, __u64 size, __u32 flags)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.vaddr = (uintptr_t)vaddr,
		.iova = iova,
		.size = size,
	};

	return result(ioctl(container, VFIO_IOMMU_MAP_DMA, &arg));
}

long unmap(int container, __u64 iova, __u64 size, __u32 flags, __u64 *done)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.iova = iova,
		.size = size,
	};
	long rc = result(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg));

	if (done)
		*done = arg.size;
	return rc;
}

long unmap_bitmap(int container, __u64 iova, __u64 size, void *bits,
		  size_t bytes, __u64 *done)
{
	struct unmap_dirty arg = {
		.unmap = {
			.argsz = sizeof(arg),
			.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
			.iova = iova,
			.size = size,
		},
		.bitmap = {
			.pgsize = PAGE,
			.size = bytes,
			.data = bits,
		},
	};
	long rc = result(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg));

	*done = arg.unmap.size;
	return rc;
}

void record_unmap(const char *rules, const char *name, int container,
		  __u64 iova, __u64 size, __u32 flags)
{
	__u64 done;
	long rc = unmap(container, iova, size, flags, &done);

	record(rules, name, "%s size %#llx", rc_text(rc), done);
}

long get_info(int container, void *info, __u32 argsz)
{
	struct vfio_iommu_type1_info_dma_avail *cap = NULL;
	struct vfio_iommu_type1_info *header = info;
	long rc;

	header->argsz = argsz;
	rc = result(ioctl(container, VFIO_IOMMU_GET_INFO, info));
	if (!rc && for_iommufd() && argsz >= sizeof(*header))
		cap = (void *)capability(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	if (cap && cap->avail > LIMIT)
		cap->avail -= UINT_MAX - LIMIT;
	return rc;
}

const void *capability(const void *info, __u16 id)
{
	const struct vfio_iommu_type1_info *header = info;
	const struct vfio_info_cap_header *cap;
	__u32 where = header->cap_offset;

	while (where && where < INFO_ROOM - sizeof(*cap)) {
		cap = (const void *)((const char *)info + where);
		if (cap->id == id)
			return cap;
		where = cap->next;
	}
	return NULL;
}

unsigned int avail(int container)
{
	const struct vfio_iommu_type1_info_dma_avail *cap;
	char info[INFO_ROOM] = "";
	long rc = get_info(container, info, sizeof(info));

	if (rc)
		die("GET_INFO: %s", rc_text(rc));
	cap = capability(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL);
	if (!cap)
		die("GET_INFO without DMA_AVAIL");
	return cap->avail;
}

static long try_device(struct type1 *type1)
{
	long fd = get_device(type1->group, &devices()->singleton[0]);
	int err;

	if (fd < 0)
		return fd;
	type1->device = (int)fd;
	err = edu_start(&type1->edu, type1->device);
	if (err)
		die("the edu device does not start: %s", rc_text(err));
	return 0;
}

long type1_try(struct type1 *type1, unsigned long type)
{
	long rc;

	*type1 = (struct type1){ .device = -1 };
	type1->container = new_container();
	type1->group = new_group(&devices()->singleton[0]);
	rc = join(type1->group, type1->container);
	if (!rc)
		rc = set_iommu(type1->container, type);
	if (!rc && for_iommufd())
		rc = try_device(type1);
	return rc;
}

void type1_open(struct type1 *type1, unsigned long type)
{
	long rc = type1_try(type1, type);

	if (rc)
		die("a container with type %lu: %s", type, rc_text(rc));
}

void type1_device(struct type1 *type1)
{
	long rc = type1->device >= 0 ? 0 : try_device(type1);

	if (rc)
		die("the device's file: %s", rc_text(rc));
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void type1_close(struct type1 *type1)
{
	edu_stop(&type1->edu);
	close_file(&type1->device);
	close_file(&type1->group);
	close_file(&type1->container);
}
