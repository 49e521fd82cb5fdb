// SPDX-License-Identifier: GPL-2.0-only
/*
 * Infallible changes to whole runs of a record.
 *
 * Runs with pages that are not needed any more are turned into a hole, and runs
 * that a device may still reach are marked as lost. Neither change allocates
 * memory.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "runs_chunks.h"

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
	runs_count_steps(nr - end);
	memmove(&packed[e + 1], &packed[end], (nr - end) * sizeof(*packed));
	return nr - (end - e - 1);
}

/* Find the packed runs [@e, @end) of a chunk that intersect [@first, @last]. */
static void chunk_find_covered(const struct iopt_run_chunk *chunk,
			       unsigned long first, unsigned long last,
			       unsigned int *e, unsigned int *end)
{
	*e = 0;
	if (first > chunk->index)
		*e = chunk_find_entry(chunk, first);
	*end = chunk_find_entry(chunk, last) + 1;
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
	chunk->nr = packed_clear(chunk->packed, chunk->nr, e, end);
	if (!chunk_is_hole(chunk))
		return false;
	kfree(chunk->packed);
	chunk->packed = (u64 *)&iopt_packed_hole;
	chunk->capacity = 0;
	return true;
}

/* Truncate the record after its last run that is not a hole. */
static void runs_trim(struct iopt_runs *runs)
{
	struct iopt_run_chunk *chunk = runs_last_chunk(runs);
	u64 last = chunk_last_packed(chunk);

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
		chunk = runs_last_chunk(runs);
		last = chunk_last_packed(chunk);
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

	for (c = runs_find_chunk(runs, first);
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
}

/**
 * iopt_runs_clear() - replace runs with a hole
 * @runs: the record
 * @first: first page index; must be the start of a run or inside a hole
 * @last: last page index; must be the end of a run or inside a hole
 *
 * Allocates no memory, and on average takes time linear in the number of chunks
 * in [@first, @last]. Chunks that are cleared as a whole stay in the array
 * until they make up half of it, so that clearing many small slices of a large
 * record does not move the array each time.
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
 * Lost pages are never unpinned. The function marks whole runs, even if they
 * extend beyond [@first, @last], because splitting a run could fail. It takes
 * time linear in the number of runs in [@first, @last].
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
	for (c = runs_find_chunk(runs, first);
	     c < runs->nr_chunks && runs->chunks[c].index <= last; c++) {
		runs_chunk_step(c);
		chunk_lose(&runs->chunks[c], first, last);
	}
}
