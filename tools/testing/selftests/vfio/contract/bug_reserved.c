// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record a mapping of the vDSO, which is part of the kernel image. Its pages
 * are reserved, but have a struct page. type1 of Linux 6.1 pins such pages and
 * never unpins them.
 */
#include <stdint.h>
#include <sys/auxv.h>

#include "type1.h"

int main(void)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	struct type1 type1;

	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	record_yes("T1-52", "there", vdso);
	record_rc_pages("T1-52", "map", map(type1.container, IOVA, vdso, PAGE,
					    READ_ONLY));
	record_unmap("T1-52", "unmap", type1.container, IOVA, PAGE, 0);
	record_pages("T1-52", "unmapped");
	type1_close(&type1);
	record_pages("T1-52", "closed");
	return 0;
}
