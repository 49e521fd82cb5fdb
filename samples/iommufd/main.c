// SPDX-License-Identifier: GPL-2.0-only
/*
 * Demonstrate /dev/iommu with real DMA.
 *
 * The arguments are the PCI addresses of QEMU edu devices (-device
 * edu,dma_mask=0xffffffffffffffff). Most steps use the first device. Other
 * steps attach a device of another IOMMU group or a mediated device to the same
 * address space, use two devices of one group, or show requests that vfio
 * rejects.
 *
 * The steps check return values, the data transferred, and the counters of
 * pinned and locked memory.
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
#include "show_refusals.h"
#include "steps.h"
#include "vfio.h"

#define PAGE		((unsigned long)getpagesize())
#define PAGES		16ul
#define LENGTH		(PAGES * PAGE)
#define IOVA		0x10000000ull
#define IOVA_2		0x7654321000ull
#define TRANSFER	3000u
#define MAX_RANGES	16
#define MAX_DEVICES	16

struct device {
	const char *address;
	int group;
	int fd;
	__u32 id;
	struct edu edu;
};

/* Snapshot of the counters of pinned and locked memory */
struct baseline {
	long pinned;
	long locked_kb;
	long pinned_kb;
};

static void print_usage(const char *program)
{
	fprintf(stderr,
		"usage: %s ADDRESS...\n"
		"\n"
		"Do DMA with QEMU edu devices through /dev/iommu. ADDRESS is the PCI\n"
		"address of an edu device, such as 0000:00:03.0. The program binds the\n"
		"devices, and a device with SR-IOV if there is one without a driver,\n"
		"to vfio-pci and leaves them bound.\n"
		"\n"
		"Some steps need two devices in different IOMMU groups, two devices in\n"
		"one group, a device that shares its group with one not listed,\n"
		"a device with SR-IOV, the mdev_pin module, or an Intel IOMMU.\n"
		"They are skipped otherwise.\n"
		"\n"
		"Needs root, unless the devices are bound to vfio-pci already and\n"
		"the user may open /dev/iommu and their files in /dev/vfio/devices.\n"
		"The exit status is 0 if no step fails.\n",
		program);
}

static void *alloc_memory(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(memory != MAP_FAILED, "mmap of anonymous memory");
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

	check(now.pinned >= 0, "reading nr_foll_pin_acquired and _released");
	check(now.locked_kb >= 0 && now.pinned_kb >= 0,
	      "reading VmLck and VmPin");
	return now;
}

static void device_bind(struct device *device, int iommufd)
{
	device->fd = check_call(vfio_open(device->address), "open");
	check_call(vfio_bind(device->fd, iommufd, &device->id),
		   "VFIO_DEVICE_BIND_IOMMUFD");
	check_call(edu_start(&device->edu, device->fd),
		   "mapping the edu registers");
}

static void device_close(struct device *device)
{
	edu_stop(&device->edu);
	close(device->fd);
	device->fd = -1;
}

static void device_attach(struct device *device, __u32 ioas)
{
	check_call(vfio_attach(device->fd, &ioas),
		   "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

/*
 * Transfer data from memory to the device and back to another address. Neither
 * transfer starts on a page boundary, and the second one crosses a page
 * boundary.
 */
static void transfer_and_verify(struct device *device, __u64 iova, char *memory,
				unsigned int seed)
{
	const size_t dst = 2 * PAGE - 100;

	pattern_fill(memory + 8, TRANSFER, seed);
	memset(memory + dst, 0, TRANSFER);
	check_call(edu_load(&device->edu, iova + 8, 16, TRANSFER), "DMA read");
	check_call(edu_store(&device->edu, iova + dst, 16, TRANSFER),
		   "DMA write");
	check(pattern_is(memory + dst, TRANSFER, seed),
	      "the transferred data is wrong");
	check(pattern_is(memory + 8, TRANSFER, seed),
	      "the source data changed");
}

/*
 * Let the device write to @iova and check that @memory does not change. @seed
 * is the seed of the pattern in the device's buffer. @memory is filled with
 * another pattern first.
 */
static void check_write_is_blocked(struct device *device, __u64 iova,
				   char *memory, unsigned int seed)
{
	pattern_fill(memory, TRANSFER, seed + 1);
	check_call(edu_store(&device->edu, iova, 16, TRANSFER), "DMA write");
	check(pattern_is(memory, TRANSFER, seed + 1),
	      "the device wrote to memory that it must not access");
}

static bool ranges_contain(const struct iommu_iova_range *ranges,
			   unsigned int nr, __u64 iova)
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
		step_begin("bind a device to vfio-pci");
		check_call(pci_bind_vfio(devices[i].address),
			   devices[i].address);
		devices[i].group = check_call(pci_group(devices[i].address),
					      "reading the IOMMU group");
		step_ok("%s, group %d", devices[i].address, devices[i].group);
	}
}

static void show_bind(struct device *device, int iommufd)
{
	struct vfio_region_info info;
	char node[64];

	step_begin("open a vfio device file");
	check_call(pci_vfio_node(device->address, node, sizeof(node)),
		   "no vfio device file");
	device->fd = check_call(vfio_open(device->address), node);
	check(vfio_region(device->fd, 0, &info) == -EINVAL,
	      "an ioctl before the bind did not fail with EINVAL");
	step_ok("%s, its ioctls fail until it is bound", node);

	step_begin("bind it to /dev/iommu");
	check_call(vfio_bind(device->fd, iommufd, &device->id),
		   "VFIO_DEVICE_BIND_IOMMUFD");
	check(vfio_bind(device->fd, iommufd, &device->id) == -EINVAL,
	      "a second bind did not fail with EINVAL");
	step_ok("device ID %u", device->id);

	step_begin("map its registers");
	check_call(edu_start(&device->edu, device->fd), "not an edu device");
	step_ok("edu device, %zu KiB in BAR 0", device->edu.size >> 10);
}

static void show_query(struct device *device, int iommufd)
{
	struct iommu_device_get_info info;

	step_begin("query the device");
	check_call(iommu_device_info(iommufd, device->id, &info),
		   "IOMMU_DEVICE_GET_INFO");
	check(info.flags & IOMMU_DEVICE_INFO_ADDR_WIDTH &&
	      info.addr_width >= 32 && info.addr_width <= 64,
	      "invalid address width");
	check(info.flags & IOMMU_DEVICE_INFO_PGSIZES &&
	      info.pgsize_bitmap & PAGE, "4 KiB pages are not supported");
	step_ok("%u address bits, page sizes %#llx, %scoherent, %s",
		info.addr_width, (unsigned long long)info.pgsize_bitmap,
		info.flags & IOMMU_DEVICE_INFO_COHERENT ? "" : "not ",
		info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP ?
			"snooping can be enforced" :
			"snooping cannot be enforced");
}

static void show_attach(struct device *device, int iommufd, __u32 ioas,
			char *memory, const struct baseline *before)
{
	struct iommu_iova_range ranges[MAX_RANGES];
	__u32 nr = MAX_RANGES;
	long long msi_window;
	__u64 alignment;

	step_begin("map memory while no device is attached");
	check_call(ioas_map(iommufd, ioas, memory, LENGTH, IOVA,
			    IOAS_READ_WRITE), "IOMMU_IOAS_MAP");
	check(counters_pinned() == before->pinned, "memory was pinned");
	step_ok("%lu pages at IOVA %#llx, none pinned", PAGES, IOVA);

	step_begin("attach the device");
	device_attach(device, ioas);
	check(counters_pinned() == before->pinned + (long)PAGES,
	      "the number of pinned pages is wrong");
	step_ok("%lu pages pinned", PAGES);

	step_begin("query the usable IOVAs");
	check_call(ioas_ranges(iommufd, ioas, ranges, &nr, &alignment),
		   "IOMMU_IOAS_IOVA_RANGES");
	check(ranges_contain(ranges, nr, IOVA), "a mapped IOVA is not usable");
	msi_window = pci_msi_window(device->address);
	check(msi_window >= 0, "the device has no MSI window");
	check(!ranges_contain(ranges, nr, (__u64)msi_window),
	      "the MSI window is usable");
	step_ok("%u ranges up to %#llx, without the MSI window", nr,
		(unsigned long long)ranges[nr - 1].last);
}

static void show_dma(struct device *device, int iommufd, __u32 ioas,
		     char *memory, char *memory_2,
		     const struct baseline *before)
{
	step_begin("DMA from memory to the device and back");
	transfer_and_verify(device, IOVA, memory, 100);
	step_ok("%u bytes match in both directions", TRANSFER);

	step_begin("map more memory while the device is attached");
	check_call(ioas_map(iommufd, ioas, memory_2, LENGTH, IOVA_2,
			    IOAS_READ_WRITE), "IOMMU_IOAS_MAP");
	check(counters_pinned() == before->pinned + 2 * (long)PAGES,
	      "the number of pinned pages is wrong");
	check_call(edu_load(&device->edu, IOVA + 8, 16, TRANSFER), "DMA read");
	check_call(edu_store(&device->edu, IOVA_2 + 40, 16, TRANSFER),
		   "DMA write");
	check(pattern_is(memory_2 + 40, TRANSFER, 100),
	      "the transferred data is wrong");
	step_ok("DMA from IOVA %#llx to IOVA %#llx", IOVA, IOVA_2);
}

static void show_read_only(struct device *device, int iommufd, __u32 ioas,
			   char *memory)
{
	const __u64 iova = IOVA + 4 * LENGTH;
	__u64 length = LENGTH;

	step_begin("map memory for reading only");
	check_call(ioas_map(iommufd, ioas, memory, LENGTH, iova, IOAS_READ),
		   "IOMMU_IOAS_MAP");
	pattern_fill(memory + 8, TRANSFER, 200);
	check_call(edu_load(&device->edu, iova + 8, 16, TRANSFER), "DMA read");
	check_call(edu_store(&device->edu, IOVA + PAGE, 16, TRANSFER),
		   "DMA write");
	check_write_is_blocked(device, iova, memory, 200);
	check_call(ioas_unmap(iommufd, ioas, iova, &length),
		   "IOMMU_IOAS_UNMAP");
	check(length == LENGTH, "unmapped length is wrong");
	step_ok("the device can read the memory but not write to it");
}

static void show_unmap(struct device *device, int iommufd, __u32 ioas,
		       char *memory_2, const struct baseline *before)
{
	__u64 length = PAGE;
	int log;

	step_begin("unmap part of a mapping");
	check(ioas_unmap(iommufd, ioas, IOVA_2, &length) == -ENOENT,
	      "the unmap did not fail with ENOENT");
	check_call(edu_store(&device->edu, IOVA_2, 16, TRANSFER), "DMA write");
	check(pattern_is(memory_2, TRANSFER, 200), "the mapping was removed");
	step_ok("rejected, the mapping still works");

	step_begin("unmap, then repeat the DMA");
	length = LENGTH;
	check_call(ioas_unmap(iommufd, ioas, IOVA_2, &length),
		   "IOMMU_IOAS_UNMAP");
	check(length == LENGTH, "unmapped length is wrong");
	check(counters_pinned() == before->pinned + (long)PAGES,
	      "unmapped pages are still pinned");
	log = faultlog_open();
	check_write_is_blocked(device, IOVA_2, memory_2, 200);
	step_ok("%llu bytes unmapped, the data is unchanged",
		(unsigned long long)length);

	step_begin("find the blocked DMA in the kernel log");
	if (log < 0) {
		step_skipped("needs an Intel IOMMU and a readable /dev/kmsg");
		return;
	}
	check(faultlog_has(log, device->address, true, IOVA_2),
	      "no fault logged for this device and address");
	close(log);
	step_ok("a write of %s to %#llx", device->address, IOVA_2);
}

static void show_blocked_read(struct device *device, char *memory,
			      char *memory_2)
{
	step_begin("DMA from memory that is no longer mapped");
	pattern_fill(memory_2, TRANSFER, 300);
	check_call(edu_load(&device->edu, IOVA_2, 16, TRANSFER), "DMA read");
	check_call(edu_store(&device->edu, IOVA, 16, TRANSFER), "DMA write");
	check(pattern_is_absent(memory, TRANSFER, 300),
	      "the device read memory that is not mapped");
	step_ok("the device did not read the data");
}

static void show_two_groups(struct device *first, struct device *second,
			    int iommufd, __u32 ioas, char *memory,
			    const struct baseline *before)
{
	step_begin("two devices of two groups in one address space");
	if (!second) {
		step_skipped("needs two devices of different groups");
		return;
	}
	device_bind(second, iommufd);
	device_attach(second, ioas);
	check(counters_pinned() == before->pinned + (long)PAGES,
	      "a page is pinned more than once");
	transfer_and_verify(second, IOVA, memory, 400);
	pattern_fill(memory, TRANSFER, 401);
	check_call(edu_load(&first->edu, IOVA, 0, TRANSFER), "DMA read");
	check_call(edu_store(&first->edu, IOVA + 4 * PAGE, 0, TRANSFER),
		   "DMA write");
	check_call(edu_load(&second->edu, IOVA + 4 * PAGE, 0, TRANSFER),
		   "DMA read");
	check_call(edu_store(&second->edu, IOVA + 8 * PAGE, 0, TRANSFER),
		   "DMA write");
	check(pattern_is(memory + 8 * PAGE, TRANSFER, 401),
	      "the transferred data is wrong");
	step_ok("data passed through %s and %s, pages are pinned once",
		first->address, second->address);
}

static void show_one_group(struct device **siblings, int iommufd, __u32 ioas,
			   char *memory)
{
	__u32 other_ioas, id;
	int other_iommufd;

	step_begin("two devices of one group");
	if (!siblings[1]) {
		step_skipped("needs two devices of one group");
		return;
	}
	if (siblings[0]->fd < 0) {
		device_bind(siblings[0], iommufd);
		device_attach(siblings[0], ioas);
	}
	siblings[1]->fd = check_call(vfio_open(siblings[1]->address), "open");
	other_iommufd = check_call(iommu_open(), "/dev/iommu");
	check(vfio_bind(siblings[1]->fd, other_iommufd, &id) < 0,
	      "a group was bound to two /dev/iommu files");
	close(other_iommufd);
	close(siblings[1]->fd);

	device_bind(siblings[1], iommufd);
	check_call(ioas_alloc(iommufd, &other_ioas), "IOMMU_IOAS_ALLOC");
	id = other_ioas;
	check(vfio_attach(siblings[1]->fd, &id) < 0,
	      "a group was attached to two address spaces");
	check_call(iommu_destroy(iommufd, other_ioas), "IOMMU_DESTROY");
	device_attach(siblings[1], ioas);
	transfer_and_verify(siblings[0], IOVA, memory, 500);
	transfer_and_verify(siblings[1], IOVA, memory, 501);
	check_call(vfio_detach(siblings[0]->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	transfer_and_verify(siblings[1], IOVA, memory, 502);
	step_ok("%s and %s can only be attached to the same address space",
		siblings[0]->address, siblings[1]->address);
	check_call(vfio_detach(siblings[1]->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	device_attach(siblings[0], ioas);
}

static void show_detach(struct device *device, int iommufd, __u32 ioas,
			char *memory)
{
	step_begin("destroy an address space in use");
	check(iommu_destroy(iommufd, ioas) == -EBUSY,
	      "the destroy did not fail with EBUSY");
	transfer_and_verify(device, IOVA, memory, 600);
	step_ok("rejected, DMA still works");

	step_begin("detach the device, then repeat the DMA");
	check_call(vfio_detach(device->fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	check_write_is_blocked(device, IOVA, memory, 600);
	step_ok("the data is unchanged");

	step_begin("attach it again");
	device_attach(device, ioas);
	transfer_and_verify(device, IOVA, memory, 700);
	step_ok("%u bytes match in both directions", TRANSFER);
}

static void show_close(struct device *devices, unsigned int nr, int iommufd,
		       const struct baseline *before)
{
	struct baseline after;
	unsigned int i;

	step_begin("close everything");
	close(iommufd);
	for (i = 0; i < nr; i++)
		if (devices[i].fd >= 0)
			device_close(&devices[i]);
	after = read_counters();
	check(after.pinned == before->pinned, "pages are still pinned");
	check(after.locked_kb == before->locked_kb &&
	      after.pinned_kb == before->pinned_kb,
	     "memory is still charged to the process");
	step_ok("no page is pinned, VmLck and VmPin are unchanged");
}

/*
 * Set @second to a device that is not in the group of the first device, and
 * @siblings to two devices of one group. A pointer is NULL if there is no such
 * device.
 */
static void choose_devices(struct device *devices, unsigned int nr,
			   struct device **second, struct device **siblings)
{
	unsigned int i, j;

	*second = NULL;
	siblings[0] = NULL;
	siblings[1] = NULL;
	for (i = 1; i < nr && !*second; i++)
		if (devices[i].group != devices[0].group)
			*second = &devices[i];
	for (i = 0; i < nr; i++) {
		for (j = i + 1; j < nr && !siblings[1]; j++) {
			if (devices[i].group != devices[j].group)
				continue;
			siblings[0] = &devices[i];
			siblings[1] = &devices[j];
		}
	}
}

int main(int argc, char **argv)
{
	struct device devices[MAX_DEVICES] = { 0 }, *second, *siblings[2];
	struct baseline before;
	char *memory, *memory_2;
	unsigned int nr, i;
	int iommufd;
	__u32 ioas;

	nr = (unsigned int)(argc - 1);
	if (!nr || nr > MAX_DEVICES || argv[1][0] == '-') {
		print_usage(argv[0]);
		return 2;
	}
	for (i = 0; i < nr; i++) {
		devices[i].address = argv[i + 1];
		devices[i].fd = -1;
	}

	memory = alloc_memory(LENGTH);
	memory_2 = alloc_memory(LENGTH);
	before = read_counters();

	show_devices(devices, nr);
	choose_devices(devices, nr, &second, siblings);
	iommufd = check_call(iommu_open(), "/dev/iommu");
	show_bind(&devices[0], iommufd);
	show_query(&devices[0], iommufd);

	step_begin("allocate an address space");
	check_call(ioas_alloc(iommufd, &ioas), "IOMMU_IOAS_ALLOC");
	step_ok("IOAS ID %u", ioas);

	show_attach(&devices[0], iommufd, ioas, memory, &before);
	show_dma(&devices[0], iommufd, ioas, memory, memory_2, &before);
	show_read_only(&devices[0], iommufd, ioas, memory_2);
	show_unmap(&devices[0], iommufd, ioas, memory_2, &before);
	show_blocked_read(&devices[0], memory, memory_2);
	show_two_groups(&devices[0], second, iommufd, ioas, memory, &before);
	show_one_group(siblings, iommufd, ioas, memory);
	show_mediated(&devices[0].edu, iommufd, ioas, memory, IOVA);
	show_detach(&devices[0], iommufd, ioas, memory);
	show_close(devices, nr, iommufd, &before);
	show_refusals(argv + 1, nr);
	printf("%u steps passed\n", steps_passed());
	return 0;
}
