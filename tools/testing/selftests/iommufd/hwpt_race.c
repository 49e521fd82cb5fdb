// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two devices of one address space, each attached and detached by a thread of
 * its own.
 *
 * Rule: an I/O page table lives until the last call that works with it has
 * ended, whichever device is detached last. The kernel warns of one that is
 * freed while it has a user; a preemptible kernel is more likely to show it.
 *
 * The environment's STRESS_SECONDS, or 4 without, is the time of each test.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "calls.h"
#include "record.h"
#include "rig.h"

#define MAX_WORKERS	3

NEEDS_EDU
RECORDS_NO_ERRNO

struct race;

/**
 * struct worker - a thread that repeats its work
 * @race: what it works on
 * @work: once; 0, or the errno that it must not get
 * @device: which of the devices
 * @times: how often it did its work
 * @result: what ended it
 * @thread: the thread
 */
struct worker {
	struct race *race;
	int (*work)(struct worker *worker);
	unsigned int device;
	unsigned long times;
	int result;
	pthread_t thread;
};

/**
 * struct race - what the threads share
 * @rig: an address space
 * @device: two devices with groups of their own, bound
 * @hwpt: an I/O page table of the program's own, or 0
 * @stop: it is time to end
 * @worker: the threads
 * @nr: how many
 */
struct race {
	struct rig rig;
	struct device device[2];
	__u32 hwpt;
	int stop;
	struct worker worker[MAX_WORKERS];
	unsigned int nr;
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
	ASSERT_EQ(0, rig_open(&race->rig));
	race->device[0] = race->rig.device;
	ASSERT_EQ(0, rig_map(&race->rig));
	if (race->rig.machine.nr_lone < 2)
		return;
	ASSERT_EQ(0, device_open(&race->device[1],
				 race->rig.machine.lone[1].text,
				 race->rig.iommufd));
}

FIXTURE_TEARDOWN(race)
{
	struct race *race = &self->race;

	/* Nothing is left that needs the address space. */
	device_close(&race->device[1]);
	race->rig.device = race->device[0];
	device_close(&race->rig.device);
	EXPECT_EQ(0, race->hwpt ? iommu_end(race->rig.iommufd, race->hwpt) : 0);
	EXPECT_EQ(0, iommu_end(race->rig.iommufd, race->rig.ioas));
	rig_close(&race->rig);
	EXPECT_EQ(0, rig_pinned(&race->rig));
}

/*
 * Device 1's thread runs on the same processor as that of device 0 and before
 * it. So it interrupts the other one when that drops a lock for which it waits.
 */
static void choose_processor(unsigned int device)
{
	const struct sched_param first = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
	if (device)
		sched_setscheduler(0, SCHED_FIFO, &first);
}

static void *repeat(void *argument)
{
	struct worker *worker = argument;

	choose_processor(worker->device);
	while (!worker->result &&
	       !__atomic_load_n(&worker->race->stop, __ATOMIC_ACQUIRE)) {
		worker->result = worker->work(worker);
		worker->times++;
		/* Let the other one get into the middle of its work. */
		if (worker->device)
			usleep(worker->times % 16 * 100);
	}
	return NULL;
}

static void add(struct race *race, int (*work)(struct worker *),
		unsigned int device)
{
	struct worker *worker = &race->worker[race->nr++];

	*worker = (struct worker){
		.race = race,
		.work = work,
		.device = device,
	};
	if (pthread_create(&worker->thread, NULL, repeat, worker))
		abort();
}

/* The first errno that a worker must not get, or 0. */
static int finish(struct race *race)
{
	const char *text = getenv("STRESS_SECONDS");
	unsigned int i;
	int result = 0;

	sleep(text ? (unsigned int)strtoul(text, NULL, 0) : 4);
	__atomic_store_n(&race->stop, 1, __ATOMIC_RELEASE);
	for (i = 0; i < race->nr; i++) {
		pthread_join(race->worker[i].thread, NULL);
		if (!result)
			result = race->worker[i].result;
		if (!result && race->worker[i].times < 2)
			result = -ETIME;
	}
	race->nr = 0;
	return result;
}

static int attach_and_detach(struct worker *worker)
{
	int fd = worker->race->device[worker->device].fd;
	__u32 pt_id = worker->race->rig.ioas;
	int err = vfio_attach(fd, &pt_id);

	return err ? err : vfio_detach(fd);
}

/* Each device of a page table that goes with the last one. */
TEST_F_TIMEOUT(race, detach_against_detach, 4000)
{
	if (self->race.rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with own groups");
	add(&self->race, attach_and_detach, 0);
	add(&self->race, attach_and_detach, 1);
	EXPECT_EQ(0, finish(&self->race));
}

static int open_and_close(struct worker *worker)
{
	struct race *race = worker->race;
	struct device *device = &race->device[worker->device];
	__u32 pt_id = race->rig.ioas;
	int err;

	device_close(device);
	err = device_open(device, race->rig.machine.lone[worker->device].text,
			  race->rig.iommufd);
	return err ? err : vfio_attach(device->fd, &pt_id);
}

TEST_F_TIMEOUT(race, close_against_detach, 4000)
{
	if (self->race.rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with own groups");
	add(&self->race, attach_and_detach, 0);
	add(&self->race, open_and_close, 1);
	EXPECT_EQ(0, finish(&self->race));
}

/* An HWPT of the program's own, destroyed as soon as it has no device. */
static int attach_to_hwpt(struct worker *worker)
{
	int fd = worker->race->device[worker->device].fd;
	__u32 pt_id = __atomic_load_n(&worker->race->hwpt, __ATOMIC_ACQUIRE);
	int err = vfio_attach(fd, &pt_id);

	if (!err)
		return vfio_detach(fd);
	/* It was destroyed. */
	return err == -ENOENT ? 0 : err;
}

static int destroy_and_make_anew(struct worker *worker)
{
	struct race *race = worker->race;
	__u32 id;
	int err;

	err = iommu_end(race->rig.iommufd, race->hwpt);
	if (err == -EBUSY)
		return 0;
	if (!err)
		err = hwpt_alloc(race->rig.iommufd, race->rig.device.id,
				 race->rig.ioas, &id);
	if (!err)
		__atomic_store_n(&race->hwpt, id, __ATOMIC_RELEASE);
	return err;
}

TEST_F_TIMEOUT(race, destroy_against_detach, 4000)
{
	struct race *race = &self->race;

	if (race->rig.machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with own groups");
	ASSERT_EQ(0, hwpt_alloc(race->rig.iommufd, race->rig.device.id,
				race->rig.ioas, &race->hwpt));
	add(race, attach_to_hwpt, 0);
	add(race, attach_to_hwpt, 1);
	add(race, destroy_and_make_anew, 0);
	EXPECT_EQ(0, finish(race));
}

TEST_HARNESS_MAIN
