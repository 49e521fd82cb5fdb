// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_COPY: map already mapped memory a second time.
 *
 * A page is pinned and charged once, regardless of the number of its mappings.
 * Unmapping the source or the copy does not affect the other one. A copy that
 * fails maps nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "rig.h"

#define DST_IOVA	0x20000000ull

NEEDS_EDU
EXPECTS_DMA_FAULTS

FIXTURE(copy)
{
	struct rig rig;
	__u32 other;
};

FIXTURE_SETUP(copy)
{
	ASSERT_EQ(0, rig_open(&self->rig));
	ASSERT_EQ(0, ioas_alloc(self->rig.iommufd, &self->other));
}

FIXTURE_TEARDOWN(copy)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int attach(struct rig *rig)
{
	__u32 pt_id = rig->ioas;

	return vfio_attach(rig->device.fd, &pt_id);
}

/* Copy pages of the rig's mapping to @dst. */
static int copy_pages(struct rig *rig, __u32 dst, __u64 dst_iova,
		      unsigned int first, unsigned int pages)
{
	return ioas_copy(rig->iommufd, rig->ioas, RIG_IOVA + first * PAGE, dst,
			 dst_iova, pages * PAGE, IOAS_READ_WRITE);
}

TEST_F(copy, unknown_flags_EOPNOTSUPP)
{
	unsigned int bit;

	ASSERT_EQ(0, rig_map(&self->rig));
	for (bit = 3; bit < 32; bit++) {
		EXPECT_EQ(-EOPNOTSUPP, ioas_copy(self->rig.iommufd,
						 self->rig.ioas, RIG_IOVA,
						 self->other, DST_IOVA, PAGE,
						 IOAS_READ_WRITE | 1u << bit));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

/* A mapping must permit at least one kind of access. */
TEST_F(copy, neither_READABLE_nor_WRITEABLE_EINVAL)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA, self->other, DST_IOVA, PAGE,
				     0));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, length_0_and_misalignment_EINVAL)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EINVAL, copy_pages(&self->rig, self->other, DST_IOVA, 0,
				      0));
	EXPECT_EQ(-EINVAL, copy_pages(&self->rig, self->other, DST_IOVA + 1,
				      0, 1));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA + 512, self->other, DST_IOVA,
				     PAGE, IOAS_READ));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA, self->other, DST_IOVA,
				     PAGE + 512, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, overflow_EOVERFLOW)
{
	const int iommufd = self->rig.iommufd;

	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EOVERFLOW, copy_pages(&self->rig, self->other, 0 - PAGE, 0,
					 2));
	EXPECT_EQ(-EOVERFLOW, copy_pages(&self->rig, self->other, ~0ull, 0, 1));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, RIG_IOVA,
					self->other, DST_IOVA, ~0ull,
					IOAS_READ));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, 0 - PAGE,
					self->other, DST_IOVA, 2 * PAGE,
					IOAS_READ));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, ~0ull,
					self->other, DST_IOVA, PAGE,
					IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(iommufd, self->other));
}

TEST_F(copy, ids_ENOENT)
{
	const __u32 invalid[] = { 0, NO_SUCH_ID, self->rig.device.id };
	size_t i;

	ASSERT_EQ(0, rig_map(&self->rig));
	for (i = 0; i < ARRAY_SIZE(invalid); i++) {
		EXPECT_EQ(-ENOENT, copy_pages(&self->rig, invalid[i],
					      DST_IOVA, 0, 1));
		EXPECT_EQ(-ENOENT, ioas_copy(self->rig.iommufd, invalid[i],
					     RIG_IOVA, self->other, DST_IOVA,
					     PAGE, IOAS_READ));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, unmapped_source_ENOENT)
{
	EXPECT_EQ(-ENOENT, copy_pages(&self->rig, self->other, DST_IOVA, 0,
				      1));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-ENOENT, copy_pages(&self->rig, self->other, DST_IOVA, 0,
				      RIG_PAGES + 1));
	EXPECT_EQ(-ENOENT, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA - PAGE, self->other, DST_IOVA,
				     2 * PAGE, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, overlap_EEXIST)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EEXIST, copy_pages(&self->rig, self->rig.ioas, RIG_IOVA, 0,
				      1));
	EXPECT_EQ(-EEXIST, copy_pages(&self->rig, self->rig.ioas,
				      RIG_IOVA - PAGE, 0, 2));
	EXPECT_EQ((long long)RIG_LENGTH,
		  ioas_unmap_all(self->rig.iommufd, self->rig.ioas));
}

TEST_F(copy, writeable_copy_of_READABLE_EPERM)
{
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->rig.ioas,
			      self->rig.memory, RIG_LENGTH, RIG_IOVA,
			      IOAS_READ));
	EXPECT_EQ(-EPERM, copy_pages(&self->rig, self->other, DST_IOVA, 0,
				     1));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->rig.ioas, RIG_IOVA,
			       self->other, DST_IOVA, PAGE, IOAS_READ));
}

TEST_F(copy, no_free_iova_ENOSPC)
{
	const struct iommu_iova_range page = { PAGE, 2 * PAGE - 1 };
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = IOAS_READ_WRITE,
		.src_ioas_id = self->rig.ioas,
		.dst_ioas_id = self->other,
		.src_iova = RIG_IOVA,
		.length = 2 * PAGE,
	};

	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, ioas_allow(self->rig.iommufd, self->other, &page, 1));
	EXPECT_EQ(-ENOSPC, iommu_call(self->rig.iommufd, IOMMU_IOAS_COPY,
				      &copy));
	copy.length = PAGE;
	copy.dst_iova = 77;
	EXPECT_EQ(0, iommu_call(self->rig.iommufd, IOMMU_IOAS_COPY, &copy));
	EXPECT_EQ(PAGE, copy.dst_iova);
}

/* If the IOVA cannot be returned, the mapping is removed again. */
TEST_F(copy, failed_copy_to_user_EFAULT)
{
	struct iommu_ioas_copy *copy = new_memory(PAGE);

	ASSERT_NE(NULL, copy);
	ASSERT_EQ(0, rig_map(&self->rig));
	*copy = (struct iommu_ioas_copy){
		.size = sizeof(*copy),
		.flags = IOAS_READ_WRITE,
		.src_ioas_id = self->rig.ioas,
		.dst_ioas_id = self->other,
		.src_iova = RIG_IOVA,
		.length = 2 * PAGE,
	};
	ASSERT_EQ(0, mprotect(copy, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, iommu_call(self->rig.iommufd, IOMMU_IOAS_COPY,
				      copy));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

/* A copy fails with -EFAULT only if it has to pin the pages. */
TEST_F(copy, unmapped_memory_EFAULT)
{
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->other, self->rig.memory,
			      RIG_LENGTH, DST_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, munmap(self->rig.memory + 3 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, ioas_copy(self->rig.iommufd, self->other, DST_IOVA,
				     self->rig.ioas, RIG_IOVA, RIG_LENGTH,
				     IOAS_READ_WRITE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->other, DST_IOVA,
			       self->rig.ioas, RIG_IOVA, 3 * PAGE,
			       IOAS_READ_WRITE));
	EXPECT_EQ(3, rig_pinned(&self->rig));
}

TEST_F(copy, pins_pages_once)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, DST_IOVA, 0,
				RIG_PAGES));
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, 2 * DST_IOVA, 5,
				3));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	/* The copies keep the pages pinned after the source is unmapped. */
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, DST_IOVA, RIG_LENGTH));
	EXPECT_EQ(3, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, 2 * DST_IOVA, 3 * PAGE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(copy, pins_nothing_before_attach)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, copy_pages(&self->rig, self->other, DST_IOVA, 2, 5));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	/* The copy survives the IOAS that it was copied from. */
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	ASSERT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
	self->rig.ioas = self->other;
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(5, rig_pinned(&self->rig));
}

TEST_F(copy, several_partial_mappings)
{
	struct device *device = &self->rig.device;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->rig.ioas,
				      self->rig.memory + (12 - 4 * i) * PAGE,
				      4 * PAGE, RIG_IOVA + 4 * i * PAGE,
				      IOAS_READ_WRITE));
	}
	ASSERT_EQ(0, rig_attach(&self->rig, device));
	/* Start in the middle of the first mapping, end in that of the last. */
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, DST_IOVA, 2, 12));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(12 + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, device, DST_IOVA,
				    self->rig.memory + 14 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->rig, device, DST_IOVA + 2 * PAGE,
				    self->rig.memory + 8 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->rig, device, DST_IOVA + 11 * PAGE,
				    self->rig.memory + PAGE));
	EXPECT_EQ(1, device_is_blocked(&self->rig, device,
				       DST_IOVA + 12 * PAGE,
				       self->rig.memory + 2 * PAGE));
}

/* Two devices in different address spaces access the same memory. */
TEST_F(copy, devices_in_source_and_destination)
{
	struct device second;
	__u32 pt_id = self->other;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&second, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, vfio_attach(second.fd, &pt_id));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(0, copy_pages(&self->rig, self->other, DST_IOVA, 0,
				RIG_PAGES));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->rig.ioas, BOUNCE_IOVA,
			       self->other, BOUNCE_IOVA, PAGE,
			       IOAS_READ_WRITE));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &second, DST_IOVA,
				    self->rig.memory));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, device_is_blocked(&self->rig, &self->rig.device, RIG_IOVA,
				       self->rig.memory));
	EXPECT_EQ(1, device_reaches(&self->rig, &second, DST_IOVA,
				    self->rig.memory));
	device_close(&second);
}

TEST_HARNESS_MAIN
