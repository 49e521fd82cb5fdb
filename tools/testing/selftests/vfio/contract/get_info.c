// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the result of VFIO_IOMMU_GET_INFO byte by byte for different values of
 * argsz, and how mappings affect the result.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "type1.h"

#define FILLER 0xa5

/*
 * Fill the buffer before each call, so that the recorded bytes show how much of
 * it the kernel has written.
 */
static void sizes(int container, __u32 needed)
{
	const __u32 argsz[] = {
		0, 1, 15, 16, 19, 20, 23, 24, 25, needed - 1, needed,
		needed + 1, 0xffffffff,
	};
	static const char *const names[] = {
		"0", "1", "15", "16", "19", "20", "23", "24", "25",
		"needed-1", "needed", "needed+1", "max",
	};
	unsigned char info[INFO_ROOM];
	char name[48];
	unsigned int i;
	long rc;

	for (i = 0; i < ARRAY_SIZE(argsz); i++) {
		memset(info, FILLER, sizeof(info));
		rc = get_info(container, info, argsz[i]);
		snprintf(name, sizeof(name), "argsz_%s", names[i]);
		record_rc(argsz[i] < 16 ? "T1-24" : "T1-25,T1-27", name, rc);
		snprintf(name, sizeof(name), "argsz_%s.bytes", names[i]);
		record_bytes("T1-25,T1-26,T1-27,T1-28,T1-29,T1-32", name, info,
			     needed + 4);
	}
}

static __u32 needed_by(int container)
{
	struct vfio_iommu_type1_info info = { };
	long rc = get_info(container, &info, 20);

	if (rc)
		die("GET_INFO: %s", rc_text(rc));
	return info.argsz;
}

static void decoded(int container)
{
	const struct vfio_iommu_type1_info_cap_iova_range *ranges;
	const struct vfio_iommu_type1_info_cap_migration *migration;
	const struct vfio_info_cap_header *cap;
	char info[INFO_ROOM] = "", name[32];
	const struct vfio_iommu_type1_info *header = (const void *)info;
	__u32 i;

	record_rc("T1-27", "rc", get_info(container, info, sizeof(info)));
	record("T1-26,T1-27", "header", "argsz %u flags %#x pgsizes %#llx",
	       header->argsz, header->flags, header->iova_pgsizes);
	for (i = header->cap_offset; i; i = cap->next) {
		cap = (const void *)(info + i);
		snprintf(name, sizeof(name), "cap_%u", cap->id);
		record("T1-28", name, "version %u at %u next %u", cap->version,
		       i, cap->next);
	}
	migration = capability(info, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION);
	if (migration)
		record("T1-29", "migration",
		       "flags %#x pgsizes %#llx max_bitmap %#llx",
		       migration->flags, migration->pgsize_bitmap,
		       migration->max_dirty_bitmap_size);
	ranges = capability(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	for (i = 0; ranges && i < ranges->nr_iovas; i++) {
		snprintf(name, sizeof(name), "range_%u", i);
		record("T1-31,T1-121", name, "%#llx-%#llx",
		       ranges->iova_ranges[i].start,
		       ranges->iova_ranges[i].end);
	}
	record("T1-30", "avail", "%u", avail(container));
}

/* Call GET_INFO with a header that may be in inaccessible memory. */
static long get_info_at(int container, void *header)
{
	return ioctl(container, VFIO_IOMMU_GET_INFO, header) < 0 ? -errno : 0;
}

static void faults(int container, __u32 needed)
{
	char *pages = new_pages(2), *end = pages + PAGE;
	struct vfio_iommu_type1_info *header;

	munmap(end, PAGE);
	record_set_prefix("fault");
	record_rc("T1-24", "null", get_info_at(container, NULL));

	header = (void *)(end - 12);
	header->argsz = 24;
	record_rc("T1-24", "half_header", get_info_at(container, header));

	/* Only the header and 32 bytes of the capabilities can be written. */
	memset(pages, FILLER, PAGE);
	header = (void *)(end - 24 - 32);
	header->argsz = needed;
	record_rc("T1-27", "cut_caps", get_info_at(container, header));
	record_bytes("T1-27", "cut_caps.header", header, 24);

	memset(pages, FILLER, PAGE);
	header = (void *)pages;
	header->argsz = 20;
	mprotect(pages, PAGE, PROT_READ);
	record_rc("T1-24", "read_only", get_info_at(container, header));
	header = (void *)(end - 16);
	mprotect(pages, PAGE, PROT_READ | PROT_WRITE);
	header->argsz = 20;
	record_rc("T1-25", "no_cap_offset", get_info_at(container, header));
	header->argsz = 16;
	record_rc("T1-25", "just_16", get_info_at(container, header));
	munmap(pages, PAGE);
}

static void changes(int container)
{
	char *memory = new_pages(4);
	struct vfio_iommu_type1_info header = { .flags = 0xffffffff };
	unsigned int i;
	char name[32];

	record_set_prefix("flags_in");
	record_rc("T1-24", "rc", get_info(container, &header, 20));
	record("T1-24,T1-26", "flags", "%#x", header.flags);

	record_set_prefix("avail");
	for (i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "map_%u", i);
		record_rc("T1-30", name,
			  map(container, IOVA + 4 * i * PAGE, memory,
			      (i + 1) * PAGE, READ_WRITE));
		snprintf(name, sizeof(name), "after_map_%u", i);
		record("T1-30,T1-39", name, "%u", avail(container));
	}
	record_rc("T1-30", "map_overlap",
		  map(container, IOVA, memory, PAGE, READ_WRITE));
	record("T1-30,T1-39", "after_failure", "%u", avail(container));
	record_unmap("T1-30", "unmap", container, IOVA, 4 * PAGE, 0);
	record("T1-30,T1-103", "after_unmap", "%u", avail(container));
	record_unmap("T1-30", "unmap_all", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
	record("T1-30,T1-103", "after_unmap_all", "%u", avail(container));
}

int main(void)
{
	static const struct {
		const char *name;
		unsigned long type;
	} types[] = {
		{ "v1", VFIO_TYPE1_IOMMU },
		{ "v2", VFIO_TYPE1v2_IOMMU },
	};
	struct type1 type1;
	unsigned int i;
	__u32 needed;

	for (i = 0; i < 2; i++) {
		record_set_prefix(types[i].name);
		type1_open(&type1, types[i].type);
		needed = needed_by(type1.container);
		record("T1-27,T1-28", "needed", "%u", needed);
		sizes(type1.container, needed);
		decoded(type1.container);
		type1_close(&type1);
	}
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	faults(type1.container, needed_by(type1.container));
	changes(type1.container);
	type1_close(&type1);
	return 0;
}
