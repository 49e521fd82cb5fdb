// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record mappings, IOVA ranges and page sizes of a container that has only
 * mediated devices, and how they change when a group with an IOMMU is added.
 */
#include <stdio.h>
#include <unistd.h>

#include "mdev.h"

/* An IOVA beyond the aperture of QEMU's Intel IOMMU */
#define FAR 0x4000000000000000ull

static char *memory;

/* Record the IOVA ranges in one line, or "none" without the capability. */
static void record_ranges(const char *rules, const char *name, int container)
{
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	char info[INFO_ROOM] = "", text[256] = "none";
	int length = 0;
	__u32 i;

	if (get_info(container, info, sizeof(info)))
		die("GET_INFO");
	ranges = capability(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	for (i = 0; ranges && i < ranges->nr_iovas; i++) {
		length += snprintf(text + length, sizeof(text) - length,
				   "%s%#llx-%#llx", i ? " " : "",
				   ranges->iova_ranges[i].start,
				   ranges->iova_ranges[i].end);
		if ((size_t)length >= sizeof(text))
			die("%u IOVA ranges do not fit", ranges->nr_iovas);
	}
	record(rules, name, "%s", text);
}

static void record_pgsizes(const char *rules, const char *name, int container)
{
	char info[INFO_ROOM] = "";
	const struct vfio_iommu_type1_info *header = (const void *)info;

	if (get_info(container, info, sizeof(info)))
		die("GET_INFO");
	record(rules, name, "%#llx", header->iova_pgsizes);
}

static void alone(void)
{
	struct mdev one, two;
	int container = mdev_container(&one, "notified", VFIO_TYPE1v2_IOMMU);

	record_set_prefix("alone");
	record_ranges("T1-31,T1-115", "ranges", container);
	record_pgsizes("T1-26,T1-115", "pgsizes", container);
	record("T1-30", "avail", "%u", avail(container));
	record_rc_pages("T1-42,T1-115", "map",
			map(container, IOVA, memory, 8 * PAGE, READ_WRITE));
	record_rc_pages("T1-42", "map_nothing",
			map(container, FAR, (void *)(1ul << 46), PAGE,
			    READ_WRITE));
	record_rc_pages("T1-42", "map_reserved",
			map(container, 0xfee00000, memory, PAGE, READ_WRITE));
	record_rc_pages("T1-35", "map_no_access",
			map(container, FAR + PAGE, memory, PAGE, 0));
	record_rc("T1-21", "update_vaddr",
		  check_extension(container, VFIO_UPDATE_VADDR));
	record_rc("T1-114", "join_again", join(one.group, container));

	mdev_create(&two, "plain");
	record_rc_pages("T1-115", "second_joins", join(two.group, container));
	record_unmap("T1-81,T1-162", "vaddr", container, IOVA, 8 * PAGE,
		     VFIO_DMA_UNMAP_FLAG_VADDR);
	record_unmap("T1-81", "vaddr_unaligned", container, IOVA + 1, 0,
		     VFIO_DMA_UNMAP_FLAG_VADDR);
	record_rc_pages("T1-131", "second_leaves", leave(two.group));
	record("T1-131", "avail_kept", "%u", avail(container));
	mdev_close(&one);
	record_rc_pages("T1-12,T1-131", "last_leaves", leave(one.group));
	record_rc("T1-12", "join_anew", join(one.group, container));
	record_rc("T1-12", "set_iommu",
		  set_iommu(container, VFIO_TYPE1v2_IOMMU));
	record("T1-12,T1-131", "avail_anew", "%u", avail(container));
	mdev_destroy(&two);
	mdev_destroy(&one);
	close(container);
}

/* Add a group with an IOMMU to a container that has mappings. */
static void add_domain(void)
{
	int group = new_group(&devices()->singleton[0]), container;
	struct mdev mdev;
	long rc;

	record_set_prefix("domain");
	container = mdev_container(&mdev, "notified", VFIO_TYPE1v2_IOMMU);
	rc = map(container, IOVA, memory, 8 * PAGE, READ_WRITE);
	record_rc("T1-42", "map", rc);
	record_rc("T1-42", "map_far",
		  map(container, FAR, memory, PAGE, READ_WRITE));
	record_rc_pages("T1-120,T1-125", "join_far", join(group, container));
	record_ranges("T1-122", "join_far.ranges", container);
	record_unmap("T1-125", "unmap_far", container, FAR, PAGE, 0);

	record_rc("T1-42", "map_reserved",
		  map(container, 0xfee00000, memory, PAGE, READ_WRITE));
	record_rc_pages("T1-121", "join_reserved", join(group, container));
	record_ranges("T1-122", "join_reserved.ranges", container);
	record_unmap("T1-121", "unmap_reserved", container, 0xfee00000, PAGE,
		     0);

	record_rc("T1-42", "map_nothing",
		  map(container, IOVA + 32 * PAGE, (void *)(1ul << 46), PAGE,
		      READ_WRITE));
	record_rc_pages("T1-125", "join_nothing", join(group, container));
	record_unmap("T1-125", "unmap_nothing", container, IOVA + 32 * PAGE,
		     PAGE, 0);

	record_rc_pages("T1-125", "join", join(group, container));
	record_ranges("T1-31", "join.ranges", container);
	record_pgsizes("T1-128", "join.pgsizes", container);
	record_rc_pages("T1-132", "leave", leave(group));
	record_ranges("T1-135", "leave.ranges", container);
	record_pgsizes("T1-132", "leave.pgsizes", container);
	record("T1-132", "leave.avail", "%u", avail(container));

	/*
	 * Without a domain, all IOVAs can be mapped again. A mapping beyond the
	 * aperture of the group's domain prevents the group from being added.
	 */
	record_rc("T1-42", "map_far_again",
		  map(container, FAR, memory, PAGE, READ_WRITE));
	record_rc_pages("T1-120,T1-135", "join_far_again",
			join(group, container));
	record_unmap("T1-135", "unmap_far_again", container, FAR, PAGE, 0);
	record_rc_pages("T1-125", "join_again", join(group, container));
	mdev_destroy(&mdev);
	record_pages("T1-131", "mdev_gone");
	record("T1-131", "avail", "%u", avail(container));
	close(group);
	close(container);
	record_pages("T1-15", "closed");
}

/* Add a group while the virtual address of a mapping is invalid. */
static void invalid_vaddr(void)
{
	struct type1 real;
	struct mdev mdev;

	record_set_prefix("no_vaddr");
	mdev_create(&mdev, "notified");
	type1_open(&real, VFIO_TYPE1v2_IOMMU);
	record_rc("T1-43", "map", map(real.container, IOVA, memory, 2 * PAGE,
				      READ_WRITE));
	record_unmap("T1-95", "take_back", real.container, IOVA, 2 * PAGE,
		     VFIO_DMA_UNMAP_FLAG_VADDR);
	record_rc("T1-96,T1-114,T1-160", "join",
		  join(mdev.group, real.container));
	record_rc("T1-75,T1-76", "give",
		  map(real.container, IOVA, memory + PAGE, 2 * PAGE,
		      VFIO_DMA_MAP_FLAG_VADDR));
	record_rc("T1-75,T1-96", "join_then", join(mdev.group, real.container));
	record_unmap("T1-81", "take_back_then", real.container, IOVA, 2 * PAGE,
		     VFIO_DMA_UNMAP_FLAG_VADDR);
	mdev_open(&mdev);
	record_pin("T1-76", "pin", &mdev, IOVA, 1, PIN_BOTH);
	record_unpin("T1-76", "unpin", &mdev, IOVA, 1);
	mdev_destroy(&mdev);
	type1_close(&real);
	record_pages("T1-15", "closed");
}

int main(void)
{
	memory = new_pages(8);
	alone();
	add_domain();
	invalid_vaddr();
	return 0;
}
