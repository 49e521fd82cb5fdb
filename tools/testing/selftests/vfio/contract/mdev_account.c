// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record how pins of a mediated device are charged, and how adding or removing
 * a domain changes the charges. Without a domain, a pin charges its page. With
 * a domain, all mapped pages are already charged.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "mdev.h"

static char *memory;
static int container, group;
static struct mdev mdev;

static void must_map(__u64 iova, unsigned int page, unsigned int pages)
{
	long rc = map(container, iova, memory + page * PAGE, pages * PAGE,
		      READ_WRITE);

	if (rc)
		die("map: %s", rc_text(rc));
}

static void matrix(void)
{
	record_set_prefix("matrix");
	must_map(IOVA, 0, 8);
	record_pages("T1-42,T1-68", "map_without_domain");
	record_pin("T1-68", "pin_without_domain", &mdev, IOVA, 4, PIN_BOTH);
	record_unpin("T1-68", "unpin_without_domain", &mdev, IOVA, 1);

	record_rc_pages("T1-60,T1-68,T1-125", "domain_comes",
			join(group, container));
	record_unpin("T1-68", "unpin_with_domain", &mdev, IOVA + PAGE, 1);
	record_pin("T1-68", "pin_with_domain", &mdev, IOVA + 4 * PAGE, 1,
		   PIN_BOTH);
	must_map(IOVA + 16 * PAGE, 8, 4);
	record_pages("T1-68", "map_with_domain");
	record_pin("T1-68", "pin_of_new", &mdev, IOVA + 16 * PAGE, 2,
		   PIN_BOTH);

	record_rc_pages("T1-68,T1-132", "domain_goes", leave(group));
	record_unpin("T1-68", "unpin_after", &mdev, IOVA + 2 * PAGE, 1);
	record_unpin("T1-68", "unpin_new_after", &mdev, IOVA + 16 * PAGE, 2);
	record_pin("T1-68", "pin_after", &mdev, IOVA + 17 * PAGE, 1, PIN_BOTH);

	record_rc_pages("T1-68,T1-125", "domain_comes_again",
			join(group, container));
	record_unmap("T1-68", "unmap_first", container, IOVA, 8 * PAGE, 0);
	record_pages("T1-68", "unmap_first.pages");
	record_rc_pages("T1-68,T1-132", "domain_goes_again", leave(group));
	record_unmap("T1-68", "unmap_second", container, IOVA + 16 * PAGE,
		     4 * PAGE, 0);
	record_pages("T1-68", "unmap_second.pages");
}

static void limits(void)
{
	record_set_prefix("limit");
	mdev_reset_letters();
	limit_locked(false, 4);
	must_map(IOVA, 0, 8);
	record_pages("T1-42,T1-62", "map_beyond");
	record_pin("T1-61,T1-145", "beyond", &mdev, IOVA, 5, PIN_BOTH);
	record_pin("T1-62,T1-145", "exactly", &mdev, IOVA, 4, PIN_BOTH);
	record_pin("T1-145", "one_more", &mdev, IOVA + 4 * PAGE, 1, PIN_BOTH);
	record_pin("T1-143,T1-145", "again", &mdev, IOVA, 4, PIN_BOTH);
	record_unpin("T1-143", "unpin_again", &mdev, IOVA, 4);
	record_rc_pages("T1-62,T1-125", "domain", join(group, container));
	limit_locked(true, 4);
	record_pin("T1-61", "capable_later", &mdev, IOVA + 4 * PAGE, 1,
		   PIN_BOTH);
	record_unmap("T1-62", "unmap", container, IOVA, 8 * PAGE, 0);
	record_pages("T1-62", "unmap.pages");

	record_set_prefix("capable");
	mdev_reset_letters();
	must_map(IOVA, 0, 8);
	limit_locked(false, 4);
	record_pin("T1-61,T1-145", "beyond", &mdev, IOVA, 8, PIN_BOTH);
	record_unpin("T1-61", "unpin", &mdev, IOVA, 8);
	record_unmap("T1-61", "unmap", container, IOVA, 8 * PAGE, 0);

	/* With a domain, a pin charges nothing and succeeds at the limit. */
	record_set_prefix("with_domain");
	record_rc("T1-145", "join", join(group, container));
	must_map(IOVA, 0, 4);
	record_pin("T1-68,T1-145", "full", &mdev, IOVA, 4, PIN_BOTH);
	record_unmap("T1-68", "unmap", container, IOVA, 4 * PAGE, 0);
	record_pages("T1-68", "unmap.pages");
	record_rc_pages("T1-68", "leave", leave(group));
	limit_locked(true, -1);
}

int main(void)
{
	memory = new_pages(16);
	group = new_group(&devices()->singleton[0]);
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	matrix();
	limits();
	mdev_close(&mdev);
	record_pages("T1-131", "closed");
	mdev_destroy(&mdev);
	close(group);
	close(container);
	return 0;
}
