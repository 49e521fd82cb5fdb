// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mock IOMMU domain.
 *
 * The mock is stricter than hardware drivers: mapping an IOVA that is already
 * mapped, or unmapping one that is not, fails the test.
 *
 * The mock models the worst possible cache: every entry, and every page table
 * that an unmap removes, stays cached until an IOTLB flush covers its IOVAs.
 * The test fails if a page is unpinned while a valid or cached entry translates
 * to it, if a page table is freed while it is cached, if a domain maps over a
 * cached entry, or if a domain is freed while it has valid or cached entries.
 * The engine calls iopt_test_unpin() before it unpins pages.
 *
 * Vocabulary:
 *  reach     number of entries, valid or cached and in any domain, that
 *            translate to a page frame
 *  table     page table that translates 2 MiB or 1 GiB of IOVAs. As with VT-d,
 *            unmapping the whole range of a table removes the table. Its page
 *            stays on the freelist of the gather until the flush
 */
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/memblock.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "../gup.h"
#include "failing.h"
#include "mock_domain.h"
#include "user_mm.h"

#define PTE_PROT	(IOMMU_READ | IOMMU_WRITE | IOMMU_CACHE)

/*
 * Maximum length of a flush in bytes. A longer flush is an error, because some
 * drivers compute the length in a type that is narrower than an IOVA.
 */
#define FLUSH_MAX	SZ_1T

/* Log2 of the number of IOVA bytes that a table of each level translates. */
static const unsigned int table_shift[MOCK_LEVELS] = { 21, 30 };

/*
 * Reach of each page frame, see the vocabulary. Allocated along with the first
 * domain and never freed.
 */
static atomic_t *reach;

/* The test case that owns all current domains. */
static struct kunit *current_test;

static struct mock_domain *to_mock(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static void *pte_pack(unsigned long pfn, int prot)
{
	return xa_mk_value(pfn << 3 | (prot & PTE_PROT));
}

static void mock_maybe_block(struct mock_domain *mock, unsigned long iova,
			     size_t size)
{
	if (!mock->block_iova || mock->block_iova < iova ||
	    mock->block_iova - iova >= size)
		return;
	mock->block_iova = 0;
	complete(&mock->blocked);
	wait_for_completion(&mock->resume);
}

static void reach_add(unsigned long pfn, int n)
{
	if (pfn < max_pfn)
		atomic_add(n, &reach[pfn]);
}

/*
 * Return true if @page has no pin left after @nr pages of its folio are
 * unpinned.
 */
static bool is_last_pin(struct page *page, unsigned long nr)
{
	struct folio *folio = page_folio(page);

	if (folio_test_large(folio))
		return atomic_read(folio_pincount_ptr(folio)) <= nr;
	return test_pins(page_to_pfn(page)) <= 1;
}

/*
 * Called before the engine unpins contiguous pages. Fail the test if a domain
 * still reaches a page that loses its last pin.
 */
void iopt_test_unpin(struct page *first, unsigned long npages)
{
	unsigned long i, nr, end, pfn, nr_reached = 0;

	for (i = 0; i < npages; i++) {
		struct page *page = nth_page(first, i);
		struct folio *folio = page_folio(page);

		pfn = page_to_pfn(page);
		if (!reach || pfn >= max_pfn || !atomic_read(&reach[pfn]) ||
		    is_zero_pfn(pfn))
			continue;
		end = min(folio_pfn(folio) + folio_nr_pages(folio),
			  page_to_pfn(first) + npages);
		nr = end - max(folio_pfn(folio), page_to_pfn(first));
		/*
		 * Read reach[pfn] again: another thread may have unmapped and
		 * unpinned the page in the meantime.
		 */
		nr_reached += is_last_pin(page, nr) && atomic_read(&reach[pfn]);
	}
	if (nr_reached)
		KUNIT_FAIL(current_test,
			   "%lu of %lu pages to unpin at pfn 0x%lx are mapped or cached",
			   nr_reached, npages, page_to_pfn(first));
}

/*
 * Store an entry without consuming an allocation failure that the test injects.
 */
static int mock_store(struct xarray *xa, unsigned long index, void *entry,
		      bool insert)
{
	unsigned int pending = test_fail_suspend();
	int rc;

	if (insert)
		rc = xa_insert(xa, index, entry, GFP_KERNEL);
	else
		rc = xa_err(xa_store(xa, index, entry, GFP_KERNEL));
	test_fail_allocation(pending);
	return rc;
}

static void table_range(struct page *table, unsigned long *start,
			unsigned long *last)
{
	unsigned int shift = page_private(table);

	*start = table->index << shift;
	*last = *start + (1UL << shift) - 1;
}

/*
 * Allocate the tables that I/O pages of @pgsize need in the range, and free the
 * tables that the I/O pages replace.
 */
static void mock_need_tables(struct mock_domain *mock, unsigned long iova,
			     size_t pgsize, size_t bytes)
{
	unsigned long index, last = iova + bytes - 1;
	unsigned int level, shift;
	struct page *table;

	for (level = 0; level != MOCK_LEVELS; level++) {
		shift = table_shift[level];
		for (index = iova >> shift; index <= last >> shift; index++) {
			table = xa_load(&mock->tables[level], index);
			if (pgsize >= 1UL << shift) {
				/*
				 * The table is not cached, because drivers
				 * flush a table that they replace.
				 */
				xa_erase(&mock->tables[level], index);
				if (table)
					__free_page(table);
				continue;
			}
			if (table)
				continue;
			table = alloc_page(GFP_KERNEL);
			KUNIT_EXPECT_NOT_NULL(mock->test, table);
			if (!table)
				return;
			table->index = index;
			set_page_private(table, shift);
			/*
			 * Another thread may have inserted the table meanwhile.
			 */
			if (mock_store(&mock->tables[level], index, table,
				       true))
				__free_page(table);
		}
	}
}

/*
 * Remove the tables that translate only IOVAs of the unmapped range. The mock
 * takes a reference to each table, to detect tables that are freed before the
 * flush.
 */
static void mock_remove_tables(struct mock_domain *mock, unsigned long iova,
			       size_t bytes, struct iommu_iotlb_gather *gather)
{
	unsigned long first, end, index;
	unsigned int level, shift;
	struct page *table;

	for (level = 0; level != MOCK_LEVELS; level++) {
		shift = table_shift[level];
		first = DIV_ROUND_UP(iova, 1UL << shift);
		end = (iova + bytes) >> shift;
		if (first >= end)
			continue;
		xa_for_each_range(&mock->tables[level], index, table, first,
				  end - 1) {
			xa_erase(&mock->tables[level], index);
			get_page(table);
			mock_store(&mock->removed, page_to_pfn(table), table,
				   false);
			list_add_tail(&table->lru, &gather->freelist);
		}
	}
}

/*
 * Sleep in some calls of a lazy domain. It does not matter in which ones, so
 * the counter is read without the lock.
 */
static void mock_maybe_sleep(struct mock_domain *mock)
{
	if (mock->lazy && READ_ONCE(mock->nr_maps) % 4 == 0)
		usleep_range(5, 50);
}

/*
 * Map contiguous I/O pages. As with IOMMU drivers, pages that were mapped
 * before an allocation failed stay mapped, and @mapped includes them.
 */
static int mock_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned long i, npages = pgsize * pgcount >> PAGE_SHIFT;
	unsigned long index = iova >> PAGE_SHIFT;
	unsigned long pfn = PHYS_PFN(paddr);
	int rc = 0;

	mock_maybe_block(mock, iova, pgsize * pgcount);
	mock_maybe_sleep(mock);
	if (mock->fail_map && !--mock->fail_map)
		return -ENOMEM;

	mock_need_tables(mock, iova, pgsize, pgsize * pgcount);
	for (i = 0; i != npages; i++) {
		void *old;

		if (mock->short_map && i == mock->short_map) {
			rc = -ENOMEM;
			break;
		}
		old = xa_store(&mock->ptes, index + i, pte_pack(pfn + i, prot),
			       gfp);
		rc = xa_err(old);
		if (rc)
			break;
		KUNIT_EXPECT_PTR_EQ(mock->test, old, NULL);
		KUNIT_EXPECT_PTR_EQ(mock->test, NULL,
				    xa_load(&mock->unflushed, index + i));
		reach_add(pfn + i, 1);
		*mapped += PAGE_SIZE;
	}

	spin_lock(&mock->lock);
	mock->nr_maps++;
	if (!rc && pgsize > mock->largest)
		mock->largest = pgsize;
	if (pgsize > PAGE_SIZE)
		mock->nr_large += i >> (__ffs(pgsize) - PAGE_SHIFT);
	mock->nr_ptes += i;
	spin_unlock(&mock->lock);
	return rc;
}

/*
 * Return the size in bytes of the largest I/O page that fits into @left bytes
 * and to which @merged, the physical address ORed with the IOVA, is aligned.
 */
static size_t mock_pgsize(struct iommu_domain *domain, u64 merged, size_t left)
{
	unsigned long sizes = domain->pgsize_bitmap;

	while (!IS_ALIGNED(merged, 1ULL << __fls(sizes)) ||
	       left < 1UL << __fls(sizes))
		sizes &= ~(1UL << __fls(sizes));
	return 1UL << __fls(sizes);
}

static int mock_map_runs(struct iommu_domain *domain, unsigned long iova,
			 const struct iommu_phys_run *runs, unsigned int nr,
			 size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct mock_domain *mock = to_mock(domain);
	size_t sum = 0;
	unsigned int i;

	spin_lock(&mock->lock);
	mock->nr_run_calls++;
	mock->nr_runs += nr;
	spin_unlock(&mock->lock);

	for (i = 0; i != nr; i++) {
		size_t end = sum + runs[i].bytes;

		while (sum != end) {
			phys_addr_t phys = runs[i].phys + runs[i].bytes -
					   (end - sum);
			size_t pgsize = mock_pgsize(domain, phys | (iova + sum),
						    end - sum);
			int rc = mock_map_pages(domain, iova + sum, phys,
						pgsize, 1, prot, gfp, mapped);

			if (rc)
				return rc;
			sum += pgsize;
		}
	}
	KUNIT_EXPECT_EQ(mock->test, bytes, sum);
	return 0;
}

/*
 * Some drivers make new entries valid only in this call. Count the pages, so
 * that tests can check that none is left out.
 */
static void mock_iotlb_sync_map(struct iommu_domain *domain, unsigned long iova,
				size_t size)
{
	struct mock_domain *mock = to_mock(domain);

	spin_lock(&mock->lock);
	mock->nr_sync_maps++;
	mock->synced += size >> PAGE_SHIFT;
	spin_unlock(&mock->lock);
}

static size_t mock_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned long index = iova >> PAGE_SHIFT;
	unsigned long i, npages = pgsize * pgcount >> PAGE_SHIFT;

	mock_maybe_block(mock, iova, pgsize * pgcount);
	mock_maybe_sleep(mock);
	if (mock->fail_unmap && !--mock->fail_unmap) {
		mock->keeps_ptes = true;
		return 0;
	}
	if (mock->short_unmap && npages > mock->short_unmap) {
		mock->keeps_ptes = true;
		npages = mock->short_unmap;
	}
	for (i = 0; i != npages; i++) {
		void *old = xa_erase(&mock->ptes, index + i);

		KUNIT_EXPECT_NOT_NULL(mock->test, old);
		if (!old)
			break;
		mock_store(&mock->unflushed, index + i, old, false);
	}
	if (i) {
		mock_remove_tables(mock, iova, i << PAGE_SHIFT, gather);
		iommu_iotlb_gather_add_range(gather, iova, i << PAGE_SHIFT);
	}

	spin_lock(&mock->lock);
	mock->lowest = min(mock->lowest, iova);
	mock->highest = max(mock->highest, iova + (npages << PAGE_SHIFT) - 1);
	mock->nr_unmaps++;
	mock->nr_ptes -= i;
	spin_unlock(&mock->lock);
	return i << PAGE_SHIFT;
}

/* Return true if the page of a cached entry should be pinned, but is not. */
static bool is_unpinned(const struct mock_domain *mock, unsigned long pfn)
{
	return !mock->pfnmap && pfn_valid(pfn) &&
	       !is_zero_page(pfn_to_page(pfn)) &&
	       !page_maybe_dma_pinned(pfn_to_page(pfn));
}

/*
 * Count the removed tables that were freed while they were still cached: the
 * mock has the only reference to them.
 */
static unsigned int count_freed_tables(struct mock_domain *mock)
{
	unsigned int nr_freed = 0;
	unsigned long index;
	struct page *table;

	xa_for_each(&mock->removed, index, table)
		nr_freed += page_count(table) == 1;
	return nr_freed;
}

/*
 * Flush entries and free the tables that waited for this flush. Return the
 * number of errors found. The caller holds mock->lock.
 */
static unsigned int mock_flush(struct mock_domain *mock, unsigned long start,
			       unsigned long last, struct list_head *tables)
{
	unsigned int nr_faults = count_freed_tables(mock);
	unsigned long index, first, end;
	struct page *table, *next;
	void *entry;

	xa_for_each_range(&mock->unflushed, index, entry, start >> PAGE_SHIFT,
			  last >> PAGE_SHIFT) {
		unsigned long pfn = xa_to_value(entry) >> 3;

		nr_faults += is_unpinned(mock, pfn);
		xa_erase(&mock->unflushed, index);
		reach_add(pfn, -1);
	}
	list_for_each_entry_safe(table, next, tables, lru) {
		table_range(table, &first, &end);
		nr_faults += first < start || end > last;
		list_del(&table->lru);
		xa_erase(&mock->removed, page_to_pfn(table));
		put_page(table);
		__free_page(table);
	}
	return nr_faults;
}

static void mock_iotlb_sync(struct iommu_domain *domain,
			    struct iommu_iotlb_gather *gather)
{
	struct mock_domain *mock = to_mock(domain);
	unsigned int nr_faults = 0;

	spin_lock(&mock->lock);
	mock->nr_flushes++;
	if (gather->start <= gather->end) {
		/*
		 * A gather may span IOVAs that were never mapped, but must lie
		 * between the lowest and the highest IOVA that this domain has
		 * unmapped.
		 */
		nr_faults += gather->start < mock->lowest ||
			     gather->end > mock->highest;
		nr_faults += gather->end - gather->start >= FLUSH_MAX;
		nr_faults += mock_flush(mock, gather->start, gather->end,
					&gather->freelist);
	}
	spin_unlock(&mock->lock);
	KUNIT_EXPECT_EQ(mock->test, 0, nr_faults);
}

static const struct iommu_domain_ops mock_ops = {
	.map_pages = mock_map_pages,
	.iotlb_sync_map = mock_iotlb_sync_map,
	.unmap_pages = mock_unmap_pages,
	.iotlb_sync = mock_iotlb_sync,
};

static const struct iommu_domain_ops mock_runs_ops = {
	.map_pages = mock_map_pages,
	.map_runs = mock_map_runs,
	.iotlb_sync_map = mock_iotlb_sync_map,
	.unmap_pages = mock_unmap_pages,
	.iotlb_sync = mock_iotlb_sync,
};

/* Expect that nothing is mapped or cached any more. */
static void mock_expect_unused(struct mock_domain *mock)
{
	struct kunit *test = mock->test;

	KUNIT_EXPECT_TRUE(test, mock->keeps_ptes || xa_empty(&mock->ptes));
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
	KUNIT_EXPECT_EQ(test, 0, count_freed_tables(mock));
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->removed));
}

static void mock_domain_free(struct kunit_resource *res)
{
	struct mock_domain *mock = res->data;
	unsigned long index;
	unsigned int level;
	struct page *table;
	void *entry;

	/* A failed test case may leave anything behind. */
	if (READ_ONCE(mock->test->status) != KUNIT_FAILURE)
		mock_expect_unused(mock);

	xa_for_each(&mock->ptes, index, entry)
		reach_add(xa_to_value(entry) >> 3, -1);
	xa_for_each(&mock->unflushed, index, entry)
		reach_add(xa_to_value(entry) >> 3, -1);
	for (level = 0; level != MOCK_LEVELS; level++) {
		xa_for_each(&mock->tables[level], index, table)
			__free_page(table);
		xa_destroy(&mock->tables[level]);
	}
	xa_for_each(&mock->removed, index, table)
		put_page(table);
	xa_destroy(&mock->removed);
	xa_destroy(&mock->ptes);
	xa_destroy(&mock->unflushed);
	kfree(mock);
}

/*
 * Allocate a domain with I/O pages of 4 KiB, 2 MiB and 1 GiB and a 48-bit
 * aperture. The domain is freed when the test case ends.
 */
struct mock_domain *mock_domain_alloc(struct kunit *test)
{
	struct mock_domain *mock = kzalloc(sizeof(*mock), GFP_KERNEL);
	unsigned int level;

	KUNIT_ASSERT_NOT_NULL(test, mock);
	if (!reach)
		reach = kvcalloc(max_pfn, sizeof(*reach), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reach);
	current_test = test;
	mock->test = test;
	mock->domain.type = IOMMU_DOMAIN_UNMANAGED;
	mock->domain.ops = &mock_ops;
	mock->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M | SZ_1G;
	mock->domain.geometry.aperture_end = (1ULL << 48) - 1;
	mock->domain.geometry.force_aperture = true;
	spin_lock_init(&mock->lock);
	xa_init(&mock->ptes);
	xa_init(&mock->unflushed);
	xa_init(&mock->removed);
	for (level = 0; level != MOCK_LEVELS; level++)
		xa_init(&mock->tables[level]);
	mock->lowest = ULONG_MAX;
	init_completion(&mock->blocked);
	init_completion(&mock->resume);
	kunit_alloc_resource(test, NULL, mock_domain_free, GFP_KERNEL, mock);
	return mock;
}

/* Add the map_runs op to a domain that is not in use yet. */
void mock_domain_take_runs(struct mock_domain *mock)
{
	mock->domain.ops = &mock_runs_ops;
}

/*
 * Return the page frame number that an IOVA translates to, or 0 if it is
 * unmapped.
 */
unsigned long mock_domain_pfn(struct mock_domain *mock, unsigned long iova)
{
	void *pte = xa_load(&mock->ptes, iova >> PAGE_SHIFT);

	return pte ? xa_to_value(pte) >> 3 : 0;
}

/* Return the IOMMU_* permissions of an IOVA, or 0 if it is unmapped. */
int mock_domain_prot(struct mock_domain *mock, unsigned long iova)
{
	void *pte = xa_load(&mock->ptes, iova >> PAGE_SHIFT);

	return pte ? xa_to_value(pte) & PTE_PROT : 0;
}

/*
 * Expect that each IOVA page translates to the page of the process at the
 * corresponding user address, and that this page is pinned exactly once.
 */
void mock_expect_maps(struct mock_domain *mock, unsigned long iova,
		      unsigned long uaddr, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i != npages; i++) {
		unsigned long offset = i << PAGE_SHIFT;
		unsigned long pfn = test_user_pfn(mock->test, uaddr + offset);

		KUNIT_EXPECT_EQ(mock->test, pfn,
				mock_domain_pfn(mock, iova + offset));
		KUNIT_EXPECT_EQ(mock->test, 1, test_pins(pfn));
	}
}

/* Expect that nothing is mapped in a range. */
void mock_expect_empty(struct mock_domain *mock, unsigned long iova,
		       unsigned long npages)
{
	unsigned long index = iova >> PAGE_SHIFT;

	KUNIT_EXPECT_PTR_EQ(mock->test, NULL,
			    xa_find(&mock->ptes, &index, index + npages - 1,
				    XA_PRESENT));
}
