// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test containers, groups and type1 in a kernel that also has /dev/iommu.
 *
 * A container works as it does in a kernel without /dev/iommu. A device can be
 * used through a container and through /dev/iommu in turn.
 */
#include <errno.h>
#include <stddef.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

FIXTURE(type1)
{
	struct machine machine;
	struct legacy legacy;
	struct edu edu;
	long pinned_before;
	long locked_before;
	char *memory;
};

FIXTURE_SETUP(type1)
{
	self->pinned_before = counters_pinned();
	self->locked_before = counters_of_self("VmLck");
	ASSERT_LE(0, self->pinned_before);
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->memory = new_memory(TESTBED_LENGTH);
	ASSERT_NE(NULL, self->memory);
	ASSERT_EQ(0,
		  legacy_open(&self->legacy, self->machine.singleton[0].text));
	ASSERT_EQ(0, edu_start(&self->edu, self->legacy.device));
}

FIXTURE_TEARDOWN(type1)
{
	edu_stop(&self->edu);
	legacy_close(&self->legacy);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(self->locked_before, counters_of_self("VmLck"));
}

static long locked_pages(long before)
{
	return (counters_of_self("VmLck") - before) * 1024 / (long)PAGE;
}

TEST_F(type1, map_and_unmap_accounting)
{
	__u64 length = TESTBED_LENGTH;

	ASSERT_EQ(0, legacy_map(&self->legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, true));
	EXPECT_EQ(self->pinned_before + TESTBED_PAGES, counters_pinned());
	EXPECT_EQ(TESTBED_PAGES, locked_pages(self->locked_before));
	EXPECT_EQ(-EEXIST, legacy_map(&self->legacy, self->memory, PAGE,
				      TESTBED_IOVA, true));
	ASSERT_EQ(0, legacy_unmap(&self->legacy, TESTBED_IOVA, &length));
	EXPECT_EQ(TESTBED_LENGTH, length);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(0, locked_pages(self->locked_before));
}

TEST_F(type1, dma)
{
	char *destination = self->memory + 8 * PAGE;

	ASSERT_EQ(0, legacy_map(&self->legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, true));
	pattern_fill(self->memory, TRANSFER, 1);
	ASSERT_EQ(0, edu_load(&self->edu, TESTBED_IOVA, 0, TRANSFER));
	ASSERT_EQ(0,
		  edu_store(&self->edu, TESTBED_IOVA + 8 * PAGE, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(destination, TRANSFER, 1));
}

TEST_F(type1, unmap_blocks_dma)
{
	__u64 length = TESTBED_LENGTH;

	ASSERT_EQ(0, legacy_map(&self->legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, true));
	pattern_fill(self->memory, TRANSFER, 2);
	ASSERT_EQ(0, edu_load(&self->edu, TESTBED_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, legacy_unmap(&self->legacy, TESTBED_IOVA, &length));
	pattern_fill(self->memory, TRANSFER, 3);
	ASSERT_EQ(0, edu_store(&self->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->memory, TRANSFER, 3));
}

TEST_F(type1, read_only_mapping_blocks_write)
{
	ASSERT_EQ(0, legacy_map(&self->legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, false));
	pattern_fill(self->memory, TRANSFER, 4);
	ASSERT_EQ(0, edu_load(&self->edu, TESTBED_IOVA, 0, TRANSFER));
	pattern_fill(self->memory, TRANSFER, 5);
	ASSERT_EQ(0, edu_store(&self->edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(self->memory, TRANSFER, 5));
}

TEST_F(type1, close_unpins_and_uncharges)
{
	ASSERT_EQ(0, legacy_map(&self->legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, true));
	edu_stop(&self->edu);
	legacy_close(&self->legacy);
	EXPECT_EQ(self->pinned_before, counters_pinned());
	EXPECT_EQ(0, locked_pages(self->locked_before));
}

TEST_F(type1, switch_between_container_and_dev_iommu)
{
	unsigned int turn;
	struct testbed bed;

	edu_stop(&self->edu);
	legacy_close(&self->legacy);
	for (turn = 0; turn < 2; turn++) {
		ASSERT_EQ(0, testbed_open(&bed));
		EXPECT_EQ(0, testbed_attach(&bed, &bed.device));
		EXPECT_EQ(0, testbed_map(&bed));
		EXPECT_EQ(1, device_reaches(&bed, &bed.device, TESTBED_IOVA,
					    bed.memory));
		testbed_close(&bed);
		EXPECT_EQ(0, testbed_pinned(&bed));

		ASSERT_EQ(0, legacy_open(&self->legacy,
					 self->machine.singleton[0].text));
		ASSERT_EQ(0, edu_start(&self->edu, self->legacy.device));
		EXPECT_EQ(0, legacy_map(&self->legacy, self->memory,
					TESTBED_LENGTH, TESTBED_IOVA, true));
		pattern_fill(self->memory, TRANSFER, 6 + turn);
		EXPECT_EQ(0, edu_load(&self->edu, TESTBED_IOVA, 0, TRANSFER));
		EXPECT_EQ(0, edu_store(&self->edu, TESTBED_IOVA + PAGE, 0,
				       TRANSFER));
		EXPECT_TRUE(pattern_is(self->memory + PAGE, TRANSFER,
				       6 + turn));
		edu_stop(&self->edu);
		legacy_close(&self->legacy);
	}
}

TEST_HARNESS_MAIN
