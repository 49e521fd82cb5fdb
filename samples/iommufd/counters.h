/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says it holds on behalf of programs.
 *
 * Rule: all counters are exact when they are read while nothing else in the
 * system pins memory. -errno if the kernel does not offer one.
 */
#ifndef SAMPLES_IOMMUFD_COUNTERS_H
#define SAMPLES_IOMMUFD_COUNTERS_H

/**
 * counters_pinned() - pages pinned for DMA in the whole system
 *
 * The kernel keeps this sum per CPU and folds it now and then; this asks for
 * it to be folded first, which needs root.
 *
 * Return: pages, or -errno.
 */
long counters_pinned(void);

/**
 * counters_of_self() - one line of /proc/self/status
 * @name: "VmLck" or "VmPin"
 *
 * Return: KiB, or -errno.
 */
long counters_of_self(const char *name);

/**
 * counters_of_system() - one line of /proc/meminfo
 * @name: such as "AnonHugePages"
 *
 * Return: KiB, or -errno.
 */
long counters_of_system(const char *name);

#endif
