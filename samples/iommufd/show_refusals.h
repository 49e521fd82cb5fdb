/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps that show which requests vfio rejects to protect other users of a
 * device or a bus: binding a virtual function without its token, binding a
 * device of a group that a kernel driver uses, and resetting a bus with a
 * device that the caller does not own.
 *
 * The steps open iommufds of their own. They leave the physical function of the
 * token steps bound to vfio-pci. The bus reset steps unbind the driver of a
 * device that is not in the list of the caller, and let the kernel find a
 * driver for this device again at the end.
 */
#ifndef SAMPLES_IOMMUFD_SHOW_REFUSALS_H
#define SAMPLES_IOMMUFD_SHOW_REFUSALS_H

/*
 * Run the steps. @addresses has the PCI addresses of @nr devices that are bound
 * to vfio-pci. The bus reset steps need a device that shares its IOMMU group
 * with a device not in @addresses.
 */
void show_refusals(char **addresses, unsigned int nr);

#endif
