// SPDX-License-Identifier: GPL-2.0-only
/*
 * Add pages to a record, at its end or in a hole.
 *
 * Merging pages into the last run only increases runs->npages. All other
 * additions may allocate memory. If an allocation fails, the record describes
 * the same pages as before.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "runs_chunks.h"

/*
 * Append pages if they continue the last run, and return true if so. @packed
 * describes the pages and has an offset of 0.
 */
static bool runs_extend(struct iopt_runs *runs, u64 packed,
			unsigned long npages)
{
	unsigned long distance = runs->npages;
	u64 last;

	if (!runs->npages)
		return false;
	if (runs->nr_chunks) {
		const struct iopt_run_chunk *chunk = runs_last_chunk(runs);

		last = chunk_last_packed(chunk);
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

/*
 * Append run @i of a batch and all runs after it. @first is the index at which
 * the batch starts. On failure some of the runs may have been appended.
 */
static int runs_append_batch(struct iopt_runs *runs, unsigned long first,
			     const struct iopt_run_batch *batch,
			     unsigned int i, gfp_t gfp)
{
	int rc;

	while (i != batch->nr) {
		struct iopt_run_chunk *chunk;
		unsigned int max;

		rc = iopt_runs_make_room(runs, gfp);
		if (rc)
			return rc;
		if (!runs->nr_chunks) {
			runs->few[runs->nr_few++] =
				packed_move(batch->packed[i], 0, runs->npages);
			runs->npages = first + run_batch_end(batch, i++);
			continue;
		}
		chunk = runs_last_chunk(runs);
		max = min(chunk->capacity, CHUNK_MAX);
		do {
			chunk->packed[chunk->nr++] =
				packed_move(batch->packed[i], 0,
					    runs->npages - chunk->index);
			runs->npages = first + run_batch_end(batch, i++);
		} while (i != batch->nr && chunk->nr < max &&
			 packed_offset_fits(runs->npages - chunk->index));
	}
	return 0;
}

/* Replace hole @e of a chunk with the runs of a batch. */
static int fill_inside_chunk(struct iopt_run_chunk *chunk, unsigned int e,
			     const struct iopt_run_batch *batch, gfp_t gfp)
{
	unsigned long offset = packed_offset(chunk->packed[e]);
	unsigned int i;

	if (iopt_chunk_open(chunk, e, batch->nr - 1, gfp))
		return -ENOMEM;
	for (i = 0; i != batch->nr; i++)
		chunk->packed[e + i] =
			packed_move(batch->packed[i], 0,
				    offset + packed_offset(batch->packed[i]));
	return 0;
}

/* Replace hole @e of chunk @c with chunks that contain the runs of a batch. */
static int fill_between_chunks(struct iopt_runs *runs, unsigned int c,
			       unsigned int e,
			       const struct iopt_run_batch *batch, gfp_t gfp)
{
	struct iopt_run_chunk *chunk = &runs->chunks[c];
	unsigned long first = chunk_entry_index(chunk, e);
	struct iopt_runs fresh = {};
	unsigned int i;
	bool only;

	if (runs_append_batch(&fresh, 0, batch, 0, gfp) ||
	    iopt_runs_leave_inline(&fresh, gfp))
		goto fail;
	if (e + 1 != chunk->nr &&
	    iopt_chunk_split(runs, c, e + 1, chunk_entry_index(chunk, e + 1),
			     gfp))
		goto fail;

	/*
	 * The hole is now the last run of its chunk, and may be the only run.
	 */
	only = runs->chunks[c].nr == 1;
	if (iopt_chunks_open(runs, c + 1, fresh.nr_chunks - only, gfp))
		goto fail;
	if (--runs->chunks[c].nr)
		c++;
	else
		chunk_free(&runs->chunks[c]);
	for (i = 0; i != fresh.nr_chunks; i++) {
		runs->chunks[c + i] = fresh.chunks[i];
		runs->chunks[c + i].index += first;
	}
	kvfree(fresh.chunks);
	return 0;
fail:
	iopt_runs_free(&fresh);
	return -ENOMEM;
}

/* Fill a hole that is not at the end of the record. */
static int runs_fill_inside(struct iopt_runs *runs, unsigned long first,
			    const struct iopt_run_batch *batch, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	unsigned int c, e;

	if (iopt_runs_cut(runs, first, gfp) ||
	    iopt_runs_cut(runs, first + batch->npages, gfp))
		return -ENOMEM;

	c = runs_find_chunk(runs, first);
	chunk = &runs->chunks[c];
	e = chunk_find_entry(chunk, first);
	if (chunk->nr + batch->nr - 1 <= CHUNK_EDIT_MAX &&
	    packed_offset_fits(first - chunk->index + batch->npages))
		return fill_inside_chunk(chunk, e, batch, gfp);
	return fill_between_chunks(runs, c, e, batch, gfp);
}

/* Append pages at or after the end of the record. A gap becomes a hole. */
static int runs_fill_behind(struct iopt_runs *runs, unsigned long first,
			    const struct iopt_run_batch *batch, bool join,
			    gfp_t gfp)
{
	u64 packed = iopt_packed_hole;
	const struct iopt_run_batch hole = {
		.packed = &packed,
		.nr = 1,
		.npages = first - runs->npages,
	};
	unsigned long old = runs->npages, from = old;
	bool joined = false;
	int rc = 0;

	if (hole.npages)
		rc = runs_append_batch(runs, old, &hole, 0, gfp);
	else if (join)
		joined = runs_extend(runs, batch->packed[0],
				     run_batch_end(batch, 0));
	if (joined)
		from = runs->npages;
	if (!rc)
		rc = runs_append_batch(runs, first, batch, joined, gfp);
	if (!rc)
		return 0;

	iopt_runs_clear(runs, from, runs->npages - 1);
	/* The last run ends at npages, so this removes the joined pages. */
	if (joined)
		runs->npages = old;
	return rc;
}

/**
 * iopt_runs_fill() - record pages in a hole
 * @runs: the record
 * @first: index of the first page, inside a hole
 * @batch: the pages, which must fit into the hole
 * @join: allow merging the pages into the run that ends just before @first;
 *        false if a run must start at @first
 * @gfp: allocation flags
 *
 * Context: may sleep if @gfp allows it; callers serialise access to @runs.
 * Return: 0 or -ENOMEM. On failure the record describes the same pages as
 * before.
 */
int iopt_runs_fill(struct iopt_runs *runs, unsigned long first,
		   const struct iopt_run_batch *batch, bool join, gfp_t gfp)
{
	/* Fast path for small mappings, which can be numerous. */
	if (!runs->npages && !first && batch->nr <= IOPT_RUNS_INLINE) {
		memcpy(runs->few, batch->packed,
		       batch->nr * sizeof(*batch->packed));
		runs->nr_few = batch->nr;
		runs->npages = batch->npages;
		return 0;
	}
	if (first >= runs->npages)
		return runs_fill_behind(runs, first, batch, join, gfp);
	return runs_fill_inside(runs, first, batch, gfp);
}
