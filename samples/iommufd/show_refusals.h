/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What vfio refuses to one who has a device, for the sake of others: a virtual
 * function without the token, a group that a kernel driver uses, and the reset
 * of a bus with somebody else's device on it.
 *
 * Rule: a step each, see steps.h, with a /dev/iommu of its own; afterwards all
 * devices are where they were.
 */
#ifndef SAMPLES_IOMMUFD_SHOW_REFUSALS_H
#define SAMPLES_IOMMUFD_SHOW_REFUSALS_H

/*
 * @addresses are @nr devices that vfio-pci has. The steps about a bus are for
 * one that has a device of another kind beside it, in its group.
 */
void show_refusals(char **addresses, unsigned int nr);

#endif
