/* SPDX-License-Identifier: GPL-2.0-only */
/* Chunks of packed runs, which store the records declared in runs.h. */
#ifndef __IOPT_RUNS_CHUNKS_H
#define __IOPT_RUNS_CHUNKS_H

#include <linux/compiler.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "runs_packed.h"

/*
 * Capacity of a chunk in packed runs: the initial capacity, the maximum when
 * runs are appended, and the maximum when runs are split or inserted.
 * iopt_runs_cut() explains why the two maximums differ.
 */
#define CHUNK_FIRST	8U
#define CHUNK_MAX	((unsigned int)(PAGE_SIZE / sizeof(u64)))
#define CHUNK_EDIT_MAX	(2 * CHUNK_MAX)

/* Number of chunks to process before rescheduling. */
#define RESCHED_CHUNKS	512

/*
 * The only packed run of every chunk that was cleared as a whole. Such a chunk
 * has a capacity of 0 and no memory of its own.
 */
extern const u64 iopt_packed_hole;

static inline void chunk_free(struct iopt_run_chunk *chunk)
{
	if (chunk->capacity)
		kfree(chunk->packed);
}

/*
 * Count the packed runs and chunks that functions visit or move, so that tests
 * can check the cost of an operation. Tests read the counter only while a
 * single thread changes records.
 */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
extern unsigned long iopt_runs_steps;

static inline void runs_count_steps(unsigned long n)
{
	/* Other threads may race, but not while a test reads the counter. */
	data_race(iopt_runs_steps += n);
}
#else
static inline void runs_count_steps(unsigned long n)
{
}
#endif

/* Loops over chunks call this with the position of each chunk. May sleep. */
static inline void runs_chunk_step(unsigned int c)
{
	runs_count_steps(1);
	if (c % RESCHED_CHUNKS == 0)
		cond_resched();
}

/* Return the index of the first page of packed run @e. */
static inline unsigned long
chunk_entry_index(const struct iopt_run_chunk *chunk, unsigned int e)
{
	return chunk->index + packed_offset(chunk->packed[e]);
}

static inline u64 chunk_last_packed(const struct iopt_run_chunk *chunk)
{
	return chunk->packed[chunk->nr - 1];
}

/* Return the last chunk of a record that is not inline. */
static inline struct iopt_run_chunk *
runs_last_chunk(const struct iopt_runs *runs)
{
	return &runs->chunks[runs->nr_chunks - 1];
}

/*
 * Return the position of the chunk that contains @index, which must be less
 * than runs->npages. The record must not be inline.
 */
static inline unsigned int runs_find_chunk(const struct iopt_runs *runs,
					   unsigned long index)
{
	unsigned int low = 0, high = runs->nr_chunks, middle;

	/*
	 * Chunk @low starts at or before @index. Chunk @high, if it exists,
	 * starts after @index.
	 */
	while (high - low > 1) {
		runs_count_steps(1);
		middle = low + (high - low) / 2;
		if (runs->chunks[middle].index <= index)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Return the position of the packed run that contains @index. The chunk must
 * contain @index.
 */
static inline unsigned int chunk_find_entry(const struct iopt_run_chunk *chunk,
					    unsigned long index)
{
	unsigned int low = 0, high = chunk->nr, middle;

	while (high - low > 1) {
		runs_count_steps(1);
		middle = low + (high - low) / 2;
		if (packed_offset(chunk->packed[middle]) <=
		    index - chunk->index)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int iopt_runs_leave_inline(struct iopt_runs *runs, gfp_t gfp);
int iopt_runs_make_room(struct iopt_runs *runs, gfp_t gfp);
int iopt_chunk_open(struct iopt_run_chunk *chunk, unsigned int e,
		    unsigned int n, gfp_t gfp);
int iopt_chunks_open(struct iopt_runs *runs, unsigned int c, unsigned int n,
		     gfp_t gfp);
int iopt_chunk_split(struct iopt_runs *runs, unsigned int c, unsigned int e,
		     unsigned long index, gfp_t gfp);

#endif /* __IOPT_RUNS_CHUNKS_H */
