// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure how many instructions it takes to map and unmap a page in a space
 * with few or with many mappings, and to attach a device or create another I/O
 * page table while the space has mappings.
 *
 * Usage: flat FRONT_END
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "space.h"

#define LENGTH	(256ul << 20)
#define PROBES	512u

/* Use every other page. probe() maps and unmaps the pages in between. */
static __u64 slot(unsigned int nr)
{
	return IOVA + 2ull * nr * PAGE;
}

static void populate(struct space *space, const char *memory,
		     unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		space_map(space, memory + from * PAGE, PAGE, slot(from));
}

static void probe(struct space *space, const char *memory, unsigned int there)
{
	__u32 *order = new_order(there);
	__u64 map = 0, unmap = 0, choose = 0;
	unsigned int i;

	for (i = 0; i < PROBES; i++) {
		__u64 iova = slot(order[i % there]) + PAGE, start, mapped;

		start = ticks();
		space_map(space, memory + i * PAGE, PAGE, iova);
		mapped = ticks();
		space_unmap(space, iova, PAGE);
		map += mapped - start;
		unmap += ticks() - mapped;
	}
	printf("bench: map_%u %llu\n", there, map / PROBES);
	printf("bench: unmap_%u %llu\n", there, unmap / PROBES);
	for (i = 0; !space->type1 && i < PROBES; i++) {
		__u64 start = ticks(), iova;

		iova = space_map_anywhere(space, memory + i * PAGE, PAGE);
		choose += ticks() - start;
		space_unmap(space, iova, PAGE);
	}
	if (!space->type1)
		printf("bench: choose_%u %llu\n", there, choose / PROBES);
	free(order);
}

static void calls(const char *front_end, const struct pci_address *devices,
		  const char *memory)
{
	static const unsigned int sizes[] = { 1, 1000, 65000 };
	struct space space;
	unsigned int i, there = 0;

	space_open(&space, front_end, devices[0].text);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		populate(&space, memory, there, sizes[i]);
		there = sizes[i];
		probe(&space, memory, there);
	}
	space_close(&space);
}

static void second(struct space *space, const char *name, const char *address)
{
	unsigned int device = 0;
	__u64 start;
	long err;
	__u32 id;

	if (!space->type1)
		device = space_bind(space, address);
	start = ticks();
	space_attach(space, device, address);
	printf("bench: second_%s %llu\n", name, ticks() - start);
	if (space->type1)
		return;
	start = ticks();
	err = space_new_table(space, device, &id);
	if (!err)
		printf("bench: table_%s %llu\n", name, ticks() - start);
}

/* Attach devices to a space that maps 256 MiB at once or page by page. */
static void attach(const char *front_end, const char *name, bool small,
		   const struct pci_address *devices, const char *memory)
{
	bool type1 = !strcmp(front_end, "type1");
	struct space space;
	__u64 start;

	space_open(&space, front_end, type1 ? devices[0].text : NULL);
	if (small)
		populate(&space, memory, 0, LENGTH / PAGE - 1);
	else
		space_map(&space, memory, LENGTH, IOVA);
	if (!type1) {
		unsigned int device = space_bind(&space, devices[0].text);

		start = ticks();
		space_attach(&space, device, devices[0].text);
		printf("bench: first_%s %llu\n", name, ticks() - start);
	}
	second(&space, name, devices[1].text);
	space_close(&space);
}

int main(int argc, char **argv)
{
	struct pci_address devices[2];
	char *memory;

	if (argc != 2)
		return 2;
	set_up_process();
	find_devices(devices, 2);
	memory = new_fragmented(LENGTH);
	calls(argv[1], devices, memory);
	attach(argv[1], "one", false, devices, memory);
	attach(argv[1], "many", true, devices, memory);
	return 0;
}
