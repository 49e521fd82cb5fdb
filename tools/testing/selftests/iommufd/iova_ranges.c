// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test IOMMU_IOAS_IOVA_RANGES, which reports the usable IOVAs.
 *
 * The ranges are exact: every page inside a range can be mapped, and a map of
 * any page outside of the ranges fails with EINVAL.
 */
#include <errno.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "testbed.h"

#define MAX_RANGES 16

NEEDS_EDU(1)

/* The output of IOMMU_IOAS_IOVA_RANGES. */
struct iova_list {
	struct iommu_iova_range range[MAX_RANGES];
	__u64 alignment;
	__u32 nr;
};

FIXTURE(ranges)
{
	struct testbed bed;
	struct iova_list list;
};

FIXTURE_SETUP(ranges)
{
	ASSERT_EQ(0, testbed_open(&self->bed));
}

FIXTURE_TEARDOWN(ranges)
{
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

static int query(struct testbed *bed, struct iova_list *list)
{
	list->nr = MAX_RANGES;
	return ioas_ranges(bed->iommufd, bed->ioas, list->range, &list->nr,
			   &list->alignment);
}

static bool contains(const struct iova_list *list, __u64 iova)
{
	const struct iommu_iova_range *range = list->range;
	__u32 i;

	for (i = 0; i < list->nr; i++)
		if (range[i].start <= iova && iova <= range[i].last)
			return true;
	return false;
}

static int map_page(struct testbed *bed, __u64 iova)
{
	return ioas_map(bed->iommufd, bed->ioas, bed->memory, PAGE, iova,
			IOAS_READ_WRITE);
}

TEST_F(ranges, unlimited_before_attach)
{
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_EQ(1u, self->list.nr);
	EXPECT_EQ(0ull, self->list.range[0].start);
	EXPECT_EQ(~0ull, self->list.range[0].last);
}

TEST_F(ranges, sorted_and_disjoint)
{
	__u32 i;

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	ASSERT_LE(2u, self->list.nr);
	for (i = 0; i < self->list.nr; i++) {
		EXPECT_LE(self->list.range[i].start, self->list.range[i].last);
		if (i) {
			EXPECT_LT(self->list.range[i - 1].last + 1,
				  self->list.range[i].start);
		}
	}
	EXPECT_EQ(PAGE, self->list.alignment);
}

TEST_F(ranges, msi_window_is_reserved)
{
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_TRUE(contains(&self->list, MSI_START - 1));
	EXPECT_FALSE(contains(&self->list, MSI_START));
	EXPECT_FALSE(contains(&self->list, MSI_LAST));
	EXPECT_TRUE(contains(&self->list, MSI_LAST + 1));

	EXPECT_EQ(0, map_page(&self->bed, MSI_START - PAGE));
	EXPECT_EQ(-EINVAL, map_page(&self->bed, MSI_START));
	EXPECT_EQ(-EINVAL, map_page(&self->bed, MSI_LAST + 1 - PAGE));
	EXPECT_EQ(0, map_page(&self->bed, MSI_LAST + 1));
	EXPECT_EQ(-EINVAL,
		  ioas_map(self->bed.iommufd, self->bed.ioas, self->bed.memory,
			   TESTBED_LENGTH, MSI_START - 4 * PAGE, IOAS_READ));
}

TEST_F(ranges, range_boundaries_are_exact)
{
	__u32 i;

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	for (i = 0; i < self->list.nr; i++) {
		const __u64 start = self->list.range[i].start;
		const __u64 last = self->list.range[i].last;

		EXPECT_EQ(0, map_page(&self->bed, start));
		EXPECT_EQ(0, map_page(&self->bed, last - PAGE + 1));
		/* If start is 0, start - PAGE wraps to the last 64-bit page. */
		EXPECT_EQ(-EINVAL, map_page(&self->bed, start - PAGE));
		EXPECT_EQ(-EINVAL, map_page(&self->bed, last + 1));
	}
	/* Two pages per range, plus the bounce page. */
	EXPECT_EQ(2 * (long)self->list.nr + 1, testbed_pinned(&self->bed));
}

TEST_F(ranges, short_array_EMSGSIZE)
{
	struct iommu_iova_range range[MAX_RANGES];
	__u64 alignment;
	__u32 nr, size;

	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	for (size = 0; size < self->list.nr; size++) {
		memset(range, 0xee, sizeof(range));
		nr = size;
		alignment = 0;
		EXPECT_EQ(-EMSGSIZE,
			  ioas_ranges(self->bed.iommufd, self->bed.ioas, range,
				      &nr, &alignment));
		EXPECT_EQ(self->list.nr, nr);
		EXPECT_EQ(self->list.alignment, alignment);
		EXPECT_EQ(0, memcmp(range, self->list.range,
				    size * sizeof(range[0])));
		EXPECT_EQ(0xeeeeeeeeeeeeeeeeull, range[size].start);
		EXPECT_EQ(0xeeeeeeeeeeeeeeeeull, range[size].last);
	}
	nr = self->list.nr;
	EXPECT_EQ(0, ioas_ranges(self->bed.iommufd, self->bed.ioas, range, &nr,
				 &alignment));
}

TEST_F(ranges, detach_restores_ranges)
{
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(-EINVAL, map_page(&self->bed, MSI_START));
	ASSERT_EQ(0, vfio_detach(self->bed.device.fd));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_EQ(1u, self->list.nr);
	EXPECT_EQ(0ull, self->list.range[0].start);
	EXPECT_EQ(~0ull, self->list.range[0].last);
	EXPECT_EQ(0, map_page(&self->bed, MSI_START));
}

TEST_F(ranges, close_of_the_device_restores_ranges)
{
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	device_close(&self->bed.device);
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_EQ(1u, self->list.nr);
	EXPECT_EQ(~0ull, self->list.range[0].last);
}

TEST_F(ranges, last_detach_restores_ranges)
{
	struct device other;

	if (self->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->bed.machine.singleton[1].text,
				 self->bed.iommufd));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(0, testbed_attach(&self->bed, &other));
	EXPECT_EQ(0, vfio_detach(self->bed.device.fd));
	EXPECT_EQ(0, query(&self->bed, &self->list));
	EXPECT_FALSE(contains(&self->list, MSI_START));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(0, query(&self->bed, &self->list));
	EXPECT_TRUE(contains(&self->list, MSI_START));
	device_close(&other);
}

TEST_F(ranges, attach_with_mapping_in_msi_window_EADDRINUSE)
{
	ASSERT_EQ(0, map_page(&self->bed, MSI_START + PAGE));
	EXPECT_EQ(-EADDRINUSE, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_TRUE(contains(&self->list, MSI_START));
	ASSERT_EQ(0, testbed_unmap(&self->bed, MSI_START + PAGE, PAGE));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
}

TEST_F(ranges, attach_with_mapping_beyond_the_iommu_EADDRINUSE)
{
	const __u64 high = 1ull << 62;

	ASSERT_EQ(0, map_page(&self->bed, high));
	EXPECT_EQ(-EADDRINUSE, testbed_attach(&self->bed, &self->bed.device));
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	ASSERT_EQ(0, query(&self->bed, &self->list));
	EXPECT_TRUE(contains(&self->list, MSI_START));
	EXPECT_TRUE(contains(&self->list, high));
	ASSERT_EQ(0, testbed_unmap(&self->bed, high, PAGE));
	EXPECT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
}

TEST_HARNESS_MAIN
