// SPDX-License-Identifier: GPL-2.0-only
/* The steps with a mediated device, see show_mediated.h. */
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

#define PAGE		4096ul
#define TRANSFER	3000u
#define OTHER_IOVA	0x300000000ull
#define OTHER_PAGES	4ul

static bool create(struct mediated *device)
{
	int err;

	step_begins("make a mediated device");
	err = mediated_create(device, "mdev_pin", "notified");
	if (err == -ENOENT) {
		step_skipped("needs the module mdev_pin");
		return false;
	}
	must_do(err, "creating a device of mdev_pin");
	step_ok("%s", device->uuid);
	return true;
}

static int join(const struct mediated *device, int iommufd, __u32 ioas,
		long pinned)
{
	__u32 id, pt_id = ioas;
	int fd;

	step_begins("put it into the address space of the physical device");
	fd = must_do(mediated_open(device), "open");
	must_do(vfio_bind(fd, iommufd, &id), "VFIO_DEVICE_BIND_IOMMUFD");
	must_do(vfio_attach(fd, &pt_id), "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
	must(counters_pinned() == pinned, "the number of pinned pages changed");
	step_ok("access ID %u, IOAS ID %u, nothing more is pinned", id, pt_id);
	return fd;
}

static void show_data(int fd, struct edu *edu, char *memory, __u64 iova,
		      long pinned)
{
	const __u64 there = iova + PAGE, back = iova + 2 * PAGE;
	char data[TRANSFER];

	step_begins("data from the mediated device to the physical one");
	must(mediated_pin(fd, iova, 3, PIN_READ | PIN_WRITE) == 3,
	     "vfio_pin_pages() refused");
	must(counters_pinned() == pinned, "a page is pinned more than once");
	pattern_fill(data, TRANSFER, 800);
	must_do(mediated_poke(fd, iova, data, TRANSFER), "writing the page");
	must(pattern_is(memory, TRANSFER, 800), "memory has other data");
	must_do(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	must_do(edu_store(edu, there, 0, TRANSFER), "DMA write");
	must(pattern_is(memory + PAGE, TRANSFER, 800),
	     "the data did not arrive as it was sent");
	step_ok("%u bytes, equal; three pages pinned by both, once each",
		TRANSFER);

	step_begins("and back");
	pattern_fill(memory, TRANSFER, 801);
	must_do(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	must_do(edu_store(edu, back, 0, TRANSFER), "DMA write");
	memset(data, 0, TRANSFER);
	must_do(mediated_peek(fd, back, data, TRANSFER), "reading the page");
	must(pattern_is(data, TRANSFER, 801),
	     "the data did not arrive as it was sent");
	memset(data, 0, TRANSFER);
	must_do(mediated_read(fd, back, data, TRANSFER), "vfio_dma_rw()");
	must(pattern_is(data, TRANSFER, 801), "the CPU reads other data");
	step_ok("%u bytes, equal", TRANSFER);
}

static void show_notice(int fd, int iommufd, __u32 ioas, long pinned)
{
	__u64 length = OTHER_PAGES * PAGE;
	struct mdev_pin_state state;
	struct mdev_pin_notice *notice;
	char *other;

	step_begins("unmap what the mediated device has pinned");
	other = mmap(NULL, length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(other != MAP_FAILED, "mmap of anonymous memory");
	must_do(ioas_map(iommufd, ioas, other, length, OTHER_IOVA,
			 IOAS_READ_WRITE), "IOMMU_IOAS_MAP");
	must(mediated_pin(fd, OTHER_IOVA + PAGE, 1, PIN_READ) == 1,
	     "vfio_pin_pages() refused");
	must_do(ioas_unmap(iommufd, ioas, OTHER_IOVA, &length),
		"IOMMU_IOAS_UNMAP");
	must_do(mediated_state(fd, &state), "reading its state");
	must(state.notices == 1, "it was not told once");
	notice = &state.ring[0];
	must(notice->iova == OTHER_IOVA &&
	     notice->length == OTHER_PAGES * PAGE,
	     "it was told of something else");
	must(counters_pinned() == pinned, "unmapped pages are still pinned");
	munmap(other, OTHER_PAGES * PAGE);
	step_ok("it was told of %llu bytes at IOVA %#llx, and unpinned %u page",
		(unsigned long long)notice->length,
		(unsigned long long)notice->iova, notice->dropped);
}

static void show_detach(int fd, struct edu *edu, char *memory, __u64 iova)
{
	struct mdev_pin_state state;
	char data[8];

	step_begins("detach the mediated device");
	must_do(vfio_detach(fd), "VFIO_DEVICE_DETACH_IOMMUFD_PT");
	must_do(mediated_state(fd, &state), "reading its state");
	must(state.pins == 0, "it still has pages pinned");
	must(mediated_read(fd, iova, data, sizeof(data)) == -ENOENT,
	     "it still reads memory");
	must(mediated_pin(fd, iova, 1, PIN_READ) == -ENOENT,
	     "it still pins memory");
	pattern_fill(memory, TRANSFER, 802);
	must_do(edu_load(edu, iova, 0, TRANSFER), "DMA read");
	must_do(edu_store(edu, iova + PAGE, 0, TRANSFER), "DMA write");
	must(pattern_is(memory + PAGE, TRANSFER, 802),
	     "DMA of the physical device does not work");
	step_ok("it reaches nothing, the physical device works as before");
}

void show_mediated(struct edu *edu, int iommufd, __u32 ioas, char *memory,
		   __u64 iova)
{
	long pinned = counters_pinned();
	struct mediated device;
	int fd;

	if (!create(&device))
		return;
	fd = join(&device, iommufd, ioas, pinned);
	show_data(fd, edu, memory, iova, pinned);
	show_notice(fd, iommufd, ioas, pinned);
	show_detach(fd, edu, memory, iova);
	close(fd);
	must_do(mediated_remove(&device), "removing the mediated device");
	must(counters_pinned() == pinned, "pages are still pinned");
}
