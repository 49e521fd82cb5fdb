/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mock IOMMU domain: a real struct iommu_domain whose page table can be read.
 */
#ifndef __IOPT_TEST_MOCK_DOMAIN_H
#define __IOPT_TEST_MOCK_DOMAIN_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/xarray.h>

/* Tables of 4 KiB entries, and of 2 MiB entries. */
#define MOCK_LEVELS	2

/**
 * struct mock_domain - a mock IOMMU domain
 * @domain: what the engine sees
 * @test: the test case
 * @attached: to the test's space
 * @pfnmap: what is mapped is no memory with struct page
 * @lock: protects the counters, and flushes against each other
 * @ptes: the page table, by IOVA page: pfn and protection
 * @unflushed: entries of @ptes that were unmapped and not flushed since
 * @tables: the page tables that are in use, by IOVA, for each level
 * @removed: page tables that were removed and not flushed since, by page frame
 * @lowest: the lowest IOVA that was ever unmapped
 * @highest: the highest one
 * @nr_ptes: pages mapped
 * @nr_maps: calls of map_pages that mapped, and I/O pages by map_runs
 * @nr_unmaps: calls of unmap_pages
 * @nr_flushes: calls of iotlb_sync
 * @nr_large: I/O pages mapped that are larger than a page
 * @largest: bytes of the largest I/O page that was mapped
 * @nr_run_calls: calls of map_runs
 * @nr_runs: runs in them
 * @nr_sync_maps: calls of iotlb_sync_map
 * @synced: pages in them
 * @fail_map: fail the n-th call of map_pages from now on, or the n-th I/O page
 *            of map_runs, 0 none
 * @fail_unmap: let the n-th call of unmap_pages from now on do nothing, 0 none
 * @short_unmap: unmap at most so many pages of a call, if not 0
 * @keeps_ptes: has unmapped less than it was asked to
 * @lazy: let others run while mapping and unmapping
 * @block_iova: block when this IOVA is mapped or unmapped, if not 0
 * @blocked: completed when that blocks
 * @go_on: what is blocked waits for it
 */
struct mock_domain {
	struct iommu_domain domain;
	struct kunit *test;
	bool attached;
	bool pfnmap;
	spinlock_t lock;	/* counters, flushes */
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
	unsigned int fail_unmap;
	unsigned int short_unmap;
	bool keeps_ptes;
	bool lazy;
	unsigned long block_iova;
	struct completion blocked;
	struct completion go_on;
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
