/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs: the compact record of which physical pages stand behind a range.
 *
 * A run is a number of consecutive page indexes whose pages are physically
 * contiguous, or that all are one and the same page. The record of an
 * iopt_pages is its runs in the order of their indexes, without holes, eight
 * bytes a run.
 */
#ifndef __IOPT_RUNS_H
#define __IOPT_RUNS_H

#include <linux/types.h>

/**
 * enum iopt_run_kind - what is known about the pages of a run
 * @IOPT_RUN_RAM: pinned and charged
 * @IOPT_RUN_RESERVED: pinned but not charged: PageReserved memory
 * @IOPT_RUN_ZERO: one page repeated, neither pinned nor charged: the zero page
 */
enum iopt_run_kind {
	IOPT_RUN_RAM,
	IOPT_RUN_RESERVED,
	IOPT_RUN_ZERO,
};

/**
 * struct iopt_run - one run, unpacked
 * @index: page index of its first page in the iopt_pages
 * @count: number of pages
 * @pfn: of the first page
 * @kind: see &enum iopt_run_kind
 */
struct iopt_run {
	unsigned long index;
	unsigned long count;
	unsigned long pfn;
	enum iopt_run_kind kind;
};

/*
 * Packed runs are kept in chunks. A packed run holds where it starts, relative
 * to its chunk; it ends where the next one starts. The first few live in the
 * struct itself.
 */
#define IOPT_RUNS_INLINE	3

struct iopt_run_chunk {
	unsigned long index;
	u64 *packed;
	unsigned int nr;
	unsigned int capacity;
};

/**
 * struct iopt_runs - the record of one iopt_pages
 * @npages: pages recorded so far; the index the next run starts at
 * @nr_chunks: chunks in use; 0 while the runs fit into @few
 * @nr_few: runs in @few
 * @max_chunks: size of the @chunks array
 * @few: packed runs, as of a chunk with index 0
 * @chunks: the chunks once @few was too small
 *
 * The iopt_pages' mutex protects it.
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
		struct iopt_run_chunk *chunks;
	};
};

/**
 * struct iopt_run_iter - a position in an iopt_runs
 * @runs: what is walked
 * @chunk: the chunk
 * @entry: the packed run in it
 */
struct iopt_run_iter {
	const struct iopt_runs *runs;
	unsigned int chunk;
	unsigned int entry;
};

int iopt_runs_append(struct iopt_runs *runs, const struct iopt_run *run,
		     gfp_t gfp);
void iopt_runs_free(struct iopt_runs *runs);
void iopt_run_iter_start(struct iopt_run_iter *iter,
			 const struct iopt_runs *runs, unsigned long index);
bool iopt_run_iter_next(struct iopt_run_iter *iter, struct iopt_run *run);

#endif /* __IOPT_RUNS_H */
