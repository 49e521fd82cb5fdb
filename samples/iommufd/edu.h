/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User space driver for QEMU's edu device, a PCI function that does DMA between
 * memory and an internal buffer.
 *
 * A load transfers data from memory to the buffer, and a store transfers data
 * from the buffer to memory. Memory is addressed by IOVA, the buffer by offset.
 *
 * The device does not report transfers that the IOMMU blocks, so a caller has
 * to compare the data to detect them. The device moves the data about 100 ms
 * after the driver starts the transfer.
 */
#ifndef SAMPLES_IOMMUFD_EDU_H
#define SAMPLES_IOMMUFD_EDU_H

#include <stddef.h>
#include <linux/types.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8

/*
 * The buffer has 4096 bytes, but QEMU 7.2 aborts if a transfer includes the
 * last byte.
 */
#define EDU_BUFFER_SIZE	4088

/**
 * struct edu - an edu device in use
 * @fd: vfio device file, owned by the caller
 * @size: size of BAR 0 in bytes
 * @registers: mapping of BAR 0
 */
struct edu {
	int fd;
	size_t size;
	__u64 *registers;
};

/**
 * edu_start() - map the registers and enable DMA
 * @edu: device to initialise
 * @fd: vfio device file that gives access to the registers
 *
 * Return: 0, -ENXIO if the device is not an edu device, or another -errno.
 */
int edu_start(struct edu *edu, int fd);

/**
 * edu_stop() - unmap the registers
 * @edu: device initialised by edu_start(), or all zeroes
 */
void edu_stop(struct edu *edu);

/**
 * edu_load() - transfer data from memory to the device and wait
 * @edu: the device
 * @iova: IOVA of the first byte in memory
 * @offset: offset of the first byte in the buffer
 * @length: number of bytes
 *
 * Return: 0, -EINVAL if @length is 0 or the transfer exceeds EDU_BUFFER_SIZE,
 * or -ETIMEDOUT if the device does not complete the transfer.
 */
int edu_load(struct edu *edu, __u64 iova, unsigned int offset,
	     unsigned int length);

/**
 * edu_store() - transfer data from the device to memory and wait
 * @edu: the device
 * @iova: IOVA of the first byte in memory
 * @offset: offset of the first byte in the buffer
 * @length: number of bytes
 *
 * Return: 0, -EINVAL if @length is 0 or the transfer exceeds EDU_BUFFER_SIZE,
 * or -ETIMEDOUT if the device does not complete the transfer.
 */
int edu_store(struct edu *edu, __u64 iova, unsigned int offset,
	      unsigned int length);

/**
 * edu_begin_store() - start a transfer from the device to memory
 * @edu: the device
 * @iova: IOVA of the first byte in memory
 * @offset: offset of the first byte in the buffer
 * @length: number of bytes
 *
 * The caller waits for the end of the transfer with edu_wait().
 *
 * Return: 0, or -EINVAL if @length is 0 or the transfer exceeds
 * EDU_BUFFER_SIZE.
 */
int edu_begin_store(struct edu *edu, __u64 iova, unsigned int offset,
		    unsigned int length);

/**
 * edu_wait() - wait until the device is idle
 * @edu: the device
 *
 * Return: 0 or -ETIMEDOUT.
 */
int edu_wait(struct edu *edu);

#endif
