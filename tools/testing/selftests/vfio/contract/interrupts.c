// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record which groups a container accepts if the IOMMU does not isolate
 * interrupts. The kernel must run without interrupt remapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "type1.h"

#define PARAMETER	"/sys/module/%s/parameters/allow_unsafe_interrupts"

static void allow(const char *text)
{
	char path[96];
	int fd;

	/* If the container is an iommufd, the kernel has no type1. */
	snprintf(path, sizeof(path), PARAMETER, "vfio_iommu_type1");
	if (access(path, F_OK))
		snprintf(path, sizeof(path), PARAMETER, "iommufd");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, 1) != 1)
		die("%s cannot be set", path);
	close(fd);
}

int main(void)
{
	char *memory = new_pages(4), info[INFO_ROOM] = "";
	struct type1 type1;
	int second;

	if (devices()->nr_singletons < 2)
		die("needs two edu devices with groups of their own");
	allow("N");
	record_rc("T1-03,T1-114,T1-116", "refused.v2", type1_try(&type1, 3));
	record_rc("T1-03,T1-116", "refused.v1", set_iommu(type1.container, 1));
	record_rc("T1-09,T1-11", "refused.other",
		  set_iommu(type1.container, 9));
	record_rc("T1-11", "refused.get_info",
		  get_info(type1.container, info, 24));
	allow("Y");
	record_rc("T1-03,T1-11,T1-116", "allowed",
		  set_iommu(type1.container, 3));
	if (for_iommufd())
		type1_device(&type1);
	allow("N");
	record_rc_pages("T1-03", "map",
			map(type1.container, IOVA, memory, 4 * PAGE,
			    READ_WRITE));
	get_info(type1.container, info, sizeof(info));
	record_bytes("T1-122", "info", info + 4, 120);
	second = new_group(&devices()->singleton[1]);
	record_rc("T1-03,T1-114,T1-116", "second",
		  join(second, type1.container));
	get_info(type1.container, info, sizeof(info));
	record_bytes("T1-122", "info_after_refusal", info + 4, 120);
	record_rc("T1-11", "second_is_out", leave(second));
	type1_device(&type1);
	record_reach("T1-03", "first_works", &type1, IOVA, memory);
	record_unmap("T1-03", "unmap", type1.container, IOVA, 4 * PAGE, 0);
	allow("Y");
	record_rc("T1-03,T1-116", "second_allowed",
		  join(second, type1.container));
	allow("N");
	close(second);
	type1_close(&type1);
	record_pages("T1-15", "end");
	return 0;
}
