// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trigger a lock inversion of type1 in Linux 6.1. Opening a device takes
 * iommu->lock and then iommu->device_list_lock. A notice is sent with
 * device_list_lock held, and the driver's unpin during the notice takes
 * iommu->lock. A single thread takes the locks in both orders, so that
 * lockdep reports the inversion in the kernel log without a deadlock.
 */
#include <unistd.h>

#include "mdev.h"

int main(void)
{
	struct mdev mdev;
	int container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);

	record_set_prefix("bug.inversion");
	record_rc("T1-169", "map", map(container, IOVA, new_pages(1), PAGE,
				       READ_WRITE));
	record_pin("T1-169", "pin", &mdev, IOVA, 1, PIN_BOTH);
	record_unmap("T1-168,T1-169", "unmap", container, IOVA, PAGE, 0);
	record_pages("T1-169", "unmap.pages");
	mdev_destroy(&mdev);
	close(container);
	return 0;
}
