// SPDX-License-Identifier: GPL-2.0-only
/*
 * Race threads that pin the same movable memory. A thread maps the memory in a
 * container or an IOAS, attaches a device to an address space that maps the
 * memory, or pins through a mediated device.
 *
 * A longterm pin migrates a page out of ZONE_MOVABLE. Each round starts with
 * newly allocated memory, so that every thread may have to migrate pages.
 *
 * A call must not fail merely because another thread migrates the same page.
 * With eight threads, the slowest pin must take at most ten times as long as
 * with a single thread. A factor of eight is expected if the threads share one
 * CPU, or if each waits until all others have migrated or pinned the same
 * 2 MiB. A process that is killed while it pins must exit promptly.
 *
 * A kernel with CONFIG_IOPT_DEBUG checks the whole space after each map, unmap,
 * attach and detach. With eight threads, the space has eight times as many
 * mappings and pins, which makes the measured times meaningless. Set UNTIMED in
 * the environment to skip the time limits.
 *
 * The kernel must be booted with movablecore=. If STRESS_SECONDS is set in the
 * environment, each race runs 200 rounds, and more processes are killed.
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
#include "mdev_testbed.h"
#include "record.h"

#define THREADS		8U
#define MAX_SLOWDOWN	10	/* Limit relative to a single thread */
/*
 * Assume that a single thread takes at least this time, because a busy host can
 * delay a pin for longer than the pin itself takes.
 */
#define MIN_BASE	50000	/* microseconds */
#define BASE_ROUNDS	5
#define KILLS		2
#define MAX_EXIT	1000	/* milliseconds from kill to exit */
/*
 * Pages per pin. A pin covers only a part of the memory, because mdev_pin
 * records each page that it pins, which adds to the measured time.
 */
#define PIN_PAGES	64

NEEDS_EDU(2)
NEEDS_MDEV_PIN
RECORDS_NO_ERRNO

struct thread;

/**
 * struct kind - one way to pin the memory
 * @pin: pin the memory; return 0 or -errno
 * @undo: unpin the memory
 */
struct kind {
	int (*pin)(struct thread *thread);
	void (*undo)(struct thread *thread);
};

/**
 * struct race - memory and the threads that pin it
 * @machine: edu devices of the machine
 * @front: address space that threads of kind map_kind map the memory into
 * @device: mediated device of threads of kind pin_kind
 * @mdev: file of @device
 * @mdev_space: address space that @device is attached to
 * @other: devices that threads of kind attach_kind attach, by thread number
 * @other_ioas: address spaces that map the memory, one per entry of @other
 * @memory: the memory
 * @length: size of the memory in bytes
 * @huge: the memory consists of huge pages
 * @free_pages: advice to madvise() that frees the pages of the memory
 * @kind: how each thread pins the memory
 * @threads: number of threads
 * @rounds: number of rounds
 * @barrier: separates the pins of a round from the allocation before them and
 *           from the unpins after them
 * @failures: number of pins that failed
 * @error: -errno of one of the pins that failed
 * @slowest: duration of the slowest pin in microseconds
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
	int free_pages;
	const struct kind *kind[THREADS];
	unsigned int threads;
	unsigned int rounds;
	pthread_barrier_t barrier;
	unsigned int failures;
	int error;
	long slowest;
};

/**
 * struct thread - one thread of a race
 * @race: the race
 * @number: index of the thread, from 0
 * @iova: where the memory is mapped for this thread
 * @id: thread handle
 */
struct thread {
	struct race *race;
	unsigned int number;
	__u64 iova;
	pthread_t id;
};

/* Return the number of managed pages in ZONE_MOVABLE. */
static unsigned long movable_pages(void)
{
	FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long pages = 0, number;
	char line[256];
	int in_movable = 0;

	while (file && fgets(line, sizeof(line), file)) {
		if (strstr(line, "zone "))
			in_movable = !!strstr(line, "Movable");
		if (in_movable && sscanf(line, " managed %lu", &number) == 1)
			pages += number;
	}
	if (file)
		fclose(file);
	return pages;
}

/*
 * Skip the whole program before any test starts, because the harness runs a
 * test even if its setup was skipped.
 */
static void __attribute__((constructor)) needs_movable(void)
{
	if (!movable_pages())
		ksft_exit_skip("needs a kernel booted with movablecore=\n");
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

/* Each thread uses its own command slot of the device, and its own mapping. */
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

static const struct kind map_kind = { map, unmap };
static const struct kind pin_kind = { pin, unpin };
static const struct kind attach_kind = { attach, detach };

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
	long start = microseconds(), duration, slowest;
	int err = kind->pin(thread);

	duration = microseconds() - start;
	slowest = __atomic_load_n(&race->slowest, __ATOMIC_RELAXED);
	while (duration > slowest &&
	       !__atomic_compare_exchange_n(&race->slowest, &slowest, duration,
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

/* Replace all pages of the memory with newly allocated pages. */
static void reallocate_memory(struct race *race, unsigned int round)
{
	if (madvise(race->memory, race->length, race->free_pages)) {
		race->failures++;
		race->error = -errno;
	}
	memset(race->memory, 1, race->length);
	if (round % 10 != 9)
		return;
	/*
	 * Show progress: if this program runs in a virtual machine, the test
	 * system may take silence for a hang.
	 */
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
			reallocate_memory(race, round);
		pthread_barrier_wait(&race->barrier);
		pin_once(thread);
		pthread_barrier_wait(&race->barrier);
	}
	return NULL;
}

/*
 * Let @threads threads pin memory at the same time, @rounds times. Return the
 * duration of the slowest pin in microseconds, or -errno.
 */
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
		/* The other threads would never pass the barrier. */
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]))
			_exit(1);
	}
	for (i = 0; i < threads; i++)
		pthread_join(thread[i].id, NULL);
	pthread_barrier_destroy(&race->barrier);
	return race->slowest;
}

static unsigned int stress_rounds(unsigned int default_rounds)
{
	return getenv("STRESS_SECONDS") ? 200 : default_rounds;
}

/* Allocate private memory of small or huge pages, or shared memory. */
static int alloc_memory(struct race *race, int sharing)
{
	char *memory = mmap(NULL, race->length + HUGE, PROT_READ | PROT_WRITE,
			    sharing | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	race->memory = memory + (-(unsigned long)memory & (HUGE - 1));
	race->free_pages = sharing == MAP_SHARED ? MADV_REMOVE : MADV_DONTNEED;
	if (sharing == MAP_SHARED)
		return 0;
	return madvise(race->memory, race->length, race->huge ?
		       MADV_HUGEPAGE : MADV_NOHUGEPAGE) ? -errno : 0;
}

/*
 * Create a mediated device and open it in a space of its own. Map the memory
 * there once per thread.
 */
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

/*
 * Open the devices to attach, and map the memory in an address space for each
 * of them.
 */
static int open_others(struct race *race)
{
	const char *address[2] = {
		race->machine.singleton[1].text,
		race->machine.siblings[0].text,
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
		race->kind[i] = &map_kind;
	err = alloc_memory(race, sharing);
	if (!err)
		err = machine_find(&race->machine);
	if (!err)
		err = front_open(&race->front, type1,
				 race->machine.singleton[0].text);
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
	ASSERT_EQ(2u, self->race.machine.nr_singletons);
	ASSERT_TRUE(self->race.machine.has_siblings);
}

FIXTURE_TEARDOWN(movable)
{
	race_close(&self->race);
	EXPECT_EQ(self->pinned, counters_pinned());
	EXPECT_EQ(self->locked, counters_of_self("VmLck"));
}

/*
 * Run each kind of pin in a single thread. Return the duration of the slowest
 * pin in microseconds.
 */
static long single_thread(struct race *race)
{
	const struct kind *kind[THREADS];
	long slowest = 0, duration;
	unsigned int i;

	memcpy(kind, race->kind, sizeof(kind));
	for (i = 0; i < THREADS; i++) {
		if (i && kind[i] == kind[i - 1])
			continue;
		race->kind[0] = kind[i];
		duration = race_run(race, 1, BASE_ROUNDS);
		slowest = duration > slowest ? duration : slowest;
	}
	race->kind[0] = kind[0];
	return slowest;
}

static bool is_timed(void)
{
	return !getenv("UNTIMED");
}

static void compare(struct __test_metadata *_metadata, struct race *race,
		    unsigned int default_rounds)
{
	long one = single_thread(race), all;
	long base = one > MIN_BASE ? one : MIN_BASE;

	all = race_run(race, THREADS, stress_rounds(default_rounds));
	ASSERT_LT(0, all);
	EXPECT_EQ(0u, race->failures) {
		TH_LOG("a pin returned %d", race->error);
	}
	if (is_timed())
		EXPECT_GE(MAX_SLOWDOWN * base, all);
	printf("# slowest pin: %ld us with 1 thread, %ld us with %u threads\n",
	       one, all, THREADS);
	fflush(stdout);
}

TEST_F_TIMEOUT(movable, map, 1800)
{
	compare(_metadata, &self->race, 8);
}

static int prepare_pins(struct race *race, bool type1)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		race->kind[i] = &pin_kind;
	return open_mdev(race, type1);
}

TEST_F_TIMEOUT(movable, pin, 1800)
{
	if (variant->shared)
		SKIP(return, "shared memory is covered by the test map");
	ASSERT_EQ(0, prepare_pins(&self->race, variant->type1));
	compare(_metadata, &self->race, 4);
}

/*
 * Two threads attach, three map, and three pin through a mediated device in a
 * container.
 */
static int prepare_mix(struct race *race)
{
	unsigned int i;
	int err = open_mdev(race, true);

	for (i = 0; i < THREADS; i++)
		race->kind[i] = i < 2 ? &attach_kind :
				i < 5 ? &map_kind : &pin_kind;
	return err ? err : open_others(race);
}

TEST_F_TIMEOUT(movable, all_kinds, 1800)
{
	if (variant->type1 || variant->shared)
		SKIP(return, "runs only with private memory and an iommufd");
	ASSERT_EQ(0, prepare_mix(&self->race));
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

static int prepare_maps_only(struct race *race)
{
	return 0;
}

static int prepare_pins_only(struct race *race)
{
	return prepare_pins(race, race->front.type1);
}

FIXTURE_VARIANT_ADD(killed, iommufd_map) { .prepare = prepare_maps_only };
FIXTURE_VARIANT_ADD(killed, iommufd_pin) { .prepare = prepare_pins_only };
FIXTURE_VARIANT_ADD(killed, iommufd_mix) { .prepare = prepare_mix };

FIXTURE_VARIANT_ADD(killed, iommufd_huge_mix)
{
	.huge = true,
	.prepare = prepare_mix,
};

FIXTURE_VARIANT_ADD(killed, type1_map)
{
	.type1 = true,
	.prepare = prepare_maps_only,
};

FIXTURE_VARIANT_ADD(killed, type1_pin)
{
	.type1 = true,
	.prepare = prepare_pins_only,
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

/* Some pages might not be unpinned until shortly after the process exited. */
FIXTURE_TEARDOWN(killed)
{
	unsigned int i;

	for (i = 0; i < 10 && counters_pinned() != self->pinned; i++)
		usleep(100 * 1000);
	EXPECT_EQ(self->pinned, counters_pinned());
}

/*
 * Run a race in the child until the child is killed. Set @ready to 1 when the
 * race starts, or to -errno if it cannot start.
 */
static void race_until_killed(struct race *race, int *ready, bool type1,
			      bool huge, int (*prepare)(struct race *race))
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

TEST_F_TIMEOUT(killed, exits_promptly, 600)
{
	unsigned int kills = getenv("STRESS_SECONDS") ? 20 : KILLS, i;
	long duration, slowest = 0;
	pid_t child;

	for (i = 0; i < kills; i++) {
		*self->ready = 0;
		child = fork();
		ASSERT_LE(0, child);
		if (!child)
			race_until_killed(self->race, self->ready,
					  variant->type1, variant->huge,
					  variant->prepare);
		EXPECT_EQ(1, wait_ready(self->ready));
		usleep((200 + 37 * (i % 8)) * 1000);
		duration = kill_and_wait(child);
		slowest = duration > slowest ? duration : slowest;
		if (self->race->device.uuid[0])
			mediated_remove(&self->race->device);
		self->race->device.uuid[0] = 0;
	}
	if (is_timed())
		EXPECT_GE(MAX_EXIT, slowest);
	printf("# exit took %ld ms after the kill\n", slowest);
	fflush(stdout);
}

TEST_HARNESS_MAIN
