// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the life cycle of a container: which drivers can be set and when, how
 * ioctls fail without a driver, and which open files keep mappings alive.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "type1.h"

static long do_ioctl(int fd, unsigned long request, void *arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

static const struct {
	const char *name;
	unsigned int number;
} others[] = {
	{ "iommu_enable", 15 },
	{ "iommu_disable", 16 },
	{ "unregister_memory", 18 },
	{ "tce_create", 19 },
	{ "tce_remove", 20 },
	{ "eeh_pe_op", 21 },
	{ "beyond", 99 },
};

static void dispatch(int container)
{
	char zero[256] = "", name[32];
	unsigned int i;

	record_rc("T1-17", "api_version",
		  do_ioctl(container, VFIO_GET_API_VERSION, NULL));
	record_rc("T1-17", "get_info",
		  do_ioctl(container, VFIO_IOMMU_GET_INFO, zero));
	record_rc("T1-17", "map",
		  do_ioctl(container, VFIO_IOMMU_MAP_DMA, zero));
	record_rc("T1-17", "unmap",
		  do_ioctl(container, VFIO_IOMMU_UNMAP_DMA, zero));
	record_rc("T1-17", "dirty",
		  do_ioctl(container, VFIO_IOMMU_DIRTY_PAGES, zero));
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(name, sizeof(name), "%s", others[i].name);
		record_rc("T1-17", name,
			  do_ioctl(container,
				   _IO(VFIO_TYPE, VFIO_BASE + others[i].number),
				  zero));
	}
	record_rc("T1-17", "other_type",
		  do_ioctl(container, _IO('x', VFIO_BASE), zero));
}

static void set_iommu_types(void)
{
	static const unsigned long refused[] = {
		0, 2, 4, 5, 7, 8, 9, 10, 11, 100, 0x100000001ul, -1ul,
	};
	int container = new_container(), group;
	char name[32];
	unsigned int i;

	record_set_prefix("no_group");
	dispatch(container);
	record_rc("T1-08", "set_iommu_v2", set_iommu(container, 3));
	record_rc("T1-08", "set_iommu_none", set_iommu(container, 4));

	record_set_prefix("no_driver");
	group = new_group(&devices()->singleton[0]);
	record_rc("T1-08", "join", join(group, container));
	dispatch(container);

	record_set_prefix("set_iommu");
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		snprintf(name, sizeof(name), "type_%#lx", refused[i]);
		record_rc("T1-08,T1-09", name,
			  set_iommu(container, refused[i]));
	}
	record_rc("T1-09,T1-11", "v2_after_failures", set_iommu(container, 3));
	record_rc("T1-08", "again_v2", set_iommu(container, 3));
	record_rc("T1-08", "again_v1", set_iommu(container, 1));
	record_rc("T1-08", "again_refused", set_iommu(container, 4));

	record_set_prefix("with_driver");
	dispatch(container);
	close(group);
	close(container);

	record_set_prefix("set_iommu");
	for (i = 1; i <= 6; i += i == 1 ? 2 : 3) {
		struct type1 type1;

		long rc = type1_try(&type1, i);

		snprintf(name, sizeof(name), "type_%u", i);
		record_rc("T1-09,T1-114", name, rc);
		snprintf(name, sizeof(name), "type_%u.avail", i);
		if (!rc)
			record("T1-09,T1-10", name, "%u",
			       avail(type1.container));
		type1_close(&type1);
	}
}

static void spapr_get_info(void)
{
	struct type1 type1;
	char info[INFO_ROOM];

	record_set_prefix("spapr");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	((struct vfio_iommu_type1_info *)info)->argsz = 20;
	record_rc("T1-17", "get_info",
		  do_ioctl(type1.container, VFIO_IOMMU_SPAPR_TCE_GET_INFO,
			   info));
	record_bytes("T1-17", "bytes", info, 16);
	type1_close(&type1);
}

/* The container keeps no state once its last group is removed. */
static void restart(void)
{
	char *memory = new_pages(4);
	struct type1 type1;

	record_set_prefix("restart");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record_rc_pages("T1-12", "map", map(type1.container, IOVA, memory,
					    4 * PAGE, READ_WRITE));
	record("T1-12", "avail", "%u", avail(type1.container));
	record_rc_pages("T1-12,T1-14,T1-132", "leave", leave(type1.group));
	record_rc("T1-14", "leave_again", leave(type1.group));
	record_rc("T1-12", "map_without_driver",
		  map(type1.container, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-12", "set_iommu_without_group",
		  set_iommu(type1.container, VFIO_TYPE1v2_IOMMU));
	record_rc("T1-12", "join", join(type1.group, type1.container));
	record_rc("T1-14", "join_again", join(type1.group, type1.container));
	record_rc("T1-12", "set_iommu_v1",
		  set_iommu(type1.container, VFIO_TYPE1_IOMMU));
	record("T1-10,T1-12", "avail_anew", "%u", avail(type1.container));
	record_rc_pages("T1-12", "map_anew", map(type1.container, IOVA, memory,
						 PAGE, READ_WRITE));
	type1_close(&type1);
	record_pages("T1-15", "closed");
}

/*
 * Record whether the device can copy the first TRANSFER bytes of a mapped page
 * to the next page.
 */
static void record_copy(const char *rules, const char *name,
			struct type1 *type1, char *memory, __u32 seed)
{
	pattern_fill(memory, TRANSFER, seed);
	if (edu_load(&type1->edu, IOVA, 0, TRANSFER) ||
	    edu_store(&type1->edu, IOVA + PAGE, 0, TRANSFER))
		die("the edu device does not complete a transfer");
	record_yes(rules, name, pattern_is(memory + PAGE, TRANSFER, seed));
}

static void mapping_lifetime(void)
{
	char *memory = new_pages(4);
	struct type1 type1;
	long fd;

	record_set_prefix("close");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	record_rc_pages("T1-13", "map", map(type1.container, IOVA, memory,
					    4 * PAGE, READ_WRITE));
	record_rc("T1-14", "leave_with_device", leave(type1.group));
	close(type1.container);
	type1.container = -1;
	record_pages("T1-13", "container_closed");
	record_copy("T1-13", "container_closed.dma", &type1, memory, 1);
	close(type1.group);
	type1.group = -1;
	record_pages("T1-13,T1-14", "group_closed");
	record_copy("T1-14", "group_closed.dma", &type1, memory, 2);
	fd = open_group(&devices()->singleton[0]);
	record_rc("T1-14", "group_opened_again", fd < 0 ? fd : 0);
	if (fd >= 0)
		close((int)fd);
	type1_close(&type1);
	record_pages("T1-14,T1-15", "device_closed");

	/* An mmap() of the registers keeps the device file open. */
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	type1_device(&type1);
	record_rc("T1-14", "map_again", map(type1.container, IOVA, memory,
					    PAGE, READ_WRITE));
	close(type1.container);
	close(type1.group);
	close(type1.device);
	type1.container = -1;
	type1.group = -1;
	type1.device = -1;
	record_pages("T1-14", "registers_kept");
	type1_close(&type1);
	record_pages("T1-14,T1-15", "registers_gone");
}

static void killed(void)
{
	int status, ready[2];
	char byte = 0;
	pid_t child;

	record_set_prefix("killed");
	if (pipe(ready))
		die("pipe");
	child = fork();
	if (!child) {
		struct type1 type1;

		type1_open(&type1, VFIO_TYPE1v2_IOMMU);
		type1_device(&type1);
		byte = !map(type1.container, IOVA, new_pages(64), 64 * PAGE,
			    READ_WRITE);
		if (write(ready[1], &byte, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	if (child < 0 || read(ready[0], &byte, 1) != 1)
		die("the child does not answer");
	record_yes("T1-14", "mapped", byte);
	record("T1-14", "alive", "pinned %ld", pages_pinned());
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child)
		die("waitpid");
	record("T1-14,T1-63", "dead", "pinned %ld", pages_pinned());
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	set_iommu_types();
	spapr_get_info();
	restart();
	mapping_lifetime();
	killed();
	return 0;
}
