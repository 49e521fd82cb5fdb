// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record which VFIO_IOMMU_DIRTY_PAGES calls fail, which pages are reported
 * dirty by a query or by an unmap with a dirty bitmap, and when tracking ends.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "type1.h"

#define START	VFIO_IOMMU_DIRTY_PAGES_FLAG_START
#define STOP	VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP
#define GET	VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP
#define WORDS	8
#define FILLER	0xa5

struct query {
	struct vfio_iommu_type1_dirty_bitmap head;
	struct vfio_iommu_type1_dirty_bitmap_get get;
};

static __u64 bits[WORDS];

static long raw(int container, const void *arg)
{
	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, arg) < 0 ? -errno : 0;
}

static long control(int container, __u32 flags)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
	};

	return raw(container, &arg);
}

static void fill_query(struct query *query, __u64 iova, __u64 size)
{
	query->head.argsz = sizeof(*query);
	query->head.flags = GET;
	query->get.iova = iova;
	query->get.size = size;
	query->get.bitmap.pgsize = PAGE;
	query->get.bitmap.size = sizeof(bits);
	query->get.bitmap.data = bits;
}

static void record_get(const char *rules, const char *name, int container,
		       __u64 iova, __u64 size)
{
	struct query query;
	char bytes[48];

	memset(bits, FILLER, sizeof(bits));
	fill_query(&query, iova, size);
	record_rc(rules, name, raw(container, &query));
	snprintf(bytes, sizeof(bytes), "%s.bits", name);
	record_bytes(rules, bytes, bits, sizeof(bits));
}

static void flags(int container, const char *rules)
{
	static const __u32 all[] = {
		0, START | STOP, START | GET, STOP | GET, START | STOP | GET,
		8, START | 8, 0x80000000,
	};
	static const __u32 argsz[] = { 0, 4, 7, 8, 9, 0xffffffff };
	struct vfio_iommu_type1_dirty_bitmap arg;
	char name[32], *page = new_pages(2);
	unsigned int i;

	record_rc(rules, "null", raw(container, NULL));
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "flags_%#x", all[i]);
		record_rc(rules, name, control(container, all[i]));
	}
	for (i = 0; i < ARRAY_SIZE(argsz); i++) {
		arg.argsz = argsz[i];
		arg.flags = STOP;
		snprintf(name, sizeof(name), "stop_argsz_%u", argsz[i]);
		record_rc(rules, name, raw(container, &arg));
		arg.flags = GET;
		snprintf(name, sizeof(name), "get_argsz_%u", argsz[i]);
		record_rc(rules, name, raw(container, &arg));
	}
	munmap(page + PAGE, PAGE);
	memcpy(page + PAGE - 4, &(__u32){ 8 }, 4);
	record_rc(rules, "cut", raw(container, page + PAGE - 4));
	munmap(page, PAGE);
}

static void query_errors(int container, char *memory)
{
	struct query query;
	char *page = new_pages(2);

	munmap(page + PAGE, PAGE);
	map(container, IOVA, memory, 4 * PAGE, READ_WRITE);
	record_get("T1-106", "get_not_tracking", container, IOVA, 4 * PAGE);
	record_rc("T1-105", "start", control(container, START));
	record_rc("T1-105", "start_again", control(container, START));
	fill_query(&query, IOVA, 4 * PAGE);
	query.head.argsz = 47;
	record_rc("T1-106", "get_argsz_47", raw(container, &query));
	fill_query(&query, IOVA, 4 * PAGE);
	memcpy(page + PAGE - 40, &query, 40);
	record_rc("T1-106", "get_cut", raw(container, page + PAGE - 40));
	fill_query(&query, -PAGE, PAGE);
	record_rc("T1-106", "get_to_the_end", raw(container, &query));
	fill_query(&query, -PAGE, 2 * PAGE);
	record_rc("T1-106", "get_wrap", raw(container, &query));
	fill_query(&query, IOVA, 4 * PAGE);
	query.get.bitmap.data = (void *)-PAGE;
	record_rc("T1-106", "get_kernel_address", raw(container, &query));
	query.get.bitmap.data = NULL;
	record_rc("T1-106", "get_null_bitmap", raw(container, &query));
	fill_query(&query, IOVA, 4 * PAGE);
	query.get.bitmap.size = 7;
	record_rc("T1-82,T1-106", "get_bitmap_7", raw(container, &query));
	query.get.bitmap.size = 8;
	record_rc("T1-82,T1-106", "get_bitmap_8", raw(container, &query));
	query.get.bitmap.size = 1ull << 28;
	record_rc("T1-82,T1-107", "get_bitmap_max", raw(container, &query));
	query.get.bitmap.size = (1ull << 28) + 1;
	record_rc("T1-82,T1-107", "get_bitmap_more", raw(container, &query));
	fill_query(&query, IOVA, 4 * PAGE);
	query.get.bitmap.pgsize = 2 * PAGE;
	record_rc("T1-106,T1-107", "get_pgsize_8192", raw(container, &query));
	query.get.bitmap.pgsize = HUGE;
	query.get.size = HUGE;
	record_rc("T1-106,T1-107", "get_pgsize_huge", raw(container, &query));
	query.get.bitmap.pgsize = PAGE / 2;
	record_rc("T1-106,T1-107", "get_pgsize_2048", raw(container, &query));
	record_get("T1-106", "get_iova_1", container, IOVA + 1, 4 * PAGE);
	record_get("T1-106", "get_size_0", container, IOVA, 0);
	record_get("T1-106", "get_size_1", container, IOVA, PAGE + 1);
	record_get("T1-106", "get_first_half", container, IOVA, 2 * PAGE);
	record_get("T1-106", "get_second_half", container, IOVA + 2 * PAGE,
		   2 * PAGE);
	record_get("T1-106", "get_into", container, IOVA - PAGE, 2 * PAGE);
	record_rc("T1-105", "stop", control(container, STOP));
	record_rc("T1-105", "stop_again", control(container, STOP));
	record_get("T1-106", "get_stopped", container, IOVA, 4 * PAGE);
	unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	munmap(page, PAGE);
}

/* Map pages 2-3, 70-74 and 130 of the range that starts at IOVA. */
static void map_pieces(int container, char *memory)
{
	if (map(container, IOVA + 2 * PAGE, memory, 2 * PAGE, READ_WRITE) ||
	    map(container, IOVA + 70 * PAGE, memory, 5 * PAGE, READ_ONLY) ||
	    map(container, IOVA + 130 * PAGE, memory, PAGE, READ_WRITE))
		die("the pieces to track");
}

/* Restart tracking first, so that earlier queries do not affect the result. */
static void record_first_get(const char *rules, const char *name,
			     int container, __u64 iova, __u64 size)
{
	control(container, STOP);
	control(container, START);
	record_get(rules, name, container, iova, size);
}

static void query_results(int container, char *memory)
{
	map_pieces(container, memory);
	record_rc("T1-105", "track.start", control(container, START));
	record_first_get("T1-107,T1-108,T1-111", "track.all", container, IOVA,
			 192 * PAGE);
	record_first_get("T1-107,T1-111", "track.hole", container,
			 IOVA + 8 * PAGE, 8 * PAGE);
	record_first_get("T1-107,T1-111", "track.exact", container,
			 IOVA + 70 * PAGE, 5 * PAGE);
	record_first_get("T1-107,T1-111", "track.shifted", container,
			 IOVA + 69 * PAGE, 70 * PAGE);
	record_first_get("T1-111", "track.odd_start", container, IOVA + PAGE,
			 100 * PAGE);
	record_rc("T1-73", "track.map_new",
		  map(container, IOVA + 10 * PAGE, memory, 3 * PAGE,
		      READ_WRITE));
	record_first_get("T1-73,T1-108", "track.with_new", container, IOVA,
			 64 * PAGE);
	record_rc("T1-105", "track.stop", control(container, STOP));
	record_rc("T1-105", "track.restart", control(container, START));
	record_get("T1-108,T1-109", "track.once", container,
		   IOVA + 70 * PAGE, 5 * PAGE);
	record_get("T1-108,T1-109", "track.twice", container,
		   IOVA + 70 * PAGE, 5 * PAGE);
	record_get("T1-106,T1-107", "track.half", container,
		   IOVA + 70 * PAGE, 3 * PAGE);
	control(container, STOP);
	unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	record_pages("T1-105", "track.unmapped");
}

static void record_unmap_dirty(const char *rules, const char *name,
			       int container, __u64 iova, __u64 size,
			       void *data)
{
	char bytes[48];
	__u64 done;
	long rc;

	memset(bits, FILLER, sizeof(bits));
	rc = unmap_bitmap(container, iova, size, data, sizeof(bits), &done);
	record(rules, name, "%s size %#llx left %u", rc_text(rc), done,
	       65535 - avail(container));
	snprintf(bytes, sizeof(bytes), "%s.bits", name);
	record_bytes(rules, bytes, bits, sizeof(bits));
}

/* While tracking is on, record invalid requests for an unmap with a bitmap. */
static void unmap_errors(int container)
{
	struct unmap_dirty arg = {
		.unmap = {
			.argsz = sizeof(arg) - 1,
			.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
			.iova = IOVA,
			.size = 192 * PAGE,
		},
		.bitmap = {
			.pgsize = PAGE,
			.size = sizeof(bits),
			.data = bits,
		},
	};

	record_rc("T1-81", "unmap.argsz_47",
		  ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg) ? -errno : 0);
	arg.unmap.argsz = sizeof(arg);
	arg.unmap.flags |= VFIO_DMA_UNMAP_FLAG_VADDR;
	record_rc("T1-81", "unmap.with_vaddr",
		  ioctl(container, VFIO_IOMMU_UNMAP_DMA, &arg) ? -errno : 0);
	record("T1-81", "unmap.refused.left", "%u", 65535 - avail(container));
}

static void unmap_dirty(int container, char *memory)
{
	char *page = new_pages(2);

	map_pieces(container, memory);
	control(container, START);
	unmap_errors(container);
	record_unmap_dirty("T1-81,T1-86", "unmap.half", container,
			   IOVA + 2 * PAGE, PAGE, bits);
	record_unmap_dirty("T1-109,T1-111", "unmap.one", container,
			   IOVA + 70 * PAGE, 5 * PAGE, bits);
	record_unmap_dirty("T1-108,T1-109", "unmap.rest", container, IOVA,
			   192 * PAGE, bits);
	record_unmap_dirty("T1-109", "unmap.nothing", container, IOVA,
			   192 * PAGE, bits);
	record_pages("T1-109", "unmap.pages");

	/* Only the first 8 bytes of the bitmap can be written. */
	map_pieces(container, memory);
	munmap(page + PAGE, PAGE);
	memset(page, 0, PAGE);
	record_unmap_dirty("T1-83,T1-91,T1-113", "unmap.cut_bitmap",
			   container, IOVA, 192 * PAGE, page + PAGE - 8);
	record_pages("T1-91", "unmap.cut_bitmap.pages");
	record_unmap_dirty("T1-91", "unmap.after_cut", container, IOVA,
			   192 * PAGE, bits);
	record_rc("T1-81", "unmap.plain_map",
		  map(container, IOVA, memory, 4 * PAGE, READ_WRITE));
	record_unmap("T1-103", "unmap.plain", container, IOVA, 4 * PAGE, 0);
	control(container, STOP);
	unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	munmap(page, PAGE);
}

static void device_dma(struct type1 *type1, char *memory)
{
	int container = type1->container;

	map(container, IOVA, memory, 4 * PAGE, READ_WRITE);
	control(container, START);
	record_reach("T1-105", "device.tracking", type1, IOVA, memory);
	record_get("T1-108,T1-110", "device.after_dma", container, IOVA,
		   4 * PAGE);
	control(container, STOP);
	unmap(container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);

	/* Leave tracking on when type1_close() releases the driver. */
	control(container, START);
}

int main(void)
{
	char *memory = new_pages(8);
	struct type1 type1;

	record_set_prefix("v1");
	type1_open(&type1, VFIO_TYPE1_IOMMU);
	flags(type1.container, "T1-104");
	record_rc("T1-104", "start", control(type1.container, START));
	type1_close(&type1);

	record_set_prefix("v2");
	type1_open(&type1, VFIO_TYPE1v2_IOMMU);
	flags(type1.container, "T1-104,T1-106");
	query_errors(type1.container, memory);
	query_results(type1.container, memory);
	unmap_dirty(type1.container, memory);
	record_rc("T1-12", "track_and_leave", control(type1.container, START));
	leave(type1.group);
	join(type1.group, type1.container);
	set_iommu(type1.container, VFIO_TYPE1v2_IOMMU);
	map(type1.container, IOVA, memory, PAGE, READ_WRITE);
	record_get("T1-12", "track_forgotten", type1.container, IOVA, PAGE);
	unmap(type1.container, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL, NULL);
	type1_device(&type1);
	device_dma(&type1, memory);
	type1_close(&type1);
	record_set_prefix("");
	record_pages("T1-15", "end");
	return 0;
}
