/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps that show which requests vfio rejects to protect other users of a
 * device or bus: to bind a virtual function without its token, to bind a device
 * of a group that a kernel driver uses, and to reset a bus with a device that
 * the caller does not own.
 *
 * Each function opens its own /dev/iommu and restores the drivers of all
 * devices.
 */
#ifndef SAMPLES_IOMMUFD_SHOW_REFUSALS_H
#define SAMPLES_IOMMUFD_SHOW_REFUSALS_H

/*
 * @addresses has @nr devices that are bound to vfio-pci. The bus reset steps
 * need a device that shares its IOMMU group with a device not in @addresses.
 */
void show_refusals(char **addresses, unsigned int nr);

#endif
