// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record maps and unmaps that include the last page of the address space.
 * type1 of Linux 6.1 computes an exclusive end for them, which wraps to 0.
 */
#include <stdio.h>

#include "type1.h"

int main(void)
{
	char *memory = new_pages(4), name[32];
	struct type1 type1;
	unsigned long type;
	int c;

	for (type = VFIO_TYPE1_IOMMU; type <= VFIO_TYPE1v2_IOMMU; type += 2) {
		type1_open(&type1, type);
		c = type1.container;
		snprintf(name, sizeof(name), "v%lu", type == 1 ? 1ul : 2ul);
		record_set_prefix(name);
		if (map(c, IOVA, memory, 4 * PAGE, READ_WRITE))
			die("a mapping");
		record_unmap("T1-90", "unmap_from_0_to_end", c, IOVA, -IOVA,
			     0);
		record("T1-90", "avail", "%u", avail(c));
		record_unmap("T1-90", "unmap_last_page", c, -PAGE, PAGE, 0);
		record_unmap("T1-90", "lose_to_end", c, IOVA, -IOVA,
			     VFIO_DMA_UNMAP_FLAG_VADDR);
		record_rc("T1-40", "map_last_page",
			  map(c, -PAGE, memory, PAGE, READ_WRITE));
		record_rc("T1-40", "map_last_page_again",
			  map(c, -PAGE, memory, PAGE, READ_WRITE));
		record("T1-40", "map.avail", "%u", avail(c));
		record_unmap("T1-40,T1-90", "unmap_mapped_last_page", c, -PAGE,
			     PAGE, 0);
		record_unmap("T1-40,T1-90", "unmap_all", c, 0, 0,
			     VFIO_DMA_UNMAP_FLAG_ALL);
		record("T1-40", "end.avail", "%u", avail(c));
		record_pages("T1-40", "end");
		type1_close(&type1);
		record_pages("T1-40", "closed");
	}
	return 0;
}
