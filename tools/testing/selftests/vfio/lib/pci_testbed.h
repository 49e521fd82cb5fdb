/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for tests of bus resets, and for driving a device without vfio.
 *
 * A reset bus is a bus below a bridge. In contrast to a root bus, it can be
 * reset. A raw device is driven through its sysfs files, so that it can do DMA
 * before vfio binds it and after vfio releases it.
 *
 * Unless noted otherwise, functions return 0 or -errno.
 */
#ifndef SELFTESTS_VFIO_PCI_TESTBED_H
#define SELFTESTS_VFIO_PCI_TESTBED_H

#include <stdbool.h>
#include <linux/types.h>

#include "edu.h"
#include "pci.h"

/**
 * struct reset_bus - the two devices of a reset bus, which share a group
 * @edu: address of the edu device
 * @sibling: address of a virtio random number generator, initially bound to
 *           virtio-pci
 */
struct reset_bus {
	struct pci_address edu;
	struct pci_address sibling;
};

/* Find a reset bus. Return -ENODEV if the machine has none. */
int reset_bus_find(struct reset_bus *bus);

/* Rebind the sibling to virtio-pci, its native driver. */
int reset_bus_sibling_to_virtio(const struct reset_bus *bus);

/*
 * Get or set the virtio status byte of the sibling through @fd, its vfio file,
 * which must be bound. A reset clears the byte, so a test sets the byte to
 * detect a later reset. sibling_get_state() returns the byte or -errno.
 */
int sibling_get_state(int fd);
int sibling_set_state(int fd, __u8 state);

/* Return the PCI command register of the device at @address, or -errno. */
int raw_command(const char *address);

/* Enable memory space and bus mastering of a device, and map its registers. */
int raw_start(struct edu *edu, const char *address);
void raw_stop(struct edu *edu);

#endif
