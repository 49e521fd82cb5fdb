/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices that are not like the others: what a bus reset or a token is about,
 * and an edu that nobody drives by vfio.
 *
 * Vocabulary: a bus with a reset is one below a bridge. Raw is a device that
 * is driven by what sysfs shows of it, as if a driver had lost control of it.
 *
 * Rule: functions return 0 or -errno, so that a test compares the errno itself.
 */
#ifndef SELFTESTS_VFIO_UNLIKE_H
#define SELFTESTS_VFIO_UNLIKE_H

#include <stdbool.h>
#include <linux/types.h>

#include "edu.h"
#include "pci.h"

/**
 * struct family - an edu and its sibling, in one group on one bus with a reset
 * @edu: the edu
 * @sibling: virtio's random number generator; virtio-pci drives it at first
 */
struct family {
	struct pci_address edu;
	struct pci_address sibling;
};

/* -ENODEV if there is none. */
int family_find(struct family *family);

/* Leaves the sibling to virtio-pci, the kernel's own driver. */
int family_sibling_to_kernel(const struct family *family);

/*
 * The state byte that a driver of the sibling sets and a reset clears, by its
 * file @fd, which is bound. Negative: -errno.
 */
int sibling_get_state(int fd);
int sibling_set_state(int fd, __u8 state);

/* The PCI command register. Negative: -errno. */
int raw_command(const char *address);

/* Finds the registers and lets the device answer and master the bus. */
int raw_start(struct edu *edu, const char *address);
void raw_stop(struct edu *edu);

#endif
