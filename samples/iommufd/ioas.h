/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces for devices, made with /dev/iommu.
 *
 * Vocabulary: an IOAS is a map from the addresses that a device puts on the
 * bus (IOVAs) to memory of this process. Every object of an open /dev/iommu
 * has an ID in it.
 *
 * Rule: 0 (or an fd) or -errno, and nothing printed.
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
 * Return: the fd or -errno.
 */
int iommu_open(void);

/**
 * iommu_call() - one ioctl
 * @iommufd: from iommu_open()
 * @request: IOMMU_*
 * @argument: its struct
 *
 * Return: 0 or -errno.
 */
int iommu_call(int iommufd, unsigned long request, void *argument);

/**
 * ioas_alloc() - make an empty address space
 * @iommufd: from iommu_open()
 * @ioas_id: set to its ID
 *
 * Return: 0 or -errno.
 */
int ioas_alloc(int iommufd, __u32 *ioas_id);

/**
 * ioas_map() - let the devices of an address space reach memory
 * @iommufd: from iommu_open()
 * @ioas_id: the address space
 * @memory: first byte
 * @length: bytes
 * @iova: where devices see it
 * @access: IOAS_READ, IOAS_WRITE or both: what devices may do
 *
 * Return: 0 or -errno.
 */
int ioas_map(int iommufd, __u32 ioas_id, const void *memory, size_t length,
	     __u64 iova, __u32 access);

/**
 * ioas_unmap() - end all mappings inside an interval
 * @iommufd: from iommu_open()
 * @ioas_id: the address space
 * @iova: start of the interval
 * @length: bytes; set to the bytes that were mapped; may not be NULL
 *
 * Return: 0 or -errno.
 */
int ioas_unmap(int iommufd, __u32 ioas_id, __u64 iova, __u64 *length);

/**
 * ioas_ranges() - which IOVAs can be mapped
 * @iommufd: from iommu_open()
 * @ioas_id: the address space
 * @ranges: filled
 * @nr: elements of @ranges; set to the number of ranges there are
 * @alignment: set to the bytes that a mapping's ends are multiples of
 *
 * Return: 0; -EMSGSIZE if there are more than fit; -errno.
 */
int ioas_ranges(int iommufd, __u32 ioas_id, struct iommu_iova_range *ranges,
		__u32 *nr, __u64 *alignment);

/**
 * iommu_device_info() - what the IOMMU can do for a device
 * @iommufd: from iommu_open()
 * @dev_id: the device's ID, from binding it
 * @info: filled
 *
 * Return: 0 or -errno.
 */
int iommu_device_info(int iommufd, __u32 dev_id,
		      struct iommu_device_get_info *info);

/**
 * iommu_end() - destroy an object
 * @iommufd: from iommu_open()
 * @id: the object
 *
 * Return: 0; -EBUSY if something uses it; -errno.
 */
int iommu_end(int iommufd, __u32 id);

#endif
