// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure the longest time, in microseconds, that calls on other ranges take
 * while a long call on the same space is in flight in another thread.
 *
 * Usage: waits FRONT_END
 *
 * struct flight describes the long call. While it is in flight, the main thread
 * repeatedly queries the usable IOVAs, unmaps one page and maps it again.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "space.h"

#define LENGTH	(1024ul << 20)
#define SMALL	(IOVA - (64ul << 20))

struct flight {
	struct space *space;
	const char *second;	/* address of the device to attach */
	unsigned int device;
	void *memory;
	void (*call)(struct flight *flight);
	atomic_bool begun;
	atomic_bool ended;
	__u64 took;
};

static void fly_map(struct flight *flight)
{
	space_map(flight->space, flight->memory, LENGTH, IOVA);
}

static void fly_attach(struct flight *flight)
{
	space_attach(flight->space, flight->device, flight->second);
}

static void fly_table(struct flight *flight)
{
	__u32 id;

	must("HWPT_ALLOC", space_new_table(flight->space, flight->device, &id));
}

static void fly_nowhere(struct flight *unused)
{
	sleep(3);
}

static void *fly(void *argument)
{
	struct flight *flight = argument;
	__u64 start = nanoseconds();

	atomic_store(&flight->begun, true);
	flight->call(flight);
	flight->took = nanoseconds() - start;
	atomic_store(&flight->ended, true);
	return NULL;
}

static __u64 later(__u64 *since, __u64 *longest)
{
	__u64 now = nanoseconds();

	if (now - *since > *longest)
		*longest = now - *since;
	*since = now;
	return now;
}

static void watch(const char *name, struct flight *flight,
		  void (*call)(struct flight *flight), const void *page)
{
	__u64 query = 0, unmap = 0, map = 0, now;
	unsigned long rounds = 0;
	pthread_t thread;

	flight->call = call;
	atomic_store(&flight->begun, false);
	atomic_store(&flight->ended, false);
	must("start a thread", -pthread_create(&thread, NULL, fly, flight));
	while (!atomic_load(&flight->begun))
		;
	do {
		now = nanoseconds();
		space_query(flight->space);
		later(&now, &query);
		space_unmap(flight->space, SMALL, PAGE);
		later(&now, &unmap);
		space_map(flight->space, page, PAGE, SMALL);
		later(&now, &map);
		rounds++;
	} while (!atomic_load(&flight->ended));
	pthread_join(thread, NULL);
	printf("bench: %s_flight %llu\n", name, flight->took / 1000);
	printf("bench: %s_query %llu\n", name, query / 1000);
	printf("bench: %s_unmap %llu\n", name, unmap / 1000);
	printf("bench: %s_map %llu\n", name, map / 1000);
	printf("bench: %s_rounds %lu\n", name, rounds);
}

int main(int argc, char **argv)
{
	struct pci_address devices[2];
	struct flight flight = {};
	struct space space;
	char *page;
	__u32 id;

	if (argc != 2)
		return 2;
	set_up_process();
	find_devices(devices, 2);
	page = new_fragmented(PAGE);
	flight.space = &space;
	flight.second = devices[1].text;

	space_open(&space, argv[1], devices[0].text);
	space_map(&space, page, PAGE, SMALL);
	watch("alone", &flight, fly_nowhere, page);
	flight.memory = new_untouched(LENGTH);
	watch("map", &flight, fly_map, page);
	if (!space.type1)
		flight.device = space_bind(&space, flight.second);
	watch("attach", &flight, fly_attach, page);

	/*
	 * Linux 6.12 fills the table with all mappings before HWPT_ALLOC
	 * returns. Our kernel fills it when the first device is attached, so
	 * its figures cover only the allocation.
	 */
	if (!space.type1 && !space_new_table(&space, flight.device, &id)) {
		space_drop_table(&space, id);
		watch("table", &flight, fly_table, page);
	}
	space_close(&space);
	unmap_memory(flight.memory, LENGTH);
	if (space.type1)
		return 0;

	/* Attaching the first device pins the memory of all mappings. */
	space_open(&space, argv[1], NULL);
	flight.memory = new_untouched(LENGTH);
	space_map(&space, page, PAGE, SMALL);
	fly_map(&flight);
	flight.device = space_bind(&space, devices[0].text);
	watch("first", &flight, fly_attach, page);
	space_close(&space);
	return 0;
}
