/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wrappers for vfio device files, /dev/vfio/devices/vfioN.
 *
 * A device is first bound to an open /dev/iommu file (an iommufd), which
 * assigns an ID to the device. Before that, all other ioctls of the device file
 * fail. The device can then be attached to an address space of that iommufd,
 * and uses the address space for DMA until it is detached. A region is a part
 * of the device file that gives access to a BAR or to the PCI config space.
 *
 * All functions return 0 or a file descriptor on success and -errno on failure.
 * They print nothing. close() detaches and unbinds the device.
 */
#ifndef SAMPLES_IOMMUFD_VFIO_H
#define SAMPLES_IOMMUFD_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/vfio.h>

/**
 * vfio_node() - get the path of the vfio device file of a device
 * @device: sysfs directory of the device
 * @path: returns "/dev/vfio/devices/vfioN"
 * @size: size of @path in bytes
 *
 * Return: 0, or -ENODEV if the device has no vfio device file.
 */
int vfio_node(const char *device, char *path, size_t size);

/**
 * vfio_open() - open the vfio device file of a PCI function
 * @address: address of the function, bound to vfio-pci
 *
 * Return: a file descriptor for vfio_bind(), or -errno.
 */
int vfio_open(const char *address);

/**
 * vfio_bind() - bind a device to an iommufd
 * @fd: vfio device file
 * @iommufd: open /dev/iommu file
 * @dev_id: returns the device ID
 *
 * Return: 0 or -errno.
 */
int vfio_bind(int fd, int iommufd, __u32 *dev_id);

/**
 * vfio_bind_with_token() - bind a device that requires a token
 * @fd: vfio device file
 * @iommufd: open /dev/iommu file
 * @token: 16-byte UUID, shared by the users of a PF and its VFs; NULL to bind
 *         without a token
 * @dev_id: returns the device ID
 *
 * Return: 0, -EACCES if the token is missing or wrong, or another -errno.
 */
int vfio_bind_with_token(int fd, int iommufd, const __u8 *token,
			 __u32 *dev_id);

/**
 * vfio_hot_reset_info() - query the functions that a hot reset affects
 * @fd: file of a bound device
 * @info: result
 * @max: number of elements of the array at the end of @info
 *
 * Return: 0, or
 * * %-ENOSPC - The array is too small; @info has the number of functions.
 * * %-ENODEV - The device does not support the reset.
 * * Another -errno.
 */
int vfio_hot_reset_info(int fd, struct vfio_pci_hot_reset_info *info,
			unsigned int max);

/**
 * vfio_hot_reset() - reset the slot or the bus of a device
 * @fd: file of a bound device
 *
 * Return: 0, -EINVAL if the iommufd that the device is bound to does not own
 * all affected functions, or another -errno.
 */
int vfio_hot_reset(int fd);

/**
 * vfio_attach() - attach a device to an address space
 * @fd: file of a bound device
 * @pt_id: ID of an address space or a page table; returns the ID of the page
 *         table in use. Not changed if the device is a mediated device
 *
 * Return: 0 or -errno.
 */
int vfio_attach(int fd, __u32 *pt_id);

/**
 * vfio_detach() - detach a device from its address space
 * @fd: file of a bound device
 *
 * Return: 0 or -errno.
 */
int vfio_detach(int fd);

/**
 * vfio_region() - query the offset, size and flags of a region
 * @fd: vfio device file that gives access to its regions
 * @index: one of VFIO_PCI_*_REGION_INDEX
 * @info: result
 *
 * Return: 0 or -errno.
 */
int vfio_region(int fd, __u32 index, struct vfio_region_info *info);

/**
 * vfio_enable_dma() - enable or disable memory space and bus mastering
 * @fd: vfio device file that gives access to its regions
 * @on: true to set the bits of the PCI command register, false to clear them
 *
 * Return: 0 or -errno.
 */
int vfio_enable_dma(int fd, bool on);

#endif
