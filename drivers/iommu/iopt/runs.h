/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs: a compact record of the physical pages behind a range.
 *
 * A run covers consecutive page indexes, and its pages are either physically
 * contiguous or one page repeated. A run without pages is a hole. A record is a
 * sequence of runs sorted by index. A run is packed into eight bytes.
 */
#ifndef __IOPT_RUNS_H
#define __IOPT_RUNS_H

#include <linux/types.h>

/**
 * enum iopt_run_kind - type and state of the pages of a run
 * @IOPT_RUN_HOLE: no pages are recorded
 * @IOPT_RUN_RAM: pinned and charged
 * @IOPT_RUN_RESERVED: pages with PG_reserved, pinned but not charged
 * @IOPT_RUN_ZERO: the zero page, repeated, neither pinned nor charged
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
 * @index: index of the first page
 * @count: number of pages
 * @pfn: page frame number of the first page, 0 for a hole
 * @kind: see &enum iopt_run_kind
 * @lost: a device may still reach the pages, so they must not be unpinned
 */
struct iopt_run {
	unsigned long index;
	unsigned long count;
	unsigned long pfn;
	enum iopt_run_kind kind;
	bool lost;
};

/* Return the difference between the pfns of adjacent pages of a run. */
static inline unsigned long iopt_run_stride(enum iopt_run_kind kind)
{
	return kind != IOPT_RUN_HOLE && kind != IOPT_RUN_ZERO;
}

/*
 * True if the pages of a run are lost, and so stay pinned. The zero page is not
 * pinned, so it does not count even if @run->lost is set. Callers do not pass
 * runs of memory without struct page, which is not pinned either.
 */
static inline bool iopt_run_is_lost(const struct iopt_run *run)
{
	return run->lost && run->kind != IOPT_RUN_ZERO;
}

/*
 * A record first stores its packed runs, at most IOPT_RUNS_INLINE of them, in
 * struct iopt_runs itself. When the record needs more room or is cut, all of
 * its runs move to chunks. A packed run contains its start, relative to the
 * start of its chunk, and extends to the start of the next run or, if there is
 * none, to the end of the record.
 */
#define IOPT_RUNS_INLINE	2

struct iopt_run_chunk {
	unsigned long index;
	u64 *packed;
	unsigned int nr;
	unsigned int capacity;
};

/**
 * struct iopt_runs - a record of pages
 * @npages: end of the record; all indexes from here on are a hole
 * @nr_chunks: number of chunks in use, 0 while the runs are in @few
 * @nr_few: number of runs in @few
 * @max_chunks: capacity of @chunks
 * @few: packed runs, relative to index 0
 * @chunks: array of chunks, used if @nr_chunks is not 0
 * @nr_cleared: number of chunks that have been cleared as a whole since @chunks
 *              was last compacted
 *
 * A zeroed struct is an empty record. Callers serialise access to a record.
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
 * struct iopt_run_batch - runs of pages that have just been pinned
 * @packed: the packed runs, relative to the first page; at most one per page
 * @nr: number of runs
 * @npages: number of pages
 */
struct iopt_run_batch {
	u64 *packed;
	unsigned int nr;
	unsigned long npages;
};

/**
 * struct iopt_run_iter - iterator over the runs of an index range
 * @runs: the record, which must not change during the iteration
 * @start: start of the next run
 * @end: end of the range, exclusive
 * @packed: the next run, if @start is less than the end of the record
 * @entry: position of the next run in @chunk
 * @nr_chunk: position of @chunk in the record
 * @chunk: copy of the current chunk
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

/* runs_chunks.c */
void iopt_runs_free(struct iopt_runs *runs);

/* runs_iter.c */
void iopt_run_iter_start(struct iopt_run_iter *iter,
			 const struct iopt_runs *runs, unsigned long first,
			 unsigned long last);
bool iopt_run_iter_next(struct iopt_run_iter *iter, struct iopt_run *run);

/* runs_clear.c */
void iopt_runs_clear(struct iopt_runs *runs, unsigned long first,
		     unsigned long last);
void iopt_runs_lose(struct iopt_runs *runs, unsigned long first,
		    unsigned long last);

/* runs_cut.c */
int iopt_runs_cut(struct iopt_runs *runs, unsigned long index, gfp_t gfp);

/* runs_fill.c */
int iopt_runs_fill(struct iopt_runs *runs, unsigned long first,
		   const struct iopt_run_batch *batch, bool join, gfp_t gfp);

#endif /* __IOPT_RUNS_H */
