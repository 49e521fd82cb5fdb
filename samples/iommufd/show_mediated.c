// SPDX-License-Identifier: GPL-2.0-only
/* Steps that use a mediated device. See show_mediated.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counters.h"
#include "ioas.h"
#include "mediated.h"
#include "pattern.h"
#include "show_mediated.h"
#include "steps.h"
#include "vfio.h"

#define PAGE		((unsigned long)getpagesize())
#define TRANSFER	3000u
#define OTHER_IOVA	0x300000000ull
#define OTHER_PAGES	4ul

static bool create_device(struct mediated *device)
{
	int err;

	step_begin("create a mediated device");
	err = mediated_create(device, "mdev_pin", "notified");
	if (err == -ENOENT) {
		step_skipped("needs the mdev_pin module");
		return false;
	}
	check_call(err, "creating an mdev_pin device");
	step_ok("%s", device->uuid);
	return true;
}

static int attach_device(const struct mediated *device, int iommufd, __u32 ioas,
			 long pinned)
{
	__u32 id, pt_id = ioas;
	int fd;

	step_begin("attach it to the address space of the physical device");
	fd = check_call(mediated_open(device), "open");
	check_call(vfio_bind(fd, iommufd, &id), "VFIO_DEVICE_BIND_IOMMUFD");
	check_call(vfio_attach(fd, &pt_id), "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	check(counters_pinned() == pinned,
	      "the number of pinned pages changed");
	step_ok("device ID %u, IOAS ID %u, no additional pages pinned", id,
		pt_id);
	return fd;
}

static void show_data(int fd, struct edu *edu, char *memory, __u64 iova,
		      long pinned)
{
	const __u64 there = iova + PAGE, back = iova + 2 * PAGE;
	char data[TRANSFER];

	step_begin("transfer data from the mediated to the physical device");
	check(mediated_pin(fd, iova, 3, PIN_READ | PIN_WRITE) == 3,
	      "vfio_pin_pages() failed");
	check(counters_pinned() == pinned, "a page is pinned more than once");
	pattern_fill(data, TRANSFER, 800);
	check_call(mediated_poke(fd, iova, data, TRANSFER), "writing the page");
	check(pattern_is(memory, TRANSFER, 800), "memory has different data");
	check_call(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	check_call(edu_store(edu, there, 0, TRANSFER), "DMA write");
	check(pattern_is(memory + PAGE, TRANSFER, 800),
	      "the transferred data is wrong");
	step_ok("%u bytes match, pages shared by both devices are pinned once",
		TRANSFER);

	step_begin("transfer data from the physical to the mediated device");
	pattern_fill(memory, TRANSFER, 801);
	check_call(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	check_call(edu_store(edu, back, 0, TRANSFER), "DMA write");
	memset(data, 0, TRANSFER);
	check_call(mediated_peek(fd, back, data, TRANSFER), "reading the page");
	check(pattern_is(data, TRANSFER, 801),
	      "the transferred data is wrong");
	memset(data, 0, TRANSFER);
	check_call(mediated_read(fd, back, data, TRANSFER), "vfio_dma_rw()");
	check(pattern_is(data, TRANSFER, 801), "vfio_dma_rw() read wrong data");
	step_ok("%u bytes match", TRANSFER);
}

static void show_dma_unmap(int fd, int iommufd, __u32 ioas, long pinned)
{
	__u64 length = OTHER_PAGES * PAGE;
	struct mdev_pin_state state;
	struct mdev_pin_notice *notice;
	char *other;

	step_begin("unmap memory that the mediated device has pinned");
	other = mmap(NULL, length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(other != MAP_FAILED, "mmap of anonymous memory");
	check_call(ioas_map(iommufd, ioas, other, length, OTHER_IOVA,
			    IOAS_READ_WRITE), "IOMMU_IOAS_MAP");
	check(mediated_pin(fd, OTHER_IOVA + PAGE, 1, PIN_READ) == 1,
	      "vfio_pin_pages() failed");
	check_call(ioas_unmap(iommufd, ioas, OTHER_IOVA, &length),
		   "IOMMU_IOAS_UNMAP");
	check_call(mediated_state(fd, &state), "reading the device state");
	check(state.notices == 1, "not exactly one dma_unmap notification");
	notice = &state.ring[0];
	check(notice->iova == OTHER_IOVA &&
	      notice->length == OTHER_PAGES * PAGE,
	      "the notification has another range");
	check(counters_pinned() == pinned, "unmapped pages are still pinned");
	munmap(other, OTHER_PAGES * PAGE);
	step_ok("notified of %llu bytes at IOVA %#llx, unpinned %u page",
		(unsigned long long)notice->length,
		(unsigned long long)notice->iova, notice->dropped);
}

static void show_detach(int fd, struct edu *edu, char *memory, __u64 iova)
{
	struct mdev_pin_state state;
	char data[8];

	step_begin("detach the mediated device");
	check_call(vfio_detach(fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	check_call(mediated_state(fd, &state), "reading the device state");
	check(state.pins == 0, "the device still has pages pinned");
	check(mediated_read(fd, iova, data, sizeof(data)) == -ENOENT,
	      "the device can still read memory");
	check(mediated_pin(fd, iova, 1, PIN_READ) == -ENOENT,
	      "the device can still pin memory");
	pattern_fill(memory, TRANSFER, 802);
	check_call(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	check_call(edu_store(edu, iova + PAGE, 0, TRANSFER), "DMA write");
	check(pattern_is(memory + PAGE, TRANSFER, 802),
	      "DMA of the physical device does not work");
	step_ok("it cannot access memory, the physical device still can");
}

void show_mediated(struct edu *edu, int iommufd, __u32 ioas, char *memory,
		   __u64 iova)
{
	long pinned = counters_pinned();
	struct mediated device;
	int fd;

	if (!create_device(&device))
		return;
	fd = attach_device(&device, iommufd, ioas, pinned);
	show_data(fd, edu, memory, iova, pinned);
	show_dma_unmap(fd, iommufd, ioas, pinned);
	show_detach(fd, edu, memory, iova);
	close(fd);
	check_call(mediated_remove(&device), "removing the mediated device");
	check(counters_pinned() == pinned, "pages are still pinned");
}
