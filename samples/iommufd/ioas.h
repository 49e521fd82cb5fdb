/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wrappers for the ioctls of /dev/iommu that the sample uses.
 *
 * An I/O address space (IOAS) maps the addresses that a device uses for DMA
 * (IOVAs) to memory of a process. An iommufd is an open /dev/iommu file. It
 * identifies each of its objects, such as an IOAS, by an ID.
 *
 * All functions return 0 or a file descriptor on success and -errno on failure.
 * They print nothing.
 */
#ifndef SAMPLES_IOMMUFD_IOAS_H
#define SAMPLES_IOMMUFD_IOAS_H

#include <stddef.h>
#include <linux/types.h>
#include <linux/iommufd.h>

#define IOAS_READ	IOMMU_IOAS_MAP_READABLE
#define IOAS_WRITE	IOMMU_IOAS_MAP_WRITEABLE
#define IOAS_READ_WRITE	(IOAS_READ | IOAS_WRITE)

/**
 * iommu_open() - open /dev/iommu
 *
 * Return: a file descriptor, or -errno.
 */
int iommu_open(void);

/**
 * iommu_call() - call ioctl()
 * @iommufd: open /dev/iommu file
 * @request: IOMMU_* command
 * @argument: struct of the command
 *
 * Return: 0 or -errno.
 */
int iommu_call(int iommufd, unsigned long request, void *argument);

/**
 * ioas_alloc() - allocate an empty address space
 * @iommufd: open /dev/iommu file
 * @ioas_id: returns the ID of the address space
 *
 * Return: 0 or -errno.
 */
int ioas_alloc(int iommufd, __u32 *ioas_id);

/**
 * ioas_map() - map memory at a fixed IOVA
 * @iommufd: open /dev/iommu file
 * @ioas_id: ID of the address space
 * @memory: start of the memory
 * @length: number of bytes
 * @iova: IOVA to map the memory at
 * @access: IOAS_READ, IOAS_WRITE or both, the access to permit to devices
 *
 * Return: 0 or -errno.
 */
int ioas_map(int iommufd, __u32 ioas_id, const void *memory, size_t length,
	     __u64 iova, __u32 access);

/**
 * ioas_unmap() - remove all mappings in a range
 * @iommufd: open /dev/iommu file
 * @ioas_id: ID of the address space
 * @iova: start of the range
 * @length: size of the range in bytes; returns the number of bytes unmapped
 *
 * Return: 0 or -errno.
 */
int ioas_unmap(int iommufd, __u32 ioas_id, __u64 iova, __u64 *length);

/**
 * ioas_ranges() - query the ranges of usable IOVAs
 * @iommufd: open /dev/iommu file
 * @ioas_id: ID of the address space
 * @ranges: array for the result
 * @nr: number of elements of @ranges; returns the total number of ranges
 * @alignment: returns the required alignment of mappings in bytes
 *
 * Return: 0, -EMSGSIZE if @ranges is too small, or another -errno.
 */
int ioas_ranges(int iommufd, __u32 ioas_id, struct iommu_iova_range *ranges,
		__u32 *nr, __u64 *alignment);

/**
 * iommu_device_info() - query the IOMMU capabilities of a device
 * @iommufd: open /dev/iommu file
 * @dev_id: device ID, returned by vfio_bind()
 * @info: result
 *
 * Return: 0 or -errno.
 */
int iommu_device_info(int iommufd, __u32 dev_id,
		      struct iommu_device_get_info *info);

/**
 * iommu_destroy() - destroy an object
 * @iommufd: open /dev/iommu file
 * @id: ID of the object
 *
 * Return: 0, -EBUSY if the object is in use, or another -errno.
 */
int iommu_destroy(int iommufd, __u32 id);

#endif
