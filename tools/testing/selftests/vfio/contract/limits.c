// SPDX-License-Identifier: GPL-2.0-only
/* Record what happens at the maximum number of mappings of a container. */
#include "type1.h"

#define NR 65535u

int main(void)
{
	char *memory = new_pages(1);
	unsigned int made, wrong = 0;
	struct type1 type1;
	__u64 done, sum = 0;
	int c;

	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	c = type1.container;
	for (made = 0; made < NR; made++)
		if (map(c, IOVA + 2ull * made * PAGE, memory, PAGE, READ_ONLY))
			break;
	record("T1-30,T1-39", "made", "%u", made);
	record("T1-30,T1-39", "avail", "%u", avail(c));
	record_pages("T1-59", "pages");
	record_rc("T1-35,T1-39", "one_more",
		  map(c, IOVA - PAGE, memory, PAGE, READ_ONLY));
	record_rc("T1-36", "one_more_there",
		  map(c, IOVA, memory, PAGE, READ_ONLY));
	record_unmap("T1-86", "hole", c, IOVA + PAGE, PAGE, 0);
	record_unmap("T1-86", "middle", c, IOVA + 40000 * PAGE, 200 * PAGE, 0);
	record("T1-30,T1-39", "avail_middle", "%u", avail(c));
	for (made = 0; made < 1000; made++) {
		if (unmap(c, IOVA + 2ull * made * PAGE, PAGE, 0, &done))
			wrong++;
		sum += done;
	}
	record("T1-86", "one_by_one", "wrong %u sum %#llx", wrong, sum);
	record_unmap("T1-88", "all", c, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL);
	record("T1-30", "avail_all", "%u", avail(c));
	record_pages("T1-69", "unmapped");
	type1_close(&type1);
	return 0;
}
