/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a known shape, and the clock.
 *
 * Vocabulary: fragmented memory is 4 KiB pages that were touched in scattered
 * order, so that neighbours are not neighbours in RAM.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>
#include <linux/types.h>

/* Each ends the program if there is none of that shape. */
void *new_untouched(size_t length);
void *new_fragmented(size_t length);
void *new_huge(size_t length);
void old_memory(void *memory, size_t length);

/* 0, 1, ... @nr - 1 in an order that is the same each time. */
__u32 *new_order(unsigned int nr);

/* Lets the process lock what it wants, and its output come line by line. */
void set_up_process(void);

/* One instruction in a guest that counts them. */
static inline __u64 ticks(void)
{
	return __builtin_ia32_rdtsc();
}

__u64 nanoseconds(void);

#endif
