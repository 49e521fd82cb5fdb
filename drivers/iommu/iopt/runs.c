// SPDX-License-Identifier: GPL-2.0-only
/*
 * The compact record of physical pages, see runs.h.
 *
 * A packed run is 64 bits: the index of its first page relative to its chunk,
 * its kind and its pfn. Lengths are not stored: a run ends where the next one
 * of its chunk starts, the last one of a chunk where the next chunk starts,
 * the very last one at runs->npages. So appending pages that continue the
 * last run changes one counter, and finding an index is a binary search over
 * the chunks and then inside one.
 *
 * A chunk is allocated small and grows up to one page; only then comes the
 * next one. A run whose start is too far from its chunk's opens a new chunk.
 * Rule: recording may allocate and fail, walking and freeing never do.
 */
#include <linux/bitfield.h>
#include <linux/bug.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "runs.h"

#define PACKED_OFFSET	GENMASK_ULL(20, 0)
#define PACKED_KIND	GENMASK_ULL(23, 21)
#define PACKED_PFN	GENMASK_ULL(63, 24)

#define CHUNK_FIRST	8U
#define CHUNK_MAX	((unsigned int)(PAGE_SIZE / sizeof(u64)))

static u64 run_pack(unsigned long offset, const struct iopt_run *run)
{
	return FIELD_PREP(PACKED_OFFSET, offset) |
	       FIELD_PREP(PACKED_KIND, run->kind) |
	       FIELD_PREP(PACKED_PFN, (u64)run->pfn);
}

/* Is the page @distance pages into a run one whose pfn is @pfn? */
static bool run_continues(enum iopt_run_kind kind, unsigned long first_pfn,
			  unsigned long distance, unsigned long pfn)
{
	if (kind == IOPT_RUN_ZERO)
		return pfn == first_pfn;
	return pfn == first_pfn + distance;
}

static unsigned int runs_nr_chunks(const struct iopt_runs *runs)
{
	if (!runs->npages)
		return 0;
	return runs->nr_chunks ?: 1;
}

/* One view of the inline runs and of a chunk. */
static struct iopt_run_chunk runs_chunk(const struct iopt_runs *runs,
					unsigned int i)
{
	if (runs->nr_chunks)
		return runs->chunks[i];
	return (struct iopt_run_chunk){
		.packed = (u64 *)runs->few,
		.nr = runs->nr_few,
		.capacity = IOPT_RUNS_INLINE,
	};
}

/* The index after the last page of chunk @i. */
static unsigned long runs_chunk_end(const struct iopt_runs *runs,
				    unsigned int i)
{
	if (i + 1 < runs->nr_chunks)
		return runs->chunks[i + 1].index;
	return runs->npages;
}

static void runs_unpack(const struct iopt_runs *runs, unsigned int chunk,
			unsigned int entry, struct iopt_run *run)
{
	struct iopt_run_chunk c = runs_chunk(runs, chunk);
	u64 packed = c.packed[entry];
	unsigned long end;

	run->index = c.index + FIELD_GET(PACKED_OFFSET, packed);
	run->kind = FIELD_GET(PACKED_KIND, packed);
	run->pfn = FIELD_GET(PACKED_PFN, packed);
	if (entry + 1 < c.nr)
		end = c.index + FIELD_GET(PACKED_OFFSET, c.packed[entry + 1]);
	else
		end = runs_chunk_end(runs, chunk);
	run->count = end - run->index;
}

static int chunk_grow(struct iopt_run_chunk *chunk, gfp_t gfp)
{
	unsigned int capacity = min(chunk->capacity * 4, CHUNK_MAX);
	u64 *packed;

	packed = krealloc_array(chunk->packed, capacity, sizeof(*packed), gfp);
	if (!packed)
		return -ENOMEM;
	chunk->packed = packed;
	chunk->capacity = capacity;
	return 0;
}

/* Open a chunk that starts at the end of the record. */
static int runs_add_chunk(struct iopt_runs *runs, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	u64 *packed;

	if (runs->nr_chunks == runs->max_chunks) {
		unsigned int max = runs->max_chunks * 2;

		chunk = kvmalloc_array(max, sizeof(*chunk), gfp);
		if (!chunk)
			return -ENOMEM;
		memcpy(chunk, runs->chunks,
		       array_size(runs->nr_chunks, sizeof(*chunk)));
		kvfree(runs->chunks);
		runs->chunks = chunk;
		runs->max_chunks = max;
	}

	packed = kmalloc_array(CHUNK_FIRST, sizeof(*packed), gfp);
	if (!packed)
		return -ENOMEM;
	runs->chunks[runs->nr_chunks++] = (struct iopt_run_chunk){
		.index = runs->npages,
		.packed = packed,
		.capacity = CHUNK_FIRST,
	};
	return 0;
}

/* The inline runs are full: move them into the first chunk. */
static int runs_leave_inline(struct iopt_runs *runs, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	u64 *packed;

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
	runs->max_chunks = 1;
	runs->nr_chunks = 1;
	return 0;
}

/* Have room for one more packed run that starts at runs->npages. */
static int runs_make_room(struct iopt_runs *runs, gfp_t gfp)
{
	struct iopt_run_chunk *chunk;
	int rc;

	if (!runs->nr_chunks) {
		if (runs->nr_few < IOPT_RUNS_INLINE &&
		    runs->npages <= FIELD_MAX(PACKED_OFFSET))
			return 0;
		rc = runs_leave_inline(runs, gfp);
		if (rc)
			return rc;
	}

	chunk = &runs->chunks[runs->nr_chunks - 1];
	if (runs->npages - chunk->index > FIELD_MAX(PACKED_OFFSET))
		return runs_add_chunk(runs, gfp);
	if (chunk->nr < chunk->capacity)
		return 0;
	if (chunk->capacity < CHUNK_MAX)
		return chunk_grow(chunk, gfp);
	return runs_add_chunk(runs, gfp);
}

/**
 * iopt_runs_append - record the next pages
 * @runs: the record; an all-zero struct is an empty one
 * @run: the pages; its index must be @runs->npages
 * @gfp: allocation flags
 *
 * Pages that continue the last run extend it.
 *
 * Context: may sleep if @gfp does; the owner of @runs excludes other callers.
 * Return: 0, or -ENOMEM with @runs unchanged.
 */
int iopt_runs_append(struct iopt_runs *runs, const struct iopt_run *run,
		     gfp_t gfp)
{
	struct iopt_run_chunk chunk;
	unsigned int nr_chunks = runs_nr_chunks(runs);
	struct iopt_run last;
	int rc;

	if (nr_chunks) {
		chunk = runs_chunk(runs, nr_chunks - 1);
		runs_unpack(runs, nr_chunks - 1, chunk.nr - 1, &last);
		if (last.kind == run->kind &&
		    run_continues(last.kind, last.pfn, last.count, run->pfn)) {
			runs->npages += run->count;
			return 0;
		}
	}

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
 * iopt_runs_free - forget all runs
 * @runs: the record; empty and usable again afterwards
 *
 * Context: any that may free memory; the owner of @runs excludes other callers.
 */
void iopt_runs_free(struct iopt_runs *runs)
{
	unsigned int i;

	if (runs->nr_chunks) {
		for (i = 0; i != runs->nr_chunks; i++)
			kfree(runs->chunks[i].packed);
		kvfree(runs->chunks);
	}
	memset(runs, 0, sizeof(*runs));
}

/**
 * iopt_run_iter_start - set an iterator on the run that holds an index
 * @iter: the iterator
 * @runs: the record; must not change while it is walked
 * @index: page index, below @runs->npages, or anything if @runs is empty
 *
 * Context: any; takes time logarithmic in the number of runs.
 */
void iopt_run_iter_start(struct iopt_run_iter *iter,
			 const struct iopt_runs *runs, unsigned long index)
{
	unsigned int nr_chunks = runs_nr_chunks(runs);
	unsigned int low = 0, high, middle;
	struct iopt_run_chunk chunk;

	*iter = (struct iopt_run_iter){ .runs = runs };
	if (!nr_chunks)
		return;

	/* In both searches @low starts at or before index, @high after it. */
	for (high = nr_chunks; high - low > 1;) {
		middle = low + (high - low) / 2;
		if (runs_chunk(runs, middle).index <= index)
			low = middle;
		else
			high = middle;
	}
	iter->chunk = low;

	chunk = runs_chunk(runs, iter->chunk);
	for (low = 0, high = chunk.nr; high - low > 1;) {
		middle = low + (high - low) / 2;
		if (FIELD_GET(PACKED_OFFSET, chunk.packed[middle]) <=
		    index - chunk.index)
			low = middle;
		else
			high = middle;
	}
	iter->entry = low;
}

/**
 * iopt_run_iter_next - take the run an iterator stands on, and step
 * @iter: the iterator
 * @run: receives the whole run, however far into it the walk started
 *
 * Context: any.
 * Return: true with @run filled in, or false at the end of the record.
 */
bool iopt_run_iter_next(struct iopt_run_iter *iter, struct iopt_run *run)
{
	unsigned int nr_chunks = runs_nr_chunks(iter->runs);

	if (iter->chunk == nr_chunks)
		return false;

	runs_unpack(iter->runs, iter->chunk, iter->entry, run);
	if (++iter->entry == runs_chunk(iter->runs, iter->chunk).nr) {
		iter->chunk++;
		iter->entry = 0;
	}
	return true;
}
