// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure how many instructions it takes to map and unmap 256 MiB in one call,
 * and 16384 single pages in as many calls.
 *
 * Usage: table FRONT_END REPEATS
 */
#include <stdio.h>
#include <stdlib.h>

#include "memory.h"
#include "space.h"

#define LENGTH	(256ul << 20)
#define SMALL	16384u

static void whole(struct space *space, const char *name, const void *memory)
{
	__u64 start = ticks(), mapped, end;

	space_map(space, memory, LENGTH, IOVA);
	mapped = ticks();
	space_unmap(space, IOVA, LENGTH);
	end = ticks();
	printf("bench: map_%s %llu\n", name, mapped - start);
	printf("bench: unmap_%s %llu\n", name, end - mapped);
}

static void small(struct space *space, const char *memory)
{
	__u64 start = ticks(), mapped, end;
	unsigned int i;

	for (i = 0; i < SMALL; i++)
		space_map(space, memory + i * PAGE, PAGE, IOVA + i * PAGE);
	mapped = ticks();
	for (i = 0; i < SMALL; i++)
		space_unmap(space, IOVA + i * PAGE, PAGE);
	end = ticks();
	printf("bench: map_small %llu\n", (mapped - start) / SMALL);
	printf("bench: unmap_small %llu\n", (end - mapped) / SMALL);
}

int main(int argc, char **argv)
{
	struct pci_address address;
	struct space space;
	char *memory;
	int i, repeats;

	if (argc != 3)
		return 2;
	repeats = atoi(argv[2]);
	set_up_process();
	find_devices(&address, 1);
	space_open(&space, argv[1], address.text);

	memory = new_fragmented(LENGTH);
	for (i = 0; i < repeats; i++)
		whole(&space, "fragmented", memory);
	for (i = 0; i < repeats; i++)
		small(&space, memory);
	unmap_memory(memory, LENGTH);

	memory = new_huge(LENGTH);
	for (i = 0; i < repeats; i++)
		whole(&space, "thp", memory);
	space_close(&space);
	return 0;
}
