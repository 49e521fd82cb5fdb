/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mediated devices of the mdev_pin driver, which pins, unpins, reads and writes
 * memory on command; see samples/vfio-mdev/pin/mdev_pin.h.
 *
 * The driver implements the dma_unmap op for devices of type "notified", but
 * not for devices of type "plain". A notice is one call of that op.
 *
 * The result of a command is a number or -errno. Functions that set up the test
 * end the program on failure. Each program creates its own devices and, unless
 * it fails, removes them before it exits.
 */
#ifndef SELFTESTS_VFIO_CONTRACT_MDEV_H
#define SELFTESTS_VFIO_CONTRACT_MDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "mdev_pin.h"
#include "record.h"
#include "type1.h"

/* Values of @prot, equal to IOMMU_READ and IOMMU_WRITE */
#define PIN_READ	1u
#define PIN_WRITE	2u
#define PIN_BOTH	3u

/**
 * struct mdev - a mediated device
 * @uuid: name of the device
 * @group: file of its group, or -1
 * @device: file of the device, or -1
 * @slot: slot that commands are written to; threads that run commands at the
 *        same time must use copies of the struct with different slots
 */
struct mdev {
	char uuid[40];
	int group;
	int device;
	unsigned int slot;
};

/* Create a device of type "plain" or "notified" and open its group. */
void mdev_create(struct mdev *mdev, const char *type);

/* Close the files of the device and remove it. */
void mdev_destroy(struct mdev *mdev);

/* Open or close the device file; the group has to be in a container. */
void mdev_open(struct mdev *mdev);
void mdev_close(struct mdev *mdev);

/* Create a device, add its group to @container and open it. */
void mdev_join(struct mdev *mdev, const char *type, int container);

/*
 * Create a device and open it in a new container that has the IOMMU driver
 * @iommu. Return the container.
 */
int mdev_container(struct mdev *mdev, const char *type, unsigned long iommu);

/*
 * mdev_run() runs the command @request. Each of the other functions runs the
 * command that it is named after. mdev_forget() returns the number of pins that
 * the driver has forgotten.
 */
long mdev_run(const struct mdev *mdev, const struct mdev_pin_request *request);

long mdev_pin(const struct mdev *mdev, __u64 iova, int npage, __u32 prot);
void mdev_unpin(const struct mdev *mdev, __u64 iova, int npage);
long mdev_forget(const struct mdev *mdev, __u64 iova, int npage);
void mdev_release(const struct mdev *mdev);

/* Copy from or to mapped memory with vfio_dma_rw(). */
long mdev_read(const struct mdev *mdev, __u64 iova, void *data, __u64 length);
long mdev_write(const struct mdev *mdev, __u64 iova, const void *data,
		__u64 length);

/* Copy from or to the page that is pinned at @iova, without calling vfio. */
long mdev_peek(const struct mdev *mdev, __u64 iova, void *data, __u64 length);
long mdev_poke(const struct mdev *mdev, __u64 iova, const void *data,
	       __u64 length);

/* Read the first @nr entries of the page array that the last pin filled. */
void mdev_pages(const struct mdev *mdev, struct mdev_pin_page *pages,
		unsigned int nr);

/*
 * Format the first @nr entries of the page array as text with one character per
 * entry: '0' for NULL, a letter for a page, or '?' if all letters are in use.
 * '-' stands for an entry that the pin did not write, or in which a failed pin
 * left a page. @nr must be at most 64. A page that stays pinned by any device
 * keeps its letter until mdev_reset_letters(). The next call overwrites the
 * text.
 */
const char *mdev_pages_text(const struct mdev *mdev, unsigned int nr);
void mdev_reset_letters(void);

void mdev_state(const struct mdev *mdev, struct mdev_pin_state *state);
void mdev_control(const struct mdev *mdev,
		  const struct mdev_pin_control *control);

/* Wait until @nr notices are held. End the program after ten seconds. */
void mdev_wait_held(const struct mdev *mdev, unsigned int nr);

/* Pin pages and record a line like "1 charged 1 pinned 1 pages a". */
void record_pin(const char *rules, const char *name, const struct mdev *mdev,
		__u64 iova, int npage, __u32 prot);

/* Unpin pages and record a line like "charged 0 pinned 0 held 0". */
void record_unpin(const char *rules, const char *name, const struct mdev *mdev,
		  __u64 iova, int npage);

#endif
