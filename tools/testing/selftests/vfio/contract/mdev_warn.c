// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record invalid unpins, which no driver should attempt. The kernel warns about
 * each of them, so do not run this program where the kernel log must be clean.
 */
#include <stdio.h>
#include <unistd.h>

#include "mdev.h"

static void must_map(int container, __u64 iova, const void *vaddr, __u64 size)
{
	long rc = map(container, iova, vaddr, size, READ_WRITE);

	if (rc)
		die("map: %s", rc_text(rc));
}

int main(void)
{
	char *memory = new_pages(4);
	struct mdev mdev;
	int container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);

	puts("# expects: warning");
	record_set_prefix("v2");
	must_map(container, IOVA, memory, PAGE);
	must_map(container, IOVA + 2 * PAGE, memory, PAGE);
	record_pin("T1-148", "pin", &mdev, IOVA, 1, PIN_BOTH);
	record_pin("T1-148", "pin_beyond", &mdev, IOVA + 2 * PAGE, 1, PIN_BOTH);
	record_unpin("T1-138", "none", &mdev, IOVA, 0);
	record_unpin("T1-138", "negative", &mdev, IOVA, -1);
	record_unpin("T1-148", "over_a_hole", &mdev, IOVA, 3);
	mdev_forget(&mdev, IOVA + 2 * PAGE, 1);
	record_unpin("T1-148", "beyond", &mdev, IOVA + 2 * PAGE, 1);
	record_unpin("T1-148", "unmapped", &mdev, IOVA + PAGE, 1);
	mdev_destroy(&mdev);
	close(container);

	record_set_prefix("v1");
	container = mdev_container(&mdev, "notified", VFIO_TYPE1_IOMMU);
	must_map(container, IOVA, memory, PAGE);
	record_unpin("T1-148", "unpin", &mdev, IOVA, 1);
	mdev_destroy(&mdev);
	close(container);
	return 0;
}
