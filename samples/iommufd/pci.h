/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to PCI functions through sysfs.
 *
 * A function is identified by its address, a string such as "0000:00:03.0". Its
 * IOMMU group is the smallest set of functions that the IOMMU can isolate from
 * all others.
 *
 * All functions return a non-negative result on success and -errno on failure.
 * They print nothing.
 */
#ifndef SAMPLES_IOMMUFD_PCI_H
#define SAMPLES_IOMMUFD_PCI_H

#include <stddef.h>

/**
 * struct pci_address - address of a PCI function
 * @text: "domain:bus:device.function" in hexadecimal
 */
struct pci_address {
	char text[16];
};

/**
 * pci_find() - find functions by vendor and device ID
 * @vendor: PCI vendor ID
 * @device: PCI device ID
 * @found: array for the addresses, in ascending order
 * @max: number of elements of @found
 *
 * Return: number of functions found, at most @max, or -errno.
 */
int pci_find(unsigned int vendor, unsigned int device,
	     struct pci_address *found, unsigned int max);

/**
 * pci_group() - get the IOMMU group of a function
 * @address: address of the function
 *
 * Return: number of the group, -ENOENT if the function does not exist or has no
 * group, or another -errno.
 */
int pci_group(const char *address);

/**
 * pci_msi_window() - get the IOVAs that a function writes to raise interrupts
 * @address: address of the function
 *
 * Return: the first IOVA, which no memory can be mapped at, -ENOENT if there is
 * no such window, or another -errno.
 */
long long pci_msi_window(const char *address);

/**
 * pci_bind_vfio() - bind a function to vfio-pci
 * @address: address of the function
 *
 * Unbinds any other driver first. Does nothing if the function is already bound
 * to vfio-pci. Needs root.
 *
 * Return: 0, -ENODEV if driver_override cannot be set or vfio-pci does not bind
 * to the function, or another -errno.
 */
int pci_bind_vfio(const char *address);

/**
 * pci_unbind_driver() - unbind a function from its driver
 * @address: address of the function
 *
 * Clears driver_override as well, so that pci_probe() can bind the function to
 * any matching driver. Unbinds nothing if the function has no driver.
 *
 * Return: 0 or -errno.
 */
int pci_unbind_driver(const char *address);

/**
 * pci_probe() - let the kernel find a driver for an unbound function
 * @address: address of the function
 *
 * Return: 0 or -errno.
 */
int pci_probe(const char *address);

/**
 * pci_write() - write to a sysfs attribute of a function
 * @address: address of the function
 * @attribute: name of the attribute, such as "remove"
 * @text: value to write
 *
 * Return: 0 or -errno.
 */
int pci_write(const char *address, const char *attribute, const char *text);

/**
 * pci_group_siblings() - find the other functions of an IOMMU group
 * @address: address of a function of the group
 * @found: array for the addresses, in ascending order
 * @max: number of elements of @found
 *
 * Bridges are left out, because vfio does not support them.
 *
 * Return: number of functions found, at most @max, or -errno.
 */
int pci_group_siblings(const char *address, struct pci_address *found,
		       unsigned int max);

/**
 * pci_find_sriov() - find a function that supports SR-IOV
 * @found: returns the address of the function
 *
 * Functions that are bound to a driver other than vfio-pci are left out,
 * because the machine may depend on them.
 *
 * Return: 0, or -ENODEV if there is none.
 */
int pci_find_sriov(struct pci_address *found);

/**
 * pci_sriov_enable() - enable or disable virtual functions
 * @address: address of the physical function, bound to vfio-pci
 * @nr: number of virtual functions; 0 disables them
 *
 * The virtual functions are bound to vfio-pci as well. Sets the enable_sriov
 * parameter of vfio-pci and disables resets of the physical function.
 *
 * Return: 0 or -errno.
 */
int pci_sriov_enable(const char *address, unsigned int nr);

/**
 * pci_sriov_vf() - get the address of a virtual function
 * @address: address of the physical function
 * @nr: index of the virtual function
 * @found: returns the address of the virtual function
 *
 * Return: 0 or -errno.
 */
int pci_sriov_vf(const char *address, unsigned int nr,
		 struct pci_address *found);

/**
 * pci_vfio_node() - get the path of the vfio device file of a function
 * @address: address of the function, bound to vfio-pci
 * @path: returns "/dev/vfio/devices/vfioN"
 * @size: size of @path in bytes
 *
 * Return: 0, or -ENODEV if the function has no vfio device file.
 */
int pci_vfio_node(const char *address, char *path, size_t size);

#endif
