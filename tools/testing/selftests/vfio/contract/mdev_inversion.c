// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two orders of two locks: a device that is opened takes the container's lock
 * and then that of the list of devices; a notice comes under the latter, and
 * the device unpins in it, which takes the former. One thread shows both
 * orders to lockdep; none of them waits. The kernel's log tells the result.
 */
#include <unistd.h>

#include "mdev.h"

int main(void)
{
	struct mdev mdev;
	int container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);

	record_within("bug.inversion");
	record_rc("T1-169", "map", map(container, IOVA, new_pages(1), PAGE,
				       READ_WRITE));
	record_pin("T1-169", "pin", &mdev, IOVA, 1, PIN_BOTH);
	record_unmap("T1-168,T1-169", "unmap", container, IOVA, PAGE, 0);
	record_pages("T1-169", "unmap.pages");
	mdev_destroy(&mdev);
	close(container);
	return 0;
}
