/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DMA that an Intel IOMMU refused, as the kernel log tells it.
 *
 * Rule: only what is logged after faultlog_open() counts. The log is for
 * people and the kernel limits its rate, so a line that is missing proves
 * nothing by itself: the data does.
 */
#ifndef SAMPLES_IOMMUFD_FAULTLOG_H
#define SAMPLES_IOMMUFD_FAULTLOG_H

#include <stdbool.h>
#include <linux/types.h>

/**
 * faultlog_open() - begin to follow the log
 *
 * Return: an fd; -ENODEV if the machine's IOMMU is of another kind; -errno.
 */
int faultlog_open(void);

/**
 * faultlog_has() - wait for the line about one refused transfer
 * @fd: from faultlog_open()
 * @address: the PCI function that did it
 * @store: whether it wrote to memory
 * @iova: the page it went to
 *
 * Return: whether the line came within two seconds.
 */
bool faultlog_has(int fd, const char *address, bool store, __u64 iova);

#endif
