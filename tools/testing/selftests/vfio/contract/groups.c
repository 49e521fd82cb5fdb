// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record how groups are added to and removed from a container that has mappings
 * and other groups, and how two devices of one group use a container.
 */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "type1.h"

static void record_info(const char *rules, const char *name, int container)
{
	char info[INFO_ROOM] = "";

	if (get_info(container, info, sizeof(info)))
		die("GET_INFO");
	/* Skip argsz, the first member. */
	record_bytes(rules, name, info + 4, 124);
}

/* Open a device of @group, which is in @container, and map its registers. */
static struct type1 open_device(int container, int group,
				const struct pci_address *address)
{
	struct type1 other = { .container = container, .group = group };
	long fd = get_device(group, address);
	int err;

	if (fd < 0)
		die("VFIO_GROUP_GET_DEVICE_FD: %s", rc_text(fd));
	err = edu_start(&other.edu, (int)fd);
	if (err)
		die("edu_start: %s", rc_text(err));
	other.device = (int)fd;
	return other;
}

static void close_device(struct type1 *other)
{
	edu_stop(&other->edu);
	close(other->device);
	other->device = -1;
}

static void two_groups(void)
{
	char *memory = new_pages(4);
	struct type1 type1, second;
	int group, c;

	if (devices()->nr_singletons < 2)
		die("needs two edu devices with groups of their own");
	record_set_prefix("two");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	c = type1.container;
	record_info("T1-122,T1-134", "info", c);
	record_rc_pages("T1-125", "map", map(c, IOVA, memory, 4 * PAGE,
					     READ_WRITE));
	group = new_group(&devices()->singleton[1]);
	record_rc_pages("T1-118", "join", join(group, c));
	record_rc("T1-114", "join_again", join(group, c));
	record_info("T1-33,T1-118,T1-122", "info_joined", c);
	second = open_device(c, group, &devices()->singleton[1]);
	type1_device(&type1);
	record_reach("T1-118,T1-125", "second_reaches_old", &second,
		     IOVA + PAGE, memory + PAGE);
	record_rc_pages("T1-118", "map_for_both",
			map(c, 2 * IOVA, memory, 2 * PAGE, READ_WRITE));
	record_reach("T1-118", "first_reaches_new", &type1, 2 * IOVA, memory);
	record_reach("T1-118", "second_reaches_new", &second, 2 * IOVA,
		     memory);
	record_unmap("T1-98,T1-118", "unmap", c, IOVA, 4 * PAGE, 0);
	record_reach("T1-98,T1-170", "first_blocked", &type1, IOVA + PAGE,
		     memory + PAGE);
	record_reach("T1-98,T1-170", "second_blocked", &second, IOVA + PAGE,
		     memory + PAGE);
	record_rc("T1-14", "leave_with_device", leave(group));
	close_device(&second);
	record_rc_pages("T1-132,T1-133", "leave", leave(group));
	record_info("T1-134", "info_left", c);
	record_reach("T1-132,T1-133", "first_still_reaches", &type1, 2 * IOVA,
		     memory);
	record_rc("T1-118,T1-134", "join_back", join(group, c));

	/* Remove the first group. The mappings remain for the second group. */
	close_device(&type1);
	edu_stop(&type1.edu);
	record_rc_pages("T1-132,T1-133", "first_leaves", leave(type1.group));
	second = open_device(c, group, &devices()->singleton[1]);
	record_reach("T1-132,T1-133", "second_reaches", &second, 2 * IOVA,
		     memory);
	record_info("T1-134", "info_first_left", c);
	close_device(&second);
	record_rc_pages("T1-12,T1-132", "second_leaves", leave(group));
	close(group);
	type1_close(&type1);
}

/* Set the driver after both groups were added. */
static void both_at_once(void)
{
	int c = new_container(), one, two;
	char *memory = new_pages(2);

	record_set_prefix("at_once");
	one = new_group(&devices()->singleton[0]);
	two = new_group(&devices()->singleton[1]);
	record_rc("T1-11", "join_one", join(one, c));
	record_rc("T1-11", "join_two", join(two, c));
	record_rc("T1-09,T1-11", "set_iommu_9", set_iommu(c, 9));
	record_rc("T1-11,T1-114", "set_iommu_nesting", set_iommu(c, 6));
	record_rc("T1-11", "set_iommu", set_iommu(c, 3));
	record_info("T1-11,T1-122", "info", c);
	record_rc_pages("T1-11", "map", map(c, IOVA, memory, 2 * PAGE,
					    READ_WRITE));
	record_rc_pages("T1-14,T1-133", "leave_one", leave(one));
	record_rc_pages("T1-14,T1-132", "leave_two", leave(two));
	close(one);
	close(two);
	close(c);
}

/* Record two devices that share a group. */
static void siblings(void)
{
	char *memory = new_pages(2);
	struct type1 one = { }, two;
	int group, c;
	long fd;

	if (!devices()->has_siblings)
		die("needs two edu devices in one group");
	record_set_prefix("pair");
	c = new_container();
	group = new_group(&devices()->siblings[0]);
	fd = open_group(&devices()->siblings[1]);
	record_rc("T1-114", "open_again", fd < 0 ? fd : 0);
	record_rc("T1-114", "join", join(group, c));
	record_rc("T1-114", "set_iommu", set_iommu(c, 3));
	record_rc_pages("T1-114", "map", map(c, IOVA, memory, 2 * PAGE,
					     READ_WRITE));
	one = open_device(c, group, &devices()->siblings[0]);
	two = open_device(c, group, &devices()->siblings[1]);
	record_reach("T1-114", "first", &one, IOVA, memory);
	record_reach("T1-114", "second", &two, IOVA + PAGE, memory + PAGE);
	close_device(&one);
	record_rc("T1-14", "leave_with_one", leave(group));
	record_reach("T1-14", "second_alone", &two, IOVA, memory);
	close_device(&two);
	record_rc_pages("T1-14,T1-132", "leave", leave(group));
	close(group);
	close(c);
}

static void containers(void)
{
	struct type1 type1;
	int other = new_container(), null;

	record_set_prefix("containers");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record_rc("T1-114", "join_other", join(type1.group, other));
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	record_rc("T1-114", "leave", leave(type1.group));
	record_rc("T1-114", "join_null", join(type1.group, null));
	record_rc("T1-114", "join_other_free", join(type1.group, other));
	record_rc("T1-114", "set_iommu_other", set_iommu(other, 1));
	record_rc("T1-12", "set_iommu_first", set_iommu(type1.container, 3));
	close(null);
	close(other);
	type1_close(&type1);
	record_pages("T1-15", "closed");
}

int main(void)
{
	two_groups();
	both_at_once();
	siblings();
	containers();
	return 0;
}
