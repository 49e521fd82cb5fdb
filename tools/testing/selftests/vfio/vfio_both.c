// SPDX-License-Identifier: GPL-2.0-only
/*
 * Use a type1 container and an iommufd at the same time, each with a device in
 * a group of its own.
 *
 * The container and the iommufd share code but no state. An operation on one
 * must not change the mappings, pins or charges of the other. Their limits are
 * separate as well: type1 charges locked_vm of the process, and /dev/iommu the
 * locked memory of the user.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"
#include "user.h"

/* A user ID without other processes, and its RLIMIT_MEMLOCK in pages */
#define USER	54323
#define LIMIT	8
#define ROUNDS	25

NEEDS_EDU(2)
EXPECTS_DMA_FAULTS

FIXTURE(both)
{
	struct testbed bed;
	struct legacy legacy;
	struct edu edu;
	long locked_before;
};

FIXTURE_SETUP(both)
{
	self->locked_before = counters_of_self("VmLck");
	ASSERT_EQ(0, testbed_open(&self->bed));
	ASSERT_LE(2u, self->bed.machine.nr_singletons);
	ASSERT_EQ(0, testbed_attach(&self->bed, &self->bed.device));
	ASSERT_EQ(0, legacy_open(&self->legacy,
				 self->bed.machine.singleton[1].text));
	ASSERT_EQ(0, edu_start(&self->edu, self->legacy.device));
}

FIXTURE_TEARDOWN(both)
{
	edu_stop(&self->edu);
	legacy_close(&self->legacy);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(self->locked_before, counters_of_self("VmLck"));
}

/* Return a counter of this process, such as VmLck, in pages. */
static long counter_pages(const char *counter)
{
	return counters_of_self(counter) * 1024 / (long)PAGE;
}

/*
 * Map pages of the testbed's memory in the container, at the IOVAs at which
 * testbed_map() maps them in the IOAS.
 */
static int legacy_map_pages(struct legacy *legacy, struct testbed *bed,
			    unsigned int first, unsigned int pages)
{
	return legacy_map(legacy, bed->memory + first * PAGE, pages * PAGE,
			  TESTBED_IOVA + first * PAGE, true);
}

static int legacy_unmap_pages(struct legacy *legacy, unsigned int first,
			      unsigned int pages)
{
	__u64 length = pages * PAGE;
	int err = legacy_unmap(legacy, TESTBED_IOVA + first * PAGE, &length);

	return err ? err : length == pages * PAGE ? 0 : -EIO;
}

/*
 * Have the device copy TRANSFER bytes from the first page of the memory to the
 * second one, through the container. Return whether they arrive.
 */
static bool legacy_dma_works(struct edu *edu, struct testbed *bed,
			     unsigned int seed)
{
	pattern_fill(bed->memory, TRANSFER, seed);
	pattern_fill(bed->memory + PAGE, TRANSFER, seed + 1);
	return !edu_load(edu, TESTBED_IOVA, 0, TRANSFER) &&
	       !edu_store(edu, TESTBED_IOVA + PAGE, 0, TRANSFER) &&
	       pattern_is(bed->memory + PAGE, TRANSFER, seed);
}

TEST_F(both, map_same_memory_at_same_iova)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, legacy_map_pages(&self->legacy, bed, 0, TESTBED_PAGES));
	/* Both spaces pin the memory. Only the IOAS maps a bounce page. */
	EXPECT_EQ(2 * TESTBED_PAGES + 1, testbed_pinned(bed));
	EXPECT_EQ(TESTBED_PAGES, counter_pages("VmLck"));
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	EXPECT_TRUE(legacy_dma_works(&self->edu, bed, 1));
}

TEST_F(both, container_unmap_keeps_ioas)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, legacy_map_pages(&self->legacy, bed, 0, TESTBED_PAGES));
	ASSERT_EQ(0, legacy_unmap_pages(&self->legacy, 0, TESTBED_PAGES));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(bed));
	EXPECT_EQ(0, counter_pages("VmLck"));
	EXPECT_FALSE(legacy_dma_works(&self->edu, bed, 3));
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
}

TEST_F(both, ioas_unmap_keeps_container)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, legacy_map_pages(&self->legacy, bed, 0, TESTBED_PAGES));
	ASSERT_EQ(0, testbed_unmap(bed, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(bed));
	EXPECT_EQ(TESTBED_PAGES, counter_pages("VmLck"));
	EXPECT_EQ(1, device_is_blocked(bed, &bed->device, TESTBED_IOVA,
				       bed->memory));
	EXPECT_TRUE(legacy_dma_works(&self->edu, bed, 5));
}

/*
 * Exhaust both limits. Runs in a child, and returns 0 or the number of the
 * first step that failed.
 */
static int check_limits(struct testbed *bed, struct legacy *legacy)
{
	struct steps steps = { 0 };

	step(&steps, user_become(USER, LIMIT) == 0);
	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, legacy_map_pages(legacy, bed, 0, LIMIT) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	step(&steps, legacy_map_pages(legacy, bed, LIMIT, 1) == -ENOMEM);
	step(&steps, counter_pages("VmPin") == LIMIT);
	step(&steps, counter_pages("VmLck") == LIMIT);
	/*
	 * An unmap in the IOAS makes no room under the container's limit, and
	 * vice versa.
	 */
	step(&steps, testbed_unmap(bed, TESTBED_IOVA, LIMIT * PAGE) == 0);
	step(&steps, legacy_map_pages(legacy, bed, LIMIT, 1) == -ENOMEM);
	step(&steps, counter_pages("VmPin") == 0);
	step(&steps, counter_pages("VmLck") == LIMIT);
	step(&steps, testbed_map_pages(bed, 0, LIMIT) == 0);
	step(&steps, legacy_unmap_pages(legacy, 0, LIMIT) == 0);
	step(&steps, testbed_map_pages(bed, LIMIT, 1) == -ENOMEM);
	step(&steps, counter_pages("VmPin") == LIMIT);
	step(&steps, counter_pages("VmLck") == 0);
	step(&steps, legacy_map_pages(legacy, bed, 0, LIMIT) == 0);
	step(&steps, legacy_unmap_pages(legacy, 0, LIMIT) == 0);
	step(&steps, testbed_unmap(bed, TESTBED_IOVA, LIMIT * PAGE) == 0);
	return steps.failed;
}

TEST_F(both, separate_limits)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child)
		_exit(check_limits(&self->bed, &self->legacy));
	EXPECT_EQ(0, user_wait(child));
	EXPECT_EQ(1, testbed_pinned(&self->bed));
}

/*
 * Map, use and unmap memory in the container. Runs in a child, which maps its
 * own copy of the memory. Returns 0, or a number for the step that failed.
 */
static int use_container(struct legacy *legacy, struct edu *edu,
			 struct testbed *bed)
{
	unsigned int round;

	if (user_become(USER, LIMIT))
		return 1;
	for (round = 0; round < ROUNDS; round++) {
		if (legacy_map_pages(legacy, bed, 0, LIMIT))
			return 2;
		if (legacy_map_pages(legacy, bed, LIMIT, 1) != -ENOMEM)
			return 3;
		if (counter_pages("VmLck") != LIMIT || counter_pages("VmPin"))
			return 4;
		if (!legacy_dma_works(edu, bed, 2 * round))
			return 5;
		if (legacy_unmap_pages(legacy, 0, LIMIT) ||
		    counter_pages("VmLck"))
			return 6;
	}
	return 0;
}

TEST_F(both, concurrent_processes)
{
	struct testbed *bed = &self->bed;
	pid_t child = fork();
	unsigned int round;

	ASSERT_LE(0, child);
	if (!child)
		_exit(use_container(&self->legacy, &self->edu, bed));
	for (round = 0; round < ROUNDS; round++) {
		EXPECT_EQ(0, testbed_map(bed));
		EXPECT_EQ(0, counter_pages("VmLck"));
		EXPECT_EQ(1, device_reaches(bed, &bed->device, TESTBED_IOVA,
					    bed->memory));
		EXPECT_EQ(0, testbed_unmap(bed, TESTBED_IOVA, TESTBED_LENGTH));
	}
	EXPECT_EQ(0, user_wait(child));
	EXPECT_EQ(1, testbed_pinned(bed));
}

/*
 * Map memory in a container, and wait to be killed. Runs in a child, which
 * opens the device itself, so that killing the child closes the files.
 */
static void hold_container(struct testbed *bed, int ready)
{
	struct legacy legacy;

	if (legacy_open(&legacy, bed->machine.singleton[1].text) ||
	    legacy_map_pages(&legacy, bed, 0, TESTBED_PAGES) ||
	    write(ready, "", 1) != 1)
		_exit(1);
	pause();
	_exit(1);
}

TEST_F(both, killed_container_owner)
{
	struct testbed *bed = &self->bed;
	int ready[2], status;
	pid_t child;
	char byte;

	ASSERT_EQ(0, testbed_map(bed));
	edu_stop(&self->edu);
	legacy_close(&self->legacy);
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		hold_container(bed, ready[1]);
	close(ready[1]);
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(2 * TESTBED_PAGES + 1, testbed_pinned(bed));
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_TRUE(WIFSIGNALED(status));

	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(bed));
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	close(ready[0]);
}

TEST_HARNESS_MAIN
