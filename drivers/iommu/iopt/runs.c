// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compact record of physical pages, see runs.h: appending and iteration.
 *
 * Lengths are not stored: a run ends where the next run of its chunk starts,
 * the last run of a chunk where the next chunk starts, and the last run of all
 * at runs->npages. Appending pages that continue the last run therefore only
 * increments a counter. Finding an index is a binary search over the chunks,
 * followed by one in the chunk.
 *
 * A chunk is allocated small and grows up to one page before a new chunk is
 * started. A new chunk is also started for a run that is too far from the start
 * of the last chunk for its offset to be packed.
 *
 * Appending may allocate memory and fail. Iterating and freeing never do.
 */
#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "runs_packed.h"

const u64 iopt_packed_hole;

#if IS_ENABLED(CONFIG_IOPT_KUNIT_TEST)
unsigned long iopt_runs_steps;
#endif

/**
 * iopt_runs_grow_chunk() - make room in a chunk
 * @chunk: the chunk
 * @room: number of packed runs that are going to be added
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM. The contents of the chunk do not change.
 */
int iopt_runs_grow_chunk(struct iopt_run_chunk *chunk, unsigned int room,
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

/**
 * iopt_runs_grow_array() - make room for more chunks
 * @runs: a record that is not inline
 * @room: number of chunks that are going to be added
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it.
 * Return: 0 or -ENOMEM. The contents of the record do not change.
 */
int iopt_runs_grow_array(struct iopt_runs *runs, unsigned int room, gfp_t gfp)
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
 * Context: may sleep if @gfp allows it.
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

/* Make room for one packed run that starts at runs->npages. */
static int runs_make_room(struct iopt_runs *runs, gfp_t gfp)
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

	chunk = &runs->chunks[runs->nr_chunks - 1];
	if (packed_offset_fits(runs->npages - chunk->index) &&
	    chunk->nr < CHUNK_MAX)
		return iopt_runs_grow_chunk(chunk, 1, gfp);

	rc = iopt_runs_grow_array(runs, 1, gfp);
	if (rc)
		return rc;
	chunk = &runs->chunks[runs->nr_chunks];
	*chunk = (struct iopt_run_chunk){ .index = runs->npages };
	rc = iopt_runs_grow_chunk(chunk, 1, gfp);
	if (!rc)
		runs->nr_chunks++;
	return rc;
}

/**
 * iopt_runs_extend() - append pages if they continue the last run
 * @runs: the record
 * @packed: packed run of the pages, with offset 0
 * @npages: number of pages
 *
 * Context: any; callers serialise access to @runs.
 * Return: true if the pages were appended, otherwise false.
 */
bool iopt_runs_extend(struct iopt_runs *runs, u64 packed, unsigned long npages)
{
	unsigned long distance = runs->npages;
	u64 last;

	if (!runs->npages)
		return false;
	if (runs->nr_chunks) {
		const struct iopt_run_chunk *chunk =
			&runs->chunks[runs->nr_chunks - 1];

		last = chunk->packed[chunk->nr - 1];
		distance -= chunk->index;
	} else {
		last = runs->few[runs->nr_few - 1];
	}
	distance -= packed_offset(last);
	if (packed_move(last, distance, 0) != packed)
		return false;
	runs->npages += npages;
	return true;
}

/**
 * iopt_runs_add() - append pages as a new run
 * @runs: the record
 * @run: the pages; its index must be @runs->npages
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0, or
 * * %-ENOMEM - out of memory
 * * %-EFAULT - a pfn is 2^40 or larger and cannot be packed
 *
 * On failure the record does not change.
 */
int iopt_runs_add(struct iopt_runs *runs, const struct iopt_run *run, gfp_t gfp)
{
	int rc;

	if (!run_fits_packed(run))
		return -EFAULT;
	rc = runs_make_room(runs, gfp);
	if (rc)
		return rc;
	if (runs->nr_chunks) {
		struct iopt_run_chunk *c = &runs->chunks[runs->nr_chunks - 1];

		c->packed[c->nr++] = run_pack(runs->npages - c->index, run);
	} else {
		runs->few[runs->nr_few++] = run_pack(runs->npages, run);
	}
	runs->npages += run->count;
	return 0;
}

/**
 * iopt_runs_append() - append pages
 * @runs: the record
 * @run: the pages; its index must be @runs->npages
 * @gfp: allocation flags
 *
 * Pages that continue the last run extend it.
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0, or
 * * %-ENOMEM - out of memory
 * * %-EFAULT - a pfn is 2^40 or larger and cannot be packed
 *
 * On failure the record does not change.
 */
int iopt_runs_append(struct iopt_runs *runs, const struct iopt_run *run,
		     gfp_t gfp)
{
	if (run_fits_packed(run) &&
	    iopt_runs_extend(runs, run_pack(0, run), run->count))
		return 0;
	return iopt_runs_add(runs, run, gfp);
}

/**
 * iopt_runs_append_batch() - append the pages of a batch
 * @runs: the record
 * @batch: the batch
 * @from: position of the first run in @batch to append; earlier ones are
 *        recorded already
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. On failure some of the runs may have been appended.
 */
int iopt_runs_append_batch(struct iopt_runs *runs,
			   const struct iopt_run_batch *batch,
			   unsigned int from, gfp_t gfp)
{
	unsigned long base;
	unsigned int i = from;
	int rc;

	if (i == batch->nr)
		return 0;
	base = runs->npages - packed_offset(batch->packed[i]);
	while (i != batch->nr) {
		struct iopt_run_chunk *chunk;

		rc = runs_make_room(runs, gfp);
		if (rc)
			return rc;
		if (!runs->nr_chunks) {
			runs->few[runs->nr_few++] =
				packed_move(batch->packed[i], 0, runs->npages);
			runs->npages = base + run_batch_end(batch, i++);
			continue;
		}
		chunk = &runs->chunks[runs->nr_chunks - 1];
		do {
			chunk->packed[chunk->nr++] =
				packed_move(batch->packed[i], 0,
					    runs->npages - chunk->index);
			runs->npages = base + run_batch_end(batch, i++);
		} while (i != batch->nr && chunk->nr != chunk->capacity &&
			 packed_offset_fits(runs->npages - chunk->index));
	}
	return 0;
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
 * iopt_runs_find_chunk() - find the chunk of an index
 * @runs: a record that is not inline
 * @index: page index, less than @runs->npages
 *
 * Context: any; takes time logarithmic in the number of chunks.
 * Return: position of the chunk in @runs.
 */
unsigned int iopt_runs_find_chunk(const struct iopt_runs *runs,
				  unsigned long index)
{
	unsigned int low = 0, high = runs->nr_chunks, middle;

	/* Chunk low starts at or before index, chunk high after it. */
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

/**
 * iopt_chunk_find_entry() - find the packed run of an index in its chunk
 * @chunk: the chunk that contains @index
 * @index: page index
 *
 * Context: any; takes time logarithmic in the number of runs of @chunk.
 * Return: position of the packed run in @chunk.
 */
unsigned int iopt_chunk_find_entry(const struct iopt_run_chunk *chunk,
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

/* Advance to the first run of a chunk, or to the end of the record. */
static void iter_enter_chunk(struct iopt_run_iter *iter, unsigned int nr)
{
	const struct iopt_runs *runs = iter->runs;

	iter->nr_chunk = nr;
	iter->entry = 0;
	if (nr && nr >= runs->nr_chunks) {
		iter->start = runs->npages;
		return;
	}
	if (runs->nr_chunks) {
		iter->chunk = runs->chunks[nr];
	} else {
		iter->chunk.index = 0;
		iter->chunk.packed = (u64 *)runs->few;
		iter->chunk.nr = runs->nr_few;
	}
	iter->packed = iter->chunk.packed[0];
	iter->start = iter->chunk.index;
}

/**
 * iopt_run_iter_start() - start to iterate over the runs of an index range
 * @iter: the iterator
 * @runs: the record, which must not change during the iteration
 * @first: first index
 * @last: last index; may be beyond the end of the record, where a hole is
 *        returned
 *
 * Context: any; takes time logarithmic in the number of runs.
 */
void iopt_run_iter_start(struct iopt_run_iter *iter,
			 const struct iopt_runs *runs, unsigned long first,
			 unsigned long last)
{
	unsigned long start;

	iter->runs = runs;
	iter->start = first;
	iter->end = last + 1;
	iter->packed = 0;
	if (first >= runs->npages)
		return;
	iter_enter_chunk(iter, runs->nr_chunks ?
			       iopt_runs_find_chunk(runs, first) : 0);
	if (first == iter->start)
		return;
	iter->entry = iopt_chunk_find_entry(&iter->chunk, first);
	iter->packed = iter->chunk.packed[iter->entry];
	start = iter->chunk.index + packed_offset(iter->packed);
	iter->packed = packed_move(iter->packed, first - start, 0);
	iter->start = first;
}

/**
 * iopt_run_iter_next() - get the next run
 * @iter: the iterator
 * @run: receives the run, cut to the index range
 *
 * Context: any.
 * Return: true if there is another run, or false at the end of the range.
 */
bool iopt_run_iter_next(struct iopt_run_iter *iter, struct iopt_run *run)
{
	u64 packed = iter->packed;

	run->index = iter->start;
	if (run->index >= iter->end)
		return false;

	if (run->index >= iter->runs->npages) {
		packed = FIELD_PREP(PACKED_KIND, IOPT_RUN_HOLE);
		iter->start = iter->end;
	} else if (++iter->entry != iter->chunk.nr) {
		iter->packed = iter->chunk.packed[iter->entry];
		iter->start = iter->chunk.index + packed_offset(iter->packed);
	} else {
		iter_enter_chunk(iter, iter->nr_chunk + 1);
	}
	run->count = min(iter->start, iter->end) - run->index;
	run->kind = packed_kind(packed);
	run->lost = packed & PACKED_LOST;
	run->pfn = FIELD_GET(PACKED_PFN, packed);
	return true;
}
