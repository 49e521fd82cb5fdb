// SPDX-License-Identifier: GPL-2.0-only
/*
 * Chunks: storage for the packed runs of a record.
 *
 * Lengths are not stored: a run ends where the next run of its chunk starts,
 * the last run of a chunk ends where the next chunk starts, and the last run of
 * the record ends at runs->npages. An index is looked up by a binary search
 * over the chunks, followed by a binary search within the chunk.
 *
 * Runs are appended to the last chunk, which starts small and grows to one page
 * before a new chunk is started. A new chunk is also started for a run that is
 * too far from the start of the last chunk for its offset to be packed. Cutting
 * runs and filling holes can grow a chunk to two pages; see iopt_runs_cut().
 */
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "runs_chunks.h"

const u64 iopt_packed_hole;

#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
unsigned long iopt_runs_steps;
#endif

/* Make room in a chunk for @room more packed runs. */
static int chunk_grow(struct iopt_run_chunk *chunk, unsigned int room,
		      gfp_t gfp)
{
	unsigned int capacity = max(chunk->capacity, CHUNK_FIRST);
	unsigned int nr = chunk->nr + room;
	u64 *packed, *old = chunk->packed;

	if (nr <= chunk->capacity)
		return 0;
	while (capacity < nr)
		capacity *= 4;
	capacity = min(capacity, nr <= CHUNK_MAX ? CHUNK_MAX : CHUNK_EDIT_MAX);
	if (!chunk->capacity)
		old = NULL;
	packed = krealloc_array(old, capacity, sizeof(*packed), gfp);
	if (!packed)
		return -ENOMEM;
	runs_count_steps(chunk->nr);
	if (!old && chunk->nr)
		packed[0] = iopt_packed_hole;
	chunk->packed = packed;
	chunk->capacity = capacity;
	return 0;
}

/* Make room for @room more chunks in a record that is not inline. */
static int array_grow(struct iopt_runs *runs, unsigned int room, gfp_t gfp)
{
	unsigned int max = runs->max_chunks;
	struct iopt_run_chunk *chunks;

	if (runs->nr_chunks + room <= max)
		return 0;
	while (max < runs->nr_chunks + room)
		max *= 2;
	chunks = kvmalloc_array(max, sizeof(*chunks), gfp);
	if (!chunks)
		return -ENOMEM;
	runs_count_steps(runs->nr_chunks);
	memcpy(chunks, runs->chunks,
	       array_size(runs->nr_chunks, sizeof(*chunks)));
	kvfree(runs->chunks);
	runs->chunks = chunks;
	runs->max_chunks = max;
	return 0;
}

/**
 * iopt_runs_leave_inline() - move the inline runs into a chunk
 * @runs: the record
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. The contents of the record do not change.
 */
int iopt_runs_leave_inline(struct iopt_runs *runs, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	u64 *packed;

	if (runs->nr_chunks)
		return 0;
	chunk = kvmalloc_array(1, sizeof(*chunk), gfp);
	packed = kmalloc_array(CHUNK_FIRST, sizeof(*packed), gfp);
	if (!chunk || !packed) {
		kvfree(chunk);
		kfree(packed);
		return -ENOMEM;
	}

	memcpy(packed, runs->few, runs->nr_few * sizeof(*packed));
	*chunk = (struct iopt_run_chunk){
		.packed = packed,
		.nr = runs->nr_few,
		.capacity = CHUNK_FIRST,
	};
	runs->chunks = chunk;
	runs->nr_cleared = 0;
	runs->max_chunks = 1;
	runs->nr_chunks = 1;
	return 0;
}

/**
 * iopt_runs_make_room() - make room for one packed run at the end of a record
 * @runs: the record
 * @gfp: allocation flags
 *
 * The room is in the last chunk, which may be new and empty, or in the inline
 * runs if the record has no chunks.
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. In both cases the record describes the same pages as
 * before.
 */
int iopt_runs_make_room(struct iopt_runs *runs, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	int rc;

	if (!runs->nr_chunks) {
		if (runs->nr_few < IOPT_RUNS_INLINE &&
		    packed_offset_fits(runs->npages))
			return 0;
		rc = iopt_runs_leave_inline(runs, gfp);
		if (rc)
			return rc;
	}

	chunk = runs_last_chunk(runs);
	if (packed_offset_fits(runs->npages - chunk->index) &&
	    chunk->nr < CHUNK_MAX)
		return chunk_grow(chunk, 1, gfp);

	rc = array_grow(runs, 1, gfp);
	if (rc)
		return rc;
	chunk = &runs->chunks[runs->nr_chunks];
	*chunk = (struct iopt_run_chunk){ .index = runs->npages };
	rc = chunk_grow(chunk, 1, gfp);
	if (!rc)
		runs->nr_chunks++;
	return rc;
}

/**
 * iopt_runs_free() - remove all runs
 * @runs: the record, which is empty afterwards and can be used again
 *
 * Context: process context, may sleep: reschedules between chunks. Callers
 * serialise access to @runs.
 */
void iopt_runs_free(struct iopt_runs *runs)
{
	unsigned int c;

	if (runs->nr_chunks) {
		for (c = 0; c != runs->nr_chunks; c++) {
			chunk_free(&runs->chunks[c]);
			runs_chunk_step(c);
		}
		kvfree(runs->chunks);
	}
	memset(runs, 0, sizeof(*runs));
}

/**
 * iopt_chunk_open() - open a gap for packed runs in a chunk
 * @chunk: the chunk
 * @e: position of the first packed run after the gap
 * @n: number of packed runs that the caller is going to store in the gap
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to the record.
 * Return: 0 or -ENOMEM. On failure the contents of the chunk do not change.
 */
int iopt_chunk_open(struct iopt_run_chunk *chunk, unsigned int e,
		    unsigned int n, gfp_t gfp)
{
	if (chunk_grow(chunk, n, gfp))
		return -ENOMEM;
	runs_count_steps(chunk->nr - e);
	memmove(&chunk->packed[e + n], &chunk->packed[e],
		(chunk->nr - e) * sizeof(*chunk->packed));
	chunk->nr += n;
	return 0;
}

/* Open a gap of @n chunks before chunk @c. The caller has made room. */
static void array_open(struct iopt_runs *runs, unsigned int c, unsigned int n)
{
	runs_count_steps(runs->nr_chunks - c);
	memmove(&runs->chunks[c + n], &runs->chunks[c],
		(runs->nr_chunks - c) * sizeof(*runs->chunks));
	runs->nr_chunks += n;
}

/**
 * iopt_chunks_open() - open a gap for chunks in a record
 * @runs: a record that is not inline
 * @c: position of the first chunk after the gap
 * @n: number of chunks that the caller is going to store in the gap
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. On failure the contents of the record do not change.
 */
int iopt_chunks_open(struct iopt_runs *runs, unsigned int c, unsigned int n,
		     gfp_t gfp)
{
	if (array_grow(runs, n, gfp))
		return -ENOMEM;
	array_open(runs, c, n);
	return 0;
}

/**
 * iopt_chunk_split() - move packed runs of a chunk into a new chunk after it
 * @runs: a record that is not inline
 * @c: position of the chunk to split
 * @e: position of the first packed run to move. If it is the number of runs in
 *     the chunk, no run is moved, and the caller must add a run to the new
 *     chunk, which has room for it
 * @index: start of the new chunk
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. On failure, the record does not change.
 */
int iopt_chunk_split(struct iopt_runs *runs, unsigned int c, unsigned int e,
		     unsigned long index, gfp_t gfp)
{
	struct iopt_run_chunk *old, new = { .index = index };
	unsigned int i;

	if (array_grow(runs, 1, gfp))
		return -ENOMEM;
	old = &runs->chunks[c];
	if (chunk_grow(&new, max(old->nr - e, 1U), gfp))
		return -ENOMEM;

	runs_count_steps(old->nr - e);
	for (i = e; i != old->nr; i++)
		new.packed[new.nr++] =
			packed_move(old->packed[i], 0,
				    chunk_entry_index(old, i) - index);
	old->nr = e;
	array_open(runs, c + 1, 1);
	runs->chunks[c + 1] = new;
	return 0;
}
