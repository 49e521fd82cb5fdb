// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program does with /dev/iommu, step by step, with real DMA.
 *
 * The devices are QEMU's edu (-device edu,dma_mask=0xffffffffffffffff), named
 * by PCI address. The first one is driven alone; one of another IOMMU group
 * then joins its address space; two of one group show what a group means. A
 * mediated device, whose driver has no DMA, joins the first one too.
 *
 * Rule: each step checks data and counters, not only what a call returned.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counters.h"
#include "edu.h"
#include "faultlog.h"
#include "ioas.h"
#include "pattern.h"
#include "pci.h"
#include "show_mediated.h"
#include "steps.h"
#include "vfio.h"

#define PAGE		4096ul
#define PAGES		16ul
#define LENGTH		(PAGES * PAGE)
#define IOVA		0x10000000ull
#define IOVA_2		0x7654321000ull
#define TRANSFER	3000u
#define MAX_RANGES	16
#define MAX_DEVICES	16

/* A device of the program: where it is, its file, its ID, its registers. */
struct device {
	const char *address;
	int group;
	int fd;
	__u32 id;
	struct edu edu;
};

/* Counters before the program held anything. */
struct baseline {
	long pinned;
	long locked_kb;
	long pinned_kb;
};

static void explain(const char *program)
{
	fprintf(stderr,
		"usage: %s ADDRESS...\n"
		"\n"
		"Does DMA through /dev/iommu with QEMU edu devices and prints one line a\n"
		"step. ADDRESS is a PCI function such as 0000:00:03.0; it is given to\n"
		"vfio-pci and stays there. With two addresses of different IOMMU groups an\n"
		"address space is shared; with two of one group, what a group means is\n"
		"shown. Needs root. The exit status is 0 if every step held.\n",
		program);
}

static void *new_memory(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	must(memory != MAP_FAILED, "mmap of anonymous memory");
	memset(memory, 0, length);
	return memory;
}

static struct baseline read_counters(void)
{
	struct baseline now = {
		.pinned = counters_pinned(),
		.locked_kb = counters_of_self("VmLck"),
		.pinned_kb = counters_of_self("VmPin"),
	};

	must(now.pinned >= 0, "reading nr_foll_pin_acquired and _released");
	must(now.locked_kb >= 0 && now.pinned_kb >= 0,
	     "reading VmLck and VmPin");
	return now;
}

static void device_bind(struct device *device, int iommufd)
{
	device->fd = must_do(vfio_open(device->address), "open");
	must_do(vfio_bind(device->fd, iommufd, &device->id),
		"VFIO_DEVICE_BIND_IOMMUFD");
	must_do(edu_start(&device->edu, device->fd), "finding edu's registers");
}

static void device_close(struct device *device)
{
	edu_stop(&device->edu);
	close(device->fd);
	device->fd = -1;
}

static void device_attach(struct device *device, __u32 ioas)
{
	must_do(vfio_attach(device->fd, &ioas),
		"VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

/*
 * From memory into the device and back to another place. Both transfers start
 * and end inside of pages, and the second crosses a page's edge.
 */
static void carry(struct device *device, __u64 iova, char *memory,
		  unsigned int seed)
{
	const size_t to = 2 * PAGE - 100;

	pattern_fill(memory + 8, TRANSFER, seed);
	memset(memory + to, 0, TRANSFER);
	must_do(edu_load(&device->edu, iova + 8, 16, TRANSFER), "DMA read");
	must_do(edu_store(&device->edu, iova + to, 16, TRANSFER), "DMA write");
	must(pattern_is(memory + to, TRANSFER, seed),
	     "the data did not arrive as it was sent");
	must(pattern_is(memory + 8, TRANSFER, seed),
	     "the data at its source changed");
}

/* The device holds @seed; writing it to @iova must leave @memory as it is. */
static void write_must_be_refused(struct device *device, __u64 iova,
				  char *memory, unsigned int seed)
{
	pattern_fill(memory, TRANSFER, seed + 1);
	must_do(edu_store(&device->edu, iova, 16, TRANSFER), "DMA write");
	must(pattern_is(memory, TRANSFER, seed + 1),
	     "a device wrote memory it may not write");
}

static bool range_has(const struct iommu_iova_range *ranges, unsigned int nr,
		      __u64 iova)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (ranges[i].start <= iova && iova <= ranges[i].last)
			return true;
	return false;
}

static void show_devices(struct device *devices, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		step_begins("give a device to vfio-pci");
		must_do(pci_give_to_vfio(devices[i].address),
			devices[i].address);
		devices[i].group = must_do(pci_group(devices[i].address),
					   "finding the IOMMU group");
		step_ok("%s, group %d", devices[i].address, devices[i].group);
	}
}

static void show_bind(struct device *device, int iommufd)
{
	struct vfio_region_info info;
	char node[64];

	step_begins("open a device without a group");
	must_do(pci_vfio_node(device->address, node, sizeof(node)),
		"no vfio character device");
	device->fd = must_do(vfio_open(device->address), node);
	must(vfio_region(device->fd, 0, &info) == -EINVAL,
	     "the file answered before it was bound");
	step_ok("%s, which answers nothing yet", node);

	step_begins("bind it to /dev/iommu");
	must_do(vfio_bind(device->fd, iommufd, &device->id),
		"VFIO_DEVICE_BIND_IOMMUFD");
	must(vfio_bind(device->fd, iommufd, &device->id) == -EINVAL,
	     "a second bind did not fail");
	step_ok("device ID %u", device->id);

	step_begins("find its registers");
	must_do(edu_start(&device->edu, device->fd), "not an edu");
	step_ok("an edu, %zu KiB in BAR 0", device->edu.size >> 10);
}

static void show_query(struct device *device, int iommufd)
{
	struct iommu_device_get_info info;

	step_begins("query the device");
	must_do(iommu_device_info(iommufd, device->id, &info),
		"IOMMU_DEVICE_GET_INFO");
	must(info.flags & IOMMU_DEVICE_INFO_ADDR_WIDTH &&
	     info.addr_width >= 32 && info.addr_width <= 64,
	     "no sensible address width");
	must(info.flags & IOMMU_DEVICE_INFO_PGSIZES &&
	     info.pgsize_bitmap & PAGE, "no 4 KiB pages");
	step_ok("%u address bits, page sizes %#llx, %scoherent, %s",
		info.addr_width, (unsigned long long)info.pgsize_bitmap,
		info.flags & IOMMU_DEVICE_INFO_COHERENT ? "" : "not ",
		info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP ?
			"snooping can be enforced" :
			"snooping cannot be enforced");
}

/* Allocate, map before the attach, attach, and what became usable by it. */
static void show_attach(struct device *device, int iommufd, __u32 ioas,
			char *memory, const struct baseline *before)
{
	struct iommu_iova_range ranges[MAX_RANGES];
	__u32 nr = MAX_RANGES;
	__u64 alignment;

	step_begins("map memory while no device is attached");
	must_do(ioas_map(iommufd, ioas, memory, LENGTH, IOVA, IOAS_READ_WRITE),
		"IOMMU_IOAS_MAP");
	must(counters_pinned() == before->pinned, "memory was pinned");
	step_ok("%lu pages at IOVA %#llx, none pinned", PAGES, IOVA);

	step_begins("attach the device");
	device_attach(device, ioas);
	must(counters_pinned() == before->pinned + (long)PAGES,
	     "not exactly the mapped pages are pinned");
	step_ok("%lu pages pinned", PAGES);

	step_begins("query the usable IOVAs");
	must_do(ioas_ranges(iommufd, ioas, ranges, &nr, &alignment),
		"IOMMU_IOAS_IOVA_RANGES");
	must(range_has(ranges, nr, IOVA), "what is mapped is not usable");
	must(!range_has(ranges, nr, 0xfee00000),
	     "the interrupt window is usable");
	step_ok("%u ranges up to %#llx, the interrupt window is in none", nr,
		(unsigned long long)ranges[nr - 1].last);
}

static void show_dma(struct device *device, int iommufd, __u32 ioas,
		     char *memory, char *other, const struct baseline *before)
{
	step_begins("DMA from memory to the device and back");
	carry(device, IOVA, memory, 100);
	step_ok("%u bytes each way, equal", TRANSFER);

	step_begins("map more memory while the device is attached");
	must_do(ioas_map(iommufd, ioas, other, LENGTH, IOVA_2, IOAS_READ_WRITE),
		"IOMMU_IOAS_MAP");
	must(counters_pinned() == before->pinned + 2 * (long)PAGES,
	     "not exactly the mapped pages are pinned");
	must_do(edu_load(&device->edu, IOVA + 8, 16, TRANSFER), "DMA read");
	must_do(edu_store(&device->edu, IOVA_2 + 40, 16, TRANSFER),
		"DMA write");
	must(pattern_is(other + 40, TRANSFER, 100),
	     "the data did not arrive as it was sent");
	step_ok("DMA from IOVA %#llx to IOVA %#llx", IOVA, IOVA_2);
}

static void show_read_only(struct device *device, int iommufd, __u32 ioas,
			   char *memory)
{
	const __u64 iova = IOVA + 4 * LENGTH;
	__u64 length = LENGTH;

	step_begins("map memory for reading only");
	must_do(ioas_map(iommufd, ioas, memory, LENGTH, iova, IOAS_READ),
		"IOMMU_IOAS_MAP");
	pattern_fill(memory + 8, TRANSFER, 200);
	must_do(edu_load(&device->edu, iova + 8, 16, TRANSFER), "DMA read");
	must_do(edu_store(&device->edu, IOVA + PAGE, 16, TRANSFER),
		"DMA write");
	write_must_be_refused(device, iova, memory, 200);
	must_do(ioas_unmap(iommufd, ioas, iova, &length), "IOMMU_IOAS_UNMAP");
	must(length == LENGTH, "not all of it was unmapped");
	step_ok("the device reads it, its write changes nothing");
}

static void show_unmap(struct device *device, int iommufd, __u32 ioas,
		       char *other, const struct baseline *before)
{
	__u64 length = PAGE;
	int log;

	step_begins("unmap part of a mapping");
	must(ioas_unmap(iommufd, ioas, IOVA_2, &length) == -ENOENT,
	     "a mapping was split");
	must_do(edu_store(&device->edu, IOVA_2, 16, TRANSFER), "DMA write");
	must(pattern_is(other, TRANSFER, 200), "the mapping is gone");
	step_ok("refused, the mapping works as before");

	step_begins("unmap, then the same DMA");
	length = LENGTH;
	must_do(ioas_unmap(iommufd, ioas, IOVA_2, &length), "IOMMU_IOAS_UNMAP");
	must(length == LENGTH, "not all of it was unmapped");
	must(counters_pinned() == before->pinned + (long)PAGES,
	     "unmapped pages are still pinned");
	log = faultlog_open();
	write_must_be_refused(device, IOVA_2, other, 200);
	step_ok("%llu bytes unmapped, the data is unchanged",
		(unsigned long long)length);

	step_begins("find the refused DMA in the kernel log");
	if (log < 0) {
		step_skipped("only done with an Intel IOMMU");
		return;
	}
	must(faultlog_has(log, device->address, true, IOVA_2),
	     "no line about a write of this device to this address");
	close(log);
	step_ok("a write of %s to %#llx", device->address, IOVA_2);
}

static void show_secret(struct device *device, char *memory, char *other)
{
	step_begins("DMA from memory that is no longer mapped");
	pattern_fill(other, TRANSFER, 300);
	must_do(edu_load(&device->edu, IOVA_2, 16, TRANSFER), "DMA read");
	must_do(edu_store(&device->edu, IOVA, 16, TRANSFER), "DMA write");
	must(pattern_is_absent(memory, TRANSFER, 300),
	     "the device holds data it may not see");
	step_ok("the device saw none of it");
}

static void show_two_groups(struct device *first, struct device *second,
			    int iommufd, __u32 ioas, char *memory,
			    const struct baseline *before)
{
	step_begins("two devices of two groups in one address space");
	if (!second) {
		step_skipped("needs two devices of different groups");
		return;
	}
	device_bind(second, iommufd);
	device_attach(second, ioas);
	must(counters_pinned() == before->pinned + (long)PAGES,
	     "a page is pinned more than once");
	carry(second, IOVA, memory, 400);
	pattern_fill(memory, TRANSFER, 401);
	must_do(edu_load(&first->edu, IOVA, 0, TRANSFER), "DMA read");
	must_do(edu_store(&first->edu, IOVA + 4 * PAGE, 0, TRANSFER),
		"DMA write");
	must_do(edu_load(&second->edu, IOVA + 4 * PAGE, 0, TRANSFER),
		"DMA read");
	must_do(edu_store(&second->edu, IOVA + 8 * PAGE, 0, TRANSFER),
		"DMA write");
	must(pattern_is(memory + 8 * PAGE, TRANSFER, 401),
	     "the data did not pass from device to device");
	step_ok("data went through %s and then %s, each page is pinned once",
		first->address, second->address);
}

static void show_one_group(struct device **pair, int iommufd, __u32 ioas,
			   char *memory)
{
	__u32 elsewhere, id;
	int foreign;

	step_begins("two devices of one group");
	if (!pair[1]) {
		step_skipped("needs two devices of one group");
		return;
	}
	if (pair[0]->fd < 0) {
		device_bind(pair[0], iommufd);
		device_attach(pair[0], ioas);
	}
	pair[1]->fd = must_do(vfio_open(pair[1]->address), "open");
	foreign = must_do(iommu_open(), "/dev/iommu");
	must(vfio_bind(pair[1]->fd, foreign, &id) < 0,
	     "one group is bound to two /dev/iommu");
	close(foreign);
	close(pair[1]->fd);

	device_bind(pair[1], iommufd);
	must_do(ioas_alloc(iommufd, &elsewhere), "IOMMU_IOAS_ALLOC");
	id = elsewhere;
	must(vfio_attach(pair[1]->fd, &id) < 0,
	     "one group is in two address spaces");
	must_do(iommu_end(iommufd, elsewhere), "IOMMU_DESTROY");
	device_attach(pair[1], ioas);
	carry(pair[0], IOVA, memory, 500);
	carry(pair[1], IOVA, memory, 501);
	must_do(vfio_detach(pair[0]->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	carry(pair[1], IOVA, memory, 502);
	step_ok("%s and %s share one address space and no other is possible",
		pair[0]->address, pair[1]->address);
	must_do(vfio_detach(pair[1]->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	if (pair[0]->fd >= 0)
		device_attach(pair[0], ioas);
}

static void show_detach(struct device *device, int iommufd, __u32 ioas,
			char *memory)
{
	step_begins("destroy an address space in use");
	must(iommu_end(iommufd, ioas) == -EBUSY, "it was destroyed");
	carry(device, IOVA, memory, 600);
	step_ok("refused, its DMA works as before");

	step_begins("detach the device, then the same DMA");
	must_do(vfio_detach(device->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	write_must_be_refused(device, IOVA, memory, 600);
	step_ok("the data is unchanged");

	step_begins("attach it again");
	device_attach(device, ioas);
	carry(device, IOVA, memory, 700);
	step_ok("%u bytes each way, equal", TRANSFER);
}

static void show_close(struct device *devices, unsigned int nr, int iommufd,
		       const struct baseline *before)
{
	struct baseline after;
	unsigned int i;

	step_begins("close everything");
	close(iommufd);
	for (i = 0; i < nr; i++)
		if (devices[i].fd >= 0)
			device_close(&devices[i]);
	after = read_counters();
	must(after.pinned == before->pinned, "pages are still pinned");
	must(after.locked_kb == before->locked_kb &&
	     after.pinned_kb == before->pinned_kb,
	     "memory is still charged to the process");
	step_ok("no page pinned, VmLck and VmPin as at the start");
}

/* Finds a partner of another group for the first device, and two of a group. */
static void assign_roles(struct device *devices, unsigned int nr,
			 struct device **second, struct device **pair)
{
	unsigned int i, j;

	*second = NULL;
	pair[0] = NULL;
	pair[1] = NULL;
	for (i = 1; i < nr && !*second; i++)
		if (devices[i].group != devices[0].group)
			*second = &devices[i];
	for (i = 0; i < nr; i++) {
		for (j = i + 1; j < nr && !pair[1]; j++) {
			if (devices[i].group != devices[j].group)
				continue;
			pair[0] = &devices[i];
			pair[1] = &devices[j];
		}
	}
}

int main(int argc, char **argv)
{
	struct device devices[MAX_DEVICES] = { 0 }, *second, *pair[2];
	struct baseline before;
	char *memory, *other;
	unsigned int nr, i;
	int iommufd;
	__u32 ioas;

	nr = (unsigned int)(argc - 1);
	if (!nr || nr > MAX_DEVICES || argv[1][0] == '-') {
		explain(argv[0]);
		return 2;
	}
	for (i = 0; i < nr; i++) {
		devices[i].address = argv[i + 1];
		devices[i].fd = -1;
	}

	memory = new_memory(LENGTH);
	other = new_memory(LENGTH);
	before = read_counters();

	show_devices(devices, nr);
	assign_roles(devices, nr, &second, pair);
	iommufd = must_do(iommu_open(), "/dev/iommu");
	show_bind(&devices[0], iommufd);
	show_query(&devices[0], iommufd);

	step_begins("allocate an address space");
	must_do(ioas_alloc(iommufd, &ioas), "IOMMU_IOAS_ALLOC");
	step_ok("IOAS ID %u", ioas);

	show_attach(&devices[0], iommufd, ioas, memory, &before);
	show_dma(&devices[0], iommufd, ioas, memory, other, &before);
	show_read_only(&devices[0], iommufd, ioas, other);
	show_unmap(&devices[0], iommufd, ioas, other, &before);
	show_secret(&devices[0], memory, other);
	show_mediated(&devices[0].edu, iommufd, ioas, memory, IOVA);
	show_two_groups(&devices[0], second, iommufd, ioas, memory, &before);
	show_one_group(pair, iommufd, ioas, memory);
	show_detach(&devices[0], iommufd, ioas, memory);
	show_close(devices, nr, iommufd, &before);
	printf("%u steps held\n", steps_held());
	return 0;
}
