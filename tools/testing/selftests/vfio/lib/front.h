/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An address space, which is either a type1 container or an IOAS of /dev/iommu,
 * and a device attached to it. With struct front, one test covers both front
 * ends.
 *
 * Functions return 0 or -errno unless noted otherwise.
 */
#ifndef SELFTESTS_VFIO_FRONT_H
#define SELFTESTS_VFIO_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "legacy.h"
#include "mediated.h"
#include "testbed.h"

/* Memory and IOVAs that front_call_map() uses */
#define SPARE_PAGES	4
#define SPARE_LENGTH	(SPARE_PAGES * (long)PAGE)
#define SPARE_IOVA (TESTBED_IOVA + 1024 * PAGE)

/**
 * struct front - an address space and its device
 * @type1: true for a container, false for an IOAS
 * @legacy: type1: the container, its group and device
 * @iommufd: the iommufd, or -1 if not open
 * @ioas: ID of the IOAS in @iommufd
 * @device: device that is bound to @iommufd; for a mediated device, only the
 *          file and the ID are valid
 * @spare: SPARE_PAGES pages of memory; set by tests that call front_call_map()
 */
struct front {
	bool type1;
	struct legacy legacy;
	int iommufd;
	__u32 ioas;
	struct device device;
	const char *spare;
};

/* Initial value, without open files */
#define NO_FRONT ((struct front){		\
	.legacy = { -1, -1, -1 },		\
	.iommufd = -1,				\
	.device.fd = -1,			\
})

/*
 * Open a space and attach the physical device at @address. On error, no file is
 * left open.
 */
int front_open(struct front *front, bool type1, const char *address);

/*
 * Like front_open(), but attach the mediated device @device, so that the space
 * has no domain.
 */
int front_open_mediated(struct front *front, bool type1,
			const struct mediated *device);
void front_close(struct front *front);

int front_map(const struct front *front, const void *memory, size_t length,
	      __u64 iova, bool writable);

/* Unmap a range. Return the number of bytes unmapped, or -errno. */
long front_unmap(const struct front *front, __u64 iova, __u64 length);

/* Unmap everything. Return the number of bytes unmapped, or -errno. */
long front_unmap_all(const struct front *front);

/* Call VFIO_IOMMU_GET_INFO or IOMMU_IOAS_IOVA_RANGES and discard the output. */
int front_query(const struct front *front);

/*
 * Functions to pass to call_start() and call_timed() with a struct front.
 * front_call_map() maps and unmaps the spare pages and returns SPARE_LENGTH.
 * front_call_query() returns the result of front_query().
 * front_call_check_extension() requires a container and returns 1, because the
 * container supports VFIO_TYPE1v2_IOMMU.
 */
long front_call_map(void *front);
long front_call_query(void *front);
long front_call_check_extension(void *front);

/*
 * Attach @fd to the space and detach it again. @fd is the file of a bound
 * device, or of a group if the space is a container.
 */
int front_attach_and_detach(const struct front *front, int fd);

#endif
