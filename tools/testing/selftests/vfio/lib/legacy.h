/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device the older way: a container with type1, the device's group, and a
 * device file from the group.
 *
 * Rule: 0 (or an fd) or -errno.
 */
#ifndef SELFTESTS_VFIO_LEGACY_H
#define SELFTESTS_VFIO_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/**
 * struct legacy - what the older way holds open
 * @container: /dev/vfio/vfio, with type1 v2
 * @group: /dev/vfio/GROUP, in the container
 * @device: the device file, from the group
 */
struct legacy {
	int container;
	int group;
	int device;
};

/* After an error nothing is open. */
int legacy_open(struct legacy *legacy, const char *address);

/* @name is what the group is asked for: the address, and a token after it. */
int legacy_open_as(struct legacy *legacy, const char *address,
		   const char *name);

/* The device is a mediated one, which has a group of its own. */
int legacy_open_mediated(struct legacy *legacy, const char *uuid);
void legacy_close(struct legacy *legacy);

int legacy_open_group(int number);

/* Opens the group of a mediated device. */
int legacy_open_mediated_group(const char *uuid);

int legacy_map(struct legacy *legacy, const void *memory, size_t length,
	       __u64 iova, bool writable);

/* @length is set to what was unmapped. */
int legacy_unmap(struct legacy *legacy, __u64 iova, __u64 *length);

#endif
