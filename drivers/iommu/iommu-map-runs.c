// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping many physically contiguous runs in one call.
 *
 * Vocabulary: a run is physically contiguous memory; the runs of a call are
 * mapped back to back. A driver with the map_runs op walks its I/O page table
 * once for neighbours; the runs of any other driver are mapped one by one.
 *
 * Rule: nothing that a user of the interface gets wrong shows in the log.
 */
#include <linux/export.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/overflow.h>
#include <trace/events/iommu.h>

#include "iommu-priv.h"

/* What can be wrong with the runs of a call; *@bytes is their sum. */
static int check_runs(struct iommu_domain *domain, unsigned long iova,
		      const struct iommu_phys_run *runs, unsigned int nr,
		      size_t *bytes)
{
	unsigned long last;
	u64 all = iova;
	unsigned int i;

	if (unlikely(!(domain->type & __IOMMU_DOMAIN_PAGING) ||
		     !domain->pgsize_bitmap))
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

static int map_one_by_one(struct iommu_domain *domain, unsigned long iova,
			  const struct iommu_phys_run *runs, unsigned int nr,
			  int prot, gfp_t gfp, size_t *mapped)
{
	unsigned int i;
	int ret;

	for (i = 0; i != nr; i++) {
		ret = __iommu_map(domain, iova + *mapped, runs[i].phys,
				  runs[i].bytes, prot, gfp);
		if (ret)
			return ret;
		*mapped += runs[i].bytes;
	}
	return 0;
}

/* As iommu_map() would have traced them. */
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
 * @iova: where the first one goes; nothing is mapped there yet
 * @runs: the runs
 * @nr: how many; none is fine
 * @prot: IOMMU_READ and the like, for all of them
 * @gfp: flags for what the IOMMU driver allocates, if it heeds any
 * @mapped: receives how many bytes are mapped, from @iova on
 *
 * No entry of the I/O page table spans two runs: who wants large ones has to
 * pass what is contiguous as one run, and who does not can cut it. Takes time
 * for all of the runs without rescheduling.
 *
 * Context: may sleep if @gfp does. Calls that map and unmap other IOVAs of
 * @domain may run meanwhile.
 * Return: 0; -EINVAL if @domain does not translate, or if @iova or a run is not
 * aligned to its smallest page, or if the end is beyond all addresses; what the
 * IOMMU driver says, -ENOMEM and -EFAULT (beyond its addresses) among it. After
 * a failure the first *@mapped bytes are mapped and stay so: the caller unmaps
 * them.
 */
int iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
		   const struct iommu_phys_run *runs, unsigned int nr,
		   int prot, gfp_t gfp, size_t *mapped)
{
	const struct iommu_domain_ops *ops = domain->ops;
	size_t bytes;
	int ret;

	*mapped = 0;
	ret = check_runs(domain, iova, runs, nr, &bytes);
	if (ret || !bytes)
		return ret;

	if (ops->map_runs) {
		ret = ops->map_runs(domain, iova, runs, nr, bytes, prot, gfp,
				    mapped);
		if (!ret && trace_map_enabled())
			trace_runs(iova, runs, nr);
	} else {
		ret = map_one_by_one(domain, iova, runs, nr, prot, gfp, mapped);
	}
	if (*mapped && ops->iotlb_sync_map)
		ops->iotlb_sync_map(domain, iova, *mapped);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_map_runs);
