/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cursor over the runs of a map_runs call, for drivers that implement this op.
 */
#ifndef __RUN_CURSOR_H
#define __RUN_CURSOR_H

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/iommu.h>

/**
 * struct run_cursor - progress of a map_runs call
 * @run: run that is being mapped
 * @end: end of the array of runs
 * @iova: next IOVA to map
 * @phys: physical address to map at @iova
 * @left: number of bytes of @run that are not mapped yet; 0 only when all runs
 *        are mapped
 */
struct run_cursor {
	const struct iommu_phys_run *run;
	const struct iommu_phys_run *end;
	unsigned long iova;
	phys_addr_t phys;
	size_t left;
};

/*
 * Load the first nonempty run from @at->run on. If there is none, set @at->left
 * to 0.
 */
static inline void run_cursor_load(struct run_cursor *at)
{
	at->left = 0;
	for (; at->run != at->end; at->run++) {
		if (at->run->bytes) {
			at->phys = at->run->phys;
			at->left = at->run->bytes;
			break;
		}
	}
}

static inline void run_cursor_advance(struct run_cursor *at, size_t bytes)
{
	at->iova += bytes;
	at->phys += bytes;
	at->left -= bytes;
	if (!at->left) {
		at->run++;
		run_cursor_load(at);
	}
}

/* Get the largest size in @pgsizes of an I/O page that can be mapped next. */
static inline size_t run_cursor_pgsize(const struct run_cursor *at,
				       unsigned long pgsizes)
{
	u64 merged = at->iova | at->phys;

	pgsizes &= GENMASK(__fls(at->left), 0);
	if (merged)
		pgsizes &= GENMASK_ULL(__ffs64(merged), 0);
	return 1UL << __fls(pgsizes);
}

#endif /* __RUN_CURSOR_H */
