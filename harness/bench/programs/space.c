// SPDX-License-Identifier: GPL-2.0-only
/* An I/O address space of type1 or of iommufd (see space.h). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "edu.h"
#include "ioas.h"
#include "space.h"
#include "vfio.h"

void must(const char *what, long err)
{
	if (err >= 0)
		return;
	printf("bench: failed: %s: %s\n", what, strerror((int)-err));
	exit(1);
}

void find_devices(struct pci_address *found, unsigned int nr)
{
	struct pci_address all[8];
	unsigned int used = 0;
	int there, i, other;

	there = pci_find(EDU_VENDOR, EDU_DEVICE, all, 8);
	must("find edu devices", there);
	/* On Arm, a device has no group until a driver is bound to it. */
	for (i = 0; i < there; i++)
		must("give a device to vfio", pci_bind_vfio(all[i].text));
	for (i = 0; i < there && used < nr; i++) {
		int group = pci_group(all[i].text);
		bool alone = true;

		for (other = 0; other < there; other++)
			alone = alone && (other == i ||
				pci_group(all[other].text) != group);
		if (alone)
			found[used++] = all[i];
	}
	must("find devices with groups of their own", used < nr ? -ENODEV : 0);
}

unsigned int space_bind(struct space *space, const char *address)
{
	unsigned int i = space->nr++;

	space->device[i] = vfio_open(address);
	must("open a device", space->device[i]);
	must("bind", vfio_bind(space->device[i], space->iommufd,
			       &space->device_id[i]));
	return i;
}

void space_open(struct space *space, const char *front_end,
		const char *address)
{
	memset(space, 0, sizeof(*space));
	space->type1 = !strcmp(front_end, "type1");
	space->group = -1;
	if (space->type1) {
		must("open a container", legacy_open(&space->legacy, address));
		space->nr = 1;
		return;
	}
	space->iommufd = iommu_open();
	must("open /dev/iommu", space->iommufd);
	must("IOAS_ALLOC", ioas_alloc(space->iommufd, &space->ioas));
	if (address)
		space_attach(space, space_bind(space, address), address);
}

void space_close(struct space *space)
{
	unsigned int i;

	for (i = space->type1; i < space->nr; i++)
		close(space->device[i]);
	if (space->group >= 0)
		close(space->group);
	if (space->type1)
		legacy_close(&space->legacy);
	else
		close(space->iommufd);
}

void space_attach(struct space *space, unsigned int device,
		  const char *address)
{
	__u32 id = space->ioas;

	if (!space->type1) {
		must("attach", vfio_attach(space->device[device], &id));
		return;
	}
	space->group = legacy_open_group(pci_group(address));
	must("open a group", space->group);
	if (ioctl(space->group, VFIO_GROUP_SET_CONTAINER,
		  &space->legacy.container))
		must("SET_CONTAINER", -errno);
}

long space_new_table(struct space *space, unsigned int device, __u32 *id)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.dev_id = space->device_id[device],
		.pt_id = space->ioas,
	};
	int err = iommu_call(space->iommufd, IOMMU_HWPT_ALLOC, &alloc);

	*id = alloc.out_hwpt_id;
	return err;
}

void space_drop_table(struct space *space, __u32 id)
{
	must("destroy a page table", iommu_destroy(space->iommufd, id));
}

void space_map(struct space *space, const void *memory, size_t length,
	       __u64 iova)
{
	if (space->type1)
		must("map", legacy_map(&space->legacy, memory, length, iova,
				       true));
	else
		must("map", ioas_map(space->iommufd, space->ioas, memory,
				     length, iova, IOAS_READ_WRITE));
}

__u64 space_map_anywhere(struct space *space, const void *memory,
			 size_t length)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOAS_READ_WRITE,
		.ioas_id = space->ioas,
		.user_va = (uintptr_t)memory,
		.length = length,
	};

	must("map anywhere", iommu_call(space->iommufd, IOMMU_IOAS_MAP, &map));
	return map.iova;
}

void space_unmap(struct space *space, __u64 iova, size_t length)
{
	__u64 done = length;

	must("unmap", space->type1 ?
	     legacy_unmap(&space->legacy, iova, &done) :
	     ioas_unmap(space->iommufd, space->ioas, iova, &done));
	must("unmap all of it", done == length ? 0 : -EIO);
}

void space_query(struct space *space)
{
	struct iommu_iova_range ranges[16];
	__u32 nr = 16;
	__u64 alignment;

	if (space->type1) {
		char room[4096] = {};
		struct vfio_iommu_type1_info *info = (void *)room;

		info->argsz = sizeof(room);
		if (ioctl(space->legacy.container, VFIO_IOMMU_GET_INFO, info))
			must("GET_INFO", -errno);
		return;
	}
	must("IOVA_RANGES", ioas_ranges(space->iommufd, space->ioas, ranges,
					&nr, &alignment));
}
