// SPDX-License-Identifier: GPL-2.0-only
/* Allocate memory with a known physical layout (see memory.h). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "counters.h"
#include "memory.h"
#include "space.h"

/* Return untouched memory that is aligned to HUGE. */
static char *new_place(size_t length, int advice)
{
	char *place = mmap(NULL, length + HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (place == MAP_FAILED)
		must("mmap", -errno);
	place += -(uintptr_t)place & (HUGE - 1);
	if (madvise(place, length, advice))
		must("madvise", -errno);
	return place;
}

void *new_untouched(size_t length)
{
	return new_place(length, MADV_NOHUGEPAGE);
}

__u32 *new_order(unsigned int nr)
{
	__u32 *order = malloc(nr * sizeof(*order));
	__u64 random = 1;
	unsigned int i;

	if (!order)
		must("malloc", -ENOMEM);
	for (i = 0; i < nr; i++) {
		unsigned int other;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		other = (random >> 33) % (i + 1);
		order[i] = order[other];
		order[other] = i;
	}
	return order;
}

void *new_fragmented(size_t length)
{
	char *place = new_place(length, MADV_NOHUGEPAGE);
	unsigned int i, nr = length / PAGE;
	__u32 *order = new_order(nr);

	for (i = 0; i < nr; i++)
		memset(place + order[i] * PAGE, 0x5a, 64);
	free(order);
	return place;
}

void *new_huge(size_t length)
{
	long before = counters_of_system("AnonHugePages");
	char *place = new_place(length, MADV_HUGEPAGE);

	memset(place, 0x5a, length);
	must("have huge pages", counters_of_system("AnonHugePages") - before <
	     (long)(length / 1024) ? -ENOMEM : 0);
	return place;
}

void unmap_memory(void *memory, size_t length)
{
	if (munmap(memory, length))
		must("munmap", -errno);
}

void set_up_process(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (setrlimit(RLIMIT_MEMLOCK, &all))
		must("setrlimit", -errno);
}

__u64 nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}
