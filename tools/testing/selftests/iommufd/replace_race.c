// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test moves of attached devices concurrently with DMA, maps and other moves.
 *
 * Memory that is mapped in both the old and the new IOAS must be accessible to
 * the device throughout the move. The tests check all data that the devices
 * transfer, and rely on the kernel to report blocked DMA.
 *
 * The environment variable STRESS_SECONDS sets the run time of each test in
 * seconds. The default is 4.
 */
#include <errno.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "testbed.h"
#include "workers.h"

#define TARGETS		3
#define OTHER_IOVA	0x30000000ull

NEEDS_EDU(2)
NEEDS_VTD
RECORDS_NO_ERRNO

/**
 * struct setup - state shared by all threads
 * @bed: testbed
 * @device: two bound devices in separate groups, or in the same one
 * @target: IDs of two IOASes and of an HWPT of the first one. All memory of the
 *          testbed is mapped in both IOASes
 * @workers: the threads
 */
struct setup {
	struct testbed bed;
	struct device device[2];
	__u32 target[TARGETS];
	struct workers workers;
};

FIXTURE(moves)
{
	struct setup setup;
};

FIXTURE_VARIANT(moves)
{
	bool siblings;
};

FIXTURE_VARIANT_ADD(moves, groups)
{
	.siblings = false,
};

FIXTURE_VARIANT_ADD(moves, siblings)
{
	.siblings = true,
};

FIXTURE_SETUP(moves)
{
	struct setup *setup = &self->setup;
	struct machine *machine = &setup->bed.machine;
	unsigned int i;

	setup->device[0].fd = -1;
	setup->device[1].fd = -1;
	ASSERT_EQ(0, testbed_open(&setup->bed));
	if (variant->siblings && !machine->has_siblings)
		SKIP(return, "needs two edu devices in one group");
	device_close(&setup->bed.device);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, device_open(&setup->device[i],
					 variant->siblings ?
					 machine->siblings[i].text :
					 machine->singleton[i].text,
					 setup->bed.iommufd));

	setup->target[0] = setup->bed.ioas;
	ASSERT_EQ(0, ioas_alloc(setup->bed.iommufd, &setup->target[1]));
	ASSERT_EQ(0, hwpt_alloc(setup->bed.iommufd, setup->device[0].id,
				setup->bed.ioas, &setup->target[2]));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, ioas_map(setup->bed.iommufd, setup->target[i],
				      setup->bed.memory, TESTBED_LENGTH,
				      TESTBED_IOVA, IOAS_READ_WRITE));
	for (i = 0; i < 2; i++) {
		__u32 pt_id = setup->bed.ioas;

		ASSERT_EQ(0, vfio_attach(setup->device[i].fd, &pt_id));
	}
}

FIXTURE_TEARDOWN(moves)
{
	struct setup *setup = &self->setup;

	device_close(&setup->device[0]);
	device_close(&setup->device[1]);
	EXPECT_EQ(0, testbed_pinned(&setup->bed));
	EXPECT_EQ(0, iommu_destroy(setup->bed.iommufd, setup->target[2]));
	EXPECT_EQ(0, iommu_destroy(setup->bed.iommufd, setup->target[1]));
	EXPECT_EQ(0, iommu_destroy(setup->bed.iommufd, setup->target[0]));
	testbed_close(&setup->bed);
}

/* Move the device to the next of the three targets. */
static int move(struct worker *worker)
{
	const struct setup *setup = worker->shared;
	__u32 pt_id = setup->target[(worker->iterations + worker->index) %
				    TARGETS];

	return vfio_attach(worker->device->fd, &pt_id);
}

/*
 * Move the device, or attach it if it is detached. Detach it after every fourth
 * call. The worker of the other device does the same.
 */
static int move_or_attach(struct worker *worker)
{
	int err = move(worker);

	/* -EINVAL: the group of the detached device is attached elsewhere. */
	if (err && err != -EINVAL)
		return err;
	if (err || worker->iterations % 4 == 3)
		return vfio_detach(worker->device->fd);
	return 0;
}

/*
 * Copy TRANSFER bytes from one page to the next through the buffer of the
 * device. Return -EIO if the data does not arrive.
 */
static int copy_by_dma(struct worker *worker)
{
	unsigned int from = 4 * worker->index, to = from + 1;
	const struct setup *setup = worker->shared;
	char *memory = setup->bed.memory;
	__u32 seed = worker->iterations * MAX_WORKERS + worker->index;
	int err;

	pattern_fill(memory + from * PAGE, TRANSFER, seed);
	memset(memory + to * PAGE, 0, TRANSFER);
	err = edu_load(&worker->device->edu, TESTBED_IOVA + from * PAGE, 0,
		       TRANSFER);
	if (!err)
		err = edu_store(&worker->device->edu, TESTBED_IOVA + to * PAGE,
				0, TRANSFER);
	if (err)
		return err;
	return pattern_is(memory + to * PAGE, TRANSFER, seed) ? 0 : -EIO;
}

/* Map and unmap a page. Successive calls alternate between the two IOASes. */
static int map_and_unmap(struct worker *worker)
{
	const struct setup *setup = worker->shared;
	__u32 ioas = setup->target[worker->iterations % 2];
	__u64 iova = OTHER_IOVA + worker->index * PAGE, length = PAGE;
	int err;

	err = ioas_map(setup->bed.iommufd, ioas, setup->bed.memory, PAGE, iova,
		       IOAS_READ_WRITE);
	return err ? err : ioas_unmap(setup->bed.iommufd, ioas, iova, &length);
}

TEST_F_TIMEOUT(moves, lose_no_dma, 4000)
{
	struct setup *setup = &self->setup;
	time_t end = time(NULL) + stress_seconds();
	unsigned long moves = 0;
	unsigned int i;

	/* The setup was skipped. */
	if (setup->device[1].fd < 0)
		return;
	for (i = 0; i < 2; i++)
		workers_start(&setup->workers, copy_by_dma, setup, &setup->device[i]);
	for (i = 0; i < 2; i++)
		workers_start(&setup->workers, map_and_unmap, setup, NULL);
	for (; time(NULL) < end; moves++) {
		struct device *device = &setup->device[moves / TARGETS % 2];
		__u32 pt_id = setup->target[moves % TARGETS];

		EXPECT_EQ(0, vfio_attach(device->fd, &pt_id));
	}
	EXPECT_EQ(0, workers_stop(&setup->workers));
	TH_LOG("%lu moves", moves);
}

TEST_F_TIMEOUT(moves, race_with_each_other, 4000)
{
	struct setup *setup = &self->setup;

	if (setup->device[1].fd < 0)
		return;
	workers_start(&setup->workers, move, setup, &setup->device[0]);
	workers_start(&setup->workers, move, setup, &setup->device[1]);
	workers_start(&setup->workers, map_and_unmap, setup, NULL);
	workers_start(&setup->workers, map_and_unmap, setup, NULL);
	sleep(stress_seconds());
	EXPECT_EQ(0, workers_stop(&setup->workers));
}

TEST_F_TIMEOUT(moves, race_with_detach, 4000)
{
	struct setup *setup = &self->setup;

	if (setup->device[1].fd < 0)
		return;
	workers_start(&setup->workers, move_or_attach, setup, &setup->device[0]);
	workers_start(&setup->workers, move_or_attach, setup, &setup->device[1]);
	workers_start(&setup->workers, map_and_unmap, setup, NULL);
	sleep(stress_seconds());
	EXPECT_EQ(0, workers_stop(&setup->workers));
}

TEST_HARNESS_MAIN
