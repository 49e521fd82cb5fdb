// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the results of VFIO_CHECK_EXTENSION for containers with and without an
 * IOMMU driver.
 */
#include <stdio.h>
#include <unistd.h>

#include "type1.h"

static void record_extensions(const char *rules, const char *when,
			      int container)
{
	static const unsigned long wide[] = {
		0x100000001ul, 0x100000003ul, 1ul << 63, -1ul,
	};
	char name[32];
	unsigned long i;

	record_set_prefix(when);
	for (i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "%lu", i);
		record_rc(i == 4 ? "T1-22" : i == 10 ? "T1-21" : rules, name,
			  check_extension(container, i));
	}
	for (i = 0; i < ARRAY_SIZE(wide); i++) {
		snprintf(name, sizeof(name), "%#lx", wide[i]);
		record_rc("T1-23", name, check_extension(container, wide[i]));
	}
}

int main(void)
{
	int container = new_container();
	int group = new_group(&devices()->singleton[0]);
	struct type1 type1;
	long fd;

	record_extensions("T1-19", "no_group", container);
	record_rc("T1-19", "join", join(group, container));
	record_extensions("T1-19", "no_driver", container);
	close(group);
	close(container);

	type1_open(&type1, VFIO_TYPE1_IOMMU);
	record_extensions("T1-20", "v1", type1.container);
	type1_close(&type1);

	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record_extensions("T1-20", "v2", type1.container);
	if (devices()->nr_singletons > 1) {
		int second = new_group(&devices()->singleton[1]);

		record_rc("T1-22", "join_second",
			  join(second, type1.container));
		record_extensions("T1-20", "two_groups", type1.container);
		close(second);
		record_extensions("T1-20", "one_group_again", type1.container);
	}
	type1_close(&type1);

	/*
	 * The extension for nesting is reported even if the IOMMU does not
	 * support nesting.
	 */
	record_set_prefix("nesting");
	record_rc("T1-20", "set_iommu",
		  type1_try(&type1, VFIO_TYPE1_NESTING_IOMMU));
	record_extensions("T1-20", "nesting", type1.container);
	record_rc("T1-20", "leave", leave(type1.group));
	record_extensions("T1-19", "left", type1.container);
	fd = get_device(type1.group, &devices()->singleton[0]);
	record_set_prefix("left");
	record_rc("T1-14", "get_device", fd < 0 ? fd : 0);
	type1_close(&type1);
	return 0;
}
