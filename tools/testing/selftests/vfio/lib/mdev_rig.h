/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What tests of mediated devices stand on: one of mdev_pin, bound to an open
 * /dev/iommu with an address space, and memory.
 *
 * Rule: as in rig.h. A device is made for each rig and gone with it.
 */
#ifndef SELFTESTS_VFIO_MDEV_RIG_H
#define SELFTESTS_VFIO_MDEV_RIG_H

#include "mediated.h"
#include "rig.h"

#define PIN_BOTH (PIN_READ | PIN_WRITE)

/* What mdev_unmap() returns for so many pages */
#define BYTES(pages) ((long long)((pages) * PAGE))

/**
 * struct mdev_rig - the usual things a test needs
 * @pinned_before: pages pinned in the system before the test
 * @device: a device that is told of unmaps
 * @fd: its file, bound, -1 if not open
 * @id: its ID in @iommufd
 * @iommufd: an open /dev/iommu, -1 if not open
 * @ioas: an empty address space of it, to which @fd is not attached
 * @memory: RIG_LENGTH bytes, present and writable, not mapped
 */
struct mdev_rig {
	long pinned_before;
	struct mediated device;
	int fd;
	__u32 id;
	int iommufd;
	__u32 ioas;
	char *memory;
};

/* Ends the program as skipped if the module mdev_pin is not loaded. */
void mdev_pin_must_be_there(void);

#define NEEDS_MDEV_PIN						\
	static void __attribute__((constructor)) needs_mdev_pin(void)	\
	{							\
		mdev_pin_must_be_there();			\
	}

int mdev_rig_open(struct mdev_rig *rig);

/* Closes what is open and removes the device. */
void mdev_rig_close(struct mdev_rig *rig);

/* Opens and binds the rig's device, or one more. */
int mdev_open(const struct mediated *device, int iommufd, int *fd, __u32 *id);

/* To the rig's address space */
int mdev_attach(const struct mdev_rig *rig, int fd);

/* Some of the rig's memory, for both directions */
int mdev_map(const struct mdev_rig *rig, __u64 iova, unsigned int page,
	     unsigned int pages);

/* Ends the mappings in an interval; the bytes, or -errno. */
long long mdev_unmap(const struct mdev_rig *rig, __u64 iova, __u64 length);

/* Pages pinned since the rig was opened. */
long mdev_pinned(const struct mdev_rig *rig);

/* Flags of struct mdev_pin_control, with all else 0 */
int mdev_behave(int fd, __u32 flags);

/* Waits until so many notices are held; -ETIMEDOUT after ten seconds. */
int mdev_wait_held(int fd, unsigned int nr);

/* The n-th notice from the last one on, 0 for that, if it is in the ring. */
int mdev_notice(int fd, unsigned int n, struct mdev_pin_notice *notice);

/* The pins of pages from @iova on are forgotten by the driver; how many. */
int mdev_forget(int fd, __u64 iova, int npage);

#endif
