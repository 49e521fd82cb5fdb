// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test IOMMU_IOAS_ALLOW_IOVAS, which sets the ranges that the kernel chooses
 * IOVAs from.
 *
 * An allowed range must not contain an IOVA that an attached device or its
 * IOMMU cannot use. If an attach and a call to IOMMU_IOAS_ALLOW_IOVAS conflict,
 * the later one fails and changes nothing. An IOVA that the kernel chooses is
 * in an allowed range and is not in use.
 */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "testbed.h"

NEEDS_EDU(1)

FIXTURE(allow)
{
	struct testbed bed;
};

FIXTURE_SETUP(allow)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(allow)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int allow_ranges(struct testbed *bed,
			const struct iommu_iova_range *ranges, __u32 nr)
{
	return ioas_allow(bed->iommufd, bed->ioas, ranges, nr);
}

static int allow_range(struct testbed *bed, __u64 start, __u64 last)
{
	const struct iommu_iova_range range = { start, last };

	return allow_ranges(bed, &range, 1);
}

/* Map at an IOVA that the kernel chooses. Returns the IOVA, or -errno. */
static long long map_pages(struct testbed *bed, unsigned int pages)
{
	__u64 iova;
	int err;

	err = ioas_map_anywhere(bed->iommufd, bed->ioas, bed->memory,
				pages * PAGE, IOAS_READ_WRITE, &iova);
	return err ? err : (long long)iova;
}

static int attach(struct testbed *bed)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(bed->device.fd, &pt_id);
}

TEST_F(allow, reserved_field_EOPNOTSUPP)
{
	struct iommu_ioas_allow_iovas allow = {
		.size = sizeof(allow),
		.ioas_id = self->bed.ioas,
		.__reserved = 1,
	};

	EXPECT_EQ(-EOPNOTSUPP, iommu_call(self->bed.iommufd,
					  IOMMU_IOAS_ALLOW_IOVAS, &allow));
}

TEST_F(allow, ids_ENOENT)
{
	EXPECT_EQ(-ENOENT, ioas_allow(self->bed.iommufd, NO_SUCH_ID, NULL, 0));
	EXPECT_EQ(-ENOENT, ioas_allow(self->bed.iommufd, 0, NULL, 0));
	/* The ID is valid, but identifies a device instead of an IOAS. */
	EXPECT_EQ(-ENOENT,
		  ioas_allow(self->bed.iommufd, self->bed.device.id, NULL, 0));
}

TEST_F(allow, unreadable_array_EFAULT)
{
	struct iommu_iova_range *ranges = (void *)self->bed.memory;

	EXPECT_EQ(-EFAULT, allow_ranges(&self->bed, NULL, 1));
	/* Only the first range is readable. */
	ASSERT_EQ(0, munmap(self->bed.memory + PAGE, PAGE));
	ranges = (void *)(self->bed.memory + PAGE - sizeof(*ranges));
	*ranges = (struct iommu_iova_range){ 4 * PAGE, 8 * PAGE - 1 };
	EXPECT_EQ(-EFAULT, allow_ranges(&self->bed, ranges, 2));
	/* The failed call must not have set the first range either. */
	EXPECT_EQ((long long)PAGE, map_pages(&self->bed, 1));
	EXPECT_EQ(0, allow_ranges(&self->bed, ranges, 1));
	EXPECT_EQ((long long)(4 * PAGE), map_pages(&self->bed, 1));
}

/* A call with more than 65536 ranges allocates no memory for them. */
TEST_F(allow, huge_count_ENOMEM)
{
	EXPECT_EQ(-ENOMEM,
		  allow_ranges(&self->bed, (void *)self->bed.memory, UINT_MAX));
	EXPECT_EQ(-ENOMEM,
		  allow_ranges(&self->bed, (void *)self->bed.memory, 65537));
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
	EXPECT_EQ(0, allow_ranges(&self->bed, ranges, 65536));
	EXPECT_EQ(-ENOSPC, map_pages(&self->bed, 2));
	EXPECT_EQ((long long)(2 * PAGE), map_pages(&self->bed, 1));
	EXPECT_EQ((long long)(4 * PAGE), map_pages(&self->bed, 1));
}

TEST_F(allow, invalid_ranges_EINVAL)
{
	EXPECT_EQ(-EINVAL, allow_range(&self->bed, 2 * PAGE, PAGE));
	EXPECT_EQ(-EINVAL, allow_range(&self->bed, ~0ull, 0));
	/* A range must be longer than one byte. */
	EXPECT_EQ(-EINVAL, allow_range(&self->bed, PAGE, PAGE));
	EXPECT_EQ(0, allow_range(&self->bed, PAGE, 2 * PAGE - 1));
	EXPECT_EQ(0, allow_range(&self->bed, 0, ~0ull));
}

TEST_F(allow, overlapping_ranges_EINVAL)
{
	const struct iommu_iova_range overlap[] = {
		{ 100 * PAGE, 200 * PAGE - 1 },
		{ 300 * PAGE, 400 * PAGE - 1 },
		{ 399 * PAGE, 500 * PAGE - 1 },
	};

	ASSERT_EQ(0, allow_range(&self->bed, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(-EINVAL, allow_ranges(&self->bed, overlap, 3));
	EXPECT_EQ((long long)(7 * PAGE), map_pages(&self->bed, 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->bed, 1));
	EXPECT_EQ(0, allow_ranges(&self->bed, overlap, 2));
	EXPECT_EQ((long long)(100 * PAGE), map_pages(&self->bed, 1));
}

TEST_F(allow, empty_list_allows_all)
{
	ASSERT_EQ(0, allow_range(&self->bed, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->bed, 2));
	ASSERT_EQ(0, allow_ranges(&self->bed, NULL, 0));
	EXPECT_EQ((long long)PAGE, map_pages(&self->bed, 1));
}

TEST_F(allow, fixed_iovas_ignore_the_list)
{
	ASSERT_EQ(0, allow_range(&self->bed, 7 * PAGE, 8 * PAGE - 1));
	EXPECT_EQ(0, testbed_map(&self->bed));
}

TEST_F(allow, chosen_iovas_are_free)
{
	ASSERT_EQ(0, allow_range(&self->bed, TESTBED_IOVA - PAGE,
				 TESTBED_IOVA + TESTBED_LENGTH + 3 * PAGE - 1));
	ASSERT_EQ(0, testbed_map(&self->bed));
	EXPECT_EQ((long long)(TESTBED_IOVA - PAGE), map_pages(&self->bed, 1));
	EXPECT_EQ(-ENOSPC, map_pages(&self->bed, 4));
	EXPECT_EQ((long long)(TESTBED_IOVA + TESTBED_LENGTH),
		  map_pages(&self->bed, 3));
	EXPECT_EQ(-ENOSPC, map_pages(&self->bed, 1));
}

/* Get the highest range of IOVAs that the attached device can use. */
static struct iommu_iova_range highest_range(struct testbed *bed)
{
	struct iommu_iova_range range[8] = {};
	__u32 nr = 8;
	__u64 alignment;

	if (ioas_ranges(bed->iommufd, bed->ioas, range, &nr, &alignment) || !nr)
		return range[0];
	return range[nr - 1];
}

/*
 * Aligning the IOVA of a huge mapping must not wrap around. There is no memory
 * for lengths that fit.
 */
TEST_F(allow, huge_lengths_ENOSPC)
{
	const __u64 lengths[] = {
		1ull << 62, 1ull << 63, 0 - 2 * HUGE, 0 - (1ull << 30),
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOAS_READ_WRITE,
		.ioas_id = self->bed.ioas,
		.user_va = HUGE,
	};
	struct iommu_iova_range high;
	int expected, result;
	size_t i;

	ASSERT_EQ(0, attach(&self->bed));
	high = highest_range(&self->bed);
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		map.length = lengths[i];
		result = iommu_call(self->bed.iommufd, IOMMU_IOAS_MAP, &map);
		expected = lengths[i] <= high.last - high.start ? -EFAULT :
								  -ENOSPC;
		EXPECT_EQ(expected, result)
			TH_LOG("length %llx", (unsigned long long)map.length);
	}
	EXPECT_EQ(0, ioas_unmap_all(self->bed.iommufd, self->bed.ioas));
}

TEST_F(allow, reserved_by_the_device_EADDRINUSE)
{
	ASSERT_EQ(0, attach(&self->bed));
	EXPECT_EQ(-EADDRINUSE, allow_range(&self->bed, MSI_START, MSI_LAST));
	EXPECT_EQ(-EADDRINUSE, allow_range(&self->bed, 0, ~0ull));
	EXPECT_EQ(-EADDRINUSE,
		  allow_range(&self->bed, MSI_LAST - PAGE, MSI_LAST + PAGE));
	EXPECT_EQ(0, allow_range(&self->bed, MSI_LAST + 1, MSI_LAST + PAGE));
	EXPECT_EQ((long long)(MSI_LAST + 1), map_pages(&self->bed, 1));
}

TEST_F(allow, attach_reserves_allowed_iovas_EADDRINUSE)
{
	__u64 last;

	ASSERT_EQ(0, attach(&self->bed));
	last = highest_range(&self->bed).last;
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));

	ASSERT_EQ(0, allow_range(&self->bed, MSI_START - PAGE, MSI_START));
	EXPECT_EQ(-EADDRINUSE, attach(&self->bed));
	if (last != ~0ull) {
		/* The IOMMU cannot address the last IOVAs. */
		ASSERT_EQ(0, allow_range(&self->bed, ~0ull - PAGE, ~0ull));
		EXPECT_EQ(-EADDRINUSE, attach(&self->bed));
	}
	ASSERT_EQ(0, allow_range(&self->bed, TESTBED_IOVA,
				 TESTBED_IOVA + PAGE - 1));
	EXPECT_EQ(0, attach(&self->bed));
	EXPECT_EQ((long long)TESTBED_IOVA, map_pages(&self->bed, 1));
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

TEST_F(allow, chosen_iovas_are_accessible)
{
	__u64 iova;

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, ioas_map_anywhere(self->bed.iommufd, self->bed.ioas,
				       self->bed.memory, TESTBED_LENGTH,
				       IOAS_READ_WRITE, &iova));
	EXPECT_EQ(1, device_reaches(&self->bed, &self->bed.device, iova,
				    self->bed.memory));
}

TEST_HARNESS_MAIN
