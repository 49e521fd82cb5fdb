/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The steps with a device that has no DMA: one that its driver emulates, in the
 * address space of a physical device.
 */
#ifndef SAMPLES_IOMMUFD_SHOW_MEDIATED_H
#define SAMPLES_IOMMUFD_SHOW_MEDIATED_H

#include <linux/types.h>

#include "edu.h"

/**
 * show_mediated() - data from one device to the other and back
 * @edu: the physical device, attached to the address space
 * @iommufd: an open /dev/iommu
 * @ioas: the address space
 * @memory: some pages that are mapped there
 * @iova: where
 */
void show_mediated(struct edu *edu, int iommufd, __u32 ioas, char *memory,
		   __u64 iova);

#endif
