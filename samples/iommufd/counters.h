/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel counters of memory, such as pinned and locked memory.
 *
 * The counters of the whole system are exact only if no other process changes
 * them while they are read.
 */
#ifndef SAMPLES_IOMMUFD_COUNTERS_H
#define SAMPLES_IOMMUFD_COUNTERS_H

/**
 * counters_pinned() - count the pages pinned for DMA in the whole system
 *
 * The kernel counts per CPU and updates the sum periodically. This function
 * reads /proc/sys/vm/stat_refresh to force an update. Only root can read that
 * file, so other users wait for the next update.
 *
 * Return: number of pages, or -errno.
 */
long counters_pinned(void);

/**
 * counters_of_self() - read a line of /proc/self/status
 * @name: name of the line, "VmLck" or "VmPin"
 *
 * Return: value in KiB, or -errno.
 */
long counters_of_self(const char *name);

/**
 * counters_of_system() - read a line of /proc/meminfo
 * @name: name of the line, such as "AnonHugePages"
 *
 * Forces an update, or waits for one, as counters_pinned() does.
 *
 * Return: value in KiB, or -errno.
 */
long counters_of_system(const char *name);

#endif
