/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mediated devices, which a driver emulates, and the commands of one of them.
 *
 * Vocabulary: a device is made from a type of its driver and named by a UUID.
 * One of the driver mdev_pin (samples/vfio-mdev/pin) does what it is told to
 * with the memory of its user: it pins pages and has them for itself, or lets
 * the kernel copy.
 *
 * Rule: 0 (or what it was asked for, if that is not negative) or -errno, and
 * nothing printed. What vfio gave to mdev_pin's driver is returned as it is;
 * -EIO if the device file does not answer.
 */
#ifndef SAMPLES_IOMMUFD_MEDIATED_H
#define SAMPLES_IOMMUFD_MEDIATED_H

#include <stddef.h>
#include <linux/types.h>

#include "../vfio-mdev/pin/mdev_pin.h"

/* For the protection; the kernel's IOMMU_READ and IOMMU_WRITE */
#define PIN_READ	1u
#define PIN_WRITE	2u

/**
 * struct mediated - one device
 * @uuid: its name
 */
struct mediated {
	char uuid[40];
};

/**
 * mediated_create() - make a device
 * @device: filled
 * @driver: its driver, such as "mdev_pin"
 * @type: one of the driver's types, such as "notified"
 *
 * Return: 0; -ENOENT if there is no such driver or type; -errno.
 */
int mediated_create(struct mediated *device, const char *driver,
		    const char *type);

/**
 * mediated_remove() - end a device, whose file is closed
 * @device: from mediated_create()
 *
 * Return: 0 or -errno.
 */
int mediated_remove(const struct mediated *device);

/**
 * mediated_open() - open the device file
 * @device: from mediated_create()
 *
 * Return: the fd, for vfio_bind(); -ENODEV if vfio made none; -errno.
 */
int mediated_open(const struct mediated *device);

/*
 * Commands of a device of mdev_pin, bound, in its slot 0. The first two are
 * vfio_pin_pages(), which returns the number of pages, and vfio_unpin_pages().
 */
int mediated_pin(int fd, __u64 iova, int npage, __u32 prot);
int mediated_unpin(int fd, __u64 iova, int npage);

/* vfio_dma_rw() from and to the memory at an IOVA, up to 64 KiB */
int mediated_read(int fd, __u64 iova, void *data, size_t length);
int mediated_write(int fd, __u64 iova, const void *data, size_t length);

/* From and to the page that is pinned as this IOVA, with no call of vfio */
int mediated_peek(int fd, __u64 iova, void *data, size_t length);
int mediated_poke(int fd, __u64 iova, const void *data, size_t length);

/* A command as it stands in @request, in a slot */
int mediated_run(int fd, unsigned int slot,
		 const struct mdev_pin_request *request);

/* What happened to it, and how it behaves of itself */
int mediated_state(int fd, struct mdev_pin_state *state);
int mediated_control(int fd, const struct mdev_pin_control *control);

#endif
