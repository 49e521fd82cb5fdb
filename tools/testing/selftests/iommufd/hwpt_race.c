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
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "testbed.h"
#include "workers.h"

NEEDS_EDU(1)
RECORDS_NO_ERRNO

/**
 * struct race - state shared by all threads
 * @bed: testbed with the address space
 * @device: two bound devices in separate groups
 * @hwpt: ID of a page table allocated by user space, or 0
 * @workers: the threads
 */
struct race {
	struct testbed bed;
	struct device device[2];
	__u32 hwpt;
	struct workers workers;
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
 * a lock that the former waits for. The threads of device 1 sleep between most
 * operations to let the other threads run.
 */
static void take_priority(struct worker *worker)
{
	const struct sched_param fifo = { .sched_priority = 1 };
	const struct race *race = worker->shared;
	bool urgent = worker->device == &race->device[1];
	cpu_set_t set;

	if (worker->iterations) {
		if (urgent)
			usleep(worker->iterations % 16 * 100);
		return;
	}
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (urgent)
		sched_setscheduler(0, SCHED_FIFO, &fifo);
}

static void start(struct race *race, worker_fn work, unsigned int device)
{
	workers_start(&race->workers, work, race, &race->device[device]);
}

static int finish(struct race *race)
{
	sleep(stress_seconds());
	return workers_stop(&race->workers);
}

static int attach_and_detach(struct worker *worker)
{
	struct race *race = worker->shared;
	__u32 pt_id = race->bed.ioas;
	int err;

	take_priority(worker);
	err = vfio_attach(worker->device->fd, &pt_id);
	return err ? err : vfio_detach(worker->device->fd);
}

/* The last detach frees the page table. */
TEST_F_TIMEOUT(race, detach_races_with_detach, 4000)
{
	if (self->race.bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	start(&self->race, attach_and_detach, 0);
	start(&self->race, attach_and_detach, 1);
	EXPECT_EQ(0, finish(&self->race));
}

static int open_and_close(struct worker *worker)
{
	struct race *race = worker->shared;
	struct device *device = worker->device;
	__u32 pt_id = race->bed.ioas;
	int err;

	take_priority(worker);
	device_close(device);
	err = device_open(device,
			  race->bed.machine.singleton[device - race->device].text,
			  race->bed.iommufd);
	return err ? err : vfio_attach(device->fd, &pt_id);
}

TEST_F_TIMEOUT(race, close_races_with_detach, 4000)
{
	if (self->race.bed.machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	start(&self->race, attach_and_detach, 0);
	start(&self->race, open_and_close, 1);
	EXPECT_EQ(0, finish(&self->race));
}

/* destroy_and_realloc() replaces the page table whenever no device uses it. */
static int attach_to_hwpt(struct worker *worker)
{
	struct race *race = worker->shared;
	__u32 pt_id;
	int err;

	take_priority(worker);
	pt_id = __atomic_load_n(&race->hwpt, __ATOMIC_ACQUIRE);
	err = vfio_attach(worker->device->fd, &pt_id);
	if (!err)
		return vfio_detach(worker->device->fd);
	/* destroy_and_realloc() may have just destroyed the page table. */
	return err == -ENOENT ? 0 : err;
}

static int destroy_and_realloc(struct worker *worker)
{
	struct race *race = worker->shared;
	__u32 id;
	int err;

	take_priority(worker);
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
	start(race, attach_to_hwpt, 0);
	start(race, attach_to_hwpt, 1);
	start(race, destroy_and_realloc, 0);
	EXPECT_EQ(0, finish(race));
}

TEST_HARNESS_MAIN
