/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common setup for tests of mediated devices: an mdev_pin device that is bound
 * to an iommufd, an address space, and memory to map.
 *
 * mdev_testbed_open() creates the device and mdev_testbed_close() removes it.
 * Unless noted otherwise, functions return 0 or -errno.
 */
#ifndef SELFTESTS_VFIO_MDEV_TESTBED_H
#define SELFTESTS_VFIO_MDEV_TESTBED_H

#include "mediated.h"
#include "testbed.h"

#define PIN_BOTH (PIN_READ | PIN_WRITE)

/* Return value of mdev_unmap() for a number of pages */
#define BYTES(pages) ((long long)((pages) * PAGE))

/**
 * struct mdev_testbed - resources of one test
 * @pinned_before: number of pages pinned in the system before the test
 * @device: mediated device with a driver that implements dma_unmap
 * @fd: file of @device, bound to @iommufd, -1 if not open
 * @id: ID of @device in @iommufd
 * @iommufd: the iommufd, or -1 if not open
 * @ioas: ID of an empty address space of @iommufd; @fd is not attached to it
 * @memory: TESTBED_LENGTH bytes of present and writable memory, not mapped in
 *          @ioas
 */
struct mdev_testbed {
	long pinned_before;
	struct mediated device;
	int fd;
	__u32 id;
	int iommufd;
	__u32 ioas;
	char *memory;
};

/* Skip the whole program unless the module mdev_pin is loaded. */
void require_mdev_pin(void);

#define NEEDS_MDEV_PIN                                                \
	static void __attribute__((constructor)) needs_mdev_pin(void) \
	{                                                             \
		require_mdev_pin();                                   \
	}

int mdev_testbed_open(struct mdev_testbed *bed);

/* Close all files and remove the device. */
void mdev_testbed_close(struct mdev_testbed *bed);

/*
 * Open @device, which may be any mediated device, and bind it to @iommufd.
 * Return its file in @fd and its ID in @id. On error, the file is closed and
 * @fd is negative.
 */
int mdev_open(const struct mediated *device, int iommufd, int *fd, __u32 *id);

/* Attach @fd to the address space of the testbed. */
int mdev_attach(const struct mdev_testbed *bed, int fd);

/*
 * Map @pages pages of the testbed's memory, starting with page @page, readable
 * and writable at @iova.
 */
int mdev_map(const struct mdev_testbed *bed, __u64 iova, unsigned int page,
	     unsigned int pages);

/*
 * Unmap a range of the address space. Return the number of bytes unmapped, or
 * -errno.
 */
long long mdev_unmap(const struct mdev_testbed *bed, __u64 iova, __u64 length);

/* Return how many more pages are pinned than when the testbed was opened. */
long mdev_pinned(const struct mdev_testbed *bed);

/* Set the flags of struct mdev_pin_control and clear its other members. */
int mdev_set_flags(int fd, __u32 flags);

/*
 * Wait until @nr notices wait in the driver for MDEV_PIN_OP_RELEASE. Return
 * -ETIMEDOUT after ten seconds.
 */
int mdev_wait_held(int fd, unsigned int nr);

/*
 * Get a recent notice: @n is 0 for the last one, 1 for the one before it, and
 * so on. Return -ENOENT if the ring of the driver does not hold the notice.
 */
int mdev_notice(int fd, unsigned int n, struct mdev_pin_notice *notice);

/*
 * Make the driver forget one pin of each of the @npage pages at @iova without
 * unpinning them. Return the number of forgotten pins, or -errno.
 */
int mdev_forget(int fd, __u64 iova, int npage);

#endif
