// SPDX-License-Identifier: GPL-2.0-only
/*
 * Map several ranges of physical memory with one call.
 *
 * A run is a range of physically contiguous memory. The runs of a call are
 * mapped at consecutive IOVAs. A driver with the map_runs op can map several
 * runs in one walk of its I/O page table. For other drivers, and for formats of
 * page tables that the op does not support, the runs are mapped one by one.
 *
 * Addresses may come from user space, so invalid arguments yield an errno, but
 * no log message.
 */
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <trace/events/iommu.h>

#include "iommu-priv.h"

/* Validate the arguments. @bytes is set to the total length of the runs. */
static int check_runs(struct iommu_domain *domain, unsigned long iova,
		      const struct iommu_phys_run *runs, unsigned int nr,
		      size_t *bytes)
{
	const struct iommu_domain_ops *ops = domain->ops;
	unsigned long last;
	u64 all = iova;
	unsigned int i;

	if (unlikely(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
		     !domain->pgsize_bitmap))
		return -EINVAL;
	if (unlikely(!(ops->map_runs || ops->map_pages || ops->map)))
		return -EINVAL;

	*bytes = 0;
	for (i = 0; i != nr; i++) {
		all |= runs[i].phys | runs[i].bytes;
		if (check_add_overflow(*bytes, runs[i].bytes, bytes))
			return -EINVAL;
	}
	if (*bytes && check_add_overflow(iova, *bytes - 1, &last))
		return -EINVAL;
	if (!IS_ALIGNED(all, 1ULL << __ffs(domain->pgsize_bitmap)))
		return -EINVAL;
	return 0;
}

/*
 * Unlike iommu_map(), this does not unmap anything if the driver fails: an
 * unmap can fail, too, and the caller has to know about everything that may
 * still be mapped.
 */
static int map_run(struct iommu_domain *domain, unsigned long iova,
		   const struct iommu_phys_run *run, int prot, gfp_t gfp,
		   size_t *mapped)
{
	size_t done = 0;
	int rc = 0;

	while (!rc && done != run->bytes) {
		size_t part = 0;

		rc = __iommu_map_pages(domain, iova + done, run->phys + done,
				       run->bytes - done, prot, gfp, &part);
		done += part;
	}
	*mapped += done;
	return rc;
}

static int map_one_by_one(struct iommu_domain *domain, unsigned long iova,
			  const struct iommu_phys_run *runs, unsigned int nr,
			  int prot, gfp_t gfp, size_t *mapped)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; !rc && i != nr; i++)
		rc = map_run(domain, iova + *mapped, &runs[i], prot, gfp,
			     mapped);
	return rc;
}

/* Emit the trace event of iommu_map() for each run. */
static void trace_runs(unsigned long iova, const struct iommu_phys_run *runs,
		       unsigned int nr)
{
	unsigned int i;

	for (i = 0; i != nr; i++) {
		trace_map(iova, runs[i].phys, runs[i].bytes);
		iova += runs[i].bytes;
	}
}

/**
 * iommu_map_runs() - map physically contiguous runs back to back
 * @domain: the domain
 * @iova: IOVA of the first run; the range must not contain a mapping
 * @runs: array of runs
 * @nr: number of runs, may be 0
 * @prot: IOMMU_READ etc., for all runs
 * @gfp: allocation flags for I/O page tables, which a driver may ignore
 * @mapped: set to the number of bytes mapped from @iova on
 *
 * An I/O page never spans two runs. A caller that needs large I/O pages must
 * pass contiguous memory as a single run, and a caller that needs small I/O
 * pages can pass it as several runs. The function does not reschedule between
 * runs, so callers have to limit the memory that they map with one call.
 *
 * Context: May sleep if @gfp allows it. Before the call, a device has been
 * attached to @domain, or iommu_domain_prepare() has succeeded, since a driver
 * may choose the format of the I/O page table only then. As long as a device is
 * attached, other IOVAs of @domain may be mapped and unmapped concurrently, and
 * other devices may be attached and detached.
 * Return: 0, or
 * * %-EINVAL - @domain has no I/O page table, @iova or a run is not aligned to
 *   the smallest page size, or the range wraps.
 * * %-ENOMEM - Out of memory.
 * * Another errno of the IOMMU driver, e.g. if the range exceeds the address
 *   width of @domain.
 *
 * On failure the first @mapped bytes remain mapped, and the caller has to unmap
 * them.
 */
int iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
		   const struct iommu_phys_run *runs, unsigned int nr,
		   int prot, gfp_t gfp, size_t *mapped)
{
	const struct iommu_domain_ops *ops = domain->ops;
	size_t bytes;
	int rc;

	*mapped = 0;
	rc = check_runs(domain, iova, runs, nr, &bytes);
	if (rc || !bytes)
		return rc;

	rc = -EOPNOTSUPP;
	if (ops->map_runs)
		rc = ops->map_runs(domain, iova, runs, nr, bytes, prot, gfp,
				   mapped);
	if (rc == -EOPNOTSUPP && !*mapped && (ops->map_pages || ops->map))
		rc = map_one_by_one(domain, iova, runs, nr, prot, gfp, mapped);
	if (!rc && trace_map_enabled())
		trace_runs(iova, runs, nr);
	if (*mapped && ops->iotlb_sync_map)
		ops->iotlb_sync_map(domain, iova, *mapped);
	return rc;
}
EXPORT_SYMBOL_GPL(iommu_map_runs);
