// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads unmap different mappings, each with a page that a device has
 * pinned, while a third thread opens and closes another device of type
 * "notified". Unlike the other programs, this one checks the result: notices of
 * a device must not overlap, and none may be missing. Lockdep reports lock
 * inversions in the kernel log. This program covers rule T1-169.
 *
 * The first round does not race: the driver holds the notice of one unmap, and
 * the notice of the other unmap must not start until the first notice returns.
 *
 * Usage: race_notices [ROUNDS]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mdev.h"

static char *memory;
static int container;
static struct mdev pinning, reopened;
static unsigned int rounds = 100, to_do;
static pthread_t unmappers[2];
static pthread_barrier_t barrier;
static atomic_bool done;
static unsigned int openings;

static void *unmapper(void *arg)
{
	unsigned int number = *(unsigned int *)arg, round;
	__u64 iova = IOVA + number * 16 * PAGE, size;
	struct mdev mdev = pinning;

	mdev.slot = number;
	for (round = 0; round < to_do; round++) {
		if (map(container, iova, memory + number * PAGE, PAGE,
			READ_WRITE))
			die("map in round %u", round);
		if (mdev_pin(&mdev, iova, 1, PIN_BOTH) != 1)
			die("pin in round %u", round);
		pthread_barrier_wait(&barrier);
		if (unmap(container, iova, PAGE, 0, &size) || size != PAGE)
			die("unmap in round %u", round);
	}
	return NULL;
}

static void start_unmappers(unsigned int nr_rounds)
{
	static unsigned int numbers[] = { 0, 1 };
	unsigned int i;

	to_do = nr_rounds;
	for (i = 0; i < 2; i++)
		if (pthread_create(&unmappers[i], NULL, unmapper, &numbers[i]))
			die("pthread_create");
}

static void join_unmappers(void)
{
	pthread_join(unmappers[0], NULL);
	pthread_join(unmappers[1], NULL);
}

/*
 * Hold the notice of one unmap in the driver for a while. The notice of the
 * other unmap has to wait for it.
 */
static void hold_one_notice(void)
{
	const struct mdev_pin_control control = {
		.flags = MDEV_PIN_NOTICE_UNPIN,
		.hold = 1,
	};
	struct mdev mdev = pinning;

	mdev.slot = 2;
	mdev_control(&pinning, &control);
	start_unmappers(1);
	mdev_wait_held(&pinning, 1);
	usleep(300 * 1000);
	mdev_release(&mdev);
	join_unmappers();
}

static void *opener(void *arg)
{
	while (!atomic_load(&done)) {
		mdev_close(&reopened);
		mdev_open(&reopened);
		openings++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct mdev_pin_state state;
	pthread_t third;
	bool good;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	memory = new_pages(2);
	container = mdev_container(&pinning, "notified", VFIO_TYPE1v2_IOMMU);
	mdev_join(&reopened, "notified", container);
	pthread_barrier_init(&barrier, NULL, 2);
	hold_one_notice();
	if (pthread_create(&third, NULL, opener, NULL))
		die("pthread_create");
	start_unmappers(rounds - 1);
	join_unmappers();
	atomic_store(&done, true);
	pthread_join(third, NULL);

	mdev_state(&pinning, &state);
	printf("# rounds %u notices %llu overlapped %llu openings %u pins %u\n",
	       rounds, state.notices, state.overlapped, openings, state.pins);
	good = state.notices == 2 * rounds && !state.overlapped && openings &&
	       !state.pins;
	mdev_destroy(&reopened);
	mdev_destroy(&pinning);
	close(container);
	record("T1-169", "race", "%s", good ? "good" : "bad");
	return !good;
}
