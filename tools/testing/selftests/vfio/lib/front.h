/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One space with one device, by either of the two ways: a container with type1
 * or an IOAS of /dev/iommu.
 *
 * Rule: functions return 0 or -errno.
 */
#ifndef SELFTESTS_VFIO_FRONT_H
#define SELFTESTS_VFIO_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "legacy.h"
#include "mediated.h"
#include "rig.h"

/* Of memory and of IOVAs that front_call_map() uses */
#define SPARE_PAGES	4
#define SPARE_LENGTH	(SPARE_PAGES * (long)PAGE)
#define SPARE_IOVA	(RIG_IOVA + 1024 * PAGE)

/**
 * struct front - the space and its device
 * @type1: it is a container
 * @legacy: the container
 * @iommufd: an open /dev/iommu, or -1
 * @ioas: the address space
 * @device: the device, bound to @iommufd; of a mediated one only the file and
 *          the ID
 * @spare: SPARE_PAGES pages of memory, set by the test that uses them
 */
struct front {
	bool type1;
	struct legacy legacy;
	int iommufd;
	__u32 ioas;
	struct device device;
	const char *spare;
};

/* What nothing is open of */
#define NO_FRONT ((struct front){		\
	.legacy = { -1, -1, -1 },		\
	.iommufd = -1,				\
	.device.fd = -1,			\
})

/* With the device attached. */
int front_open(struct front *front, bool type1, const char *address);

/* Without a device that does DMA: the container has a mediated one. */
int front_open_mediated(struct front *front, bool type1,
			const struct mediated *device);
void front_close(struct front *front);

int front_map(const struct front *front, const void *memory, size_t length,
	      __u64 iova, bool writable);

/* Returns the bytes, or -errno. */
long front_unmap(const struct front *front, __u64 iova, __u64 length);

/* All mappings; returns the bytes, or -errno. */
long front_unmap_all(const struct front *front);

/* Asks which IOVAs there are. */
int front_query(const struct front *front);

/*
 * Calls for call.h whose data is a struct front: map and unmap the spare pages,
 * which returns SPARE_LENGTH; front_query(); VFIO_CHECK_EXTENSION of a container,
 * which returns 1.
 */
long front_call_map(void *front);
long front_call_query(void *front);
long front_call_check_extension(void *front);

/* Attaches one more device, which is bound or a group, and detaches it. */
int front_attach_and_detach(const struct front *front, int fd);

#endif
