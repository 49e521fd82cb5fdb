/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver in user space for QEMU's edu device, a PCI function that does DMA
 * between memory and a buffer of its own.
 *
 * Vocabulary: to load is DMA from memory into the device's buffer, to store is
 * DMA from the buffer to memory. Memory is named by IOVA, the buffer by offset.
 *
 * Rule: a transfer that the IOMMU refuses ends like any other, as the device
 * has no way to report it: look at the data. The device starts a transfer
 * about a tenth of a second after it was told to.
 */
#ifndef SAMPLES_IOMMUFD_EDU_H
#define SAMPLES_IOMMUFD_EDU_H

#include <stddef.h>
#include <linux/types.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

/*
 * The buffer has 4096 bytes, but a transfer that touches its last one makes
 * QEMU 7.2 stop with an error.
 */
#define EDU_BUFFER_SIZE	4088

/**
 * struct edu - one device in use
 * @fd: its vfio file, bound; not owned
 * @size: bytes of BAR 0
 * @registers: BAR 0, mapped
 */
struct edu {
	int fd;
	size_t size;
	__u64 *registers;
};

/**
 * edu_start() - begin to drive a device
 * @edu: filled
 * @fd: its vfio file, bound
 *
 * Maps the registers, checks that they are edu's and lets the device do DMA.
 *
 * Return: 0; -ENXIO if the device is not an edu; -errno.
 */
int edu_start(struct edu *edu, int fd);

/**
 * edu_stop() - give the registers back
 * @edu: from edu_start(), or all zeros
 */
void edu_stop(struct edu *edu);

/**
 * edu_load() - DMA from memory into the device, to its end
 * @edu: the device
 * @iova: first byte in memory
 * @offset: first byte in the buffer
 * @length: bytes, within EDU_BUFFER_SIZE
 *
 * Return: 0; -EINVAL outside of the buffer; -ETIMEDOUT if it does not end.
 */
int edu_load(struct edu *edu, __u64 iova, unsigned int offset,
	     unsigned int length);

/**
 * edu_store() - DMA from the device into memory, to its end
 * @edu: the device
 * @iova: first byte in memory
 * @offset: first byte in the buffer
 * @length: bytes, within EDU_BUFFER_SIZE
 *
 * Return: as edu_load().
 */
int edu_store(struct edu *edu, __u64 iova, unsigned int offset,
	      unsigned int length);

/**
 * edu_begin_store() - as edu_store(), without waiting for the end
 * @edu: the device
 * @iova: first byte in memory
 * @offset: first byte in the buffer
 * @length: bytes, within EDU_BUFFER_SIZE
 *
 * Return: 0; -EINVAL outside of the buffer.
 */
int edu_begin_store(struct edu *edu, __u64 iova, unsigned int offset,
		    unsigned int length);

/**
 * edu_wait() - until the device is idle
 * @edu: the device
 *
 * Return: 0 or -ETIMEDOUT.
 */
int edu_wait(struct edu *edu);

#endif
