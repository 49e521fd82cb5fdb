// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programming one domain with one area.
 *
 * A domain is only ever written: what to write stands in the runs of the pages.
 * Rule: all of an area or nothing. Unmapping never allocates and never fails; if
 * an IOMMU driver unmaps less than it was asked to, the pages behind are given
 * up as lost: better lost than overwritten.
 */
#include <linux/iommu.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "io_pagetable.h"
#include "pages.h"

/* What goes into one call, so that it ends soon. */
#define BATCH_RUNS	32
#define BATCH_BYTES	((unsigned long)SZ_1G)

/**
 * struct batch - what is to be mapped with the next call
 * @domain: where
 * @prot: IOMMU_READ and the like
 * @gfp: flags for the IOMMU driver's allocations
 * @max_iopte: bytes of the largest I/O page, and the most that a run has
 * @iova: where the first run goes; all of the area below is mapped
 * @bytes: of all runs
 * @nr: how many runs
 * @runs: the runs
 */
struct batch {
	struct iommu_domain *domain;
	int prot;
	gfp_t gfp;
	unsigned long max_iopte;
	unsigned long iova;
	unsigned long bytes;
	unsigned int nr;
	struct iommu_phys_run runs[BATCH_RUNS];
};

static int batch_map(struct batch *batch)
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
 * Contiguous memory becomes one run however often its record was cut, but is
 * cut at multiples of the largest I/O page: an I/O page lies in one run. What
 * is in a batch is complete when the batch is mapped, but for such a cut.
 */
static int batch_add(struct batch *batch, phys_addr_t phys, unsigned long bytes)
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

static int batch_add_run(struct batch *batch, const struct iopt_run *run)
{
	phys_addr_t phys = PFN_PHYS(run->pfn);
	unsigned long i;
	int rc = 0;

	if (iopt_run_stride(run->kind))
		return batch_add(batch, phys, run->count << PAGE_SHIFT);
	for (i = 0; !rc && i != run->count; i++)
		rc = batch_add(batch, phys, PAGE_SIZE);
	return rc;
}

/* All but the first @safe bytes of an area must not be unpinned ever. */
static void area_lose(struct iopt_area *area, unsigned long safe)
{
	lockdep_assert_held(&area->pages->mutex);
	iopt_runs_lose(&area->pages->runs,
		       area->slice.start + (safe >> PAGE_SHIFT),
		       area->slice.last);
}

static void unmap_partly_mapped(struct iommu_domain *domain,
				struct iopt_area *area, unsigned long bytes)
{
	struct iommu_iotlb_gather gather;
	size_t unmapped;

	iommu_iotlb_gather_init(&gather);
	unmapped = iommu_unmap_fast(domain, area->start, bytes, &gather);
	iommu_iotlb_sync(domain, &gather);
	if (unmapped < bytes)
		area_lose(area, unmapped);
}

/**
 * iopt_area_program - map all of an area in a domain
 * @iopt: the space
 * @area: an area that is a holder of its pages
 * @domain: where nothing is mapped at the area's IOVAs
 *
 * Context: process context, may sleep. @area->pages->mutex is held.
 * Return: 0, -EINVAL if the memory does not suit the domain's pages, -EINTR if
 * killed, or an errno of the IOMMU driver; nothing is mapped then.
 */
int iopt_area_program(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iommu_domain *domain)
{
	unsigned long granule = 1UL << __ffs(domain->pgsize_bitmap);
	unsigned long max_iopte = READ_ONCE(iopt->policy.max_iopte);
	/* More than half a KiB, of which only what was written is read. */
	struct batch batch __uninitialized;
	struct iopt_run_iter iter __uninitialized;
	struct iopt_run run __uninitialized;
	int rc = 0;

	lockdep_assert_held(&area->pages->mutex);
	batch.domain = domain;
	batch.prot = area->prot;
	batch.gfp = iopt->policy.gfp;
	batch.max_iopte = max(min(max_iopte, BATCH_BYTES), granule);
	batch.iova = area->start;
	batch.bytes = 0;
	batch.nr = 0;

	iopt_run_iter_start(&iter, &area->pages->runs, area->slice.start,
			    area->slice.last);
	while (!rc && iopt_run_iter_next(&iter, &run))
		rc = batch_add_run(&batch, &run);
	if (!rc)
		rc = batch_map(&batch);
	if (rc && batch.iova != area->start)
		unmap_partly_mapped(domain, area, batch.iova - area->start);
	return rc;
}

/**
 * iopt_area_unprogram - unmap all of an area in a domain
 * @area: the area
 * @domain: where it is mapped
 * @gather: to be flushed by the caller before any of the pages is unpinned
 *
 * Context: process context, may sleep. Takes @area->pages->mutex if the driver
 * fails.
 */
void iopt_area_unprogram(struct iopt_area *area, struct iommu_domain *domain,
			 struct iommu_iotlb_gather *gather)
{
	unsigned long bytes = iopt_area_length(area);
	size_t unmapped = iommu_unmap_fast(domain, area->start, bytes, gather);

	if (unmapped >= bytes)
		return;
	mutex_lock(&area->pages->mutex);
	area_lose(area, unmapped);
	mutex_unlock(&area->pages->mutex);
}
