/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mock IOMMU domain: a struct iommu_domain with a page table that tests can
 * read.
 */
#ifndef __IOPT_TEST_MOCK_DOMAIN_H
#define __IOPT_TEST_MOCK_DOMAIN_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/xarray.h>

/*
 * Number of page table levels that the mock models: tables with 4 KiB entries
 * and tables with 2 MiB entries.
 */
#define MOCK_LEVELS	2

/**
 * struct mock_domain - mock IOMMU domain
 * @domain: the domain that the engine programs
 * @test: test case that the domain belongs to
 * @attached: the domain is attached to the space of the test case
 * @pfnmap: mapped memory need not be pinned, because it has no struct page
 * @lock: protects the counters and serialises flushes
 * @ptes: page table, indexed by IOVA page; an entry holds a pfn and a
 *        protection
 * @unflushed: entries that were unmapped but have not been flushed yet
 * @tables: page tables in use at each level, indexed by the IOVA divided by the
 *          number of bytes that a table of that level translates
 * @removed: page tables that were removed but have not been flushed yet,
 *           indexed by page frame number
 * @lowest: lowest IOVA unmapped so far
 * @highest: highest IOVA unmapped so far
 * @nr_ptes: number of pages that are mapped
 * @nr_maps: number of map_pages calls, except those that @fail_map made fail;
 *           each I/O page of map_runs counts as a call
 * @nr_unmaps: number of unmap_pages calls, except those that @fail_unmap made
 *             unmap nothing
 * @nr_flushes: number of iotlb_sync calls
 * @nr_large: number of I/O pages larger than PAGE_SIZE mapped so far
 * @largest: size of the largest I/O page mapped so far, in bytes
 * @nr_run_calls: number of map_runs calls
 * @nr_runs: number of runs passed to map_runs
 * @nr_sync_maps: number of iotlb_sync_map calls
 * @synced: number of pages passed to iotlb_sync_map
 * @fail_map: fail the n-th map_pages call, counting from now; 0 for none. Each
 *            I/O page of map_runs counts as a call
 * @short_map: number of pages after which a map_pages call fails; 0 for no
 *             limit
 * @fail_unmap: make the n-th unmap_pages call, counting from now, unmap
 *              nothing; 0 for none
 * @short_unmap: maximum number of pages that one unmap_pages call unmaps; 0 for
 *               no limit
 * @keeps_ptes: an unmap was made to fall short, so entries may be left when the
 *              domain is freed
 * @lazy: sleep in some map and unmap calls, so that other threads run
 * @block_iova: block the next map or unmap of this IOVA; 0 for none
 * @blocked: completed when a call blocks on @block_iova
 * @resume: completed by the test to resume the blocked call
 */
struct mock_domain {
	struct iommu_domain domain;
	struct kunit *test;
	bool attached;
	bool pfnmap;
	spinlock_t lock;	/* serialises flushes */
	struct xarray ptes;
	struct xarray unflushed;
	struct xarray tables[MOCK_LEVELS];
	struct xarray removed;
	unsigned long lowest;
	unsigned long highest;
	unsigned long nr_ptes;
	unsigned int nr_maps;
	unsigned int nr_unmaps;
	unsigned int nr_flushes;
	unsigned int nr_large;
	unsigned long largest;
	unsigned int nr_run_calls;
	unsigned int nr_runs;
	unsigned int nr_sync_maps;
	unsigned long synced;
	unsigned int fail_map;
	unsigned long short_map;
	unsigned int fail_unmap;
	unsigned int short_unmap;
	bool keeps_ptes;
	bool lazy;
	unsigned long block_iova;
	struct completion blocked;
	struct completion resume;
};

struct mock_domain *mock_domain_alloc(struct kunit *test);
void mock_domain_take_runs(struct mock_domain *mock);
unsigned long mock_domain_pfn(struct mock_domain *mock, unsigned long iova);
int mock_domain_prot(struct mock_domain *mock, unsigned long iova);
void mock_expect_maps(struct mock_domain *mock, unsigned long iova,
		      unsigned long uaddr, unsigned long npages);
void mock_expect_empty(struct mock_domain *mock, unsigned long iova,
		       unsigned long npages);

#endif /* __IOPT_TEST_MOCK_DOMAIN_H */
