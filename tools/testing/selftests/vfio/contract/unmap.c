// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record which VFIO_IOMMU_UNMAP_DMA calls fail, which mappings a successful
 * call removes, and the size that it returns.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "type1.h"

#define ALL	VFIO_DMA_UNMAP_FLAG_ALL
#define VADDR	VFIO_DMA_UNMAP_FLAG_VADDR
#define DIRTY	VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP

static long raw(int container, void *arg)
{
	return ioctl(container, VFIO_IOMMU_UNMAP_DMA, arg) < 0 ? -errno : 0;
}

/* Create three mappings of two pages, each after a hole of two pages. */
static void map_three(int container, char *memory)
{
	int i;

	for (i = 0; i < 3; i++)
		if (map(container, IOVA + (4 * i + 2) * PAGE,
			memory + 2 * i * PAGE, 2 * PAGE, READ_WRITE))
			die("the mappings to unmap");
}

static void clear(int container)
{
	if (unmap(container, 0, 0, ALL, NULL))
		die("UNMAP of all");
}

static void argument(int container, char *memory)
{
	static const __u32 argsz[] = { 0, 16, 23, 24, 25, 0xffffffff };
	static const __u32 flags[] = {
		3, 5, 6, 7, 8, 0x10, 0x80000000,
	};
	struct vfio_iommu_type1_dma_unmap arg;
	char *pages = new_pages(2), name[40];
	unsigned int i;

	record_rc("T1-81", "null", raw(container, NULL));
	for (i = 0; i < ARRAY_SIZE(argsz); i++) {
		map_three(container, memory);
		arg = (struct vfio_iommu_type1_dma_unmap){
			.argsz = argsz[i],
			.iova = IOVA,
			.size = 16 * PAGE,
		};
		snprintf(name, sizeof(name), "argsz_%u", argsz[i]);
		record_rc("T1-81", name, raw(container, &arg));
		snprintf(name, sizeof(name), "argsz_%u.bytes", argsz[i]);
		record_bytes("T1-83,T1-84", name, &arg, sizeof(arg));
		clear(container);
	}
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		map_three(container, memory);
		snprintf(name, sizeof(name), "flags_%#x", flags[i]);
		record_unmap("T1-81,T1-85", name, container, 0, 0, flags[i]);
		snprintf(name, sizeof(name), "flags_%#x_range", flags[i]);
		record_unmap("T1-81,T1-85", name, container, IOVA, 16 * PAGE,
			     flags[i]);
		clear(container);
	}

	/*
	 * One argument extends into an unmapped page, and another one is in
	 * read-only memory.
	 */
	arg = (struct vfio_iommu_type1_dma_unmap){
		.argsz = sizeof(arg),
		.iova = IOVA,
		.size = 16 * PAGE,
	};
	munmap(pages + PAGE, PAGE);
	memcpy(pages + PAGE - 23, &arg, 23);
	record_rc("T1-81", "cut", raw(container, pages + PAGE - 23));
	memcpy(pages, &arg, sizeof(arg));
	mprotect(pages, PAGE, PROT_READ);
	map_three(container, memory);
	record("T1-84", "avail_before", "%u", avail(container));
	record_rc("T1-84", "read_only_arg", raw(container, pages));
	record("T1-84", "avail_after", "%u", avail(container));
	record_pages("T1-84", "after");
	clear(container);
	munmap(pages, PAGE);
}

static const struct {
	const char *name;
	__u64 iova, size;
	__u32 flags;
} ranges[] = {
	{ "size_zero", IOVA, 0, 0 },
	{ "size_1", IOVA, 1, 0 },
	{ "size_4097", IOVA, PAGE + 1, 0 },
	{ "iova_1", IOVA + 1, PAGE, 0 },
	{ "iova_0x800", IOVA + 0x800, 16 * PAGE, 0 },
	{ "wrap", -PAGE, 2 * PAGE, 0 },
	{ "size_max", IOVA, -PAGE, 0 },
	{ "size_odd_max", IOVA, -1ull, 0 },
	{ "all_iova", IOVA, 0, ALL },
	{ "all_iova_1", 1, 0, ALL },
	{ "all_size", 0, PAGE, ALL },
	{ "all_size_1", 0, 1, ALL },
	{ "all", 0, 0, ALL },
	{ "nothing_below", 0, IOVA, 0 },
	{ "nothing_above", 16 * IOVA, IOVA, 0 },
	{ "hole", IOVA + 4 * PAGE, 2 * PAGE, 0 },
	{ "one", IOVA + 6 * PAGE, 2 * PAGE, 0 },
	{ "two", IOVA + 6 * PAGE, 6 * PAGE, 0 },
	{ "all_three", IOVA, 16 * PAGE, 0 },
	{ "all_three_tight", IOVA + 2 * PAGE, 10 * PAGE, 0 },
	{ "with_holes", IOVA + 4 * PAGE, 6 * PAGE, 0 },
	{ "far", 0, 1ull << 47, 0 },
	{ "from_inside", IOVA + 3 * PAGE, PAGE, 0 },
	{ "from_inside_on", IOVA + 3 * PAGE, 13 * PAGE, 0 },
	{ "to_inside", IOVA, 3 * PAGE, 0 },
	{ "first_page", IOVA + 2 * PAGE, PAGE, 0 },
	{ "one_and_half", IOVA + 2 * PAGE, 5 * PAGE, 0 },
	{ "half_to_half", IOVA + 3 * PAGE, 4 * PAGE, 0 },
	{ "last_page_on", IOVA + 7 * PAGE, 9 * PAGE, 0 },
};

static void range(int container, char *memory, const char *rules)
{
	char name[40];
	unsigned int i;
	__u64 done;
	long rc;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		map_three(container, memory);
		rc = unmap(container, ranges[i].iova, ranges[i].size,
			   ranges[i].flags, &done);
		record(rules, ranges[i].name, "%s size %#llx left %u",
		       rc_text(rc), done, 65535 - avail(container));
		snprintf(name, sizeof(name), "%s.pages", ranges[i].name);
		record_pages("T1-69,T1-83", name);
		clear(container);
	}
	record_unmap("T1-88", "all_of_nothing", container, 0, 0, ALL);
	record_unmap("T1-86", "range_of_nothing", container, IOVA, PAGE, 0);
}

/*
 * Record which of three mappings a device reaches by DMA after one of them was
 * removed, after other memory was mapped at its IOVAs, and after all mappings
 * were removed.
 */
static void reach(struct type1 *type1, char *memory)
{
	record_set_prefix("reach");
	map_three(type1->container, memory);
	record_reach("T1-43", "mapped", type1, IOVA + 2 * PAGE, memory);
	record_unmap("T1-98", "unmap_second", type1->container,
		     IOVA + 6 * PAGE, 2 * PAGE, 0);
	record_reach("T1-98,T1-170", "first", type1, IOVA + 3 * PAGE,
		     memory + PAGE);
	record_reach("T1-98,T1-170", "second", type1, IOVA + 6 * PAGE,
		     memory + 2 * PAGE);
	record_reach("T1-98,T1-170", "second_end", type1, IOVA + 7 * PAGE,
		     memory + 3 * PAGE);
	record_reach("T1-98", "third", type1, IOVA + 10 * PAGE,
		     memory + 4 * PAGE);
	record_rc("T1-103", "map_second_again",
		  map(type1->container, IOVA + 6 * PAGE, memory, 2 * PAGE,
		      READ_WRITE));
	record_reach("T1-103", "second_is_first_now", type1, IOVA + 6 * PAGE,
		     memory);
	clear(type1->container);
	record_reach("T1-88,T1-98", "after_all", type1, IOVA + 2 * PAGE,
		     memory);
	record_pages("T1-98", "after_all.pages");
}

static void get_dirty(int container, char *memory, const char *rules)
{
	__u64 bits[4] = { };
	struct unmap_dirty arg = {
		.unmap = {
			.argsz = sizeof(arg),
			.flags = DIRTY,
			.iova = IOVA,
			.size = 16 * PAGE,
		},
		.bitmap = {
			.pgsize = PAGE,
			.size = sizeof(bits),
			.data = bits,
		},
	};
	struct unmap_dirty bad;

	map_three(container, memory);
	bad = arg;
	bad.unmap.argsz = 24;
	record_rc(rules, "dirty_argsz_24", raw(container, &bad));
	bad.unmap.argsz = 47;
	record_rc(rules, "dirty_argsz_47", raw(container, &bad));
	bad = arg;
	bad.unmap.flags |= ALL;
	record_rc(rules, "dirty_all", raw(container, &bad));
	bad = arg;
	bad.unmap.flags |= VADDR;
	record_rc(rules, "dirty_vaddr", raw(container, &bad));
	bad = arg;
	bad.bitmap.data = (void *)-PAGE;
	record_rc(rules, "dirty_kernel_address", raw(container, &bad));
	bad = arg;
	bad.bitmap.size = 0;
	record_rc("T1-82", "dirty_bitmap_0", raw(container, &bad));
	bad.bitmap.size = 1;
	record_rc("T1-82", "dirty_bitmap_1", raw(container, &bad));
	bad.bitmap.size = 7;
	record_rc("T1-82", "dirty_bitmap_7", raw(container, &bad));
	bad.bitmap.size = (1ull << 28) + 1;
	record_rc("T1-82", "dirty_bitmap_large", raw(container, &bad));
	bad = arg;
	bad.unmap.size = 0;
	record_rc("T1-82", "dirty_size_0", raw(container, &bad));
	bad.unmap.size = PAGE - 1;
	record_rc("T1-82", "dirty_size_4095", raw(container, &bad));
	bad = arg;
	bad.bitmap.pgsize = 2 * PAGE;
	record_rc(rules, "dirty_pgsize_8192", raw(container, &bad));
	bad.bitmap.pgsize = 3 * PAGE;
	record_rc("T1-82", "dirty_pgsize_12288", raw(container, &bad));
	record_rc(rules, "dirty_not_tracking", raw(container, &arg));
	record_bytes("T1-83", "dirty_not_tracking.bytes", &arg.unmap,
		     sizeof(arg.unmap));
	record("T1-83", "dirty.left", "%u", 65535 - avail(container));
	clear(container);
	record_rc("T1-81", "dirty_not_tracking_nothing", raw(container, &arg));
}

int main(void)
{
	char *memory = new_pages(8);
	struct type1 type1;

	record_set_prefix("v1");
	type1_open(&type1, VFIO_TYPE1_IOMMU);
	argument(type1.container, memory);
	range(type1.container, memory, "T1-81,T1-87,T1-88,T1-89");
	get_dirty(type1.container, memory, "T1-81,T1-85");
	type1_close(&type1);

	record_set_prefix("v2");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	argument(type1.container, memory);
	range(type1.container, memory, "T1-81,T1-86,T1-88,T1-89");
	get_dirty(type1.container, memory, "T1-81");
	type1_device(&type1);
	reach(&type1, memory);
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
