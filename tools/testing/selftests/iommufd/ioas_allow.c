// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_IOAS_ALLOW_IOVAS: ranges that the kernel chooses IOVAs from.
 *
 * An allowed range must not intersect with a range that an attached device
 * reserves. Whichever of the two requests comes second fails and changes
 * nothing. An IOVA that the kernel chooses is in an allowed range and is not in
 * use.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "rig.h"

NEEDS_EDU

FIXTURE(allow)
{
	struct rig rig;
};

FIXTURE_SETUP(allow)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(allow)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int allow_ranges(struct rig *rig, const struct iommu_iova_range *ranges,
			__u32 nr)
{
	return ioas_allow(rig->iommufd, rig->ioas, ranges, nr);
}

static int allow_range(struct rig *rig, __u64 start, __u64 last)
{
	const struct iommu_iova_range range = { start, last };

	return allow_ranges(rig, &range, 1);
}

/* Map at an IOVA that the kernel chooses. Returns the IOVA, or -errno. */
static long long map_pages(struct rig *rig, unsigned int pages)
{
	__u64 iova;
	int err;

	err = ioas_map_anywhere(rig->iommufd, rig->ioas, rig->memory,
				pages * PAGE, IOAS_READ_WRITE, &iova);
	return err ? err : (long long)iova;
}

static int attach(struct rig *rig)
{
	__u32 pt_id = rig->ioas;

	return vfio_attach(rig->device.fd, &pt_id);
}

TEST_F(allow, reserved_field_EOPNOTSUPP)
{
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = self->rig.ioas,
		.__reserved = 1,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->rig.iommufd,
					  IOMMU_IOAS_ALLOW_IOVAS, &allow));
}

TEST_F(allow, ids_ENOENT)
{
	EXPECT_EQ(-ENOENT, ioas_allow(self->rig.iommufd, NO_SUCH_ID, NULL, 0));
	EXPECT_EQ(-ENOENT, ioas_allow(self->rig.iommufd, 0, NULL, 0));
	/* A valid ID, but not that of an IOAS. */
	EXPECT_EQ(-ENOENT, ioas_allow(self->rig.iommufd, self->rig.device.id,
				      NULL, 0));
}

TEST_F(allow, unreadable_array_EFAULT)
{
	struct iommu_iova_range *ranges = (void *)self->rig.memory;

	EXPECT_EQ(-EFAULT, allow_ranges(&self->rig, NULL, 1));
	/* Only the first range is readable. */
	ASSERT_EQ(0, munmap(self->rig.memory + PAGE, PAGE));
	ranges = (void *)(self->rig.memory + PAGE - sizeof(*ranges));
	*ranges = (struct iommu_iova_range){ 4 * PAGE, 8 * PAGE - 1 };
	EXPECT_EQ(-EFAULT, allow_ranges(&self->rig, ranges, 2));
	/* The failed call did not set the first range either. */
	EXPECT_EQ((long long)PAGE, map_pages(&self->rig, 1));
	EXPECT_EQ(0, allow_ranges(&self->rig, ranges, 1));
	EXPECT_EQ((long long)(4 * PAGE), map_pages(&self->rig, 1));
}

/* An absurd count is rejected before memory is allocated for it. */
TEST_F(allow, huge_count_ENOMEM)
{
	EXPECT_EQ(-ENOMEM, allow_ranges(&self->rig, (void *)self->rig.memory,
					UINT_MAX));
	EXPECT_EQ(-ENOMEM, allow_ranges(&self->rig, (void *)self->rig.memory,
					65537));
}

TEST_F(allow, maximum_count)
{
	struct iommu_iova_range *ranges;
	unsigned int i;

	ranges = new_memory(65536 * sizeof(*ranges));
	ASSERT_NE(NULL, ranges);
	for (i = 0; i < 65536; i++) {
		ranges[i].start = (65536 - i) * 2 * PAGE;
		ranges[i].last = ranges[i].start + PAGE - 1;
	}
	EXPECT_EQ(0, allow_ranges(&self->rig, ranges, 65536));
	EXPECT_EQ(-ENOSPC, map_pages(&self->rig, 2));
	EXPECT_EQ((long long)(2 * PAGE), map_pages(&self->rig, 1));
	EXPECT_EQ((long long)(4 * PAGE), map_pages(&self->rig, 1));
}

TEST_F(allow, invalid_ranges_EINVAL)
{
	EXPECT_EQ(-EINVAL, allow_range(&self->rig, 2 * PAGE, PAGE));
	EXPECT_EQ(-EINVAL, allow_range(&self->rig, ~0ull, 0));
	/* A range must be longer than one byte. */
	EXPECT_EQ(-EINVAL, allow_range(&self->rig, PAGE, PAGE));
	EXPECT_EQ(0, allow_range(&self->rig, PAGE, 2 * PAGE - 1));
	EXPECT_EQ(0, allow_range(&self->rig, 0, ~0ull));
}

TEST_F(allow, overlapping_ranges_EINVAL)
{
	const struct iommu_iova_range overlap[] = {
		{ 100 * PAGE, 200 * PAGE - 1 },
		{ 300 * PAGE, 400 * PAGE - 1 },
		{ 399 * PAGE, 500 * PAGE - 1 },
	};

	ASSERT_EQ(0, allow_range(&self->rig, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(-EINVAL, allow_ranges(&self->rig, overlap, 3));
	EXPECT_EQ((long long)(7 * PAGE), map_pages(&self->rig, 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->rig, 1));
	EXPECT_EQ(0, allow_ranges(&self->rig, overlap, 2));
	EXPECT_EQ((long long)(100 * PAGE), map_pages(&self->rig, 1));
}

TEST_F(allow, empty_list_allows_all)
{
	ASSERT_EQ(0, allow_range(&self->rig, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->rig, 2));
	ASSERT_EQ(0, allow_ranges(&self->rig, NULL, 0));
	EXPECT_EQ((long long)PAGE, map_pages(&self->rig, 2));
}

TEST_F(allow, fixed_iovas_ignore_the_list)
{
	ASSERT_EQ(0, allow_range(&self->rig, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(0, rig_map(&self->rig));
}

TEST_F(allow, chosen_iovas_are_free)
{
	ASSERT_EQ(0, allow_range(&self->rig, RIG_IOVA - PAGE,
				 RIG_IOVA + RIG_LENGTH + 3 * PAGE - 1));
	ASSERT_EQ(0, rig_map(&self->rig));
	EXPECT_EQ((long long)(RIG_IOVA - PAGE), map_pages(&self->rig, 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->rig, 4));
	EXPECT_EQ((long long)(RIG_IOVA + RIG_LENGTH), map_pages(&self->rig, 3));
	EXPECT_EQ(-ENOSPC, map_pages(&self->rig, 1));
}

/* Aligning a huge mapping must not overflow the address space. */
TEST_F(allow, huge_lengths_ENOSPC)
{
	const __u64 lengths[] = {
		1ull << 62, 1ull << 63, 0 - 2 * HUGE, 0 - (1ull << 30),
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOAS_READ_WRITE,
		.ioas_id = self->rig.ioas,
		.user_va = HUGE,
	};
	size_t i;
	int result;

	ASSERT_EQ(0, attach(&self->rig));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		map.length = lengths[i];
		result = iommu_call(self->rig.iommufd, IOMMU_IOAS_MAP, &map);
		EXPECT_EQ(-ENOSPC, result)
			TH_LOG("length %llx", (unsigned long long)map.length);
	}
	EXPECT_EQ(0, ioas_unmap_all(self->rig.iommufd, self->rig.ioas));
}

TEST_F(allow, reserved_by_the_device_EADDRINUSE)
{
	ASSERT_EQ(0, attach(&self->rig));
	EXPECT_EQ(-EADDRINUSE, allow_range(&self->rig, MSI_START, MSI_LAST));
	EXPECT_EQ(-EADDRINUSE, allow_range(&self->rig, 0, ~0ull));
	EXPECT_EQ(-EADDRINUSE, allow_range(&self->rig, MSI_LAST - PAGE,
					   MSI_LAST + PAGE));
	EXPECT_EQ(0, allow_range(&self->rig, MSI_LAST + 1, MSI_LAST + PAGE));
	EXPECT_EQ((long long)(MSI_LAST + 1), map_pages(&self->rig, 1));
}

TEST_F(allow, attach_reserves_allowed_iovas_EADDRINUSE)
{
	ASSERT_EQ(0, allow_range(&self->rig, MSI_START - PAGE, MSI_START));
	EXPECT_EQ(-EADDRINUSE, attach(&self->rig));
	/* The IOMMU cannot address the last IOVAs. */
	ASSERT_EQ(0, allow_range(&self->rig, ~0ull - PAGE, ~0ull));
	EXPECT_EQ(-EADDRINUSE, attach(&self->rig));
	ASSERT_EQ(0, allow_range(&self->rig, RIG_IOVA, RIG_IOVA + PAGE - 1));
	EXPECT_EQ(0, attach(&self->rig));
	EXPECT_EQ((long long)RIG_IOVA, map_pages(&self->rig, 1));
	EXPECT_EQ(1, rig_pinned(&self->rig));
}

TEST_F(allow, chosen_iovas_are_accessible)
{
	__u64 iova;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, ioas_map_anywhere(self->rig.iommufd, self->rig.ioas,
				       self->rig.memory, RIG_LENGTH,
				       IOAS_READ_WRITE, &iova));
	EXPECT_EQ(1, device_reaches(&self->rig, &self->rig.device, iova,
				    self->rig.memory));
}

TEST_HARNESS_MAIN
