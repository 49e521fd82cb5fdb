// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure the kernel memory that mappings take, and the memory that unmaps do
 * not free.
 *
 * Usage: footprint FRONT_END
 *
 * At each step, print the number of objects in each slab cache, and the memory
 * taken by slabs, vmalloc and per-CPU areas. All caches are shrunk first, so
 * that the difference between two steps is memory in use. The figures exclude
 * I/O page tables, which are allocated as whole pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "memory.h"
#include "space.h"

#define LENGTH	(256ul << 20)
#define SMALL	16384u
#define AGAIN	65536u
#define CHUNK	(256ul << 10)
#define CHUNKS	16384u

/*
 * Make every slab cache release its free slabs. The files stay open, because
 * closing a file frees memory only after a grace period.
 */
static void free_unused_slabs(void)
{
	static size_t nr;
	static int *fds;
	glob_t found;
	size_t i;

	if (!nr) {
		if (glob("/sys/kernel/slab/*/shrink", 0, NULL, &found))
			must("find caches", -ENOENT);
		fds = calloc(found.gl_pathc, sizeof(*fds));
		for (i = 0; fds && i < found.gl_pathc; i++) {
			fds[nr] = open(found.gl_pathv[i], O_WRONLY);
			nr += fds[nr] >= 0;
		}
		globfree(&found);
	}
	/* Wait for objects that are freed after a grace period. */
	sleep(1);
	for (i = 0; i < nr; i++)
		must("shrink a cache", write(fds[i], "1", 1) == 1 ? 0 : -errno);
}

static void show(const char *step)
{
	static const char * const kinds[] = { "Slab", "VmallocUsed", "Percpu" };
	unsigned long objects, all, size;
	char line[512], name[64];
	unsigned int i;
	FILE *file;

	free_unused_slabs();
	for (i = 0; i < 3; i++)
		printf("bench: %s:%s %ld\n", step, kinds[i],
		       counters_of_system(kinds[i]) * 1024);
	file = fopen("/proc/slabinfo", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%63s %lu %lu %lu", name, &objects, &all,
			   &size) == 4)
			printf("bench: %s:cache:%lu:%s %lu\n", step, size, name,
			       objects);
	if (file)
		fclose(file);
}

static void small(struct space *space, const char *memory, const char *name)
{
	char step[64];
	unsigned int i;

	snprintf(step, sizeof(step), "before_small_%s", name);
	show(step);
	for (i = 0; i < SMALL; i++)
		space_map(space, memory + i * PAGE, PAGE, IOVA + 2 * i * PAGE);
	snprintf(step, sizeof(step), "small_%s", name);
	show(step);
	for (i = 0; i < SMALL; i++)
		space_unmap(space, IOVA + 2 * i * PAGE, PAGE);
}

/* Repeat the calls: a single leaked object may just fill a free slab slot. */
static void again(struct space *space, const char *memory, size_t length,
		  unsigned int count, const char *name)
{
	size_t offset = 0;
	char step[64];

	snprintf(step, sizeof(step), "before_%s", name);
	show(step);
	while (count--) {
		space_map(space, memory + offset, length, IOVA + offset);
		space_unmap(space, IOVA + offset, length);
		offset = (offset + length) % LENGTH;
	}
	snprintf(step, sizeof(step), "after_%s", name);
	show(step);
}

static void whole(struct space *space, const char *memory)
{
	show("before_whole");
	space_map(space, memory, LENGTH, IOVA);
	show("whole");
	space_unmap(space, IOVA, LENGTH);
}

int main(int argc, char **argv)
{
	struct pci_address address;
	struct space space;
	char *memory;

	if (argc != 2)
		return 2;
	set_up_process();
	find_devices(&address, 1);
	memory = new_fragmented(LENGTH);

	/* Warm up first, to allocate the caches and tables that persist. */
	space_open(&space, argv[1], address.text);
	small(&space, memory, "warm");
	small(&space, memory, "attached");
	whole(&space, memory);
	again(&space, memory, PAGE, AGAIN, "pages");
	again(&space, memory, CHUNK, CHUNKS, "chunks");
	space_close(&space);
	if (space.type1)
		return 0;

	space_open(&space, argv[1], NULL);
	small(&space, memory, "warm");
	small(&space, memory, "alone");
	space_close(&space);
	return 0;
}
