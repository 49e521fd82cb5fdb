/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs: the compact record of which physical pages stand behind a range.
 *
 * A run is a number of consecutive page indexes whose pages are physically
 * contiguous, or that all are one and the same page, or a hole of which nothing
 * is known. The record of an iopt_pages is its runs in the order of their
 * indexes, eight bytes a run.
 */
#ifndef __IOPT_RUNS_H
#define __IOPT_RUNS_H

#include <linux/types.h>

/**
 * enum iopt_run_kind - what is known about the pages of a run
 * @IOPT_RUN_HOLE: nothing: not pinned
 * @IOPT_RUN_RAM: pinned and charged
 * @IOPT_RUN_RESERVED: pinned but not charged: PageReserved memory
 * @IOPT_RUN_ZERO: one page repeated, neither pinned nor charged: the zero page
 * @IOPT_RUN_PFNMAP: memory without struct page, neither pinned nor charged
 */
enum iopt_run_kind {
	IOPT_RUN_HOLE,
	IOPT_RUN_RAM,
	IOPT_RUN_RESERVED,
	IOPT_RUN_ZERO,
	IOPT_RUN_PFNMAP,
};

/**
 * struct iopt_run - one run, unpacked
 * @index: page index of its first page in the iopt_pages
 * @count: number of pages
 * @pfn: of the first page; 0 for a hole
 * @kind: see &enum iopt_run_kind
 * @lost: a device may still reach the pages when nobody holds them any more
 */
struct iopt_run {
	unsigned long index;
	unsigned long count;
	unsigned long pfn;
	enum iopt_run_kind kind;
	bool lost;
};

/* From one page of such a run to the next one, how far the pfn goes on. */
static inline unsigned long iopt_run_stride(enum iopt_run_kind kind)
{
	return kind != IOPT_RUN_HOLE && kind != IOPT_RUN_ZERO;
}

/*
 * Packed runs are kept in chunks. A packed run holds where it starts, relative
 * to its chunk; it ends where the next one starts. The first few live in the
 * struct itself.
 */
#define IOPT_RUNS_INLINE	2

struct iopt_run_chunk {
	unsigned long index;
	u64 *packed;
	unsigned int nr;
	unsigned int capacity;
};

/**
 * struct iopt_runs - the record of one iopt_pages
 * @npages: where the record ends: everything from this index on is a hole
 * @nr_chunks: chunks in use; 0 while the runs fit into @few
 * @nr_few: runs in @few
 * @max_chunks: size of the @chunks array
 * @few: packed runs, as of a chunk with index 0
 * @chunks: the chunks once @few was too small
 * @nr_cleared: chunks cleared as a whole since the last compaction of @chunks
 *
 * An all-zero struct is an empty record. The iopt_pages' mutex protects it.
 */
struct iopt_runs {
	unsigned long npages;
	unsigned int nr_chunks;
	union {
		unsigned int nr_few;
		unsigned int max_chunks;
	};
	union {
		u64 few[IOPT_RUNS_INLINE];
		struct {
			struct iopt_run_chunk *chunks;
			unsigned int nr_cleared;
		};
	};
};

/**
 * struct iopt_run_batch - runs of pages that were just pinned
 * @packed: the packed runs, whose offsets count from the first page; as many
 *          as there are pages at most
 * @nr: number of runs
 * @npages: number of pages
 */
struct iopt_run_batch {
	u64 *packed;
	unsigned int nr;
	unsigned long npages;
};

/**
 * struct iopt_run_iter - a walk over some indexes of a record
 * @runs: what is walked; must not change meanwhile
 * @start: where the next run starts
 * @end: the index after the last one
 * @packed: the next run, if @start is inside of the record
 * @entry: its number in the chunk
 * @nr_chunk: the number of the chunk
 * @chunk: the chunk
 */
struct iopt_run_iter {
	const struct iopt_runs *runs;
	unsigned long start;
	unsigned long end;
	u64 packed;
	unsigned int entry;
	unsigned int nr_chunk;
	struct iopt_run_chunk chunk;
};

/* runs.c */
int iopt_runs_append(struct iopt_runs *runs, const struct iopt_run *run,
		     gfp_t gfp);
void iopt_runs_free(struct iopt_runs *runs);
void iopt_run_iter_start(struct iopt_run_iter *iter,
			 const struct iopt_runs *runs, unsigned long first,
			 unsigned long last);
bool iopt_run_iter_next(struct iopt_run_iter *iter, struct iopt_run *run);

/* runs_edit.c */
int iopt_runs_cut(struct iopt_runs *runs, unsigned long index, gfp_t gfp);
int iopt_runs_fill(struct iopt_runs *runs, unsigned long first,
		   const struct iopt_run_batch *batch, bool join, gfp_t gfp);
void iopt_runs_clear(struct iopt_runs *runs, unsigned long first,
		     unsigned long last);
void iopt_runs_lose(struct iopt_runs *runs, unsigned long first,
		    unsigned long last);

#endif /* __IOPT_RUNS_H */
