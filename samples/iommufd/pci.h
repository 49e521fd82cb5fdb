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
 * pci_take_from_driver() - leave a function without a driver
 * @address: the function
 *
 * Return: 0 or -errno.
 */
int pci_take_from_driver(const char *address);

/**
 * pci_probe() - let the drivers that there are have a function without one
 * @address: the function
 *
 * Return: 0 or -errno.
 */
int pci_probe(const char *address);

/**
 * pci_write() - write an attribute of a function
 * @address: the function
 * @attribute: such as "remove"
 * @text: what to write
 *
 * Return: 0 or -errno.
 */
int pci_write(const char *address, const char *attribute, const char *text);

/**
 * pci_group_mates() - the other functions of a function's group
 * @address: the function
 * @found: filled with addresses, in ascending order
 * @room: elements of @found
 *
 * Return: how many were found, at most @room; -errno.
 */
int pci_group_mates(const char *address, struct pci_address *found,
		    unsigned int room);

/**
 * pci_find_sriov() - look for a function that can have virtual functions
 * @found: set to the first one
 *
 * Return: 0; -ENODEV if there is none.
 */
int pci_find_sriov(struct pci_address *found);

/**
 * pci_sriov_enable() - give a function of vfio-pci virtual functions
 * @address: the physical function
 * @nr: how many; 0 takes them away
 *
 * They go to vfio-pci, as the physical function does.
 *
 * Return: 0 or -errno.
 */
int pci_sriov_enable(const char *address, unsigned int nr);

/**
 * pci_sriov_vf() - name a virtual function
 * @address: its physical function
 * @nr: which one, from 0
 * @found: set to it
 *
 * Return: 0 or -errno.
 */
int pci_sriov_vf(const char *address, unsigned int nr,
		 struct pci_address *found);

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
