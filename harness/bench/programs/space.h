/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An I/O address space of either front end, so that one program measures both:
 * type1 (container and groups) and iommufd (/dev/iommu and vfio devices).
 *
 * All functions exit with a message on failure, except that space_new_table()
 * returns an error and space_close() ignores errors.
 */
#ifndef BENCH_SPACE_H
#define BENCH_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "legacy.h"
#include "pci.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define IOVA		0x100000000ull
#define MAX_ATTACHED	2

/**
 * struct space - one I/O address space
 * @type1: true for a type1 container, false for an IOAS of iommufd
 * @legacy: container and its first device (type1)
 * @group: file of the second device's group, or -1 (type1)
 * @iommufd: file of /dev/iommu (iommufd)
 * @ioas: ID of the IOAS (iommufd)
 * @device: files of the devices (iommufd)
 * @device_id: IDs of the devices (iommufd)
 * @nr: number of devices that are bound (iommufd), or 1 (type1)
 */
struct space {
	bool type1;
	struct legacy legacy;
	int group;
	int iommufd;
	__u32 ioas;
	int device[MAX_ATTACHED];
	__u32 device_id[MAX_ATTACHED];
	unsigned int nr;
};

/* Exit with a message if @err is negative. */
void must(const char *what, long err);

/*
 * Bind all edu devices to vfio-pci, and find @nr of them that are the only one
 * in their group.
 */
void find_devices(struct pci_address *found, unsigned int nr);

/*
 * Create a space and attach the device at @address. @front_end is "type1" or
 * "iommufd". With iommufd @address may be NULL, to attach no device.
 */
void space_open(struct space *space, const char *front_end,
		const char *address);
void space_close(struct space *space);

/* Open a device and bind it to iommufd without attaching; return its index. */
unsigned int space_bind(struct space *space, const char *address);

/*
 * Attach a device. With iommufd, it is the device with index @device. With
 * type1, it is the device at @address, and its group is added to the container.
 */
void space_attach(struct space *space, unsigned int device,
		  const char *address);

/*
 * Create another I/O page table for @device. Linux 6.12 fills the table with
 * all mappings of the IOAS in this call, whereas our kernel does so when the
 * first device is attached to the table. Return 0 and the ID of the table in
 * @id, or a negative errno, such as -ENOTTY if the kernel lacks
 * IOMMU_HWPT_ALLOC.
 */
long space_new_table(struct space *space, unsigned int device, __u32 *id);
void space_drop_table(struct space *space, __u32 id);

/* The calls to measure. */
void space_map(struct space *space, const void *memory, size_t length,
	       __u64 iova);
void space_unmap(struct space *space, __u64 iova, size_t length);

/* Like space_map(), but return an IOVA chosen by the kernel. iommufd only. */
__u64 space_map_anywhere(struct space *space, const void *memory,
			 size_t length);

/* Query the usable IOVAs: IOMMU_IOAS_IOVA_RANGES or VFIO_IOMMU_GET_INFO. */
void space_query(struct space *space);

#endif
