// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test the lifetime of a page table that two devices attach to and detach from
 * in parallel.
 *
 * A page table must not be freed before the last call that uses it returns, no
 * matter which device is detached last. The tests rely on the kernel to warn
 * about a use after free. A preemptible kernel makes the race more likely.
 *
 * The environment variable STRESS_SECONDS sets the run time of each test. The
 * default is 4.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "testbed.h"

#define MAX_WORKERS	3

NEEDS_EDU(1)
RECORDS_NO_ERRNO

struct race;

/**
 * struct worker - a thread that calls @work in a loop
 * @race: state shared by all threads
 * @work: one iteration; returns 0, or an unexpected -errno that ends the loop
 * @device: index of the device to work on
 * @iterations: number of calls to @work
 * @result: last return value of @work
 * @thread: thread handle
 */
struct worker {
	struct race *race;
	int (*work)(struct worker *worker);
	unsigned int device;
	unsigned long iterations;
	int result;
	pthread_t thread;
};

/**
 * struct race - state shared by all threads
 * @bed: testbed with the address space
 * @device: two bound devices in separate groups
 * @hwpt: ID of a page table allocated by user space, or 0
 * @stop: set to end all threads
 * @worker: the threads
 * @nr_workers: number of threads in @worker
 */
struct race {
	struct testbed bed;
	struct device device[2];
	__u32 hwpt;
	int stop;
	struct worker worker[MAX_WORKERS];
	unsigned int nr_workers;
};

FIXTURE(race)
{
	struct race race;
};

FIXTURE_SETUP(race)
{
	struct race *race = &self->race;

	race->device[0].fd = -1;
	race->device[1].fd = -1;
	ASSERT_EQ(0, testbed_open(&race->bed));
	race->device[0] = race->bed.device;
	ASSERT_EQ(0, testbed_map(&race->bed));
	if (race->bed.machine.nr_singletons < 2)
		return;
	ASSERT_EQ(0, device_open(&race->device[1],
				 race->bed.machine.singleton[1].text,
				 race->bed.iommufd));
}

FIXTURE_TEARDOWN(race)
{
	struct race *race = &self->race;

	device_close(&race->device[1]);
	race->bed.device = race->device[0];
	device_close(&race->bed.device);
	EXPECT_EQ(0, race->hwpt ? iommu_destroy(race->bed.iommufd, race->hwpt) :
				  0);
	/* This fails with -EBUSY if a page table of the IOAS was leaked. */
	EXPECT_EQ(0, iommu_destroy(race->bed.iommufd, race->bed.ioas));
	testbed_close(&race->bed);
	EXPECT_EQ(0, testbed_pinned(&race->bed));
}

/*
 * Run all threads on CPU 0, those of device 1 with real-time priority. A thread
 * of device 1 thus preempts a thread of device 0 as soon as the latter releases
 * a lock that the former waits for.
 */
static void set_priority(unsigned int device)
{
	const struct sched_param fifo = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (device)
		sched_setscheduler(0, SCHED_FIFO, &fifo);
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;

	set_priority(worker->device);
	while (!worker->result &&
	       !__atomic_load_n(&worker->race->stop, __ATOMIC_ACQUIRE)) {
		worker->result = worker->work(worker);
		worker->iterations++;
		/* Sleep to let the low-priority threads run. */
		if (worker->device)
			usleep(worker->iterations % 16 * 100);
	}
	return NULL;
}

static void start_worker(struct race *race, int (*work)(struct worker *),
			 unsigned int device)
{
	struct worker *worker = &race->worker[race->nr_workers++];

	*worker = (struct worker){
		.race = race,
		.work = work,
		.device = device,
	};
	if (pthread_create(&worker->thread, NULL, run_worker, worker))
		abort();
}

/*
 * Let all threads run for STRESS_SECONDS, then stop them. Return the first
 * unexpected -errno, -ETIME if a thread made no progress, or 0.
 */
static int finish(struct race *race)
{
	const char *text = getenv("STRESS_SECONDS");
	unsigned int i;
	int result = 0;

	sleep(text ? (unsigned int)strtoul(text, NULL, 0) : 4);
	__atomic_store_n(&race->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < race->nr_workers; i++) {
		pthread_join(race->worker[i].thread, NULL);
		if (!result)
			result = race->worker[i].result;
		if (!result && race->worker[i].iterations < 2)
			result = -ETIME;
	}
	race->nr_workers = 0;
	return result;
}

static int attach_and_detach(struct worker *worker)
{
	int fd = worker->race->device[worker->device].fd;
	__u32 pt_id = worker->race->bed.ioas;
	int err = vfio_attach(fd, &pt_id);

	return err ? err : vfio_detach(fd);
}

/* The last detach frees the page table. */
TEST_F_TIMEOUT(race, detach_races_with_detach, 4000)
{
	if (self->race.bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	start_worker(&self->race, attach_and_detach, 0);
	start_worker(&self->race, attach_and_detach, 1);
	EXPECT_EQ(0, finish(&self->race));
}

static int open_and_close(struct worker *worker)
{
	struct race *race = worker->race;
	struct device *device = &race->device[worker->device];
	__u32 pt_id = race->bed.ioas;
	int err;

	device_close(device);
	err = device_open(device,
			  race->bed.machine.singleton[worker->device].text,
			  race->bed.iommufd);
	return err ? err : vfio_attach(device->fd, &pt_id);
}

TEST_F_TIMEOUT(race, close_races_with_detach, 4000)
{
	if (self->race.bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	start_worker(&self->race, attach_and_detach, 0);
	start_worker(&self->race, open_and_close, 1);
	EXPECT_EQ(0, finish(&self->race));
}

/* destroy_and_realloc() replaces the page table whenever no device uses it. */
static int attach_to_hwpt(struct worker *worker)
{
	int fd = worker->race->device[worker->device].fd;
	__u32 pt_id = __atomic_load_n(&worker->race->hwpt, __ATOMIC_ACQUIRE);
	int err = vfio_attach(fd, &pt_id);

	if (!err)
		return vfio_detach(fd);
	/* The page table has just been destroyed. */
	return err == -ENOENT ? 0 : err;
}

static int destroy_and_realloc(struct worker *worker)
{
	struct race *race = worker->race;
	__u32 id;
	int err;

	err = iommu_destroy(race->bed.iommufd, race->hwpt);
	if (err == -EBUSY)
		return 0;
	if (!err)
		err = hwpt_alloc(race->bed.iommufd, race->bed.device.id,
				 race->bed.ioas, &id);
	if (!err)
		__atomic_store_n(&race->hwpt, id, __ATOMIC_RELEASE);
	return err;
}

TEST_F_TIMEOUT(race, destroy_races_with_detach, 4000)
{
	struct race *race = &self->race;

	if (race->bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, hwpt_alloc(race->bed.iommufd, race->bed.device.id,
				race->bed.ioas, &race->hwpt));
	start_worker(race, attach_to_hwpt, 0);
	start_worker(race, attach_to_hwpt, 1);
	start_worker(race, destroy_and_realloc, 0);
	EXPECT_EQ(0, finish(race));
}

TEST_HARNESS_MAIN
