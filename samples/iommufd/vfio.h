/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device through its vfio file: /dev/vfio/devices/vfioN.
 *
 * Vocabulary: to bind is to hand the device to one open /dev/iommu, after
 * which it has an ID there and the file answers at all; to attach is to let
 * the device's DMA go through an address space of that /dev/iommu. A region is
 * a window of the file: a BAR, or the PCI config space.
 *
 * Rule: 0 (or an fd) or -errno, and nothing printed. There is no unbind:
 * close() of the file ends both.
 */
#ifndef SAMPLES_IOMMUFD_VFIO_H
#define SAMPLES_IOMMUFD_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/vfio.h>

/**
 * vfio_node() - the character device that vfio made for a device
 * @device: the device's folder in sysfs
 * @path: set to "/dev/vfio/devices/vfioN"
 * @size: bytes at @path
 *
 * Return: 0; -ENODEV if vfio has no such device.
 */
int vfio_node(const char *device, char *path, size_t size);

/**
 * vfio_open() - open the device file of a PCI function
 * @address: the function, bound to vfio-pci
 *
 * Return: the fd, which answers nothing before vfio_bind(); -errno.
 */
int vfio_open(const char *address);

/**
 * vfio_bind() - hand the device to a /dev/iommu
 * @fd: from vfio_open()
 * @iommufd: an open /dev/iommu
 * @dev_id: set to the device's ID there
 *
 * Return: 0 or -errno.
 */
int vfio_bind(int fd, int iommufd, __u32 *dev_id);

/**
 * vfio_bind_with_token() - as vfio_bind(), of a device that wants a token
 * @fd: from vfio_open()
 * @iommufd: an open /dev/iommu
 * @token: 16 bytes that the users of a PF and its VFs share
 * @dev_id: set to the device's ID there
 *
 * Return: 0; -EACCES if it is not the device's token; -errno.
 */
int vfio_bind_with_token(int fd, int iommufd, const __u8 *token,
			 __u32 *dev_id);

/**
 * vfio_hot_reset_info() - which functions a reset of the bus would affect
 * @fd: a bound device
 * @info: filled
 * @room: elements at the end of @info
 *
 * Return: 0; -ENOSPC if there are more, with their number in @info; -ENODEV if
 * there is no such reset; -errno.
 */
int vfio_hot_reset_info(int fd, struct vfio_pci_hot_reset_info *info,
			unsigned int room);

/**
 * vfio_hot_reset() - reset all functions of the device's bus
 * @fd: a bound device
 *
 * Return: 0; -EINVAL if the device's /dev/iommu does not own all of them;
 * -errno.
 */
int vfio_hot_reset(int fd);

/**
 * vfio_attach() - let the device's DMA go through an address space
 * @fd: a bound device
 * @pt_id: ID of the address space; set to the I/O page table's ID
 *
 * Return: 0 or -errno.
 */
int vfio_attach(int fd, __u32 *pt_id);

/**
 * vfio_detach() - let the device's DMA go nowhere
 * @fd: a bound device
 *
 * Return: 0 or -errno.
 */
int vfio_detach(int fd);

/**
 * vfio_region() - where a region is and what may be done with it
 * @fd: a bound device
 * @index: one of VFIO_PCI_*_REGION_INDEX
 * @info: filled
 *
 * Return: 0 or -errno.
 */
int vfio_region(int fd, __u32 index, struct vfio_region_info *info);

/**
 * vfio_enable_dma() - set the PCI command bits that a driver sets
 * @fd: a bound device
 * @on: whether the device shall answer in memory space and master the bus
 *
 * Return: 0 or -errno.
 */
int vfio_enable_dma(int fd, bool on);

#endif
