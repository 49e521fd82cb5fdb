/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Format of packed runs, for runs.c, runs_edit.c and gup.c.
 *
 * A packed run has 64 bits: the index of its first page relative to the chunk,
 * the kind, the lost flag, and the pfn. A chunk is allocated small. It grows up
 * to one page when pages are appended, and up to two pages when runs are cut,
 * see iopt_runs_cut().
 */
#ifndef __IOPT_RUNS_PACKED_H
#define __IOPT_RUNS_PACKED_H

#include <linux/bitfield.h>
#include <linux/compiler.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "runs.h"

#define PACKED_OFFSET	GENMASK_ULL(19, 0)
#define PACKED_KIND	GENMASK_ULL(22, 20)
#define PACKED_LOST	BIT_ULL(23)
#define PACKED_PFN	GENMASK_ULL(63, 24)

#define CHUNK_FIRST	8U
#define CHUNK_MAX	((unsigned int)(PAGE_SIZE / sizeof(u64)))
#define CHUNK_EDIT_MAX	(2 * CHUNK_MAX)

/* Number of chunks to process before rescheduling. */
#define RESCHED_CHUNKS	512

static inline unsigned long packed_offset(u64 packed)
{
	return FIELD_GET(PACKED_OFFSET, packed);
}

static inline bool packed_offset_fits(unsigned long offset)
{
	return offset <= FIELD_MAX(PACKED_OFFSET);
}

static inline enum iopt_run_kind packed_kind(u64 packed)
{
	return FIELD_GET(PACKED_KIND, packed);
}

/* Check whether the pfns of all pages of a run can be packed. */
static inline bool run_fits_packed(const struct iopt_run *run)
{
	u64 first = run->pfn, last = first;

	if (iopt_run_stride(run->kind))
		last += run->count - 1;
	return first <= last && last <= FIELD_MAX(PACKED_PFN);
}

/* Remove the first @distance pages of a packed run, and set its offset. */
static inline u64 packed_move(u64 packed, unsigned long distance,
			      unsigned long offset)
{
	if (iopt_run_stride(packed_kind(packed)))
		packed += FIELD_PREP(PACKED_PFN, distance);
	return (packed & ~PACKED_OFFSET) | FIELD_PREP(PACKED_OFFSET, offset);
}

static inline bool packed_is_hole(u64 packed)
{
	return packed_kind(packed) == IOPT_RUN_HOLE;
}

/*
 * The only packed run of a chunk that was cleared as a whole. Such a chunk has
 * a capacity of 0, and no memory of its own is allocated for it.
 */
extern const u64 iopt_packed_hole;

static inline void chunk_free(struct iopt_run_chunk *chunk)
{
	if (chunk->capacity)
		kfree(chunk->packed);
}

/*
 * Count the packed runs and chunks that a call visits or moves. Only for tests,
 * in which a single thread changes records.
 */
#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
extern unsigned long iopt_runs_steps;

static inline void runs_count_steps(unsigned long n)
{
	/* Tests read the counter while no other thread changes a record. */
	data_race(iopt_runs_steps += n);
}
#else
static inline void runs_count_steps(unsigned long n)
{
}
#endif

/* To be called for each chunk in a loop, with the position of the chunk. */
static inline void runs_chunk_step(unsigned int c)
{
	runs_count_steps(1);
	if (c % RESCHED_CHUNKS == 0)
		cond_resched();
}

static inline u64 run_pack(unsigned long offset, const struct iopt_run *run)
{
	return FIELD_PREP(PACKED_OFFSET, offset) |
	       FIELD_PREP(PACKED_KIND, run->kind) |
	       FIELD_PREP(PACKED_LOST, run->lost) |
	       FIELD_PREP(PACKED_PFN, (u64)run->pfn);
}

/* Check whether a pfn can be packed. */
static inline bool iopt_run_pfn_fits(unsigned long pfn)
{
	return (u64)pfn <= FIELD_MAX(PACKED_PFN);
}

/* Append a run to a batch that has room for it. The index is ignored. */
static inline void iopt_run_batch_add(struct iopt_run_batch *batch,
				      const struct iopt_run *run)
{
	batch->packed[batch->nr++] = run_pack(batch->npages, run);
	batch->npages += run->count;
}

/* Return the end of run @i of a batch, exclusive. */
static inline unsigned long run_batch_end(const struct iopt_run_batch *batch,
					  unsigned int i)
{
	return i + 1 == batch->nr ? batch->npages :
				    packed_offset(batch->packed[i + 1]);
}

bool iopt_runs_extend(struct iopt_runs *runs, u64 packed, unsigned long npages);
int iopt_runs_append_batch(struct iopt_runs *runs,
			   const struct iopt_run_batch *batch,
			   unsigned int from, gfp_t gfp);
int iopt_runs_add(struct iopt_runs *runs, const struct iopt_run *run,
		  gfp_t gfp);
int iopt_runs_leave_inline(struct iopt_runs *runs, gfp_t gfp);
int iopt_runs_grow_chunk(struct iopt_run_chunk *chunk, unsigned int room,
			 gfp_t gfp);
int iopt_runs_grow_array(struct iopt_runs *runs, unsigned int room, gfp_t gfp);
unsigned int iopt_runs_find_chunk(const struct iopt_runs *runs,
				  unsigned long index);
unsigned int iopt_chunk_find_entry(const struct iopt_run_chunk *chunk,
				   unsigned long index);

#endif /* __IOPT_RUNS_PACKED_H */
