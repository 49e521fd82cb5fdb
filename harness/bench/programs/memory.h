/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers for benchmarks: memory with a known physical layout, and clocks.
 *
 * Fragmented memory consists of 4 KiB pages that were first touched in random
 * order, so that few adjacent virtual pages are physically adjacent.
 */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stddef.h>
#include <linux/types.h>

/* These exit with a message on failure. Only new_huge() checks the layout. */
void *new_untouched(size_t length);
void *new_fragmented(size_t length);
void *new_huge(size_t length);
void unmap_memory(void *memory, size_t length);

/* Return a permutation of 0 to @nr - 1, the same one in each run. */
__u32 *new_order(unsigned int nr);

/* Lift RLIMIT_MEMLOCK, and make the output line-buffered. */
void set_up_process(void);

/* A tick is one instruction in a guest with -icount shift=0. */
static inline __u64 ticks(void)
{
#ifdef __aarch64__
	__u64 count, hertz;

	asm volatile("mrs %0, cntvct_el0" : "=r" (count));
	asm volatile("mrs %0, cntfrq_el0" : "=r" (hertz));
	return count * (1000000000 / hertz);
#else
	return __builtin_ia32_rdtsc();
#endif
}

__u64 nanoseconds(void);

#endif
