/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Format of packed runs.
 *
 * A packed run is a 64-bit word: the index of the first page, the kind, the
 * lost flag and the pfn of the first page. The index is relative to the start
 * of the chunk or batch that contains the run.
 */
#ifndef __IOPT_RUNS_PACKED_H
#define __IOPT_RUNS_PACKED_H

#include <linux/bitfield.h>
#include <linux/bits.h>

#include "runs.h"

#define PACKED_OFFSET	GENMASK_ULL(19, 0)
#define PACKED_KIND	GENMASK_ULL(22, 20)
#define PACKED_LOST	BIT_ULL(23)
#define PACKED_PFN	GENMASK_ULL(63, 24)

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

/* Return a packed run without its first @distance pages, with a new offset. */
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

/* Append a run to a batch that has room for it. @run->index is ignored. */
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

#endif /* __IOPT_RUNS_PACKED_H */
