/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a run is packed, for runs.c, runs_edit.c and gup.c.
 *
 * 64 bits: the index of the first page relative to the chunk's, the kind, lost
 * or not, and the pfn. A chunk is allocated small and grows up to one page.
 */
#ifndef __IOPT_RUNS_PACKED_H
#define __IOPT_RUNS_PACKED_H

#include <linux/bitfield.h>
#include <linux/mm.h>

#include "runs.h"

#define PACKED_OFFSET	GENMASK_ULL(19, 0)
#define PACKED_KIND	GENMASK_ULL(22, 20)
#define PACKED_LOST	BIT_ULL(23)
#define PACKED_PFN	GENMASK_ULL(63, 24)

#define CHUNK_FIRST	8U
#define CHUNK_MAX	((unsigned int)(PAGE_SIZE / sizeof(u64)))

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

/* A packed run as it starts @distance pages later, in the chunk at @offset. */
static inline u64 packed_move(u64 packed, unsigned long distance,
			      unsigned long offset)
{
	if (iopt_run_stride(packed_kind(packed)))
		packed += FIELD_PREP(PACKED_PFN, distance);
	return (packed & ~PACKED_OFFSET) | FIELD_PREP(PACKED_OFFSET, offset);
}

static inline u64 run_pack(unsigned long offset, const struct iopt_run *run)
{
	return FIELD_PREP(PACKED_OFFSET, offset) |
	       FIELD_PREP(PACKED_KIND, run->kind) |
	       FIELD_PREP(PACKED_LOST, run->lost) |
	       FIELD_PREP(PACKED_PFN, (u64)run->pfn);
}

/* Whether a run can hold a page frame number. */
static inline bool iopt_run_pfn_fits(unsigned long pfn)
{
	return (u64)pfn <= FIELD_MAX(PACKED_PFN);
}

/* Append a run to a batch that has room for it; its index does not count. */
static inline void iopt_run_batch_add(struct iopt_run_batch *batch,
				      const struct iopt_run *run)
{
	batch->packed[batch->nr++] = run_pack(batch->npages, run);
	batch->npages += run->count;
}

/* The page of a batch after run @i. */
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
