// SPDX-License-Identifier: GPL-2.0-only
/*
 * Compact record of physical pages, see runs.h: changes in the middle.
 *
 * Adding a holder cuts runs at both ends of its slice and fills the holes in
 * the slice. When no holder needs runs any more they are cleared, and become a
 * hole.
 *
 * Cutting and filling may allocate memory. If that fails the record describes
 * the same pages as before. Clearing never allocates.
 */
#include <linux/bug.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "runs_packed.h"

/* Return the end of a packed run, exclusive. */
static unsigned long entry_end(const struct iopt_runs *runs, unsigned int c,
			       unsigned int e)
{
	const struct iopt_run_chunk *chunk = &runs->chunks[c];

	if (e + 1 < chunk->nr)
		return chunk->index + packed_offset(chunk->packed[e + 1]);
	if (c + 1 < runs->nr_chunks)
		return runs->chunks[c + 1].index;
	return runs->npages;
}

/* Open a gap of @n packed runs before entry @e. The caller has made room. */
static void chunk_open(struct iopt_run_chunk *chunk, unsigned int e,
		       unsigned int n)
{
	runs_count_steps(chunk->nr - e);
	memmove(&chunk->packed[e + n], &chunk->packed[e],
		(chunk->nr - e) * sizeof(*chunk->packed));
	chunk->nr += n;
}

/* Open a gap of @n chunks before chunk @c. The caller has made room. */
static void array_open(struct iopt_runs *runs, unsigned int c, unsigned int n)
{
	runs_count_steps(runs->nr_chunks - c);
	memmove(&runs->chunks[c + n], &runs->chunks[c],
		(runs->nr_chunks - c) * sizeof(*runs->chunks));
	runs->nr_chunks += n;
}

static void array_remove(struct iopt_runs *runs, unsigned int c)
{
	chunk_free(&runs->chunks[c]);
	runs->nr_chunks--;
	runs_count_steps(runs->nr_chunks - c);
	memmove(&runs->chunks[c], &runs->chunks[c + 1],
		(runs->nr_chunks - c) * sizeof(*runs->chunks));
}

/*
 * Start a new chunk at @index, which is inside run @e of chunk @c or at its
 * end. The new chunk receives the rest of this run, and all runs after it.
 */
static int chunk_split(struct iopt_runs *runs, unsigned int c, unsigned int e,
		       unsigned long index, gfp_t gfp)
{
	struct iopt_run_chunk *old, new = { .index = index };
	unsigned long start;
	unsigned int i;

	if (iopt_runs_grow_array(runs, 1, gfp))
		return -ENOMEM;
	old = &runs->chunks[c];
	if (iopt_runs_grow_chunk(&new, old->nr - e, gfp))
		return -ENOMEM;

	runs_count_steps(old->nr - e);
	for (i = e; i != old->nr; i++) {
		start = old->index + packed_offset(old->packed[i]);
		if (i == e && index == entry_end(runs, c, e))
			continue;
		if (i == e)
			new.packed[new.nr++] = packed_move(old->packed[i],
							   index - start, 0);
		else
			new.packed[new.nr++] = packed_move(old->packed[i], 0,
							   start - index);
	}
	old->nr = e + 1;
	array_open(runs, c + 1, 1);
	runs->chunks[c + 1] = new;
	return 0;
}

/* Move the second half of the runs of a chunk into a new chunk after it. */
static int chunk_halve(struct iopt_runs *runs, unsigned int c, gfp_t gfp)
{
	const struct iopt_run_chunk *chunk = &runs->chunks[c];
	unsigned int e = chunk->nr / 2;

	return chunk_split(runs, c, e - 1,
			   chunk->index + packed_offset(chunk->packed[e]), gfp);
}

/*
 * Check whether a chunk can be extended to start at @index, which is before its
 * current start, and can take one more run there.
 */
static bool chunk_reaches_back(const struct iopt_run_chunk *chunk,
			       unsigned long index)
{
	u64 last = chunk->packed[chunk->nr - 1];

	return chunk->nr < CHUNK_EDIT_MAX &&
	       packed_offset_fits(chunk->index - index + packed_offset(last));
}

/*
 * Cut the last run of chunk @c at @index, which is @distance pages after the
 * start of the run and too far from the start of the chunk to be packed. The
 * rest of the run becomes the first run of the next chunk, if possible. If
 * every such cut added a chunk, cutting a long run repeatedly from its end to
 * its start would move the array once for each cut.
 */
static int cut_far(struct iopt_runs *runs, unsigned int c,
		   unsigned long distance, unsigned long index, gfp_t gfp)
{
	struct iopt_run_chunk *chunk = &runs->chunks[c], *next = chunk + 1;
	u64 rest = packed_move(chunk->packed[chunk->nr - 1], distance, 0);
	unsigned int i;

	if (c + 1 == runs->nr_chunks || !chunk_reaches_back(next, index))
		return chunk_split(runs, c, chunk->nr - 1, index, gfp);
	if (iopt_runs_grow_chunk(next, 1, gfp))
		return -ENOMEM;

	distance = next->index - index;
	chunk_open(next, 0, 1);
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
 * @index: page index; nothing is done if it is beyond the end of the record
 * @gfp: allocation flags
 *
 * A new chunk moves all later chunks in the array, so a cut should rarely add
 * one. Appending fills a chunk with CHUNK_MAX runs and cutting fills it with up
 * to twice as many, after which the chunk is split in halves. Hence a chunk is
 * split at most once in CHUNK_MAX cuts, and with 1 TiB of scattered memory a
 * cut moves less than 24 KiB of the array on average.
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. In both cases the record describes the same pages.
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

	c = iopt_runs_find_chunk(runs, index);
	chunk = &runs->chunks[c];
	e = iopt_chunk_find_entry(chunk, index);
	distance = index - chunk->index - packed_offset(chunk->packed[e]);
	if (!distance)
		return 0;
	if (!packed_offset_fits(index - chunk->index))
		return cut_far(runs, c, distance, index, gfp);

	if (chunk->nr == CHUNK_EDIT_MAX) {
		if (chunk_halve(runs, c, gfp))
			return -ENOMEM;
		c = iopt_runs_find_chunk(runs, index);
		chunk = &runs->chunks[c];
		e = iopt_chunk_find_entry(chunk, index);
	}
	if (iopt_runs_grow_chunk(chunk, 1, gfp))
		return -ENOMEM;
	chunk_open(chunk, e + 1, 1);
	chunk->packed[e + 1] = packed_move(chunk->packed[e], distance,
					   index - chunk->index);
	return 0;
}

/* Replace hole @e of a chunk with the runs of @fresh, and free the latter. */
static int fill_inside_chunk(struct iopt_run_chunk *chunk, unsigned int e,
			     const struct iopt_run_chunk *fresh, gfp_t gfp)
{
	unsigned long offset = packed_offset(chunk->packed[e]);
	unsigned int i;

	if (iopt_runs_grow_chunk(chunk, fresh->nr - 1, gfp))
		return -ENOMEM;
	chunk_open(chunk, e, fresh->nr - 1);
	for (i = 0; i != fresh->nr; i++)
		chunk->packed[e + i] =
			packed_move(fresh->packed[i], 0,
				    offset + packed_offset(fresh->packed[i]));
	kfree(fresh->packed);
	return 0;
}

/* Replace hole @e of chunk @c with the chunks of @fresh. */
static int fill_between_chunks(struct iopt_runs *runs, unsigned int c,
			       unsigned int e, struct iopt_runs *fresh,
			       gfp_t gfp)
{
	struct iopt_run_chunk *chunk = &runs->chunks[c];
	unsigned long first = chunk->index + packed_offset(chunk->packed[e]);
	unsigned int i;

	if (e + 1 != chunk->nr &&
	    chunk_split(runs, c, e, entry_end(runs, c, e), gfp))
		return -ENOMEM;
	if (iopt_runs_grow_array(runs, fresh->nr_chunks, gfp))
		return -ENOMEM;

	/*
	 * The hole is the last run of its chunk now, and may be the only one.
	 */
	if (--runs->chunks[c].nr)
		c++;
	else
		array_remove(runs, c);
	array_open(runs, c, fresh->nr_chunks);
	for (i = 0; i != fresh->nr_chunks; i++) {
		runs->chunks[c + i] = fresh->chunks[i];
		runs->chunks[c + i].index += first;
	}
	return 0;
}

/* Fill a hole that is not at the end of the record. */
static int runs_fill_inside(struct iopt_runs *runs, unsigned long first,
			    struct iopt_runs *fresh, gfp_t gfp)
{
	struct iopt_run_chunk *chunk, *only = NULL;
	unsigned int c, e;
	int rc;

	if (iopt_runs_cut(runs, first, gfp) ||
	    iopt_runs_cut(runs, first + fresh->npages, gfp) ||
	    iopt_runs_leave_inline(runs, gfp) ||
	    iopt_runs_leave_inline(fresh, gfp))
		return -ENOMEM;

	c = iopt_runs_find_chunk(runs, first);
	chunk = &runs->chunks[c];
	e = iopt_chunk_find_entry(chunk, first);
	if (fresh->nr_chunks == 1)
		only = &fresh->chunks[0];
	if (only && chunk->nr + only->nr - 1 <= CHUNK_EDIT_MAX &&
	    packed_offset_fits(first - chunk->index + fresh->npages))
		rc = fill_inside_chunk(chunk, e, only, gfp);
	else
		rc = fill_between_chunks(runs, c, e, fresh, gfp);
	if (rc)
		return rc;
	kvfree(fresh->chunks);
	memset(fresh, 0, sizeof(*fresh));
	return 0;
}

/* Append pages after the end of the record. The gap becomes a hole. */
static int runs_fill_behind(struct iopt_runs *runs, unsigned long first,
			    const struct iopt_run_batch *batch, bool join,
			    gfp_t gfp)
{
	const struct iopt_run hole = {
		.index = runs->npages,
		.count = first - runs->npages,
		.kind = IOPT_RUN_HOLE,
	};
	unsigned long old = runs->npages, from = old;
	bool joined = false;
	int rc = 0;

	if (hole.count)
		rc = iopt_runs_append(runs, &hole, gfp);
	else if (join)
		joined = iopt_runs_extend(runs, batch->packed[0],
					  run_batch_end(batch, 0));
	if (joined)
		from = runs->npages;
	if (!rc)
		rc = iopt_runs_append_batch(runs, batch, joined, gfp);
	if (!rc)
		return 0;

	if (runs->npages != from)
		iopt_runs_clear(runs, from, runs->npages - 1);
	/* The last run extends to the end of the record: shorten it again. */
	if (joined)
		runs->npages = old;
	return rc;
}

static int runs_fill_batch_inside(struct iopt_runs *runs, unsigned long first,
				  const struct iopt_run_batch *batch, gfp_t gfp)
{
	struct iopt_runs fresh = {};
	int rc;

	rc = iopt_runs_append_batch(&fresh, batch, 0, gfp);
	if (!rc)
		rc = runs_fill_inside(runs, first, &fresh, gfp);
	if (rc)
		iopt_runs_free(&fresh);
	return rc;
}

/**
 * iopt_runs_fill() - record pages in a hole
 * @runs: the record
 * @first: index of the first page, inside a hole
 * @batch: the pages, which must fit into the hole
 * @join: the pages may continue the run before @first, since no run must start
 *        there
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. On failure the record describes the same pages as
 * before.
 */
int iopt_runs_fill(struct iopt_runs *runs, unsigned long first,
		   const struct iopt_run_batch *batch, bool join, gfp_t gfp)
{
	/* Fast path for small mappings, of which there can be many. */
	if (!runs->npages && !first && batch->nr <= IOPT_RUNS_INLINE) {
		memcpy(runs->few, batch->packed,
		       batch->nr * sizeof(*batch->packed));
		runs->nr_few = batch->nr;
		runs->npages = batch->npages;
		return 0;
	}
	if (first >= runs->npages)
		return runs_fill_behind(runs, first, batch, join, gfp);
	return runs_fill_batch_inside(runs, first, batch, gfp);
}

/*
 * Replace packed runs [@e, @end) and adjacent holes with a single hole. Returns
 * the new number of packed runs.
 */
static unsigned int packed_clear(u64 *packed, unsigned int nr, unsigned int e,
				 unsigned int end)
{
	while (e && packed_is_hole(packed[e - 1]))
		e--;
	while (end != nr && packed_is_hole(packed[end]))
		end++;
	packed[e] &= PACKED_OFFSET;
	runs_count_steps(nr - e);
	memmove(&packed[e + 1], &packed[end], (nr - end) * sizeof(*packed));
	return nr - (end - e - 1);
}

/* Find the packed runs [@e, @end) of a chunk that [@first, @last] covers. */
static void chunk_find_covered(const struct iopt_run_chunk *chunk,
			       unsigned long first, unsigned long last,
			       unsigned int *e, unsigned int *end)
{
	*e = 0;
	if (first > chunk->index)
		*e = iopt_chunk_find_entry(chunk, first);
	*end = iopt_chunk_find_entry(chunk, last) + 1;
}

static bool chunk_is_hole(const struct iopt_run_chunk *chunk)
{
	return chunk->nr == 1 && packed_is_hole(chunk->packed[0]);
}

/* Returns true if this call has turned the chunk into a single hole. */
static bool chunk_clear(struct iopt_run_chunk *chunk, unsigned long first,
			unsigned long last)
{
	unsigned int e, end;

	if (!chunk->capacity)
		return false;
	chunk_find_covered(chunk, first, last, &e, &end);
	if (e || end != chunk->nr)
		chunk->nr = packed_clear(chunk->packed, chunk->nr, e, end);
	else
		chunk->nr = 0;
	if (chunk->nr && !chunk_is_hole(chunk))
		return false;
	kfree(chunk->packed);
	chunk->packed = (u64 *)&iopt_packed_hole;
	chunk->nr = 1;
	chunk->capacity = 0;
	return true;
}

/* Truncate the record after its last run that is not a hole. */
static void runs_trim(struct iopt_runs *runs)
{
	struct iopt_run_chunk *chunk = &runs->chunks[runs->nr_chunks - 1];
	u64 last = chunk->packed[chunk->nr - 1];

	while (packed_is_hole(last)) {
		runs->npages = chunk->index + packed_offset(last);
		if (!runs->npages) {
			iopt_runs_free(runs);
			return;
		}
		runs_count_steps(1);
		if (!--chunk->nr) {
			chunk_free(chunk);
			runs_chunk_step(--runs->nr_chunks);
		}
		chunk = &runs->chunks[runs->nr_chunks - 1];
		last = chunk->packed[chunk->nr - 1];
	}
}

/* Remove chunks that are a single hole and follow another hole. */
static void runs_compact(struct iopt_runs *runs)
{
	struct iopt_run_chunk *chunk, *before;
	unsigned int c, kept = 1;

	for (c = 1; c < runs->nr_chunks; c++) {
		runs_chunk_step(c);
		chunk = &runs->chunks[c];
		before = &runs->chunks[kept - 1];
		if (chunk_is_hole(chunk) &&
		    packed_is_hole(before->packed[before->nr - 1]))
			chunk_free(chunk);
		else
			runs->chunks[kept++] = *chunk;
	}
	runs->nr_chunks = kept;
	runs->nr_cleared = 0;
}

static void runs_clear_chunks(struct iopt_runs *runs, unsigned long first,
			      unsigned long last)
{
	unsigned int c;

	for (c = iopt_runs_find_chunk(runs, first);
	     c < runs->nr_chunks && runs->chunks[c].index <= last; c++) {
		runs_chunk_step(c);
		if (chunk_clear(&runs->chunks[c], first, last))
			runs->nr_cleared++;
	}
}

static void runs_clear_few(struct iopt_runs *runs, unsigned long first,
			   unsigned long last)
{
	const struct iopt_run_chunk few = {
		.packed = runs->few, .nr = runs->nr_few,
	};
	unsigned int e, end;

	chunk_find_covered(&few, first, last, &e, &end);
	runs->nr_few = packed_clear(runs->few, runs->nr_few, e, end);
	if (packed_is_hole(runs->few[runs->nr_few - 1]))
		runs->npages = packed_offset(runs->few[--runs->nr_few]);
	if (!runs->npages)
		iopt_runs_free(runs);
}

/**
 * iopt_runs_clear() - replace runs with a hole
 * @runs: the record
 * @first: first page index; must be the start of a run or inside a hole
 * @last: last page index; must be the end of a run or inside a hole
 *
 * The call does not allocate memory, and takes time linear in the number of
 * chunks of [@first, @last]. Chunks that are cleared as a whole stay in the
 * array until they are half of it, so that clearing many small slices of a
 * large record does not move the array each time.
 *
 * Context: process context, may sleep: reschedules between chunks. Callers
 * serialise access to @runs.
 */
void iopt_runs_clear(struct iopt_runs *runs, unsigned long first,
		     unsigned long last)
{
	if (first >= runs->npages)
		return;
	if (!first && last + 1 >= runs->npages) {
		iopt_runs_free(runs);
	} else if (!runs->nr_chunks) {
		runs_clear_few(runs, first, last);
	} else {
		runs_clear_chunks(runs, first, last);
		runs_trim(runs);
		if (runs->nr_chunks && runs->nr_cleared >= runs->nr_chunks / 2)
			runs_compact(runs);
	}
}

static void chunk_lose(struct iopt_run_chunk *chunk, unsigned long first,
		       unsigned long last)
{
	unsigned int e, end;

	for (chunk_find_covered(chunk, first, last, &e, &end); e != end; e++) {
		runs_count_steps(1);
		if (!packed_is_hole(chunk->packed[e]))
			chunk->packed[e] |= PACKED_LOST;
	}
}

/**
 * iopt_runs_lose() - mark pages that a device may still reach as lost
 * @runs: the record
 * @first: first page index
 * @last: last page index
 *
 * Lost pages are never unpinned. The call marks whole runs, because cutting
 * them could fail. It takes time linear in the number of runs of [@first,
 * @last].
 *
 * Context: process context, may sleep: reschedules between chunks. Callers
 * serialise access to @runs.
 */
void iopt_runs_lose(struct iopt_runs *runs, unsigned long first,
		    unsigned long last)
{
	struct iopt_run_chunk few = { .packed = runs->few, .nr = runs->nr_few };
	unsigned int c;

	if (first >= runs->npages)
		return;
	if (!runs->nr_chunks) {
		chunk_lose(&few, first, last);
		return;
	}
	for (c = iopt_runs_find_chunk(runs, first);
	     c < runs->nr_chunks && runs->chunks[c].index <= last; c++) {
		runs_chunk_step(c);
		chunk_lose(&runs->chunks[c], first, last);
	}
}
