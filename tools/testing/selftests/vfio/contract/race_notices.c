// SPDX-License-Identifier: GPL-2.0-only
/*
 * T1-169: two threads unmap what a device has pinned, a mapping each, while a
 * third one opens and closes another device that is told of unmaps too. Unlike
 * its neighbours this program judges: no notice of a device may run while
 * another one of it does, and none may be missing. The kernel's log tells
 * whether locks were taken in two orders.
 *
 * race_notices [ROUNDS]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mdev.h"

static char *memory;
static int container;
static struct mdev pinning, coming;
static unsigned int rounds = 100;
static pthread_barrier_t barrier;
static atomic_bool done;
static unsigned int openings;

static void *unmapper(void *arg)
{
	unsigned int number = *(unsigned int *)arg, round;
	__u64 iova = IOVA + number * 16 * PAGE, size;
	struct mdev mdev = pinning;

	mdev.slot = number;
	for (round = 0; round < rounds; round++) {
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

static void *opener(void *arg)
{
	while (!atomic_load(&done)) {
		mdev_close(&coming);
		mdev_open(&coming);
		openings++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int numbers[] = { 0, 1 }, i;
	struct mdev_pin_state state;
	pthread_t threads[2], third;
	bool good;

	if (argc > 1)
		rounds = strtoul(argv[1], NULL, 0);
	memory = new_pages(2);
	container = mdev_container(&pinning, "notified", VFIO_TYPE1v2_IOMMU);
	mdev_join(&coming, "notified", container);
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&third, NULL, opener, NULL))
		die("pthread_create");
	for (i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, unmapper, &numbers[i]))
			die("pthread_create");
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&done, true);
	pthread_join(third, NULL);

	mdev_state(&pinning, &state);
	printf("rounds %u notices %llu overlapped %llu openings %u pins %u\n",
	       rounds, state.notices, state.overlapped, openings, state.pins);
	good = state.notices == 2 * rounds && !state.overlapped && openings &&
	       !state.pins;
	mdev_destroy(&coming);
	mdev_destroy(&pinning);
	close(container);
	printf("race: %s\n", good ? "good" : "bad");
	return !good;
}
