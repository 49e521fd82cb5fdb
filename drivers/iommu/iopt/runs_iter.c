// SPDX-License-Identifier: GPL-2.0-only
/* Iterating over the runs in an index range of a record. */
#include <linux/minmax.h>

#include "runs_chunks.h"

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
 * @last: last index; indexes beyond the end of the record are returned as a
 *        hole
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
			       runs_find_chunk(runs, first) : 0);
	if (first == iter->start)
		return;
	iter->entry = chunk_find_entry(&iter->chunk, first);
	iter->packed = iter->chunk.packed[iter->entry];
	start = iter->chunk.index + packed_offset(iter->packed);
	iter->packed = packed_move(iter->packed, first - start, 0);
	iter->start = first;
}

/**
 * iopt_run_iter_next() - get the next run
 * @iter: the iterator
 * @run: receives the run, clamped to the index range
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
