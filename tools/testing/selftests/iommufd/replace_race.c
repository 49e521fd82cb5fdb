// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test moves of attached devices beside DMA, maps and other moves.
 *
 * Memory that is mapped in the old and in the new IOAS must be accessible for
 * the device throughout the move. The tests check all data that the devices
 * transfer, and rely on the kernel to report DMA that it blocks.
 *
 * The environment variable STRESS_SECONDS sets the run time of each test. The
 * default is 4.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "testbed.h"

#define MAX_WORKERS	4
#define TARGETS		3
#define OTHER_IOVA	0x30000000ull

NEEDS_EDU(2)
RECORDS_NO_ERRNO

struct setup;

/**
 * struct worker - a thread that calls @work in a loop
 * @setup: state shared by all threads
 * @work: one iteration; returns 0, or an unexpected -errno that ends the loop
 * @device: the device that the thread uses
 * @index: index of the thread
 * @iterations: number of calls to @work
 * @result: last return value of @work
 * @thread: thread handle
 */
struct worker {
	struct setup *setup;
	int (*work)(struct worker *worker);
	struct device *device;
	unsigned int index;
	unsigned long iterations;
	int result;
	pthread_t thread;
};

/**
 * struct setup - state shared by all threads
 * @bed: testbed
 * @device: two bound devices in separate groups, or in the same one
 * @target: IDs of two IOASes and of an HWPT of the first one. All memory of the
 *          testbed is mapped in both IOASes
 * @stop: set to end all threads
 * @worker: the threads
 * @nr_workers: number of threads in @worker
 */
struct setup {
	struct testbed bed;
	struct device device[2];
	__u32 target[TARGETS];
	int stop;
	struct worker worker[MAX_WORKERS];
	unsigned int nr_workers;
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

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	while (!__atomic_load_n(&worker->setup->stop, __ATOMIC_RELAXED)) {
		worker->result = worker->work(worker);
		if (worker->result)
			break;
		worker->iterations++;
	}
	return NULL;
}

static void start(struct __test_metadata *_metadata, struct setup *setup,
		  int (*work)(struct worker *worker), struct device *device)
{
	struct worker *worker = &setup->worker[setup->nr_workers];

	*worker = (struct worker){
		.setup = setup,
		.work = work,
		.device = device,
		.index = setup->nr_workers++,
	};
	ASSERT_EQ(0, pthread_create(&worker->thread, NULL, run_worker, worker));
}

static time_t end_time(void)
{
	const char *text = getenv("STRESS_SECONDS");

	return time(NULL) + (text ? strtol(text, NULL, 0) : 4);
}

static void wait_until(time_t end)
{
	while (time(NULL) < end)
		usleep(100 * 1000);
}

static void finish(struct __test_metadata *_metadata, struct setup *setup)
{
	struct worker *worker;

	__atomic_store_n(&setup->stop, 1, __ATOMIC_RELAXED);
	for (worker = setup->worker;
	     worker != setup->worker + setup->nr_workers; worker++) {
		pthread_join(worker->thread, NULL);
		EXPECT_EQ(0, worker->result)
			TH_LOG("worker %u", worker->index);
		EXPECT_LT(2ul, worker->iterations);
		TH_LOG("worker %u: %lu iterations", worker->index,
		       worker->iterations);
	}
}

/* Move the device to the three targets in turn. */
static int move(struct worker *worker)
{
	__u32 pt_id = worker->setup->target[(worker->iterations +
					     worker->index) % TARGETS];

	return vfio_attach(worker->device->fd, &pt_id);
}

/* Move the device while another one of its group may be detached or attached. */
static int move_or_attach(struct worker *worker)
{
	int err = move(worker);

	/* The group of a device that is not attached may be elsewhere. */
	if (err == -EINVAL || worker->iterations % 4 == 3)
		return vfio_detach(worker->device->fd);
	return err;
}

/* Copy a page to another one through the buffer of the device. */
static int copy_by_dma(struct worker *worker)
{
	unsigned int from = 4 * worker->index, to = from + 1;
	char *memory = worker->setup->bed.memory;
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

/* Map and unmap a page in the two IOASes in turn. */
static int map_and_unmap(struct worker *worker)
{
	struct setup *setup = worker->setup;
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
	time_t end = end_time();
	unsigned long moves = 0;
	unsigned int i;

	for (i = 0; i < 2; i++)
		start(_metadata, setup, copy_by_dma, &setup->device[i]);
	for (i = 0; i < 2; i++)
		start(_metadata, setup, map_and_unmap, NULL);
	for (; time(NULL) < end; moves++) {
		struct device *device = &setup->device[moves / TARGETS % 2];
		__u32 pt_id = setup->target[moves % TARGETS];

		EXPECT_EQ(0, vfio_attach(device->fd, &pt_id));
	}
	finish(_metadata, setup);
	TH_LOG("%lu moves", moves);
}

TEST_F_TIMEOUT(moves, race_with_each_other, 4000)
{
	struct setup *setup = &self->setup;
	time_t end = end_time();

	start(_metadata, setup, move, &setup->device[0]);
	start(_metadata, setup, move, &setup->device[1]);
	start(_metadata, setup, map_and_unmap, NULL);
	start(_metadata, setup, map_and_unmap, NULL);
	wait_until(end);
	finish(_metadata, setup);
}

TEST_F_TIMEOUT(moves, race_with_detach, 4000)
{
	struct setup *setup = &self->setup;
	time_t end = end_time();

	start(_metadata, setup, move_or_attach, &setup->device[0]);
	start(_metadata, setup, move_or_attach, &setup->device[1]);
	start(_metadata, setup, map_and_unmap, NULL);
	wait_until(end);
	finish(_metadata, setup);
}

TEST_HARNESS_MAIN
