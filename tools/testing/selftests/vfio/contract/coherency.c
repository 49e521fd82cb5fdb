// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record what VFIO_CHECK_EXTENSION reports about DMA coherency. The machine
 * needs an IOMMU with snoop control, which can enforce coherency.
 */
#include <unistd.h>

#include "type1.h"

int main(void)
{
	char *memory = new_pages(1);
	struct type1 type1;
	int second;

	record_rc("T1-22", "no_driver",
		  check_extension(new_container(), VFIO_DMA_CC_IOMMU));
	type1_open(&type1, VFIO_TYPE1_IOMMU);
	record_rc("T1-22,T1-117", "v1",
		  check_extension(type1.container, VFIO_DMA_CC_IOMMU));
	type1_close(&type1);
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record_rc("T1-22,T1-117", "v2",
		  check_extension(type1.container, VFIO_DMA_CC_IOMMU));
	if (devices()->nr_singletons < 2)
		die("needs two edu devices with groups of their own");
	second = new_group(&devices()->singleton[1]);
	record_rc("T1-118", "join", join(second, type1.container));
	record_rc("T1-22,T1-117,T1-118", "two_groups",
		  check_extension(type1.container, VFIO_DMA_CC_IOMMU));
	close(second);
	record_rc("T1-22", "one_group",
		  check_extension(type1.container, VFIO_DMA_CC_IOMMU));
	type1_device(&type1);
	map(type1.container, IOVA, memory, PAGE, READ_WRITE);
	record_reach("T1-55,T1-117", "reach", &type1, IOVA, memory);
	type1_close(&type1);
	record_pages("T1-15", "end");
	return 0;
}
