// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that map the same movable memory at the same time.
 *
 * Memory in ZONE_MOVABLE is migrated when it is pinned. Each round takes fresh
 * memory, so that all threads meet pages that must be migrated, and no map may
 * fail because another one migrates the same page. Needs a kernel booted with
 * movablecore=.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "record.h"
#include "rig.h"

#define THREADS		8U
#define HUGE		(2ul << 20)

NEEDS_EDU
RECORDS_NO_ERRNO

/**
 * struct race - memory and the threads that map it
 * @rig: where it is mapped, in a part of the IOVAs for each thread
 * @memory: the memory
 * @length: its length in bytes
 * @rounds: number of rounds
 * @barrier: before and after the maps of a round
 * @failures: number of maps that failed
 */
struct race {
	struct rig *rig;
	char *memory;
	size_t length;
	unsigned int rounds;
	pthread_barrier_t barrier;
	unsigned int failures;
};

struct thread {
	struct race *race;
	unsigned int number;
	pthread_t id;
};

FIXTURE(movable)
{
	struct rig rig;
};

/* Pages of ZONE_MOVABLE that the kernel manages. */
static unsigned long movable_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long pages = 0, number;
	char line[256];
	int inside = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "zone "))
			inside = !!strstr(line, "Movable");
		if (inside && sscanf(line, " managed %lu", &number) == 1)
			pages += number;
	}
	if (file)
		fclose(file);
	return pages;
}

FIXTURE_SETUP(movable)
{
	__u32 pt_id;

	if (!movable_pages())
		SKIP(return, "the kernel was not booted with movablecore=");
	ASSERT_EQ(0, rig_open(&self->rig));
	pt_id = self->rig.ioas;
	ASSERT_EQ(0, vfio_attach(self->rig.device.fd, &pt_id));
}

FIXTURE_TEARDOWN(movable)
{
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

static void map_once(struct thread *thread)
{
	struct race *race = thread->race;
	const __u64 iova = ((__u64)thread->number + 1) << 32;

	if (ioas_map(race->rig->iommufd, race->rig->ioas, race->memory,
		     race->length, iova, IOAS_READ_WRITE))
		__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
	pthread_barrier_wait(&race->barrier);
	rig_unmap(race->rig, iova, race->length);
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	struct race *race = thread->race;
	unsigned int round;

	for (round = 0; round < race->rounds; round++) {
		if (!thread->number) {
			madvise(race->memory, race->length, MADV_DONTNEED);
			memset(race->memory, 1, race->length);
		}
		pthread_barrier_wait(&race->barrier);
		map_once(thread);
		pthread_barrier_wait(&race->barrier);
	}
	return NULL;
}

/* Returns the number of failures, or -errno. */
static int race_run(struct race *race)
{
	struct thread thread[THREADS];
	unsigned int i;

	if (pthread_barrier_init(&race->barrier, NULL, THREADS))
		return -ENOMEM;
	for (i = 0; i < THREADS; i++) {
		thread[i].race = race;
		thread[i].number = i;
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]))
			return -EAGAIN;
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i].id, NULL);
	pthread_barrier_destroy(&race->barrier);
	return (int)race->failures;
}

static unsigned int rounds(unsigned int few)
{
	const char *seconds = getenv("STRESS_SECONDS");

	return seconds ? 200 : few;
}

TEST_F_TIMEOUT(movable, maps_of_small_pages_do_not_fail, 900)
{
	struct race race = {
		.rig = &self->rig,
		.length = HUGE,
		.rounds = rounds(30),
	};

	race.memory = mmap(NULL, race.length, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)race.memory);
	ASSERT_EQ(0, madvise(race.memory, race.length, MADV_NOHUGEPAGE));
	EXPECT_EQ(0, race_run(&race));
}

TEST_F_TIMEOUT(movable, maps_of_huge_pages_do_not_fail, 900)
{
	struct race race = {
		.rig = &self->rig,
		.length = 4 * HUGE,
		.rounds = rounds(15),
	};
	char *memory = mmap(NULL, race.length + HUGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, (void *)memory);
	race.memory = memory + (-(unsigned long)memory & (HUGE - 1));
	ASSERT_EQ(0, madvise(race.memory, race.length, MADV_HUGEPAGE));
	EXPECT_EQ(0, race_run(&race));
}

TEST_F_TIMEOUT(movable, maps_of_shared_memory_do_not_fail, 900)
{
	struct race race = {
		.rig = &self->rig,
		.length = HUGE,
		.rounds = rounds(15),
	};

	race.memory = mmap(NULL, race.length, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)race.memory);
	EXPECT_EQ(0, race_run(&race));
}

TEST_HARNESS_MAIN
