// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the number of pages that IOMMU_IOAS_MAP pins.
 *
 * Pages are pinned while they are mapped in an IOAS that a device is attached
 * to. A mapping pins each of its pages once, no matter how many devices are
 * attached. A call that fails does not change the number of pinned pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "testbed.h"

NEEDS_EDU(1)

FIXTURE(pins)
{
	struct testbed bed;
};

FIXTURE_SETUP(pins)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(pins)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/*
 * Unlike testbed_attach(), do not map the bounce page, so that testbed_pinned()
 * does not count it.
 */
static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

static int map(struct testbed *bed, const void *memory, size_t length,
	       __u64 iova, __u32 access)
{
	return ioas_map(bed->iommufd, bed->ioas, memory, length, iova, access);
}

TEST_F(pins, none_before_attach)
{
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, attach_pins_existing_mappings)
{
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, 5 * PAGE, TESTBED_IOVA,
			 IOAS_READ));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory + 8 * PAGE, 3 * PAGE,
			 2 * TESTBED_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(8, testbed_pinned(&self->bed));
}

TEST_F(pins, map_after_attach)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, unmap_unpins_only_its_range)
{
	unsigned int i;

	ASSERT_EQ(0, attach(&self->bed));
	for (i = 0; i < TESTBED_PAGES; i++) {
		ASSERT_EQ(0, map(&self->bed, self->bed.memory + i * PAGE, PAGE,
				 TESTBED_IOVA + i * PAGE, IOAS_READ_WRITE));
	}
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA + PAGE, PAGE));
	EXPECT_EQ(TESTBED_PAGES - 1, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, 8 * PAGE));
	EXPECT_EQ(TESTBED_PAGES - 8, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, partial_unmap_ENOENT_unpins_none)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-ENOENT, testbed_unmap(&self->bed, TESTBED_IOVA, PAGE));
	EXPECT_EQ(-ENOENT, testbed_unmap(&self->bed, TESTBED_IOVA + PAGE,
					 TESTBED_LENGTH - PAGE));
	EXPECT_EQ(-ENOENT, testbed_unmap(&self->bed, TESTBED_IOVA - PAGE,
					 TESTBED_LENGTH));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, overlap_EEXIST_pins_none)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EEXIST, map(&self->bed, self->bed.memory, PAGE,
			       TESTBED_IOVA + 3 * PAGE, IOAS_READ));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, detach_unpins_and_attach_repins)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	/* Detach unpins the pages but keeps the mapping. */
	EXPECT_EQ(-EEXIST, testbed_map(&self->bed));
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, destroy_after_detach)
{
	__u32 ioas = self->bed.ioas;

	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EBUSY, iommu_destroy(self->bed.iommufd, ioas));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, ioas));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, close_of_the_device_unpins_all)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	device_close(&self->bed.device);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, close_of_iommufd_unpins_none)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	close(self->bed.iommufd);
	self->bed.iommufd = -1;
	/* The bound device holds a reference to the iommufd. */
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	device_close(&self->bed.device);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, two_devices_pin_a_page_once)
{
	struct device other;
	__u32 pt_id = self->bed.ioas;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, vfio_attach(other.fd, &pt_id));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	device_close(&other);
}

TEST_F(pins, two_ioas_are_independent)
{
	struct device other;
	__u32 other_ioas, pt_id;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &other_ioas));
	pt_id = other_ioas;
	ASSERT_EQ(0, vfio_attach(other.fd, &pt_id));
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, ioas_map(self->bed.iommufd, other_ioas, self->bed.memory,
			      2 * PAGE, TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(TESTBED_PAGES + 2, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, 0, ~0ull));
	EXPECT_EQ(2, testbed_pinned(&self->bed));
	device_close(&other);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, munmap(self->bed.memory + 9 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, testbed_map(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	/* The failed map must leave no mapping behind. */
	EXPECT_EQ(-ENOENT,
		  testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, map(&self->bed, self->bed.memory, 9 * PAGE, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(9, testbed_pinned(&self->bed));
}

TEST_F(pins, attach_with_unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, map(&self->bed, self->bed.bounce, PAGE, BOUNCE_IOVA,
			 IOAS_READ_WRITE));
	ASSERT_EQ(0, munmap(self->bed.bounce, PAGE));
	EXPECT_EQ(-EFAULT, attach(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));

	/*
	 * The device must still be detached. Attach must succeed once the
	 * mapping of the unmapped memory is removed.
	 */
	ASSERT_EQ(0, testbed_unmap(&self->bed, BOUNCE_IOVA, PAGE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, attach(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, WRITEABLE_mapping_of_read_only_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, mprotect(self->bed.memory, TESTBED_LENGTH, PROT_READ));
	EXPECT_EQ(-EFAULT, testbed_map(&self->bed));
	EXPECT_EQ(-EFAULT, map(&self->bed, self->bed.memory, PAGE, TESTBED_IOVA,
			       IOAS_WRITE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, map(&self->bed, self->bed.memory, TESTBED_LENGTH,
			 TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
}

TEST_F(pins, PROT_NONE_memory_EFAULT)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, mprotect(self->bed.memory, TESTBED_LENGTH, PROT_NONE));
	EXPECT_EQ(-EFAULT, map(&self->bed, self->bed.memory, TESTBED_LENGTH,
			       TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, device_registers_EFAULT)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(-EFAULT, map(&self->bed, self->bed.device.edu.registers, PAGE,
			       TESTBED_IOVA, IOAS_READ_WRITE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, misaligned_EINVAL)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(-EINVAL, map(&self->bed, self->bed.memory, PAGE,
			       TESTBED_IOVA + 512, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->bed, self->bed.memory + 512, PAGE,
			       TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->bed, self->bed.memory, PAGE + 512,
			       TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(-EINVAL, map(&self->bed, self->bed.memory, 1, TESTBED_IOVA,
			       IOAS_READ));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/* Before a device is attached, mappings need not be aligned. */
TEST_F(pins, bytes_can_be_mapped_before_attach)
{
	ASSERT_EQ(0, map(&self->bed, self->bed.memory + 7, PAGE + 100,
			 TESTBED_IOVA + 3, IOAS_READ_WRITE));
	ASSERT_EQ(0, map(&self->bed, self->bed.memory, 1,
			 TESTBED_IOVA + PAGE + 103, IOAS_READ_WRITE));
	EXPECT_EQ(-EEXIST, map(&self->bed, self->bed.memory, 1,
			       TESTBED_IOVA + 3, IOAS_READ_WRITE));
	EXPECT_EQ(-EADDRINUSE, attach(&self->bed));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(-ENOENT,
		  testbed_unmap(&self->bed, TESTBED_IOVA + 3, PAGE + 99));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA + 3, PAGE + 100));
	EXPECT_EQ(-EADDRINUSE, attach(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA + PAGE + 103, 1));
	EXPECT_EQ(0, attach(&self->bed));
}

TEST_F(pins, unpopulated_memory)
{
	char *unpopulated = mmap(NULL, TESTBED_LENGTH, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, unpopulated);
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, map(&self->bed, unpopulated, TESTBED_LENGTH, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/*
 * Unpopulated memory is populated and pinned even for a READABLE mapping, so
 * that the device sees later writes by the process.
 */
TEST_F(pins, unpopulated_memory_READABLE)
{
	const char *unpopulated = mmap(NULL, TESTBED_LENGTH, PROT_READ,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	ASSERT_NE(MAP_FAILED, (void *)unpopulated);
	ASSERT_EQ(0, attach(&self->bed));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, map(&self->bed, unpopulated, TESTBED_LENGTH,
				 TESTBED_IOVA, IOAS_READ));
		EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
		ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA,
					   TESTBED_LENGTH));
		EXPECT_EQ(0, testbed_pinned(&self->bed));
	}
}

TEST_F(pins, shared_file_mapping)
{
	int fd = memfd_create("iommufd-test", MFD_CLOEXEC);
	char *shared;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, TESTBED_LENGTH));
	shared = mmap(NULL, TESTBED_LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, 0);
	ASSERT_NE(MAP_FAILED, shared);
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, map(&self->bed, shared, TESTBED_LENGTH, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	/* The pages stay pinned when the process unmaps the memory. */
	ASSERT_EQ(0, munmap(shared, TESTBED_LENGTH));
	close(fd);
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(pins, huge_page)
{
	char *huge = new_huge_page();

	if (!huge)
		SKIP(return, "needs transparent huge pages and madvise()");
	ASSERT_EQ(0, attach(&self->bed));
	/* Map a part of the huge page first, then all of it. */
	ASSERT_EQ(0, map(&self->bed, huge + 3 * PAGE, 7 * PAGE, TESTBED_IOVA,
			 IOAS_READ_WRITE));
	EXPECT_EQ(7, testbed_pinned(&self->bed));
	ASSERT_EQ(0, map(&self->bed, huge, HUGE, 16 * HUGE, IOAS_READ_WRITE));
	EXPECT_EQ(7 + 512, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, 7 * PAGE));
	EXPECT_EQ(512, testbed_pinned(&self->bed));
	EXPECT_EQ(0, testbed_unmap(&self->bed, 16 * HUGE, HUGE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_HARNESS_MAIN
