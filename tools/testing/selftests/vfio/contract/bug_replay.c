// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process maps memory in a container without a domain, and a forked child
 * adds a group and thereby a domain. Parent and child have different memory at
 * the virtual address of the mapping. Record which memory is pinned. type1 of
 * Linux 6.1 pins the memory of the child, although the parent created the
 * mapping.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "mdev.h"

#define OURS	31u
#define THEIRS	32u

/* Add the group in a child, which has other data at the same address. */
static void join_in_child(int group, int container, void *memory)
{
	int status;
	pid_t child = fork();

	if (!child) {
		pattern_fill(memory, TRANSFER, THEIRS);
		_exit(join(group, container) ? 1 : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		die("the child");
	record_rc_pages("T1-126", "join", status ? -1 : 0);
}

int main(void)
{
	char *memory = new_pages(1), seen[TRANSFER];
	struct type1 type1 = { .device = -1 };
	struct mdev mdev;

	devices();
	type1.container = mdev_container(&mdev, "notified",
					 VFIO_TYPE1v2_IOMMU);
	pattern_fill(memory, TRANSFER, OURS);
	record_rc_pages("T1-42", "map", map(type1.container, IOVA, memory,
					    PAGE, READ_WRITE));
	type1.group = new_group(&devices()->singleton[0]);
	join_in_child(type1.group, type1.container, memory);
	type1_device(&type1);
	device_load(&type1, IOVA, seen);
	record_yes("T1-126", "reads_of_mapper",
		   pattern_is(seen, TRANSFER, OURS));
	record_yes("T1-126", "reads_of_child",
		   pattern_is(seen, TRANSFER, THEIRS));
	record_unmap("T1-126", "unmap", type1.container, IOVA, PAGE, 0);
	record_pages("T1-126", "unmapped");
	type1_close(&type1);
	mdev_destroy(&mdev);
	return 0;
}
