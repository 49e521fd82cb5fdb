// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programming an area into a domain.
 *
 * The runs of the iopt_pages determine what to map; translations are never read
 * from a domain. An area is mapped as a whole or not at all. Unmapping neither
 * allocates memory nor fails: if an IOMMU driver unmaps less than requested,
 * the pages that may still be mapped are marked as lost and stay pinned,
 * because a device could otherwise access memory that has been freed.
 */
#include <linux/iommu.h>
#include <linux/pfn.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "area.h"
#include "domain.h"
#include "io_pagetable.h"
#include "pages.h"
#include "program.h"

/*
 * Limits on one call to the IOMMU driver, to bound its latency. One call can
 * still map the largest I/O page.
 */
#define BATCH_RUNS	32
#define BATCH_BYTES	((unsigned long)IOPT_MAX_IOPTE)

/* Maximum span of one IOTLB flush. */
#define FLUSH_BYTES	SZ_1T

/**
 * struct map_call - runs to map with the next call to iommu_map_runs()
 * @domain: the domain
 * @prot: protection, IOMMU_READ etc.
 * @gfp: flags for allocations of the IOMMU driver
 * @max_iopte: size in bytes of the largest I/O page; no run is larger
 * @iova: IOVA of the first run; the area is mapped up to here
 * @bytes: total length of the runs in bytes
 * @nr: number of runs
 * @runs: the runs
 */
struct map_call {
	struct iommu_domain *domain;
	int prot;
	gfp_t gfp;
	unsigned long max_iopte;
	unsigned long iova;
	unsigned long bytes;
	unsigned int nr;
	struct iommu_phys_run runs[BATCH_RUNS];
};

static int batch_map(struct map_call *batch)
{
	size_t mapped;
	int rc;

	if (fatal_signal_pending(current))
		return -EINTR;
	rc = iommu_map_runs(batch->domain, batch->iova, batch->runs, batch->nr,
			    batch->prot, batch->gfp, &mapped);
	batch->iova += mapped;
	batch->bytes = 0;
	batch->nr = 0;
	return rc;
}

/*
 * Add contiguous memory to a batch, and map the batch if it is full. Contiguous
 * memory is merged into one run even if iopt_pages.runs records it as several
 * runs, but a run ends where the IOVA is a multiple of the largest I/O page
 * size. A batch ends at such a multiple or where contiguous memory ends.
 * Batching therefore does not make I/O pages smaller.
 */
static int batch_add(struct map_call *batch, phys_addr_t phys,
		     unsigned long bytes)
{
	while (bytes) {
		unsigned long iova = batch->iova + batch->bytes;
		unsigned long room = batch->max_iopte -
				     (iova & (batch->max_iopte - 1));
		unsigned long part = min(bytes, room);
		struct iommu_phys_run *run = &batch->runs[batch->nr];

		if (batch->nr && room != batch->max_iopte &&
		    run[-1].phys + run[-1].bytes == phys) {
			run[-1].bytes += part;
		} else if (batch->nr == BATCH_RUNS ||
			   (batch->nr && batch->bytes + room > BATCH_BYTES)) {
			int rc = batch_map(batch);

			if (rc)
				return rc;
			cond_resched();
			continue;
		} else {
			run->phys = phys;
			run->bytes = part;
			batch->nr++;
		}
		batch->bytes += part;
		phys += part;
		bytes -= part;
	}
	return 0;
}

static int batch_add_run(struct map_call *batch, const struct iopt_run *run)
{
	phys_addr_t phys = PFN_PHYS(run->pfn);
	unsigned long i;
	int rc = 0;

	/* The slice of a filled holder has no holes. */
	if (WARN_ON_ONCE(run->kind == IOPT_RUN_HOLE))
		return -EINVAL;
	if (iopt_run_stride(run->kind))
		return batch_add(batch, phys, run->count << PAGE_SHIFT);
	for (i = 0; !rc && i != run->count; i++)
		rc = batch_add(batch, phys, PAGE_SIZE);
	return rc;
}

/*
 * Like batch_add_run(), for an area that starts or ends inside a page. Only the
 * bytes of the area are mapped.
 */
static int batch_add_part(struct map_call *batch, const struct iopt_run *run,
			  const struct iopt_area *area)
{
	unsigned long stride = iopt_run_stride(run->kind), i;
	int rc = 0;

	if (WARN_ON_ONCE(run->kind == IOPT_RUN_HOLE))
		return -EINVAL;
	for (i = 0; !rc && i != run->count; i++) {
		unsigned long iova = batch->iova + batch->bytes;
		unsigned long skip = iova == area->start ? area->offset : 0;
		unsigned long bytes = min(PAGE_SIZE - skip - 1,
					  area->last - iova) + 1;

		rc = batch_add(batch, PFN_PHYS(run->pfn + i * stride) + skip,
			       bytes);
	}
	return rc;
}

/* Mark the pages after the first @safe bytes of an area as lost. */
static void area_lose(struct iopt_area *area, unsigned long safe)
{
	lockdep_assert_held(&area->pages->mutex);
	iopt_runs_lose(&area->pages->runs,
		       iopt_area_index(area, area->start + safe),
		       area->slice.last);
}

/**
 * iopt_flush_start() - start collecting IOVAs that are unmapped from a domain
 * @flush: the flush
 * @domain: the domain
 *
 * Context: any.
 */
void iopt_flush_start(struct iopt_flush *flush, struct iommu_domain *domain)
{
	flush->domain = domain;
	flush->start = ULONG_MAX;
	flush->last = 0;
	iommu_iotlb_gather_init(&flush->gather);
}

/**
 * iopt_flush_end() - flush the IOTLB for the collected IOVAs
 * @flush: the flush
 *
 * Context: process context, may sleep.
 */
void iopt_flush_end(struct iopt_flush *flush)
{
	iommu_iotlb_sync(flush->domain, &flush->gather);
}

/*
 * Add IOVAs to a flush. Flush first if the span would otherwise exceed
 * FLUSH_BYTES: some drivers compute the length in a type that is narrower than
 * an IOVA.
 */
static void flush_extend(struct iopt_flush *flush, unsigned long start,
			 unsigned long last)
{
	unsigned long lowest = min(flush->start, start);
	unsigned long highest = max(flush->last, last);

	if ((u64)(highest - lowest) >= FLUSH_BYTES) {
		iommu_iotlb_sync(flush->domain, &flush->gather);
		lowest = start;
		highest = last;
	}
	flush->start = lowest;
	flush->last = highest;
}

/*
 * Unmap in pieces that end at boundaries of I/O pages, and reschedule between
 * pieces, because drivers that clear page table entries one by one do not
 * reschedule. Returns the number of bytes unmapped, starting at @iova.
 */
static unsigned long unmap_pieces(struct iopt_flush *flush, unsigned long iova,
				  unsigned long bytes)
{
	unsigned long size = max(BATCH_BYTES, iopt_granule(flush->domain));
	unsigned long done = 0;

	for (;;) {
		unsigned long room = size - (iova & (size - 1));
		unsigned long piece = min(bytes - done, room);
		size_t unmapped;

		flush_extend(flush, iova, iova + (piece - 1));
		unmapped = iommu_unmap_fast(flush->domain, iova, piece,
					    &flush->gather);
		if (unmapped < piece)
			return done + unmapped;
		done += piece;
		if (done == bytes)
			return done;
		iova += piece;
		cond_resched();
	}
}

static void unmap_partly_mapped(struct iommu_domain *domain,
				struct iopt_area *area, unsigned long bytes)
{
	struct iopt_flush flush;
	unsigned long unmapped;

	iopt_flush_start(&flush, domain);
	unmapped = unmap_pieces(&flush, area->start, bytes);
	iopt_flush_end(&flush);
	if (unmapped < bytes)
		area_lose(area, unmapped);
}

/**
 * iopt_area_program() - map an area in a domain
 * @iopt: the space
 * @area: an area that is a holder of its pages
 * @domain: the domain, with nothing mapped at the IOVAs of @area
 *
 * Context: process context, may sleep. @area->pages->mutex is held.
 * Return: 0, or
 * * %-EINVAL - The memory is not aligned to the smallest page size of @domain.
 * * %-ENOMEM - Out of memory.
 * * %-EINTR - A fatal signal is pending.
 * * Another errno of the IOMMU driver.
 *
 * On failure nothing is mapped, unless the IOMMU driver also fails to unmap:
 * the pages that may then still be mapped are marked as lost.
 */
int iopt_area_program(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iommu_domain *domain)
{
	unsigned long limit = min(iopt_max_iopte(iopt), BATCH_BYTES);
	/* Do not initialise the array of runs, which is often mostly unused. */
	struct map_call batch __uninitialized;
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;
	bool whole = PAGE_ALIGNED(iopt_area_misalignment(area));
	int rc = 0;

	lockdep_assert_held(&area->pages->mutex);
	batch.domain = domain;
	batch.prot = area->prot;
	batch.gfp = iopt->policy.gfp;
	batch.max_iopte = max(limit, iopt_granule(domain));
	batch.iova = area->start;
	batch.bytes = 0;
	batch.nr = 0;

	iopt_run_iter_start(&iter, &area->pages->runs, area->slice.start,
			    area->slice.last);
	while (!rc && iopt_run_iter_next(&iter, &run))
		rc = whole ? batch_add_run(&batch, &run) :
			     batch_add_part(&batch, &run, area);
	if (!rc)
		rc = batch_map(&batch);
	if (rc && batch.iova != area->start)
		unmap_partly_mapped(domain, area, batch.iova - area->start);
	return rc;
}

/**
 * iopt_area_unprogram() - unmap an area from a domain
 * @area: the area, mapped in the domain of @flush
 * @flush: the flush, which the caller must end before it unpins any of the
 *         pages
 *
 * Context: process context, may sleep. Takes @area->pages->mutex if the IOMMU
 * driver fails.
 */
void iopt_area_unprogram(struct iopt_area *area, struct iopt_flush *flush)
{
	unsigned long bytes = iopt_area_length(area);
	unsigned long unmapped = unmap_pieces(flush, area->start, bytes);

	if (unmapped >= bytes)
		return;
	mutex_lock(&area->pages->mutex);
	area_lose(area, unmapped);
	mutex_unlock(&area->pages->mutex);
}
