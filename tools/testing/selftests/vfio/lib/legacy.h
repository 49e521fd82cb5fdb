/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to a device through its group. This takes three files: a container
 * with type1, the group, and the device file obtained from the group.
 *
 * Functions return 0, or a file descriptor where noted, or -errno.
 */
#ifndef SELFTESTS_VFIO_LEGACY_H
#define SELFTESTS_VFIO_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/**
 * struct legacy - files of the group interface, each -1 if not open
 * @container: the container, with type1 v2 as its IOMMU driver
 * @group: /dev/vfio/GROUP, attached to @container
 * @device: device file, from VFIO_GROUP_GET_DEVICE_FD
 */
struct legacy {
	int container;
	int group;
	int device;
};

/*
 * Open the file that the environment variable VFIO_CONTAINER names, or
 * /dev/vfio/vfio if it is not set. Return the file descriptor, or -errno.
 */
int legacy_open_container(void);

/*
 * Open a container, add the group of the device at @address, and open the
 * device. On error, no file is left open.
 */
int legacy_open(struct legacy *legacy, const char *address);

/*
 * Like legacy_open(), but pass @name to VFIO_GROUP_GET_DEVICE_FD. @name starts
 * with the address of the device. Options such as a VF token may follow it.
 */
int legacy_open_as(struct legacy *legacy, const char *address,
		   const char *name);

/* Like legacy_open(), but for the mediated device @uuid. */
int legacy_open_mediated(struct legacy *legacy, const char *uuid);
void legacy_close(struct legacy *legacy);

/* Open /dev/vfio/@number. Return its file descriptor, or -errno. */
int legacy_open_group(int number);

/*
 * Open the group of a mediated device. Return its file descriptor, or -errno.
 */
int legacy_open_mediated_group(const char *uuid);

int legacy_map(struct legacy *legacy, const void *memory, size_t length,
	       __u64 iova, bool writable);

/*
 * Unmap *@length bytes at @iova. On success, set *@length to the number of
 * bytes unmapped.
 */
int legacy_unmap(struct legacy *legacy, __u64 iova, __u64 *length);

#endif
