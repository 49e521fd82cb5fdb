/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI functions as sysfs shows them.
 *
 * Vocabulary: an address is the text "0000:00:03.0" that names a function; a
 * group is the number of its IOMMU group, the smallest set of functions that
 * the IOMMU can tell from all others.
 *
 * Rule: every function returns 0 (or what it was asked for, if that is not
 * negative) or -errno, and prints nothing.
 */
#ifndef SAMPLES_IOMMUFD_PCI_H
#define SAMPLES_IOMMUFD_PCI_H

#include <stddef.h>

/**
 * struct pci_address - the name of one function
 * @text: "domain:bus:device.function" in hexadecimal
 */
struct pci_address {
	char text[16];
};

/**
 * pci_find() - look for functions of one kind
 * @vendor: PCI vendor number
 * @device: PCI device number
 * @found: filled with addresses, in ascending order
 * @room: elements of @found
 *
 * Return: how many were found, at most @room; -errno.
 */
int pci_find(unsigned int vendor, unsigned int device,
	     struct pci_address *found, unsigned int room);

/**
 * pci_group() - which IOMMU group a function belongs to
 * @address: the function
 *
 * Return: the group's number; -ENOENT if no IOMMU serves the function.
 */
int pci_group(const char *address);

/**
 * pci_give_to_vfio() - make vfio-pci the driver of a function
 * @address: the function
 *
 * Takes the function from any other driver. Needs root. What is bound already
 * stays as it is.
 *
 * Return: 0; -ENODEV if vfio-pci is not there or does not take the function.
 */
int pci_give_to_vfio(const char *address);

/**
 * pci_vfio_node() - the character device that vfio made for a function
 * @address: the function, bound to vfio-pci
 * @path: set to "/dev/vfio/devices/vfioN"
 * @size: bytes at @path
 *
 * Return: 0; -ENODEV if vfio has no such device.
 */
int pci_vfio_node(const char *address, char *path, size_t size);

#endif
