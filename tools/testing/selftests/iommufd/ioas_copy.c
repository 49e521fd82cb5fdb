// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_COPY: memory that is mapped, mapped once more.
 *
 * Rule: a page is pinned and charged once, however many mappings show it; each
 * mapping ends for itself, and what fails leaves nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "rig.h"

#define OTHER_IOVA	0x20000000ull

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

/* Pages of the rig's mapping into @dst. */
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
						 self->other, OTHER_IOVA, PAGE,
						 IOAS_READ_WRITE | 1u << bit));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

/* A10: a mapping that allows nothing is none. */
TEST_F(copy, neither_READABLE_nor_WRITEABLE_EINVAL)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA, self->other, OTHER_IOVA, PAGE,
				     0));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, length_0_and_misalignment_EINVAL)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EINVAL, copy_pages(&self->rig, self->other, OTHER_IOVA, 0,
				      0));
	EXPECT_EQ(-EINVAL, copy_pages(&self->rig, self->other, OTHER_IOVA + 1,
				      0, 1));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA + 512, self->other, OTHER_IOVA,
				     PAGE, IOAS_READ));
	EXPECT_EQ(-EINVAL, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA, self->other, OTHER_IOVA,
				     PAGE + 512, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, beyond_the_end_EOVERFLOW)
{
	const int iommufd = self->rig.iommufd;

	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EOVERFLOW, copy_pages(&self->rig, self->other, 0 - PAGE, 0,
					 2));
	EXPECT_EQ(-EOVERFLOW, copy_pages(&self->rig, self->other, ~0ull, 0, 1));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, RIG_IOVA,
					self->other, OTHER_IOVA, ~0ull,
					IOAS_READ));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, 0 - PAGE,
					self->other, OTHER_IOVA, 2 * PAGE,
					IOAS_READ));
	EXPECT_EQ(-EOVERFLOW, ioas_copy(iommufd, self->rig.ioas, ~0ull,
					self->other, OTHER_IOVA, PAGE,
					IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(iommufd, self->other));
}

TEST_F(copy, ids_ENOENT)
{
	const __u32 bad[] = { 0, NO_SUCH_ID, self->rig.device.id };
	size_t i;

	ASSERT_EQ(0, rig_map(&self->rig));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-ENOENT, copy_pages(&self->rig, bad[i], OTHER_IOVA, 0,
					      1));
		EXPECT_EQ(-ENOENT, ioas_copy(self->rig.iommufd, bad[i],
					     RIG_IOVA, self->other, OTHER_IOVA,
					     PAGE, IOAS_READ));
	}
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, of_what_is_not_all_mapped_ENOENT)
{
	EXPECT_EQ(-ENOENT, copy_pages(&self->rig, self->other, OTHER_IOVA, 0,
				      1));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-ENOENT, copy_pages(&self->rig, self->other, OTHER_IOVA, 0,
				      RIG_PAGES + 1));
	EXPECT_EQ(-ENOENT, ioas_copy(self->rig.iommufd, self->rig.ioas,
				     RIG_IOVA - PAGE, self->other, OTHER_IOVA,
				     2 * PAGE, IOAS_READ));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
}

TEST_F(copy, onto_a_mapping_EEXIST)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ(-EEXIST, copy_pages(&self->rig, self->rig.ioas, RIG_IOVA, 0,
				      1));
	EXPECT_EQ(-EEXIST, copy_pages(&self->rig, self->rig.ioas,
				      RIG_IOVA - PAGE, 0, 2));
	EXPECT_EQ((long long)RIG_LENGTH,
		  ioas_unmap_all(self->rig.iommufd, self->rig.ioas));
}

TEST_F(copy, to_write_what_was_mapped_READABLE_EPERM)
{
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->rig.ioas,
			      self->rig.memory, RIG_LENGTH, RIG_IOVA,
			      IOAS_READ));
	EXPECT_EQ(-EPERM, copy_pages(&self->rig, self->other, OTHER_IOVA, 0,
				     1));
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->other));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->rig.ioas, RIG_IOVA,
			       self->other, OTHER_IOVA, PAGE, IOAS_READ));
}

TEST_F(copy, where_there_is_no_room_ENOSPC)
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

/* E7: a mapping whose IOVA cannot be told is not left behind. */
TEST_F(copy, with_no_place_for_the_answer_EFAULT)
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

/* What is wrong with the memory shows when it is to be pinned. */
TEST_F(copy, of_memory_that_is_gone_EFAULT)
{
	ASSERT_EQ(0, ioas_map(self->rig.iommufd, self->other, self->rig.memory,
			      RIG_LENGTH, OTHER_IOVA, IOAS_READ_WRITE));
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, munmap(self->rig.memory + 3 * PAGE, PAGE));
	EXPECT_EQ(-EFAULT, ioas_copy(self->rig.iommufd, self->other, OTHER_IOVA,
				     self->rig.ioas, RIG_IOVA, RIG_LENGTH,
				     IOAS_READ_WRITE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->other, OTHER_IOVA,
			       self->rig.ioas, RIG_IOVA, 3 * PAGE,
			       IOAS_READ_WRITE));
	EXPECT_EQ(3, rig_pinned(&self->rig));
}

TEST_F(copy, pins_a_page_once)
{
	ASSERT_EQ(0, attach(&self->rig));
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, OTHER_IOVA, 0,
				RIG_PAGES));
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, 2 * OTHER_IOVA, 5,
				3));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	/* The first mapping goes; the copies keep what they show. */
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, OTHER_IOVA, RIG_LENGTH));
	EXPECT_EQ(3, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, 2 * OTHER_IOVA, 3 * PAGE));
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

TEST_F(copy, pins_nothing_before_attach)
{
	ASSERT_EQ(0, rig_map(&self->rig));
	ASSERT_EQ(0, copy_pages(&self->rig, self->other, OTHER_IOVA, 2, 5));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(RIG_PAGES, rig_pinned(&self->rig));
	/* The space it was copied from goes. */
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	ASSERT_EQ(0, iommu_end(self->rig.iommufd, self->rig.ioas));
	self->rig.ioas = self->other;
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(5, rig_pinned(&self->rig));
}

TEST_F(copy, of_several_mappings_and_parts)
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
	/* From the middle of the first to the middle of the last. */
	ASSERT_EQ(0, copy_pages(&self->rig, self->rig.ioas, OTHER_IOVA, 2, 12));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	ASSERT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(12 + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, device, OTHER_IOVA,
				    self->rig.memory + 14 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->rig, device, OTHER_IOVA + 2 * PAGE,
				    self->rig.memory + 8 * PAGE));
	EXPECT_EQ(1, device_reaches(&self->rig, device, OTHER_IOVA + 11 * PAGE,
				    self->rig.memory + PAGE));
	EXPECT_EQ(1, device_is_blocked(&self->rig, device,
				       OTHER_IOVA + 12 * PAGE,
				       self->rig.memory + 2 * PAGE));
}

/* Each device through a space of its own, and both see the same memory. */
TEST_F(copy, is_seen_by_the_device_of_the_other_space)
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
	EXPECT_EQ(0, copy_pages(&self->rig, self->other, OTHER_IOVA, 0,
				RIG_PAGES));
	EXPECT_EQ(0, ioas_copy(self->rig.iommufd, self->rig.ioas, BOUNCE_IOVA,
			       self->other, BOUNCE_IOVA, PAGE,
			       IOAS_READ_WRITE));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(&self->rig));
	EXPECT_EQ(1, device_reaches(&self->rig, &second, OTHER_IOVA,
				    self->rig.memory));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, RIG_IOVA,
				    self->rig.memory));
	EXPECT_EQ(0, rig_unmap(&self->rig, RIG_IOVA, RIG_LENGTH));
	EXPECT_EQ(1, device_is_blocked(&self->rig, &self->rig.device, RIG_IOVA,
				       self->rig.memory));
	EXPECT_EQ(1, device_reaches(&self->rig, &second, OTHER_IOVA,
				    self->rig.memory));
	device_close(&second);
}

TEST_HARNESS_MAIN
