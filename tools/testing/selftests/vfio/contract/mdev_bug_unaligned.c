// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record pins of unaligned IOVAs. type1 of Linux 6.1 handles them wrongly in
 * two ways. It may pin the page before the start of a mapping. When a domain is
 * added, type1 does not find the pin of an unaligned IOVA and charges the page
 * a second time. The second charge is not always undone and would distort later
 * counts, so this program records nothing else.
 */
#include <unistd.h>

#include "mdev.h"

int main(void)
{
	int group = new_group(&devices()->singleton[0]), container;
	char *memory = new_pages(4), data[8];
	struct mdev mdev;
	long rc;

	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	record_set_prefix("bug.unaligned");
	memory[PAGE - 8] = 'b';
	rc = map(container, IOVA, memory + PAGE, 2 * PAGE, READ_WRITE);
	record_rc("T1-147", "map", rc);
	record_pin("T1-147", "before_start", &mdev, IOVA - 8, 1, PIN_BOTH);
	rc = mdev_peek(&mdev, IOVA - 8, data, 8);
	record("T1-147", "before_start.peek", "%s %s", rc_text(rc),
	       rc ? "nothing" : data[0] == 'b' ? "what is before" : "other");
	if (!rc)
		mdev_unpin(&mdev, IOVA - 8, 1);
	record_pages("T1-147", "before_start.unpinned");

	mdev_reset_letters();
	record_pin("T1-147", "pin", &mdev, IOVA + 8, 1, PIN_BOTH);
	record_rc_pages("T1-147", "domain_comes", join(group, container));
	record_unpin("T1-147", "unpin", &mdev, IOVA + 8, 1);
	record_unmap("T1-147", "unmap", container, IOVA, 2 * PAGE, 0);
	record_pages("T1-147", "unmap.pages");
	record_rc_pages("T1-147", "domain_goes", leave(group));
	mdev_destroy(&mdev);
	close(group);
	close(container);
	record_pages("T1-147", "closed");
	return 0;
}
