// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split runs, so that parts of them can be unpinned separately, and split holes
 * that are filled in part.
 */
#include <linux/errno.h>

#include "runs_chunks.h"

/* Move the second half of a chunk's runs into a new chunk that follows it. */
static int chunk_halve(struct iopt_runs *runs, unsigned int c, gfp_t gfp)
{
	const struct iopt_run_chunk *chunk = &runs->chunks[c];
	unsigned int e = chunk->nr / 2;

	return iopt_chunk_split(runs, c, e, chunk_entry_index(chunk, e), gfp);
}

/*
 * Check whether a chunk can be extended backwards to start at @index, and has
 * room for one more run there.
 */
static bool chunk_reaches_back(const struct iopt_run_chunk *chunk,
			       unsigned long index)
{
	u64 last = chunk_last_packed(chunk);

	return chunk->nr < CHUNK_EDIT_MAX &&
	       packed_offset_fits(chunk->index - index + packed_offset(last));
}

/*
 * Cut the last run of chunk @c at @index, which is @distance pages after the
 * start of the run and too far from the start of the chunk to be packed. If
 * possible, make the rest of the run the first run of the next chunk. If every
 * such cut added a chunk, repeated cuts of a long run, from its end towards its
 * start, would each move the array.
 */
static int cut_far(struct iopt_runs *runs, unsigned int c,
		   unsigned long distance, unsigned long index, gfp_t gfp)
{
	struct iopt_run_chunk *chunk = &runs->chunks[c], *next = chunk + 1;
	u64 rest = packed_move(chunk_last_packed(chunk), distance, 0);
	unsigned int i;

	if (c + 1 == runs->nr_chunks || !chunk_reaches_back(next, index)) {
		if (iopt_chunk_split(runs, c, chunk->nr, index, gfp))
			return -ENOMEM;
		next = &runs->chunks[c + 1];
	}
	/* Cannot fail for a new chunk, which has room for one run. */
	if (iopt_chunk_open(next, 0, 1, gfp))
		return -ENOMEM;

	distance = next->index - index;
	for (i = 1; i != next->nr; i++)
		next->packed[i] = packed_move(next->packed[i], 0, distance +
					      packed_offset(next->packed[i]));
	next->packed[0] = rest;
	next->index = index;
	return 0;
}

/**
 * iopt_runs_cut() - start a new run at an index
 * @runs: the record
 * @index: page index. Nothing happens if it is beyond the end of the record or
 *         a run starts there already
 * @gfp: allocation flags
 *
 * Adding a chunk moves all later chunks in the array, so a cut should rarely do
 * this. Appending fills a chunk with at most CHUNK_MAX runs. Cutting runs and
 * filling holes can then add the same number of runs before a cut splits the
 * chunk in half. Hence cuts halve at most one chunk for every CHUNK_MAX runs
 * that cuts and fills add, and with 1 TiB of scattered memory a cut moves less
 * than 24 KiB of the array on average.
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. In both cases the record describes the same pages as
 * before.
 */
int iopt_runs_cut(struct iopt_runs *runs, unsigned long index, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	unsigned long distance;
	unsigned int c, e;

	if (!index || index >= runs->npages)
		return 0;
	if (iopt_runs_leave_inline(runs, gfp))
		return -ENOMEM;

	c = runs_find_chunk(runs, index);
	chunk = &runs->chunks[c];
	e = chunk_find_entry(chunk, index);
	distance = index - chunk->index - packed_offset(chunk->packed[e]);
	if (!distance)
		return 0;
	if (!packed_offset_fits(index - chunk->index))
		return cut_far(runs, c, distance, index, gfp);

	if (chunk->nr == CHUNK_EDIT_MAX) {
		if (chunk_halve(runs, c, gfp))
			return -ENOMEM;
		c = runs_find_chunk(runs, index);
		chunk = &runs->chunks[c];
		e = chunk_find_entry(chunk, index);
	}
	if (iopt_chunk_open(chunk, e + 1, 1, gfp))
		return -ENOMEM;
	chunk->packed[e + 1] = packed_move(chunk->packed[e], distance,
					   index - chunk->index);
	return 0;
}
