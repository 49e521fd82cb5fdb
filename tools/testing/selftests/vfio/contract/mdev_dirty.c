// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record which pages become dirty when a mediated device pins or writes them.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mdev.h"

#define PAGES 8

static char *memory;
static int container;
static struct mdev mdev;

static long dirty(__u32 flags)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
	};

	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
}

/* Format a bitmap as text, one digit per page from the lowest IOVA on. */
static const char *bits(__u64 word)
{
	static char text[PAGES + 1];
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		text[i] = '0' + (word >> i & 1);
	return text;
}

static void record_dirty(const char *rules, const char *name)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} arg = { };
	__u64 word = 0;
	long rc;

	arg.head.argsz = sizeof(arg);
	arg.head.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
	arg.get.iova = IOVA;
	arg.get.size = PAGES * PAGE;
	arg.get.bitmap.pgsize = PAGE;
	arg.get.bitmap.size = sizeof(word);
	arg.get.bitmap.data = &word;
	rc = ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
	record(rules, name, "%s %s", rc_text(rc), bits(word));
}

static void record_unmap_dirty(const char *rules, const char *name)
{
	__u64 word = 0, size;
	long rc = unmap_bitmap(container, IOVA, PAGES * PAGE, &word,
			       sizeof(word), &size);

	record(rules, name, "%s size %#llx %s", rc_text(rc), size, bits(word));
}

static void must_map(void)
{
	long rc = map(container, IOVA, memory, PAGES * PAGE, READ_WRITE);

	if (rc)
		die("map: %s", rc_text(rc));
}

static void must_pin(__u64 iova, int npage)
{
	long rc = mdev_pin(&mdev, iova, npage, PIN_BOTH);

	if (rc != npage)
		die("pin: %s", rc_text(rc));
}

static void pins(void)
{
	must_map();
	must_pin(IOVA + PAGE, 2);
	record_rc("T1-105", "start", dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	record_dirty("T1-105,T1-108", "pinned_before");
	record_dirty("T1-108,T1-109", "stay_dirty");
	must_pin(IOVA + 4 * PAGE, 1);
	record_dirty("T1-108", "pinned_since");
	mdev_unpin(&mdev, IOVA + PAGE, 1);
	record_dirty("T1-108,T1-109", "unpinned_after_clear");
	must_pin(IOVA + 6 * PAGE, 1);
	mdev_unpin(&mdev, IOVA + 6 * PAGE, 1);
	record_dirty("T1-108", "pinned_and_unpinned");
	record_dirty("T1-109", "cleared");
	record_rc("T1-108", "pin_read_only",
		  mdev_pin(&mdev, IOVA + 7 * PAGE, 1, PIN_READ));
	record_dirty("T1-108,T1-142", "pinned_to_read");
	mdev_unpin(&mdev, IOVA + 7 * PAGE, 1);
	must_pin(IOVA + 4 * PAGE, 1);
	mdev_unpin(&mdev, IOVA + 4 * PAGE, 1);
	record_dirty("T1-108,T1-143", "pinned_twice");
	must_pin(IOVA + 8, 1);
	record_dirty("T1-146", "unaligned");
	mdev_unpin(&mdev, IOVA + 8, 1);

	/*
	 * Even a failed pin may mark as dirty the pages that it pinned before
	 * the failure.
	 */
	record_dirty("T1-109", "clear");
	record_rc("T1-141", "failing_pin",
		  mdev_pin(&mdev, IOVA + 6 * PAGE, 3, PIN_READ));
	record_dirty("T1-108,T1-141", "failed_pin");
	record_dirty("T1-109", "failed_pin_cleared");
}

static void writes(void)
{
	char data[2 * PAGE];

	memset(data, 0, sizeof(data));
	record_set_prefix("rw");
	record_rc("T1-155", "read", mdev_read(&mdev, IOVA, data, 8));
	record_dirty("T1-155", "after_read");
	record_rc("T1-155", "write", mdev_write(&mdev, IOVA, data, 8));
	record_dirty("T1-155", "after_write");
	record_rc("T1-155", "write_last_byte",
		  mdev_write(&mdev, IOVA + 2 * PAGE - 1, data, 1));
	record_dirty("T1-155", "after_last_byte");
	record_rc("T1-155", "write_over_two",
		  mdev_write(&mdev, IOVA + 6 * PAGE - 1, data, 2));
	record_dirty("T1-155", "after_over_two");
	record_rc("T1-155", "write_over_three",
		  mdev_write(&mdev, IOVA + PAGE / 2, data, 2 * PAGE));
	record_dirty("T1-155", "after_over_three");
	record_rc("T1-155", "write_past_end",
		  mdev_write(&mdev, IOVA + 8 * PAGE - 4, data, 8));
	record_dirty("T1-154,T1-155", "after_past_end");
	record_dirty("T1-109,T1-155", "cleared");
}

static void unmaps(void)
{
	char data[8] = "";

	record_set_prefix("unmap");
	mdev_write(&mdev, IOVA + 7 * PAGE, data, 8);
	record_unmap_dirty("T1-92,T1-109", "pinned");
	record_pages("T1-92", "pinned.pages");
	must_map();
	record_dirty("T1-73", "anew");
	must_pin(IOVA, 1);
	mdev_unpin(&mdev, IOVA, 1);
	record_unmap_dirty("T1-108,T1-109", "unpinned");
	must_map();
	must_pin(IOVA + PAGE, 1);
	record_rc("T1-105", "stop", dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	record_dirty("T1-106", "stopped");
	record_unmap_dirty("T1-81", "stopped_unmap");
	record_rc("T1-105", "start", dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	record_dirty("T1-105,T1-108", "started_again");
}

/*
 * If the container has a group with an IOMMU, all pages are reported dirty,
 * because the driver of the group's device does not call vfio_pin_pages() for
 * the pages that the device writes to. The pins of the mediated device make no
 * difference. One query after the group has left still reports all pages.
 */
static void with_group(void)
{
	int group = new_group(&devices()->singleton[0]);

	record_set_prefix("group");
	record_rc("T1-110", "join", join(group, container));
	record_dirty("T1-108,T1-110", "joined");
	must_pin(IOVA + 3 * PAGE, 1);
	record_dirty("T1-110,T1-150", "pinned");
	record_rc("T1-110", "leave", leave(group));
	record_dirty("T1-110", "left");
	record_dirty("T1-108,T1-109", "left_again");
	close(group);
}

int main(void)
{
	memory = new_pages(PAGES);
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	record_set_prefix("pins");
	pins();
	writes();
	unmaps();
	with_group();
	mdev_destroy(&mdev);
	close(container);
	return 0;
}
