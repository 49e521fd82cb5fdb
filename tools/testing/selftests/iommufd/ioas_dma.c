// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test DMA by a device through an IOAS.
 *
 * A device can access only memory that is mapped in the IOAS that the device is
 * attached to, and can write only to memory that is mapped WRITEABLE. Access
 * starts with the map or the attach, whichever comes last, and ends with an
 * unmap, a detach or the close of the device. The tests transfer data in both
 * directions and compare it.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "testbed.h"

#define OTHER_IOVA	0x20000000ull

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

FIXTURE(dma)
{
	struct testbed bed;
	struct device second;
};

FIXTURE_SETUP(dma)
{
	self->second.fd = -1;
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(dma)
{
	device_close(&self->second);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int map(struct testbed *bed, const void *memory, size_t length,
	       __u64 iova, __u32 access)
{
	return ioas_map(bed->iommufd, bed->ioas, memory, length, iova, access);
}

static int attach_to(struct device *device, __u32 ioas)
{
	return vfio_attach(device->fd, &ioas);
}

#define REACHES(device, iova, memory) \
	device_reaches(&self->bed, device, iova, memory)
#define IS_BLOCKED(device, iova, memory) \
	device_is_blocked(&self->bed, device, iova, memory)

TEST_F(dma, mapped_before_attach)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA + 13 * PAGE + 700,
			     self->bed.memory + 13 * PAGE + 700));
}

TEST_F(dma, mapped_after_attach)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	/* This transfer crosses a page boundary. */
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA + 5 * PAGE - 1500,
			     self->bed.memory + 5 * PAGE - 1500));
}

TEST_F_TIMEOUT(dma, each_page_has_its_own_data, 60)
{
	struct device *device = &self->bed.device;
	unsigned int i;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	for (i = 0; i < TESTBED_PAGES; i++)
		pattern_fill(self->bed.memory + i * PAGE, 64, 1000 + i);
	for (i = 0; i < TESTBED_PAGES; i++) {
		ASSERT_EQ(0, edu_load(&device->edu, TESTBED_IOVA + i * PAGE,
				      64 * i, 64));
	}
	ASSERT_EQ(0,
		  edu_store(&device->edu, BOUNCE_IOVA, 0, 64 * TESTBED_PAGES));
	for (i = 0; i < TESTBED_PAGES; i++) {
		EXPECT_TRUE(pattern_is(self->bed.bounce + 64 * i, 64, 1000 + i))
		TH_LOG("page %u", i);
	}
}

TEST_F(dma, memory_mapped_twice)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, TESTBED_LENGTH,
			 OTHER_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, self->bed.memory));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, self->bed.memory));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, adjacent_mappings)
{
	struct device *device = &self->bed.device;

	/* Map two pages in reverse order. */
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory + PAGE, PAGE,
			 TESTBED_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, PAGE,
			 TESTBED_IOVA + PAGE, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory + PAGE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA + PAGE, self->bed.memory));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory + PAGE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA + PAGE, self->bed.memory));
}

TEST_F(dma, huge_page)
{
	struct device *device = &self->bed.device;
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, huge, HUGE, OTHER_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA, huge));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA + HUGE - PAGE,
			     huge + HUGE - PAGE));
	ASSERT_EQ(0, testbed_unmap(&self->bed, OTHER_IOVA, HUGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + HUGE - PAGE,
				huge + HUGE - PAGE));
}

TEST_F(dma, part_of_a_huge_page)
{
	struct device *device = &self->bed.device;
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, huge + 5 * PAGE, 9 * PAGE,
			 OTHER_IOVA + 5 * PAGE, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, OTHER_IOVA + 13 * PAGE, huge + 13 * PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + 4 * PAGE,
				huge + 4 * PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, OTHER_IOVA + 14 * PAGE,
				huge + 14 * PAGE));
}

TEST_F(dma, unmap_blocks)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA + 15 * PAGE,
				self->bed.memory + 15 * PAGE));
	/*
	 * The bounce page is still mapped, and the IOVAs can be mapped again.
	 */
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, remap_iova_to_other_memory)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, PAGE, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, PAGE));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory + PAGE, PAGE,
			 TESTBED_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory + PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA + PAGE, self->bed.memory));
}

TEST_F(dma, failed_map_gives_no_access)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, munmap(self->bed.memory + 15 * PAGE, PAGE));
	ASSERT_EQ(-EFAULT, testbed_map(&self->bed));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, READABLE_alone)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, PAGE, TESTBED_IOVA,
			 IOAS_READ));
	pattern_fill(self->bed.memory, TRANSFER, 2000);
	ASSERT_EQ(0, edu_load(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.bounce, TRANSFER, 2000));

	pattern_fill(self->bed.memory, TRANSFER, 2001);
	ASSERT_EQ(0, edu_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2001));
}

/*
 * Do not test that reads are blocked: VT-d page tables map write-only memory
 * as readable, too.
 */
TEST_F(dma, WRITEABLE_alone)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, PAGE, TESTBED_IOVA,
			 IOAS_WRITE));
	pattern_fill(self->bed.bounce, TRANSFER, 2100);
	pattern_fill(self->bed.memory, TRANSFER, 2101);
	ASSERT_EQ(0, edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2100));
}

/* Pinning replaces the shared zero page with a page of the process. */
TEST_F(dma, copy_on_write_is_broken_by_the_pin)
{
	struct device *device = &self->bed.device;
	char *unpopulated = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, unpopulated);
	/* A read fault maps the zero page. */
	EXPECT_EQ(0, unpopulated[0]);
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, map(&self->bed, unpopulated, PAGE, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, unpopulated));
}

/*
 * Map @memory READABLE and write to it afterwards. Returns 1 if the device
 * reads the new data, 0 if it does not, or -errno.
 */
static int reads_later_write(struct testbed *bed, struct device *device,
			     char *memory, unsigned int seed)
{
	int rc = map(bed, memory, PAGE, TESTBED_IOVA, IOAS_READ);

	if (rc)
		return rc;
	if (mprotect(memory, PAGE, PROT_READ | PROT_WRITE))
		return -errno;
	pattern_fill(memory, TRANSFER, seed);
	rc = edu_load(&device->edu, TESTBED_IOVA, 0, TRANSFER);
	if (!rc)
		rc = edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER);
	if (!rc)
		rc = testbed_unmap(bed, TESTBED_IOVA, PAGE);
	return rc ? rc : pattern_is(bed->bounce, TRANSFER, seed);
}

static char *private_page(int prot, int fd)
{
	return mmap(NULL, PAGE, prot,
		    MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
}

/*
 * Pinning must break copy-on-write even for a READABLE mapping. Otherwise a
 * later write by the process allocates a page that the device does not see.
 */
TEST_F(dma, READABLE_private_memory_stays_coherent)
{
	struct device *device = &self->bed.device;
	int fd = memfd_create("iommufd-test", MFD_CLOEXEC);
	char *memory[6], before;
	unsigned int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	/* Anonymous memory: not populated, populated by a read, read-only. */
	memory[0] = private_page(PROT_READ | PROT_WRITE, -1);
	memory[1] = private_page(PROT_READ | PROT_WRITE, -1);
	memory[2] = private_page(PROT_READ, -1);
	/* Memory of a private file mapping, in the same three states. */
	memory[3] = private_page(PROT_READ | PROT_WRITE, fd);
	memory[4] = private_page(PROT_READ | PROT_WRITE, fd);
	memory[5] = private_page(PROT_READ, fd);
	for (i = 0; i < 6; i++) {
		ASSERT_NE(MAP_FAILED, memory[i]);
		before = i % 3 == 1 ? memory[i][0] : 0;
		EXPECT_EQ(0, before);
		EXPECT_EQ(1, reads_later_write(&self->bed, device, memory[i],
					       3000 + i));
		munmap(memory[i], PAGE);
	}
	close(fd);
}

TEST_F(dma, detach_blocks_until_attach)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	ASSERT_EQ(0, vfio_detach(device->fd));

	/*
	 * A write by the device must not reach the memory, and a read must not
	 * return data from the memory.
	 */
	pattern_fill(self->bed.memory, TRANSFER, 2200);
	ASSERT_EQ(0, edu_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2200));
	ASSERT_EQ(0, edu_load(&device->edu, TESTBED_IOVA, 0, TRANSFER));

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is_absent(self->bed.bounce, TRANSFER, 2200));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
}

/* A blocked read may return the same value for all bytes of the transfer. */
static bool is_uniform(const char *memory, size_t length)
{
	return !memcmp(memory, memory + 1, length - 1);
}

/*
 * Before the first attach, DMA by a bound device must be blocked. In
 * particular, it must not reach the physical memory at the address that the
 * device uses.
 */
TEST_F(dma, bound_but_not_attached_is_blocked)
{
	struct device *device = &self->bed.device;
	/* Physical address at which an x86 kernel is loaded by default. */
	const __u64 kernel = 0x1000000;

	/*
	 * The device's buffer keeps this pattern across the close and the new
	 * bind.
	 */
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	pattern_fill(self->bed.bounce, TRANSFER, 2250);
	ASSERT_EQ(0, edu_load(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	device_close(device);
	ASSERT_EQ(0, device_open(device, self->bed.machine.singleton[0].text,
				 self->bed.iommufd));

	ASSERT_EQ(0, edu_load(&device->edu, kernel, 0, TRANSFER));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	memset(self->bed.bounce, 0x77, PAGE);
	ASSERT_EQ(0, edu_store(&device->edu, BOUNCE_IOVA, 0, TRANSFER));
	EXPECT_NE(0x77, self->bed.bounce[0]);
	EXPECT_TRUE(is_uniform(self->bed.bounce, TRANSFER) ||
		    pattern_is(self->bed.bounce, TRANSFER, 2250));
}

TEST_F(dma, close_of_the_device_during_dma)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	pattern_fill(self->bed.memory, TRANSFER, 2300);
	/*
	 * The edu device starts its DMA 100 ms later, when its file is already
	 * closed. The DMA must not reach the memory.
	 */
	ASSERT_EQ(0, edu_begin_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	device_close(device);
	usleep(400 * 1000);
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2300));
	EXPECT_EQ(0, testbed_pinned(&self->bed));

	ASSERT_EQ(0, device_open(device, self->bed.machine.singleton[0].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, unmap_during_dma)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	pattern_fill(self->bed.memory, TRANSFER, 2400);
	ASSERT_EQ(0, edu_begin_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	ASSERT_EQ(0, edu_wait(&device->edu));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2400));
}

TEST_F(dma, close_of_iommufd_changes_nothing)
{
	struct device *device = &self->bed.device;

	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	close(self->bed.iommufd);
	self->bed.iommufd = -1;
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, two_devices_in_one_ioas)
{
	struct device *device = &self->bed.device;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second,
				 self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->second));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, IS_BLOCKED(&self->second, TESTBED_IOVA, self->bed.memory));
}

TEST_F(dma, detach_one_of_two_devices)
{
	struct device *device = &self->bed.device;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second,
				 self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->second));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, vfio_detach(device->fd));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));
	pattern_fill(self->bed.memory, TRANSFER, 2500);
	ASSERT_EQ(0, edu_store(&device->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2500));
}

TEST_F(dma, two_ioas_are_isolated)
{
	struct device *device = &self->bed.device;
	__u32 other_ioas;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&self->second,
				 self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &other_ioas));
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	ASSERT_EQ(0, attach_to(&self->second, other_ioas));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, other_ioas, self->bed.bounce,
			      PAGE, BOUNCE_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, PAGE, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, other_ioas,
			      self->bed.memory + PAGE, PAGE, TESTBED_IOVA,
			      IOAS_READ_WRITE));
	EXPECT_EQ(1, REACHES(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA,
			     self->bed.memory + PAGE));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, PAGE));
	EXPECT_EQ(1, IS_BLOCKED(device, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA,
			     self->bed.memory + PAGE));
}

TEST_F_TIMEOUT(dma, two_devices_of_one_group, 60)
{
	const struct pci_address *siblings = self->bed.machine.siblings;
	struct device first;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, device_open(&first, siblings[0].text, self->bed.iommufd));
	EXPECT_EQ(0, device_open(&self->second, siblings[1].text,
				 self->bed.iommufd));
	EXPECT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, testbed_attach(&self->bed, &first));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->second));
	EXPECT_EQ(1, REACHES(&first, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));

	/* Detaching the first device must not affect the second. */
	EXPECT_EQ(0, vfio_detach(first.fd));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(0, testbed_attach(&self->bed, &first));
	EXPECT_EQ(1, REACHES(&first, TESTBED_IOVA, self->bed.memory));

	/* Detaching the last device of the group must block DMA. */
	device_close(&first);
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(0, vfio_detach(self->second.fd));
	pattern_fill(self->bed.memory, TRANSFER, 2600);
	EXPECT_EQ(0, edu_store(&self->second.edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->bed.memory, TRANSFER, 2600));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(dma, one_group_in_two_ioas_EINVAL)
{
	const struct pci_address *siblings = self->bed.machine.siblings;
	struct device first;
	__u32 other_ioas;

	if (!self->bed.machine.has_siblings)
		SKIP(return, "needs two edu devices of one group");
	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &other_ioas));
	ASSERT_EQ(0, device_open(&first, siblings[0].text, self->bed.iommufd));
	EXPECT_EQ(0, device_open(&self->second, siblings[1].text,
				 self->bed.iommufd));
	EXPECT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, testbed_attach(&self->bed, &first));
	EXPECT_EQ(-EINVAL, attach_to(&self->second, other_ioas));
	/* The failed attach must not affect either device. */
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, other_ioas));
	EXPECT_EQ(1, REACHES(&first, TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->second));
	EXPECT_EQ(1, REACHES(&self->second, TESTBED_IOVA, self->bed.memory));
	device_close(&first);
}

TEST_HARNESS_MAIN
