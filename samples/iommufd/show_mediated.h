/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steps that use a mediated device, which does no DMA of its own, in the
 * address space of a physical device.
 */
#ifndef SAMPLES_IOMMUFD_SHOW_MEDIATED_H
#define SAMPLES_IOMMUFD_SHOW_MEDIATED_H

#include <linux/types.h>

#include "edu.h"

/**
 * show_mediated() - transfer data between a mediated and a physical device
 * @edu: physical device, attached to the address space
 * @iommufd: open /dev/iommu file
 * @ioas: ID of the address space
 * @memory: at least three pages that are mapped in the address space
 * @iova: IOVA that @memory is mapped at
 */
void show_mediated(struct edu *edu, int iommufd, __u32 ioas, char *memory,
		   __u64 iova);

#endif
