// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOVAs an address space has while devices are attached.
 *
 * Rule: IOMMU_IOAS_IOVA_RANGES tells the truth. What it lists can be mapped,
 * to the byte; what it does not list cannot.
 */
#include <errno.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "rig.h"

#define MAX 16

NEEDS_EDU

/* What the query told: ranges, how many, and the alignment. */
struct answer {
	struct iommu_iova_range range[MAX];
	__u64 alignment;
	__u32 nr;
};

FIXTURE(ranges)
{
	struct rig rig;
	struct answer now;
};

FIXTURE_SETUP(ranges)
{
	ASSERT_EQ(0, rig_open(&self->rig));
}

FIXTURE_TEARDOWN(ranges)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static int get(struct rig *rig, struct answer *answer)
{
	answer->nr = MAX;
	return ioas_ranges(rig->iommufd, rig->ioas, answer->range, &answer->nr,
			   &answer->alignment);
}

static bool listed(const struct answer *answer, __u64 iova)
{
	const struct iommu_iova_range *range = answer->range;
	__u32 i;

	for (i = 0; i < answer->nr; i++)
		if (range[i].start <= iova && iova <= range[i].last)
			return true;
	return false;
}

static int map_page(struct rig *rig, __u64 iova)
{
	return ioas_map(rig->iommufd, rig->ioas, rig->memory, PAGE, iova,
			IOAS_READ_WRITE);
}

TEST_F(ranges, full_before_attach)
{
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_EQ(1u, self->now.nr);
	EXPECT_EQ(0ull, self->now.range[0].start);
	EXPECT_EQ(~0ull, self->now.range[0].last);
}

TEST_F(ranges, sorted_and_apart)
{
	__u32 i;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	ASSERT_LE(2u, self->now.nr);
	for (i = 0; i < self->now.nr; i++) {
		EXPECT_LE(self->now.range[i].start, self->now.range[i].last);
		if (i) {
			EXPECT_LT(self->now.range[i - 1].last + 1,
				  self->now.range[i].start);
		}
	}
	EXPECT_EQ(PAGE, self->now.alignment);
}

TEST_F(ranges, interrupt_window_is_out)
{
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_TRUE(listed(&self->now, MSI_START - 1));
	EXPECT_FALSE(listed(&self->now, MSI_START));
	EXPECT_FALSE(listed(&self->now, MSI_LAST));
	EXPECT_TRUE(listed(&self->now, MSI_LAST + 1));

	EXPECT_EQ(0, map_page(&self->rig, MSI_START - PAGE));
	EXPECT_EQ(-EINVAL, map_page(&self->rig, MSI_START));
	EXPECT_EQ(-EINVAL, map_page(&self->rig, MSI_LAST + 1 - PAGE));
	EXPECT_EQ(0, map_page(&self->rig, MSI_LAST + 1));
	EXPECT_EQ(-EINVAL, ioas_map(self->rig.iommufd, self->rig.ioas,
				    self->rig.memory, RIG_LENGTH,
				    MSI_START - 4 * PAGE, IOAS_READ));
}

TEST_F(ranges, every_edge_is_true)
{
	__u32 i;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	for (i = 0; i < self->now.nr; i++) {
		const __u64 start = self->now.range[i].start;
		const __u64 last = self->now.range[i].last;

		EXPECT_EQ(0, map_page(&self->rig, start));
		EXPECT_EQ(0, map_page(&self->rig, last - PAGE + 1));
		/* Before 0 is the very last page, which no IOMMU here has. */
		EXPECT_EQ(-EINVAL, map_page(&self->rig, start - PAGE));
		EXPECT_EQ(-EINVAL, map_page(&self->rig, last + 1));
	}
	/* And the bounce. */
	EXPECT_EQ(2 * (long)self->now.nr + 1, rig_pinned(&self->rig));
}

TEST_F(ranges, too_little_room_EMSGSIZE)
{
	struct iommu_iova_range few[MAX];
	__u64 alignment;
	__u32 nr, room;

	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	for (room = 0; room < self->now.nr; room++) {
		memset(few, 0xee, sizeof(few));
		nr = room;
		alignment = 0;
		EXPECT_EQ(-EMSGSIZE, ioas_ranges(self->rig.iommufd,
						 self->rig.ioas, few, &nr,
						 &alignment));
		EXPECT_EQ(self->now.nr, nr);
		EXPECT_EQ(self->now.alignment, alignment);
		EXPECT_EQ(0, memcmp(few, self->now.range, room * sizeof(few[0])));
		EXPECT_EQ(0xeeeeeeeeeeeeeeeeull, few[room].start);
		EXPECT_EQ(0xeeeeeeeeeeeeeeeeull, few[room].last);
	}
	nr = self->now.nr;
	EXPECT_EQ(0, ioas_ranges(self->rig.iommufd, self->rig.ioas, few, &nr,
				 &alignment));
}

TEST_F(ranges, detach_brings_them_back)
{
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	ASSERT_EQ(-EINVAL, map_page(&self->rig, MSI_START));
	ASSERT_EQ(0, vfio_detach(self->rig.device.fd));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_EQ(1u, self->now.nr);
	EXPECT_EQ(0ull, self->now.range[0].start);
	EXPECT_EQ(~0ull, self->now.range[0].last);
	EXPECT_EQ(0, map_page(&self->rig, MSI_START));
}

TEST_F(ranges, close_of_the_device_brings_them_back)
{
	ASSERT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	device_close(&self->rig.device);
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_EQ(1u, self->now.nr);
	EXPECT_EQ(~0ull, self->now.range[0].last);
}

TEST_F(ranges, last_device_to_leave_brings_them_back)
{
	struct device other;

	if (self->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, device_open(&other, self->rig.machine.lone[1].text,
				 self->rig.iommufd));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(0, rig_attach(&self->rig, &other));
	EXPECT_EQ(0, vfio_detach(self->rig.device.fd));
	EXPECT_EQ(0, get(&self->rig, &self->now));
	EXPECT_FALSE(listed(&self->now, MSI_START));
	EXPECT_EQ(0, vfio_detach(other.fd));
	EXPECT_EQ(0, get(&self->rig, &self->now));
	EXPECT_TRUE(listed(&self->now, MSI_START));
	device_close(&other);
}

TEST_F(ranges, mapping_in_the_interrupt_window_refuses_the_attach)
{
	ASSERT_EQ(0, map_page(&self->rig, MSI_START + PAGE));
	EXPECT_EQ(-EADDRINUSE, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_TRUE(listed(&self->now, MSI_START));
	ASSERT_EQ(0, rig_unmap(&self->rig, MSI_START + PAGE, PAGE));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
}

TEST_F(ranges, mapping_beyond_the_iommu_refuses_the_attach)
{
	const __u64 high = 1ull << 62;

	ASSERT_EQ(0, map_page(&self->rig, high));
	EXPECT_EQ(-EADDRINUSE, rig_attach(&self->rig, &self->rig.device));
	EXPECT_EQ(0, rig_pinned(&self->rig));
	ASSERT_EQ(0, get(&self->rig, &self->now));
	EXPECT_TRUE(listed(&self->now, MSI_START));
	EXPECT_TRUE(listed(&self->now, high));
	ASSERT_EQ(0, rig_unmap(&self->rig, high, PAGE));
	EXPECT_EQ(0, rig_attach(&self->rig, &self->rig.device));
}

TEST_HARNESS_MAIN
