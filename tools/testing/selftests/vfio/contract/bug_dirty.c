// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record queries for which type1 of Linux 6.1 reports too many dirty pages. It
 * shifts the bitmap of a mapping in place by the offset of the mapping in the
 * queried range, and does not shift the bitmap back.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "type1.h"

#define WORDS 4

struct query {
	struct vfio_iommu_type1_dirty_bitmap head;
	struct vfio_iommu_type1_dirty_bitmap_get get;
};

static struct type1 type1;

static long query(__u32 flags, __u64 iova, __u64 size, void *data)
{
	struct query arg = {
		.head = { .argsz = sizeof(arg), .flags = flags },
		.get = {
			.iova = iova,
			.size = size,
			.bitmap = {
				.pgsize = PAGE,
				.size = WORDS * 8,
				.data = data,
			},
		},
	};

	return ioctl(type1.container, VFIO_IOMMU_DIRTY_PAGES, &arg) < 0 ?
	       -errno : 0;
}

static void record_get(const char *name, __u64 iova, __u64 size, int filler)
{
	__u64 bits[WORDS];
	long rc;

	memset(bits, filler, sizeof(bits));
	rc = query(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, iova, size, bits);
	record("T1-112", name, "%s %016llx %016llx", rc_text(rc), bits[0],
	       bits[1]);
}

int main(void)
{
	char *memory = new_pages(8), *nowhere = new_pages(1);

	munmap(nowhere, PAGE);
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	if (map(type1.container, IOVA + 2 * PAGE, memory, 3 * PAGE,
		READ_WRITE) ||
	    query(VFIO_IOMMU_DIRTY_PAGES_FLAG_START, 0, 0, NULL))
		die("a mapping to track");

	/*
	 * Pages 2 to 4 of the range are mapped. A query with a cleared bitmap
	 * must report exactly these pages dirty. Bits of the filler stay set.
	 */
	record_get("shifted", IOVA, 64 * PAGE, 0);
	record_get("shifted_again", IOVA, 64 * PAGE, 0);
	record_get("shifted_third", IOVA, 64 * PAGE, 0);
	record_get("filler", IOVA, 64 * PAGE, 0xff);
	record_get("after_filler", IOVA, 64 * PAGE, 0);
	record_rc("T1-112", "fault",
		  query(VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, IOVA,
			64 * PAGE, nowhere));
	record_get("after_fault", IOVA, 64 * PAGE, 0);
	type1_close(&type1);
	return 0;
}
