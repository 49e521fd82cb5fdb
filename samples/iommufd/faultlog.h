/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA faults that an Intel IOMMU reports in the kernel log.
 *
 * Only faults after faultlog_open() are considered. The messages are
 * rate-limited, so a missing message does not prove that the DMA was permitted.
 */
#ifndef SAMPLES_IOMMUFD_FAULTLOG_H
#define SAMPLES_IOMMUFD_FAULTLOG_H

#include <stdbool.h>
#include <linux/types.h>

/**
 * faultlog_open() - open the kernel log at its current end
 *
 * Return: a file descriptor, -ENODEV if the machine has no Intel IOMMU, or
 * another -errno.
 */
int faultlog_open(void);

/**
 * faultlog_has() - wait for the message about a fault
 * @fd: file descriptor returned by faultlog_open()
 * @address: PCI address of the device
 * @store: true for a write to memory, false for a read
 * @iova: any address in the faulting page
 *
 * Return: true if the message is logged within two seconds.
 */
bool faultlog_has(int fd, const char *address, bool store, __u64 iova);

#endif
