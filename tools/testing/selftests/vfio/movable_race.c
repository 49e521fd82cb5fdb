// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that pin the same movable memory at the same time: by MAP through
 * type1 and /dev/iommu, by attaching a device, and as a mediated device.
 *
 * Memory in ZONE_MOVABLE is migrated when it is pinned. Each round takes fresh
 * memory, so that all threads meet pages that must be migrated.
 *
 * Rule: no call fails because another one migrates the same page; the slowest
 * takes no more than ten times as long as the slowest of a thread alone; and a
 * process in the midst of it can be killed at any moment, and is soon gone.
 *
 * Eight threads take eight times as long on one processor, or if each has to
 * wait for all others to migrate or pin the same 2 MiB.
 *
 * A kernel with CONFIG_IOPT_DEBUG checks all records of pins after each pin, of
 * which eight threads have eight times as many, so that nothing can be said of
 * the time. With UNTIMED in the environment no time has a limit.
 *
 * Needs a kernel booted with movablecore=. With STRESS_SECONDS in the
 * environment there are 200 rounds, else few.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "mdev_rig.h"
#include "record.h"

#define THREADS		8U
#define SLOWER		10	/* than a thread alone, at most */
/* What a busy host takes from a guest may be longer than a thread alone needs. */
#define LEAST_ALONE	50000	/* microseconds */
#define ROUNDS_ALONE	5
#define KILLS		2
#define GONE		1000	/* milliseconds after the kill, at most */
#define PIN_PAGES	64	/* of each HUGE bytes, a record each */

NEEDS_EDU
NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

struct thread;

/**
 * struct kind - one way of pinning
 * @pin: does it; 0 or -errno
 * @undo: unpins
 */
struct kind {
	int (*pin)(struct thread *thread);
	void (*undo)(struct thread *thread);
};

/**
 * struct race - memory and the threads that pin it
 * @machine: the devices
 * @front: the space that is mapped in
 * @device: a mediated device
 * @mdev: its file
 * @mdev_space: the space it is in, by either of the two ways
 * @other: devices that are attached, each to an IOAS of its own
 * @other_ioas: these
 * @memory: the memory
 * @length: its length in bytes
 * @huge: it is of huge pages
 * @kind: of each thread
 * @threads: how many
 * @rounds: number of rounds
 * @barrier: before and after the pins of a round
 * @failures: number of pins that failed
 * @error: of one of them
 * @slowest: the longest pin, in microseconds
 */
struct race {
	struct machine machine;
	struct front front;
	struct mediated device;
	int mdev;
	struct front mdev_space;
	struct device other[2];
	__u32 other_ioas[2];
	char *memory;
	size_t length;
	bool huge;
	const struct kind *kind[THREADS];
	unsigned int threads;
	unsigned int rounds;
	pthread_barrier_t barrier;
	unsigned int failures;
	int error;
	long slowest;
};

/**
 * struct thread - one thread
 * @race: the race that it takes part in
 * @number: counts from 0
 * @iova: where it maps
 * @id: the thread
 */
struct thread {
	struct race *race;
	unsigned int number;
	__u64 iova;
	pthread_t id;
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

/* Called before any test, because the harness runs one that setup skipped. */
static void __attribute__((constructor)) needs_movable(void)
{
	if (!movable_pages())
		ksft_exit_skip("the kernel was not booted with movablecore=\n");
}

static __u64 iova_of(unsigned int number)
{
	return ((__u64)number + 1) << 32;
}

static int map(struct thread *thread)
{
	struct race *race = thread->race;

	return front_map(&race->front, race->memory, race->length, thread->iova,
			 true);
}

static void unmap(struct thread *thread)
{
	front_unmap(&thread->race->front, thread->iova, thread->race->length);
}

/* In a slot of the thread's own, pages that are mapped for it. */
static int pin(struct thread *thread)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = thread->iova,
		.npage = PIN_PAGES,
		.prot = PIN_BOTH,
	};
	int rc = mediated_run(thread->race->mdev, thread->number, &request);

	return rc == request.npage ? 0 : rc;
}

static void unpin(struct thread *thread)
{
	struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_UNPIN,
		.iova = thread->iova,
		.npage = PIN_PAGES,
	};

	mediated_run(thread->race->mdev, thread->number, &request);
}

static int attach(struct thread *thread)
{
	struct race *race = thread->race;
	__u32 pt_id = race->other_ioas[thread->number];

	return vfio_attach(race->other[thread->number].fd, &pt_id);
}

static void detach(struct thread *thread)
{
	vfio_detach(thread->race->other[thread->number].fd);
}

static const struct kind maps = { map, unmap };
static const struct kind pins = { pin, unpin };
static const struct kind attaches = { attach, detach };

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void pin_once(struct thread *thread)
{
	struct race *race = thread->race;
	const struct kind *kind = race->kind[thread->number];
	long start = microseconds(), took, slowest;
	int err = kind->pin(thread);

	took = microseconds() - start;
	slowest = __atomic_load_n(&race->slowest, __ATOMIC_RELAXED);
	while (took > slowest &&
	       !__atomic_compare_exchange_n(&race->slowest, &slowest, took,
					    false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
	if (err) {
		__atomic_add_fetch(&race->failures, 1, __ATOMIC_RELAXED);
		__atomic_store_n(&race->error, err, __ATOMIC_RELAXED);
	}
	pthread_barrier_wait(&race->barrier);
	if (!err)
		kind->undo(thread);
}

/* Fresh memory for the next round. */
static void renew(struct race *race, unsigned int round)
{
	madvise(race->memory, race->length, MADV_DONTNEED);
	memset(race->memory, 1, race->length);
	if (round % 10 != 9)
		return;
	/* The harness stops a guest that prints nothing. */
	printf("# %u rounds\n", round + 1);
	fflush(stdout);
}

static void *run(void *argument)
{
	struct thread *thread = argument;
	struct race *race = thread->race;
	unsigned int round;

	for (round = 0; round < race->rounds; round++) {
		if (!thread->number)
			renew(race, round);
		pthread_barrier_wait(&race->barrier);
		pin_once(thread);
		pthread_barrier_wait(&race->barrier);
	}
	return NULL;
}

/* Returns the microseconds of the slowest pin, or -errno. */
static long race_run(struct race *race, unsigned int threads,
		     unsigned int rounds)
{
	struct thread thread[THREADS];
	unsigned int i;

	race->threads = threads;
	race->rounds = rounds;
	race->slowest = 0;
	if (pthread_barrier_init(&race->barrier, NULL, threads))
		return -ENOMEM;
	for (i = 0; i < threads; i++) {
		thread[i] = (struct thread){
			.race = race,
			.number = i,
			.iova = iova_of(i),
		};
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]))
			return -EAGAIN;
	}
	for (i = 0; i < threads; i++)
		pthread_join(thread[i].id, NULL);
	pthread_barrier_destroy(&race->barrier);
	return race->slowest;
}

static unsigned int rounds(unsigned int few)
{
	return getenv("STRESS_SECONDS") ? 200 : few;
}

/* Small pages of a process, huge ones, or pages that processes share. */
static int take_memory(struct race *race, int sharing)
{
	char *memory = mmap(NULL, race->length + HUGE, PROT_READ | PROT_WRITE,
			    sharing | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	race->memory = memory + (-(unsigned long)memory & (HUGE - 1));
	if (sharing == MAP_SHARED)
		return 0;
	return madvise(race->memory, race->length, race->huge ?
		       MADV_HUGEPAGE : MADV_NOHUGEPAGE) ? -errno : 0;
}

/* The mediated device, and the memory mapped for each of the threads. */
static int open_mdev(struct race *race, bool type1)
{
	struct front *space = &race->mdev_space;
	unsigned int i;
	int err;

	err = mediated_create(&race->device, "mdev_pin", "notified");
	if (!err)
		err = front_open_mediated(space, type1, &race->device);
	race->mdev = type1 ? space->legacy.device : space->device.fd;
	for (i = 0; !err && i < THREADS; i++)
		err = front_map(space, race->memory, race->length, iova_of(i),
				true);
	return err;
}

/* Devices that are attached, to a space each in which the memory is mapped. */
static int open_others(struct race *race)
{
	const char *address[2] = {
		race->machine.lone[1].text,
		race->machine.pair[0].text,
	};
	int err, fd = race->front.iommufd;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		err = device_open(&race->other[i], address[i], fd);
		if (!err)
			err = ioas_alloc(fd, &race->other_ioas[i]);
		if (!err)
			err = ioas_map(fd, race->other_ioas[i], race->memory,
				       race->length, iova_of(i),
				       IOAS_READ_WRITE);
		if (err)
			return err;
	}
	return 0;
}

static int race_open(struct race *race, bool type1, bool huge, int sharing)
{
	unsigned int i;
	int err;

	*race = (struct race){
		.front = NO_FRONT,
		.mdev_space = NO_FRONT,
		.other = { { .fd = -1 }, { .fd = -1 } },
		.length = HUGE,
		.huge = huge,
	};
	for (i = 0; i < THREADS; i++)
		race->kind[i] = &maps;
	err = take_memory(race, sharing);
	if (!err)
		err = machine_find(&race->machine);
	if (!err)
		err = front_open(&race->front, type1,
				 race->machine.lone[0].text);
	return err;
}

static void race_close(struct race *race)
{
	device_close(&race->other[0]);
	device_close(&race->other[1]);
	front_close(&race->front);
	front_close(&race->mdev_space);
	if (race->device.uuid[0])
		mediated_remove(&race->device);
}

FIXTURE(movable)
{
	struct race race;
	long pinned;
	long locked;
};

FIXTURE_VARIANT(movable)
{
	bool type1;
	bool huge;
	bool shared;
};

FIXTURE_VARIANT_ADD(movable, iommufd_small) { .type1 = false };
FIXTURE_VARIANT_ADD(movable, iommufd_huge) { .huge = true };
FIXTURE_VARIANT_ADD(movable, iommufd_shared) { .shared = true };
FIXTURE_VARIANT_ADD(movable, type1_small) { .type1 = true };
FIXTURE_VARIANT_ADD(movable, type1_huge) { .type1 = true, .huge = true };
FIXTURE_VARIANT_ADD(movable, type1_shared) { .type1 = true, .shared = true };

FIXTURE_SETUP(movable)
{
	self->pinned = counters_pinned();
	self->locked = counters_of_self("VmLck");
	ASSERT_EQ(0, race_open(&self->race, variant->type1, variant->huge,
			       variant->shared ? MAP_SHARED : MAP_PRIVATE));
	ASSERT_EQ(2u, self->race.machine.nr_lone);
	ASSERT_TRUE(self->race.machine.has_pair);
}

FIXTURE_TEARDOWN(movable)
{
	race_close(&self->race);
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(self->locked, counters_of_self("VmLck"));
}

/* The slowest pin of a thread alone, of any of the kinds. */
static long alone(struct race *race)
{
	const struct kind *kind[THREADS];
	long slowest = 0, took;
	unsigned int i;

	memcpy(kind, race->kind, sizeof(kind));
	for (i = 0; i < THREADS; i++) {
		if (i && kind[i] == kind[i - 1])
			continue;
		race->kind[0] = kind[i];
		took = race_run(race, 1, ROUNDS_ALONE);
		slowest = took > slowest ? took : slowest;
	}
	race->kind[0] = kind[0];
	return slowest;
}

static bool timed(void)
{
	return !getenv("UNTIMED");
}

static void compare(struct __test_metadata *_metadata, struct race *race,
		    unsigned int few)
{
	long one = alone(race), all;
	long base = one > LEAST_ALONE ? one : LEAST_ALONE;

	all = race_run(race, THREADS, rounds(few));
	ASSERT_LT(0, all);
	EXPECT_EQ(0u, race->failures) {
		TH_LOG("error %d", race->error);
	}
	if (timed())
		EXPECT_GE(SLOWER * base, all);
	printf("# slowest pin: %ld us alone, %ld us of %u threads\n", one, all,
	       THREADS);
	fflush(stdout);
}

TEST_F_TIMEOUT(movable, maps, 1800)
{
	compare(_metadata, &self->race, 8);
}

static int pin_all(struct race *race, bool type1)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		race->kind[i] = &pins;
	return open_mdev(race, type1);
}

TEST_F_TIMEOUT(movable, access_pins, 1800)
{
	if (variant->shared)
		SKIP(return, "as with memory of its own");
	ASSERT_EQ(0, pin_all(&self->race, variant->type1));
	compare(_metadata, &self->race, 4);
}

/* Two threads attach, three map and three pin by a container. */
static int mix(struct race *race)
{
	unsigned int i;
	int err = open_mdev(race, true);

	for (i = 0; i < THREADS; i++)
		race->kind[i] = i < 2 ? &attaches : i < 5 ? &maps : &pins;
	return err ? err : open_others(race);
}

TEST_F_TIMEOUT(movable, all_kinds, 1800)
{
	if (variant->type1 || variant->shared)
		SKIP(return, "done for /dev/iommu, which has many spaces");
	ASSERT_EQ(0, mix(&self->race));
	compare(_metadata, &self->race, 4);
}

FIXTURE(killed)
{
	struct race *race;
	int *ready;
	long pinned;
};

FIXTURE_VARIANT(killed)
{
	bool type1;
	bool huge;
	int (*prepare)(struct race *race);
};

static int only_map(struct race *race)
{
	return 0;
}

static int only_pin(struct race *race)
{
	return pin_all(race, race->front.type1);
}

FIXTURE_VARIANT_ADD(killed, iommufd_maps) { .prepare = only_map };
FIXTURE_VARIANT_ADD(killed, iommufd_pins) { .prepare = only_pin };
FIXTURE_VARIANT_ADD(killed, iommufd_mix) { .prepare = mix };
FIXTURE_VARIANT_ADD(killed, iommufd_huge_mix) { .huge = true, .prepare = mix };

FIXTURE_VARIANT_ADD(killed, type1_maps)
{
	.type1 = true,
	.prepare = only_map,
};

FIXTURE_VARIANT_ADD(killed, type1_pins)
{
	.type1 = true,
	.prepare = only_pin,
};

FIXTURE_SETUP(killed)
{
	self->pinned = counters_pinned();
	self->race = mmap(NULL, sizeof(*self->race) + sizeof(int),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->race);
	self->ready = (int *)(self->race + 1);
}

/* Pages are unpinned as the process exits, and a little later. */
FIXTURE_TEARDOWN(killed)
{
	unsigned int i;

	for (i = 0; i < 10 && counters_pinned() != self->pinned; i++)
		usleep(100 * 1000);
	EXPECT_EQ(self->pinned, counters_pinned());
}

/* Races until it is killed. */
static void race_for_ever(struct race *race, int *ready, bool type1, bool huge,
			  int (*prepare)(struct race *race))
{
	int err = race_open(race, type1, huge, MAP_PRIVATE);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!err)
		err = prepare(race);
	__atomic_store_n(ready, err ? err : 1, __ATOMIC_RELEASE);
	if (!err)
		race_run(race, THREADS, ~0u);
	_exit(1);
}

static int wait_ready(const int *ready)
{
	unsigned int i;

	for (i = 0; i < 3000; i++) {
		if (__atomic_load_n(ready, __ATOMIC_ACQUIRE))
			return *ready;
		usleep(10 * 1000);
	}
	return -ETIMEDOUT;
}

static long kill_and_wait(pid_t child)
{
	long start = milliseconds();

	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return milliseconds() - start;
}

TEST_F_TIMEOUT(killed, is_soon_gone, 600)
{
	unsigned int kills = getenv("STRESS_SECONDS") ? 20 : KILLS, i;
	long took, slowest = 0;
	pid_t child;

	for (i = 0; i < kills; i++) {
		*self->ready = 0;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			race_for_ever(self->race, self->ready, variant->type1,
				      variant->huge, variant->prepare);
		EXPECT_EQ(1, wait_ready(self->ready));
		usleep((200 + 37 * (i % 8)) * 1000);
		took = kill_and_wait(child);
		slowest = took > slowest ? took : slowest;
		if (self->race->device.uuid[0])
			mediated_remove(&self->race->device);
		self->race->device.uuid[0] = 0;
	}
	if (timed())
		EXPECT_GE(GONE, slowest);
	printf("# gone %ld ms after the kill\n", slowest);
	fflush(stdout);
}

TEST_HARNESS_MAIN
