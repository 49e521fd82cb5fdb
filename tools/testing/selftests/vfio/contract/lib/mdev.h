/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of the driver mdev_pin, which pin, unpin, read and write what they
 * are told to; see samples/vfio-mdev/pin/mdev_pin.h.
 *
 * Vocabulary: a notified device has the dma_unmap op, a plain one has not.
 *
 * Rule: what vfio gave to the device is returned as it is, a number or
 * -errno. What has to work for a program to make sense ends it when it does
 * not. Devices are made anew by each program and gone when it ends.
 */
#ifndef SELFTESTS_VFIO_CONTRACT_MDEV_H
#define SELFTESTS_VFIO_CONTRACT_MDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "mdev_pin.h"
#include "record.h"
#include "type1.h"

/* For prot; the numbers of IOMMU_READ and IOMMU_WRITE */
#define PIN_READ	1u
#define PIN_WRITE	2u
#define PIN_BOTH	3u

/**
 * struct mdev - one device
 * @uuid: its name
 * @group: its group's file, or -1
 * @device: its file, or -1
 * @slot: which slot commands go to; threads use copies that differ in this
 */
struct mdev {
	char uuid[40];
	int group;
	int device;
	unsigned int slot;
};

/* A device of "plain" or "notified" type; its group is open. */
void mdev_create(struct mdev *mdev, const char *type);

/* Closes what is open and removes the device. */
void mdev_destroy(struct mdev *mdev);

/* Opens or closes its file; the group has to be in a container. */
void mdev_open(struct mdev *mdev);
void mdev_close(struct mdev *mdev);

/* Makes one, puts it into a container and opens it. */
void mdev_join(struct mdev *mdev, const char *type, int container);

/* A container of this type with one device in it, open. */
int mdev_container(struct mdev *mdev, const char *type, unsigned long iommu);

/* A command as it stands in @request. */
long mdev_run(const struct mdev *mdev, const struct mdev_pin_request *request);

long mdev_pin(const struct mdev *mdev, __u64 iova, int npage, __u32 prot);
void mdev_unpin(const struct mdev *mdev, __u64 iova, int npage);
long mdev_forget(const struct mdev *mdev, __u64 iova, int npage);
void mdev_release(const struct mdev *mdev);

/* vfio_dma_rw() */
long mdev_read(const struct mdev *mdev, __u64 iova, void *data, __u64 length);
long mdev_write(const struct mdev *mdev, __u64 iova, const void *data,
		__u64 length);

/* The page that is pinned as @iova, by the kernel's own mapping */
long mdev_peek(const struct mdev *mdev, __u64 iova, void *data, __u64 length);
long mdev_poke(const struct mdev *mdev, __u64 iova, const void *data,
	       __u64 length);

/* Places of the last pin command's array */
void mdev_pages(const struct mdev *mdev, struct mdev_pin_page *pages,
		unsigned int nr);

/*
 * The same as text, of the first @nr places: 'a', 'b', ... for pages, the
 * same letter for the same page while one device holds it, until
 * mdev_letters_anew(); '0' for NULL and '-' for a place that was not written.
 */
const char *mdev_pages_text(const struct mdev *mdev, unsigned int nr);
void mdev_letters_anew(void);

void mdev_state(const struct mdev *mdev, struct mdev_pin_state *state);
void mdev_control(const struct mdev *mdev,
		  const struct mdev_pin_control *control);

/* Waits until so many notices are held; the end after ten seconds. */
void mdev_wait_held(const struct mdev *mdev, unsigned int nr);

/* Pins and records "1 charged 1 pinned 1 pages a". */
void record_pin(const char *rules, const char *name, const struct mdev *mdev,
		__u64 iova, int npage, __u32 prot);

/* Unpins and records "charged 0 pinned 0 held 0". */
void record_unpin(const char *rules, const char *name, const struct mdev *mdev,
		  __u64 iova, int npage);

#endif
