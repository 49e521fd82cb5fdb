// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the errnos of VFIO_IOMMU_MAP_DMA for invalid arguments, and the order
 * in which the arguments are checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "type1.h"

#define PARAMETER \
	"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
#define BOGUS ((void *)0x1000)

static long raw(int container, const void *arg)
{
	return ioctl(container, VFIO_IOMMU_MAP_DMA, arg) < 0 ? -errno : 0;
}

static void argument(int container, void *memory)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = READ_WRITE,
		.vaddr = (uintptr_t)memory,
		.iova = IOVA,
		.size = PAGE,
	};
	static const __u32 flags[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x80000000,
	};
	static const __u32 argsz[] = { 0, 24, 31, 32, 33, 0xffffffff };
	char *pages = new_pages(2), name[32];
	unsigned int i;

	record_rc("T1-35", "null", raw(container, NULL));
	munmap(pages + PAGE, PAGE);
	memcpy(pages + PAGE - 31, &arg, 31);
	record_rc("T1-35", "cut", raw(container, pages + PAGE - 31));
	memcpy(pages + PAGE - 32, &arg, 32);
	mprotect(pages, PAGE, PROT_READ);
	record_rc("T1-35", "read_only_arg", raw(container, pages + PAGE - 32));
	record_unmap("T1-35", "unmap", container, IOVA, PAGE, 0);
	munmap(pages, PAGE);

	for (i = 0; i < ARRAY_SIZE(argsz); i++) {
		arg.argsz = argsz[i];
		snprintf(name, sizeof(name), "argsz_%u", argsz[i]);
		record_rc("T1-35", name, raw(container, &arg));
		unmap(container, IOVA, PAGE, 0, NULL);
	}
	arg.argsz = sizeof(arg);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		arg.flags = flags[i];
		snprintf(name, sizeof(name), "flags_%#x", flags[i]);
		record_rc("T1-35", name, raw(container, &arg));
		unmap(container, IOVA, PAGE, 0, NULL);
	}
}

static const struct {
	const char *name;
	__u64 iova;
	__u64 vaddr_offset;	/* ~0: use the last page of the address space */
	__u64 size;
} ranges[] = {
	{ "size_zero", IOVA, 0, 0 },
	{ "size_1", IOVA, 0, 1 },
	{ "size_4095", IOVA, 0, PAGE - 1 },
	{ "size_4097", IOVA, 0, PAGE + 1 },
	{ "iova_1", IOVA + 1, 0, PAGE },
	{ "iova_0x800", IOVA + 0x800, 0, PAGE },
	{ "vaddr_1", IOVA, 1, PAGE },
	{ "vaddr_0x800", IOVA, 0x800, PAGE },
	{ "all_0x800", IOVA + 0x800, 0x800, PAGE },
	{ "iova_wrap", -PAGE, 0, 2 * PAGE },
	{ "iova_wrap_far", -PAGE, 0, -PAGE },
	{ "iova_end", -PAGE, 0, PAGE },
	{ "vaddr_wrap", IOVA, ~0ull, 2 * PAGE },
	{ "vaddr_end", IOVA, ~0ull, PAGE },
	{ "size_max", IOVA, 0, -PAGE },
};

static void range(int container, char *memory)
{
	unsigned int i;
	void *vaddr;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		vaddr = memory + ranges[i].vaddr_offset;
		if (!~ranges[i].vaddr_offset)
			vaddr = (void *)-PAGE;
		record_rc("T1-35,T1-37", ranges[i].name,
			  map(container, ranges[i].iova, vaddr, ranges[i].size,
			      READ_WRITE));
	}
	record_rc("T1-37", "sizes_need_not_agree",
		  map(container, IOVA + 3 * PAGE, memory + PAGE, PAGE,
		      READ_WRITE));
	unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	record("T1-39", "avail_after_failures", "%u", avail(container));
}

/* Map ranges that overlap, or are adjacent to, a mapping of 4 pages at IOVA. */
static void overlap(int container, char *memory)
{
	static const struct {
		const char *name;
		__u64 iova, size;
	} second[] = {
		{ "same", IOVA, 4 * PAGE },
		{ "first_page", IOVA, PAGE },
		{ "last_page", IOVA + 3 * PAGE, PAGE },
		{ "inside", IOVA + PAGE, 2 * PAGE },
		{ "around", IOVA - PAGE, 6 * PAGE },
		{ "over_start", IOVA - PAGE, 2 * PAGE },
		{ "over_end", IOVA + 3 * PAGE, 2 * PAGE },
		{ "before", IOVA - PAGE, PAGE },
		{ "after", IOVA + 4 * PAGE, PAGE },
	};
	unsigned int i;

	record_set_prefix("overlap");
	record_rc("T1-38", "first",
		  map(container, IOVA, memory, 4 * PAGE, READ_WRITE));
	for (i = 0; i < ARRAY_SIZE(second); i++)
		record_rc("T1-38", second[i].name,
			  map(container, second[i].iova, memory,
			      second[i].size, READ_WRITE));
	record_rc_pages("T1-38,T1-59", "alias",
			map(container, 2 * IOVA, memory, 4 * PAGE, READ_ONLY));
	record("T1-38,T1-39", "avail", "%u", avail(container));
	record_unmap("T1-38", "adjacent_not_merged", container, IOVA - PAGE,
		     PAGE, 0);
	record_unmap("T1-38", "rest", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
	record_rc("T1-36", "below_reserved",
		  map(container, 0xfedff000, memory, PAGE, READ_WRITE));
	record_rc("T1-36", "overlap_before_range",
		  map(container, 0xfedff000, memory, 2 * PAGE, READ_WRITE));
	record_unmap("T1-38", "unmap_below_reserved", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
}

static void valid_ranges(int container, char *memory)
{
	static const struct {
		const char *name;
		__u64 iova, size;
	} places[] = {
		{ "zero", 0, PAGE },
		{ "below_msi", 0xfedff000, PAGE },
		{ "msi_first", 0xfee00000, PAGE },
		{ "msi_last", 0xfeeff000, PAGE },
		{ "into_msi", 0xfedff000, 2 * PAGE },
		{ "out_of_msi", 0xfeeff000, 2 * PAGE },
		{ "across_msi", 0xfedff000, 0x102000 },
		{ "above_msi", 0xfef00000, PAGE },
		{ "last_of_39", (1ull << 39) - PAGE, PAGE },
		{ "beyond_39", 1ull << 39, PAGE },
		{ "last_of_48", (1ull << 48) - PAGE, PAGE },
		{ "across_39", (1ull << 39) - PAGE, 2 * PAGE },
		{ "beyond_48", 1ull << 48, PAGE },
		{ "across_48", (1ull << 48) - PAGE, 2 * PAGE },
		{ "high", 1ull << 63, PAGE },
	};
	unsigned int i;

	record_set_prefix("range");
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		record_rc("T1-50", places[i].name,
			  map(container, places[i].iova, memory,
			      places[i].size, READ_WRITE));
		unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	}
	record_pages("T1-50,T1-71", "after");
}

static void set_limit(const char *text)
{
	int fd = open(PARAMETER, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die(PARAMETER " cannot be set");
	close(fd);
}

/*
 * Record the order of the checks in a container that is limited to one mapping.
 */
static void check_order(unsigned long type, char *memory)
{
	struct type1 type1;
	int container;

	set_limit("1");
	type1_open(&type1, type);
	set_limit("65535");
	container = type1.container;
	record_set_prefix(type == VFIO_TYPE1_IOMMU ? "order_v1" : "order_v2");
	record_rc("T1-36", "range_before_pin",
		  map(container, 0xfee00000, BOGUS, PAGE, READ_WRITE));
	record_rc("T1-36", "pin", map(container, 0, BOGUS, PAGE, READ_WRITE));
	record_rc("T1-36", "only_one",
		  map(container, IOVA, memory, PAGE, READ_WRITE));
	record("T1-36", "avail", "%u", avail(container));
	record_rc("T1-36", "argsz_before_flags",
		  map(container, IOVA, memory, PAGE, 8));
	record_rc("T1-36", "align_before_overlap",
		  map(container, IOVA, memory + 1, PAGE, READ_WRITE));
	record_rc("T1-36", "overlap_before_limit",
		  map(container, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-36", "overlap_before_pin",
		  map(container, IOVA, BOGUS, PAGE, READ_WRITE));
	record_rc("T1-36", "limit",
		  map(container, 0, memory, PAGE, READ_WRITE));
	record_rc("T1-36", "limit_before_range",
		  map(container, 0xfee00000, memory, PAGE, READ_WRITE));
	record_rc("T1-36", "limit_before_pin",
		  map(container, 0, BOGUS, PAGE, READ_WRITE));
	record_rc("T1-36", "wrap_before_limit",
		  map(container, -PAGE, memory, 2 * PAGE, READ_WRITE));
	record_rc("T1-36,T1-75", "vaddr_nothing_there",
		  map(container, 0, memory, PAGE, VFIO_DMA_MAP_FLAG_VADDR));
	record_rc("T1-36,T1-75", "vaddr_not_invalid",
		  map(container, IOVA, memory, PAGE, VFIO_DMA_MAP_FLAG_VADDR));
	type1_close(&type1);
}

int main(void)
{
	char *memory = new_pages(16);
	struct type1 type1;
	unsigned long type;

	for (type = VFIO_TYPE1_IOMMU; type <= VFIO_TYPE1v2_IOMMU; type += 2) {
		record_set_prefix(type == VFIO_TYPE1_IOMMU ? "v1" : "v2");
		type1_open(&type1, type);
		argument(type1.container, memory);
		range(type1.container, memory);
		type1_close(&type1);
	}
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	overlap(type1.container, memory);
	valid_ranges(type1.container, memory);
	type1_close(&type1);
	/* The number of mappings of an iommufd cannot be limited. */
	if (!for_iommufd()) {
		check_order(VFIO_TYPE1_IOMMU, memory);
		check_order(VFIO_TYPE1v2_IOMMU, memory);
	}
	record_pages("T1-15,T1-71", "end");
	return 0;
}
