// SPDX-License-Identifier: GPL-2.0-only
/* Common setup for device tests. See testbed.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "testbed.h"
#include "../../kselftest.h"

#define MAX_EDU 16

/* Each transfer uses a new pattern, so that stale data cannot match it. */
static __u32 next_seed = 1;

static void sort_devices(struct machine *machine, struct pci_address *found,
			 const int *group, unsigned int nr)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		bool single = true;

		for (j = 0; j < nr; j++) {
			if (j == i || group[j] != group[i])
				continue;
			single = false;
			if (j < i || machine->has_siblings)
				continue;
			machine->siblings[0] = found[i];
			machine->siblings[1] = found[j];
			machine->has_siblings = true;
		}
		if (single && machine->nr_singletons < 2)
			machine->singleton[machine->nr_singletons++] = found[i];
	}
}

int machine_find(struct machine *machine)
{
	struct pci_address found[MAX_EDU];
	int group[MAX_EDU], nr, i, err;

	memset(machine, 0, sizeof(*machine));
	nr = pci_find(EDU_VENDOR, EDU_DEVICE, found, MAX_EDU);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++) {
		err = pci_bind_vfio(found[i].text);
		if (err)
			return err;
		group[i] = pci_group(found[i].text);
		if (group[i] < 0)
			return group[i];
	}
	sort_devices(machine, found, group, (unsigned int)nr);
	return 0;
}

void require_edu(int nr_needed)
{
	struct pci_address found[MAX_EDU], sibling;
	int i, nr = pci_find(EDU_VENDOR, EDU_DEVICE, found, MAX_EDU);

	/* On Arm, a device has no group before a driver probes it. */
	for (i = 0; i < nr; i++)
		pci_bind_vfio(found[i].text);
	for (i = 0; i < nr; i++)
		nr_needed -= !pci_group_siblings(found[i].text, &sibling, 1);
	if (nr_needed > 0)
		ksft_exit_skip("needs QEMU's edu device in a group of its own: %d more\n",
			       nr_needed);
}

bool has_vtd(void)
{
	return !access("/sys/class/iommu/dmar0", F_OK);
}

void require_vtd(void)
{
	if (!has_vtd())
		ksft_exit_skip("needs an Intel IOMMU\n");
}

int device_open(struct device *device, const char *address, int iommufd)
{
	int err;

	*device = (struct device){ .fd = -1 };
	device->fd = vfio_open(address);
	if (device->fd < 0)
		return device->fd;
	err = vfio_bind(device->fd, iommufd, &device->id);
	if (!err)
		err = edu_start(&device->edu, device->fd);
	if (err)
		device_close(device);
	return err;
}

void device_close(struct device *device)
{
	edu_stop(&device->edu);
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
}

void *new_memory(size_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	memset(memory, 0x5a, length);
	return memory;
}

void *new_huge_page(void)
{
	long before = counters_of_system("AnonHugePages");
	char *place, *huge;

	place = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (place == MAP_FAILED)
		return NULL;
	huge = place + (-(uintptr_t)place & (HUGE - 1));
	if (madvise(huge, HUGE, MADV_HUGEPAGE))
		return NULL;
	memset(huge, 0x5a, HUGE);
	if (counters_of_system("AnonHugePages") - before != HUGE / 1024)
		return NULL;
	return huge;
}

int testbed_open(struct testbed *bed)
{
	int err;

	memset(bed, 0, sizeof(*bed));
	bed->device.fd = -1;
	bed->iommufd = -1;
	bed->pinned_before = counters_pinned();
	if (bed->pinned_before < 0)
		return (int)bed->pinned_before;
	bed->memory = new_memory(TESTBED_LENGTH);
	bed->bounce = new_memory(PAGE);
	if (!bed->memory || !bed->bounce)
		return -ENOMEM;
	err = machine_find(&bed->machine);
	if (err)
		return err;
	if (!bed->machine.nr_singletons)
		return -ENODEV;
	bed->iommufd = iommu_open();
	if (bed->iommufd < 0)
		return bed->iommufd;
	err = ioas_alloc(bed->iommufd, &bed->ioas);
	if (err)
		return err;
	return device_open(&bed->device, bed->machine.singleton[0].text,
			   bed->iommufd);
}

int testbed_attach(struct testbed *bed, struct device *device)
{
	__u32 pt_id = bed->ioas;
	int err;

	err = ioas_map(bed->iommufd, bed->ioas, bed->bounce, PAGE, BOUNCE_IOVA,
		       IOAS_READ_WRITE);
	if (err && err != -EEXIST)
		return err;
	return vfio_attach(device->fd, &pt_id);
}

void testbed_close(struct testbed *bed)
{
	device_close(&bed->device);
	if (bed->iommufd >= 0)
		close(bed->iommufd);
	bed->iommufd = -1;
}

long testbed_pinned(const struct testbed *bed)
{
	return counters_pinned() - bed->pinned_before;
}

int testbed_map(struct testbed *bed)
{
	return testbed_map_pages(bed, 0, TESTBED_PAGES);
}

int testbed_map_pages(struct testbed *bed, unsigned int first,
		      unsigned int pages)
{
	return ioas_map(bed->iommufd, bed->ioas, bed->memory + first * PAGE,
			pages * PAGE, TESTBED_IOVA + first * PAGE,
			IOAS_READ_WRITE);
}

int testbed_unmap(struct testbed *bed, __u64 iova, __u64 length)
{
	return ioas_unmap(bed->iommufd, bed->ioas, iova, &length);
}

int device_reaches(struct testbed *bed, struct device *device, __u64 iova,
		   char *memory)
{
	__u32 in = next_seed++, out = next_seed++;
	int err;

	/* Load from memory and read the buffer back through the bounce page. */
	pattern_fill(memory, TRANSFER, in);
	memset(bed->bounce, 0, PAGE);
	err = edu_load(&device->edu, iova, 0, TRANSFER);
	if (!err)
		err = edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (err)
		return err;
	if (!pattern_is(bed->bounce, TRANSFER, in))
		return 0;

	/* Fill the buffer through the bounce page and store it to memory. */
	pattern_fill(bed->bounce, TRANSFER, out);
	err = edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (!err)
		err = edu_store(&device->edu, iova, 0, TRANSFER);
	if (err)
		return err;
	return pattern_is(memory, TRANSFER, out);
}

int device_is_blocked(struct testbed *bed, struct device *device, __u64 iova,
		      char *memory)
{
	__u32 mine = next_seed++, theirs = next_seed++;
	int err;

	pattern_fill(memory, TRANSFER, mine);
	pattern_fill(bed->bounce, TRANSFER, theirs);
	err = edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (!err)
		err = edu_store(&device->edu, iova, 0, TRANSFER);
	if (err)
		return err;
	if (!pattern_is(memory, TRANSFER, mine))
		return 0;

	/*
	 * The buffer of the device holds the pattern @theirs. A load that is
	 * not blocked overwrites it with @mine.
	 */
	err = edu_load(&device->edu, iova, 0, TRANSFER);
	if (!err)
		err = edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (err)
		return err;
	return pattern_is_absent(bed->bounce, TRANSFER, mine);
}
