/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mediated devices, which a driver emulates in software.
 *
 * A mediated device is created as one of the types that its driver offers, and
 * is identified by a UUID. A device of the driver mdev_pin
 * (samples/vfio-mdev/pin) executes commands: it pins and unpins memory of its
 * user and copies data from and to that memory.
 *
 * All functions return a non-negative result on success and -errno on failure.
 * They print nothing. A command returns the result that the device reports, see
 * struct mdev_pin_result, or -EIO if the device rejects the command or the
 * device file is not accessible.
 */
#ifndef SAMPLES_IOMMUFD_MEDIATED_H
#define SAMPLES_IOMMUFD_MEDIATED_H

#include <stddef.h>
#include <linux/types.h>

#include "../vfio-mdev/pin/mdev_pin.h"

/*
 * Values of the prot argument of mediated_pin(), equal to IOMMU_READ and
 * IOMMU_WRITE of the kernel
 */
#define PIN_READ	1u
#define PIN_WRITE	2u

/**
 * struct mediated - a mediated device
 * @uuid: UUID of the device
 */
struct mediated {
	char uuid[40];
};

/**
 * mediated_create() - create a device
 * @device: device to initialise
 * @driver: name of the driver, such as "mdev_pin"
 * @type: name of a type of the driver, such as "notified"
 *
 * Return: 0, -ENOENT if the driver or the type does not exist, or another
 * -errno.
 */
int mediated_create(struct mediated *device, const char *driver,
		    const char *type);

/**
 * mediated_remove() - remove a device
 * @device: device created by mediated_create(), not open
 *
 * Return: 0 or -errno.
 */
int mediated_remove(const struct mediated *device);

/**
 * mediated_open() - open the vfio device file
 * @device: device created by mediated_create()
 *
 * Return: a file descriptor for vfio_bind(), -ENODEV if there is no device
 * file, or another -errno.
 */
int mediated_open(const struct mediated *device);

/*
 * Commands of a bound mdev_pin device, executed in slot 0. mediated_pin() calls
 * vfio_pin_pages() and returns the number of pinned pages. mediated_unpin()
 * calls vfio_unpin_pages().
 */
int mediated_pin(int fd, __u64 iova, int npage, __u32 prot);
int mediated_unpin(int fd, __u64 iova, int npage);

/* Copy up to 64 KiB with vfio_dma_rw(). */
int mediated_read(int fd, __u64 iova, void *data, size_t length);
int mediated_write(int fd, __u64 iova, const void *data, size_t length);

/* Copy from or to the page that is pinned at @iova, without calling vfio. */
int mediated_peek(int fd, __u64 iova, void *data, size_t length);
int mediated_poke(int fd, __u64 iova, const void *data, size_t length);

/* Execute @request in slot @slot. */
int mediated_run(int fd, unsigned int slot,
		 const struct mdev_pin_request *request);

/*
 * Read the state of the device, or set how it reacts to notices, open and
 * close.
 */
int mediated_state(int fd, struct mdev_pin_state *state);
int mediated_control(int fd, const struct mdev_pin_control *control);

#endif
