// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test IOMMU_IOAS_COPY, which maps already mapped memory a second time.
 *
 * A page is pinned and charged once for a mapping and all copies of it.
 * Unmapping the source does not affect the copy, and vice versa. A copy that
 * fails maps nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

#define DST_IOVA	0x20000000ull

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

FIXTURE(copy)
{
	struct testbed bed;
	__u32 other;
};

FIXTURE_SETUP(copy)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
	ASSERT_EQ(0, ioas_alloc(self->bed.iommufd, &self->other));
}

FIXTURE_TEARDOWN(copy)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

/* Copy mappings of the testbed's memory to @dst. */
static int copy_pages(struct testbed *bed, __u32 dst, __u64 dst_iova,
		      unsigned int first, unsigned int pages)
{
	return ioas_copy(bed->iommufd, bed->ioas, TESTBED_IOVA + first * PAGE,
			 dst, dst_iova, pages * PAGE, IOAS_READ_WRITE);
}

TEST_F(copy, unknown_flags_EOPNOTSUPP)
{
	unsigned int bit;

	ASSERT_EQ(0, testbed_map(&self->bed));
	for (bit = 3; bit < 32; bit++) {
		EXPECT_EQ(-EOPNOTSUPP,
			  ioas_copy(self->bed.iommufd, self->bed.ioas,
				    TESTBED_IOVA, self->other, DST_IOVA, PAGE,
				    IOAS_READ_WRITE | 1u << bit));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

/* A mapping must permit at least one kind of access. */
TEST_F(copy, neither_READABLE_nor_WRITEABLE_EINVAL)
{
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EINVAL,
		  ioas_copy(self->bed.iommufd, self->bed.ioas, TESTBED_IOVA,
			    self->other, DST_IOVA, PAGE, 0));
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

TEST_F(copy, length_0_and_misalignment_EINVAL)
{
	__u32 pt_id = self->other;

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, vfio_attach(self->bed.device.fd, &pt_id));
	EXPECT_EQ(-EINVAL, copy_pages(&self->bed, self->other, DST_IOVA, 0, 0));
	EXPECT_EQ(-EINVAL,
		  copy_pages(&self->bed, self->other, DST_IOVA + 1, 0, 1));
	EXPECT_EQ(-EINVAL, ioas_copy(self->bed.iommufd, self->bed.ioas,
				     TESTBED_IOVA + 512, self->other, DST_IOVA,
				     PAGE, IOAS_READ));
	EXPECT_EQ(-EINVAL,
		  ioas_copy(self->bed.iommufd, self->bed.ioas, TESTBED_IOVA,
			    self->other, DST_IOVA, PAGE + 512, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

/* While no device is attached, any bytes can be copied to any IOVA. */
TEST_F(copy, bytes)
{
	__u32 pt_id = self->other;
	__u64 length = 100;

	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, ioas_copy(self->bed.iommufd, self->bed.ioas,
			       TESTBED_IOVA + PAGE - 50, self->other,
			       DST_IOVA + 1, length, IOAS_READ));
	EXPECT_EQ(-EADDRINUSE, vfio_attach(self->bed.device.fd, &pt_id));
	EXPECT_EQ(0, ioas_unmap(self->bed.iommufd, self->other, DST_IOVA + 1,
				&length));
	EXPECT_EQ(100ull, length);
	EXPECT_EQ(0, vfio_attach(self->bed.device.fd, &pt_id));
}

TEST_F(copy, overflow_EOVERFLOW)
{
	const int iommufd = self->bed.iommufd;

	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EOVERFLOW,
		  copy_pages(&self->bed, self->other, 0 - PAGE, 0, 2));
	EXPECT_EQ(-EOVERFLOW, copy_pages(&self->bed, self->other, ~0ull, 0, 1));
	EXPECT_EQ(-EOVERFLOW,
		  ioas_copy(iommufd, self->bed.ioas, TESTBED_IOVA, self->other,
			    DST_IOVA, ~0ull, IOAS_READ));
	EXPECT_EQ(-EOVERFLOW,
		  ioas_copy(iommufd, self->bed.ioas, 0 - PAGE, self->other,
			    DST_IOVA, 2 * PAGE, IOAS_READ));
	EXPECT_EQ(-EOVERFLOW,
		  ioas_copy(iommufd, self->bed.ioas, ~0ull, self->other,
			    DST_IOVA, PAGE, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(iommufd, self->other));
}

TEST_F(copy, ids_ENOENT)
{
	const __u32 invalid[] = { 0, NO_SUCH_ID, self->bed.device.id };
	size_t i;

	ASSERT_EQ(0, testbed_map(&self->bed));
	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		EXPECT_EQ(-ENOENT,
			  copy_pages(&self->bed, invalid[i], DST_IOVA, 0, 1));
		EXPECT_EQ(-ENOENT,
			  ioas_copy(self->bed.iommufd, invalid[i], TESTBED_IOVA,
				    self->other, DST_IOVA, PAGE, IOAS_READ));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

TEST_F(copy, unmapped_source_ENOENT)
{
	EXPECT_EQ(-ENOENT, copy_pages(&self->bed, self->other, DST_IOVA, 0, 1));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-ENOENT, copy_pages(&self->bed, self->other, DST_IOVA, 0,
				      TESTBED_PAGES + 1));
	EXPECT_EQ(-ENOENT, ioas_copy(self->bed.iommufd, self->bed.ioas,
				     TESTBED_IOVA - PAGE, self->other, DST_IOVA,
				     2 * PAGE, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

TEST_F(copy, overlap_EEXIST)
{
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(-EEXIST,
		  copy_pages(&self->bed, self->bed.ioas, TESTBED_IOVA, 0, 1));
	EXPECT_EQ(-EEXIST, copy_pages(&self->bed, self->bed.ioas,
				      TESTBED_IOVA - PAGE, 0, 2));
	EXPECT_EQ((long long)TESTBED_LENGTH,
		  ioas_unmap_all(self->bed.iommufd, self->bed.ioas));
}

TEST_F(copy, writeable_copy_of_READABLE_EPERM)
{
	ASSERT_EQ(0,
		  ioas_map(self->bed.iommufd, self->bed.ioas, self->bed.memory,
			   TESTBED_LENGTH, TESTBED_IOVA, IOAS_READ));
	EXPECT_EQ(-EPERM, copy_pages(&self->bed, self->other, DST_IOVA, 0, 1));
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
	EXPECT_EQ(0, ioas_copy(self->bed.iommufd, self->bed.ioas, TESTBED_IOVA,
			       self->other, DST_IOVA, PAGE, IOAS_READ));
}

TEST_F(copy, no_free_iova_ENOSPC)
{
	const struct iommu_iova_range page = { PAGE, 2 * PAGE - 1 };
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOAS_READ_WRITE,
		.src_ioas_id = self->bed.ioas,
		.dst_ioas_id = self->other,
		.src_iova = TESTBED_IOVA,
		.length = 2 * PAGE,
	};

	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, ioas_allow(self->bed.iommufd, self->other, &page, 1));
	EXPECT_EQ(-ENOSPC,
		  iommu_call(self->bed.iommufd, IOMMU_IOAS_COPY, &copy));
	copy.length = PAGE;
	copy.dst_iova = 77;
	EXPECT_EQ(0, iommu_call(self->bed.iommufd, IOMMU_IOAS_COPY, &copy));
	EXPECT_EQ(PAGE, copy.dst_iova);
}

/* If the IOVA cannot be copied to user space, the mapping must be undone. */
TEST_F(copy, failed_copy_to_user_EFAULT)
{
	struct iommu_ioas_copy *copy = new_memory(PAGE);

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, testbed_map(&self->bed));
	*copy = (struct iommu_ioas_copy){
		.size = sizeof(*copy),
		.flags = IOAS_READ_WRITE,
		.src_ioas_id = self->bed.ioas,
		.dst_ioas_id = self->other,
		.src_iova = TESTBED_IOVA,
		.length = 2 * PAGE,
	};
	ASSERT_EQ(0, mprotect(copy, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT,
		  iommu_call(self->bed.iommufd, IOMMU_IOAS_COPY, copy));
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->other));
}

/* A copy must fail if it has to pin memory that the process has unmapped. */
TEST_F(copy, unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->other, self->bed.memory,
			      TESTBED_LENGTH, DST_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, munmap(self->bed.memory + 3 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, ioas_copy(self->bed.iommufd, self->other, DST_IOVA,
				     self->bed.ioas, TESTBED_IOVA,
				     TESTBED_LENGTH, IOAS_READ_WRITE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, ioas_copy(self->bed.iommufd, self->other, DST_IOVA,
			       self->bed.ioas, TESTBED_IOVA, 3 * PAGE,
			       IOAS_READ_WRITE));
	EXPECT_EQ(3, testbed_pinned(&self->bed));
}

TEST_F(copy, pins_pages_once)
{
	ASSERT_EQ(0, attach(&self->bed));
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, copy_pages(&self->bed, self->bed.ioas, DST_IOVA, 0,
				TESTBED_PAGES));
	ASSERT_EQ(0,
		  copy_pages(&self->bed, self->bed.ioas, 2 * DST_IOVA, 5, 3));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	/* The copies keep the pages pinned after the source is unmapped. */
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_unmap(&self->bed, DST_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(3, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_unmap(&self->bed, 2 * DST_IOVA, 3 * PAGE));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

TEST_F(copy, pins_nothing_before_attach)
{
	ASSERT_EQ(0, testbed_map(&self->bed));
	ASSERT_EQ(0, copy_pages(&self->bed, self->other, DST_IOVA, 2, 5));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(TESTBED_PAGES, testbed_pinned(&self->bed));
	/* The copy must outlive the source IOAS. */
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	ASSERT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
	self->bed.ioas = self->other;
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(5, testbed_pinned(&self->bed));
}

TEST_F(copy, several_partial_mappings)
{
	struct device *device = &self->bed.device;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, ioas_map(self->bed.iommufd, self->bed.ioas,
				      self->bed.memory + (12 - 4 * i) * PAGE,
				      4 * PAGE, TESTBED_IOVA + 4 * i * PAGE,
				      IOAS_READ_WRITE));
	}
	ASSERT_EQ(0, testbed_attach(&self->bed, device));
	/* Start within the first mapping and end within the last. */
	ASSERT_EQ(0, copy_pages(&self->bed, self->bed.ioas, DST_IOVA, 2, 12));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	ASSERT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(12 + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, device, DST_IOVA,
				    self->bed.memory + 14 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->bed, device, DST_IOVA + 2 * PAGE,
				    self->bed.memory + 8 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->bed, device, DST_IOVA + 11 * PAGE,
				    self->bed.memory + PAGE));
	EXPECT_EQ(1, device_is_blocked(&self->bed, device, DST_IOVA + 12 * PAGE,
				       self->bed.memory + 2 * PAGE));
}

/* Two devices in different address spaces access the same memory. */
TEST_F(copy, devices_in_source_and_destination)
{
	struct device second;
	__u32 pt_id = self->other;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&second, self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, vfio_attach(second.fd, &pt_id));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ(0, copy_pages(&self->bed, self->other, DST_IOVA, 0,
				TESTBED_PAGES));
	EXPECT_EQ(0,
		  ioas_copy(self->bed.iommufd, self->bed.ioas, BOUNCE_IOVA,
			    self->other, BOUNCE_IOVA, PAGE, IOAS_READ_WRITE));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(&self->bed));
	EXPECT_EQ(1, device_reaches(&self->bed, &second, DST_IOVA,
				    self->bed.memory));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, TESTBED_IOVA,
				    self->bed.memory));
	EXPECT_EQ(0, testbed_unmap(&self->bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(1, device_is_blocked(&self->bed, &self->bed.device,
				       TESTBED_IOVA, self->bed.memory));
	EXPECT_EQ(1, device_reaches(&self->bed, &second, DST_IOVA,
				    self->bed.memory));
	device_close(&second);
}

TEST_HARNESS_MAIN
