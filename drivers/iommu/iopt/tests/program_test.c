// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programming of recorded runs into a domain (program.c), for IOMMU drivers
 * with and without the map_runs op.
 *
 * Most records are built by hand from page frames that the kernel does not
 * manage, so that they can have any shape and need no pinning.
 */
#include <linux/bits.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sizes.h>

#include "../account.h"
#include "../area.h"
#include "../pages.h"
#include "../program.h"
#include "../runs_packed.h"
#include "space.h"

#define IOVA	0x100000000UL
/* First pfn of memory that does not exist, aligned to the largest I/O page. */
#define PFN	BIT(30)

/**
 * struct record - area with a record built by hand
 * @iopt: space of the area, otherwise empty
 * @pages: memory of the area
 * @area: the area, allocated when the record is programmed
 */
struct record {
	struct io_pagetable *iopt;
	struct iopt_pages *pages;
	struct iopt_area *area;
};

static void record_init(struct kunit *test, struct record *record)
{
	struct iopt_payer *payer;

	record->iopt = test_iopt_alloc(test);
	payer = iopt_payer_alloc_current(IOPT_ACCOUNT_NONE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, payer);
	record->pages = iopt_pages_alloc(NULL, SZ_4G, true, true, payer,
					 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, record->pages);
	iopt_payer_put(payer);
	record->area = NULL;
}

/*
 * Append a run without merging it into the previous run, even if the two are
 * contiguous.
 */
static void record_add(struct kunit *test, struct record *record,
		       unsigned long pfn, unsigned long count,
		       enum iopt_run_kind kind)
{
	const struct iopt_run run = {
		.count = count,
		.pfn = pfn,
		.kind = kind,
	};
	struct iopt_runs *runs = &record->pages->runs;
	u64 packed;
	struct iopt_run_batch batch = { .packed = &packed };

	iopt_run_batch_add(&batch, &run);
	KUNIT_ASSERT_EQ(test, 0, iopt_runs_fill(runs, runs->npages, &batch,
						false, GFP_KERNEL));
}

/* Append @nr pages, none of which is contiguous with the next. */
static void record_add_scattered(struct kunit *test, struct record *record,
				 unsigned long nr)
{
	unsigned long i;

	for (i = 0; i != nr; i++)
		record_add(test, record, PFN + SZ_1M + 3 * i, 1,
			   IOPT_RUN_PFNMAP);
}

/* Map the area of the record in @domain, which must not map the area yet. */
static int record_program_again(struct record *record,
				struct iommu_domain *domain)
{
	int rc;

	mutex_lock(&record->pages->mutex);
	rc = iopt_area_program(record->iopt, record->area, domain);
	mutex_unlock(&record->pages->mutex);
	return rc;
}

/* Map the whole record in a domain at @iova. */
static int record_program_in(struct kunit *test, struct record *record,
			     struct iommu_domain *domain, unsigned long iova)
{
	unsigned long last = PAGES(record->pages->runs.npages) - 1;

	record->area = iopt_area_alloc(iova, iova + last, record->pages, 0, 0,
				       IOMMU_READ, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, record->area);
	return record_program_again(record, domain);
}

static int record_program(struct kunit *test, struct record *record,
			  struct mock_domain *mock, unsigned long iova)
{
	return record_program_in(test, record, &mock->domain, iova);
}

static void record_unprogram(struct record *record, struct mock_domain *mock)
{
	struct iopt_flush flush;

	iopt_flush_start(&flush, &mock->domain);
	iopt_area_unprogram(record->area, &flush);
	iopt_flush_end(&flush);
}

/* Free the record, and expect that no page table or IOTLB entry is left. */
static void record_exit(struct kunit *test, struct record *record,
			struct mock_domain *mock)
{
	LIST_HEAD(areas);

	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
	iopt_runs_free(&record->pages->runs);
	list_add(&record->area->node, &areas);
	iopt_areas_free(&areas);
	iopt_pages_put(record->pages);
	iopt_free(record->iopt);
}

/*
 * Allocate a domain that accepts page frames without struct page, with the
 * map_runs op if the test's parameter is true.
 */
static struct mock_domain *new_mock(struct kunit *test)
{
	struct mock_domain *mock = mock_domain_alloc(test);

	mock->pfnmap = true;
	if (test->param_value && *(const bool *)test->param_value)
		mock_domain_take_runs(mock);
	return mock;
}

static const bool ways[] = { false, true };

static void way_name(const bool *way, char *name)
{
	strscpy(name, *way ? "map_runs" : "map_pages", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ways, ways, way_name);

/*
 * Scattered pages take one iommu_map_runs() call for every 32 runs, and each
 * page is mapped at its index.
 */
static void scattered_in_few_calls(struct kunit *test)
{
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned long i;

	record_init(test, &record);
	record_add_scattered(test, &record, 100);
	KUNIT_EXPECT_EQ(test, 0, record_program(test, &record, mock, IOVA));
	for (i = 0; i != 100; i++)
		KUNIT_EXPECT_EQ(test, PFN + SZ_1M + 3 * i,
				mock_domain_pfn(mock, IOVA + PAGES(i)));
	KUNIT_EXPECT_EQ(test, IOMMU_READ, mock_domain_prot(mock, IOVA));
	KUNIT_EXPECT_EQ(test, 100, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 100, mock->nr_maps);
	KUNIT_EXPECT_EQ(test, 4, mock->nr_sync_maps);
	KUNIT_EXPECT_EQ(test, 100, mock->synced);
	if (mock->nr_run_calls) {
		KUNIT_EXPECT_EQ(test, 4, mock->nr_run_calls);
		KUNIT_EXPECT_EQ(test, 100, mock->nr_runs);
	}
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);
}

/* If any step of a map fails, nothing stays mapped. */
static void nth_failure_leaves_nothing(struct kunit *test)
{
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned int n;

	record_init(test, &record);
	record_add_scattered(test, &record, 70);
	for (n = 1; n <= 71; n++) {
		int rc;

		mock->fail_map = n;
		if (n == 1)
			rc = record_program(test, &record, mock, IOVA);
		else
			rc = record_program_again(&record, &mock->domain);
		KUNIT_EXPECT_EQ(test, n == 71 ? 0 : -ENOMEM, rc);
		KUNIT_EXPECT_EQ(test, n == 71 ? 70 : 0, mock->nr_ptes);
	}
	mock->fail_map = 0;
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);
}

/*
 * If a call to the IOMMU driver fails after it has mapped some of its pages,
 * these pages and those of earlier calls are unmapped.
 */
static void partial_call_leaves_nothing(struct kunit *test)
{
	struct mock_domain *mock = mock_domain_alloc(test);
	struct record record;
	unsigned int n;

	mock->pfnmap = true;
	record_init(test, &record);
	record_add_scattered(test, &record, 40);
	record_add(test, &record, PFN, 40, IOPT_RUN_PFNMAP);
	for (n = 1; n <= 40; n++) {
		int rc;

		mock->short_map = n;
		mock->nr_maps = 0;
		if (n == 1)
			rc = record_program(test, &record, mock, IOVA);
		else
			rc = record_program_again(&record, &mock->domain);
		KUNIT_EXPECT_EQ(test, n == 40 ? 0 : -ENOMEM, rc);
		KUNIT_EXPECT_EQ(test, 41, mock->nr_maps);
		KUNIT_EXPECT_EQ(test, n == 40 ? 80 : 0, mock->nr_ptes);
		KUNIT_EXPECT_TRUE(test, xa_empty(&mock->unflushed));
	}
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);
}

/*
 * Contiguous memory is mapped with large I/O pages even if it is recorded as
 * several runs, and even if the preceding scattered pages have filled the array
 * of runs that a call passes to the driver.
 */
static void contiguous_memory_takes_large_pages(struct kunit *test)
{
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned int i;

	record_init(test, &record);
	record_add_scattered(test, &record, 32);
	for (i = 0; i != 1024; i += 64)
		record_add(test, &record, PFN + i, 64, IOPT_RUN_PFNMAP);
	KUNIT_EXPECT_EQ(test, 0, record_program(test, &record, mock,
						IOVA - PAGES(32)));
	KUNIT_EXPECT_EQ(test, PFN, mock_domain_pfn(mock, IOVA));
	KUNIT_EXPECT_EQ(test, 2, mock->nr_large);
	KUNIT_EXPECT_EQ(test, SZ_2M, mock->largest);
	KUNIT_EXPECT_EQ(test, 2, mock->nr_sync_maps);
	if (mock->nr_run_calls)
		KUNIT_EXPECT_EQ(test, 33, mock->nr_runs);
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);
}

/* No I/O page exceeds the limit of the space, even in contiguous memory. */
static void largest_iopte(struct kunit *test)
{
	static const unsigned long limit[] = { SZ_4K, SZ_64K, SZ_2M, SZ_1G };
	struct mock_domain *mock = new_mock(test);
	unsigned int i;

	mock->domain.pgsize_bitmap |= SZ_64K | SZ_4M;
	for (i = 0; i != ARRAY_SIZE(limit); i++) {
		struct record record;

		record_init(test, &record);
		KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(record.iopt,
							    limit[i]));
		record_add(test, &record, PFN, 2048 + 16, IOPT_RUN_PFNMAP);
		mock->largest = 0;
		KUNIT_EXPECT_EQ(test, 0, record_program(test, &record, mock,
							IOVA));
		KUNIT_EXPECT_EQ(test, min_t(unsigned long, limit[i], SZ_4M),
				mock->largest);
		KUNIT_EXPECT_EQ(test, PFN + 2048 + 15,
				mock_domain_pfn(mock, IOVA + PAGES(2048 + 15)));
		KUNIT_EXPECT_EQ(test, 2048 + 16, mock->nr_ptes);
		record_unprogram(&record, mock);
		record_exit(test, &record, mock);
	}
}

/**
 * struct counting - domain that counts map_runs calls but maps nothing
 * @domain: domain that the engine programs
 * @calls: number of map_runs calls
 * @most: size of the largest call, in bytes
 * @longest: length of the longest run, in bytes
 * @bytes: number of bytes in all calls
 */
struct counting {
	struct iommu_domain domain;
	unsigned int calls;
	size_t most;
	size_t longest;
	size_t bytes;
};

static int counting_map_runs(struct iommu_domain *domain, unsigned long iova,
			     const struct iommu_phys_run *runs, unsigned int nr,
			     size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct counting *counting = container_of(domain, struct counting,
						 domain);
	unsigned int i;

	counting->calls++;
	counting->bytes += bytes;
	counting->most = max(counting->most, bytes);
	for (i = 0; i != nr; i++)
		counting->longest = max(counting->longest, runs[i].bytes);
	*mapped += bytes;
	return 0;
}

static const struct iommu_domain_ops counting_ops = {
	.map_runs = counting_map_runs,
};

/*
 * A map_runs call covers at most 1 GiB, and no I/O page of that size is split
 * between calls.
 */
static void calls_are_bounded(struct kunit *test)
{
	struct counting counting = {
		.domain = {
			.type = IOMMU_DOMAIN_UNMANAGED,
			.ops = &counting_ops,
			.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G,
		},
	};
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned int i;

	record_init(test, &record);
	for (i = 0; i != 3; i++)
		record_add(test, &record,
			   PFN - 512 + i * (SZ_1G / PAGE_SIZE - 512),
			   SZ_1G / PAGE_SIZE - 512, IOPT_RUN_PFNMAP);
	KUNIT_EXPECT_EQ(test, 0, record_program_in(test, &record,
						   &counting.domain,
						   IOVA - SZ_2M));
	KUNIT_EXPECT_EQ(test, 4, counting.calls);
	KUNIT_EXPECT_EQ(test, SZ_1G, counting.most);
	KUNIT_EXPECT_EQ(test, SZ_1G, counting.longest);
	KUNIT_EXPECT_EQ(test, 3UL * (SZ_1G - SZ_2M), counting.bytes);
	record_exit(test, &record, mock);
}

/* A run of the zero page maps the same page at each index. */
static void zero_page_is_repeated(struct kunit *test)
{
	unsigned long zero = page_to_pfn(ZERO_PAGE(0));
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned long i;

	record_init(test, &record);
	record_add(test, &record, zero, 40, IOPT_RUN_ZERO);
	KUNIT_EXPECT_EQ(test, 0, record_program(test, &record, mock, IOVA));
	for (i = 0; i != 40; i++)
		KUNIT_EXPECT_EQ(test, zero,
				mock_domain_pfn(mock, IOVA + PAGES(i)));
	KUNIT_EXPECT_EQ(test, 2, mock->nr_sync_maps);
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);
}

/*
 * If the smallest I/O page of a domain is larger than PAGE_SIZE, the memory of
 * each I/O page must be contiguous and aligned to the size of the I/O page, but
 * may be recorded as several runs. If the memory is misaligned, the map fails
 * with -EINVAL, and the I/O pages that it has mapped are unmapped.
 */
static void coarse_domain_EINVAL(struct kunit *test)
{
	struct mock_domain *mock = new_mock(test);
	struct record record;
	unsigned int i;

	mock->domain.pgsize_bitmap = SZ_64K;
	record_init(test, &record);
	for (i = 0; i != 64; i++)
		record_add(test, &record, PFN + i, 1, IOPT_RUN_PFNMAP);
	KUNIT_EXPECT_EQ(test, 0, record_program(test, &record, mock, IOVA));
	KUNIT_EXPECT_EQ(test, 64, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, SZ_64K, mock->largest);
	record_unprogram(&record, mock);
	record_exit(test, &record, mock);

	record_init(test, &record);
	for (i = 0; i != 40; i++)
		record_add(test, &record, PFN + 32 * i, 16, IOPT_RUN_PFNMAP);
	record_add(test, &record, PFN + SZ_1M + 1, 16, IOPT_RUN_PFNMAP);
	mock->nr_sync_maps = 0;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			record_program(test, &record, mock, IOVA));
	KUNIT_EXPECT_EQ(test, 1, mock->nr_sync_maps);
	record_exit(test, &record, mock);
}

/* iommu_map_runs() rejects invalid arguments before it maps anything. */
static void map_runs_EINVAL(struct kunit *test)
{
	const struct iommu_phys_run good[] = {
		{ .phys = SZ_2M, .bytes = PAGE_SIZE },
		{ .phys = SZ_4M, .bytes = 0 },
		{ .phys = SZ_4M, .bytes = PAGE_SIZE },
	};
	const struct iommu_phys_run odd_phys[] = {
		good[0], { .phys = SZ_4M + 1, .bytes = PAGE_SIZE },
	};
	const struct iommu_phys_run odd_bytes[] = {
		good[0], { .phys = SZ_4M, .bytes = PAGE_SIZE / 2 },
	};
	const struct iommu_phys_run endless[] = {
		good[0], { .phys = 0, .bytes = -PAGE_SIZE },
	};
	const unsigned long end = -PAGE_SIZE;
	struct mock_domain *mock = new_mock(test);
	struct iommu_domain *domain = &mock->domain;
	size_t mapped;

#define MAP(iova, runs, nr) \
	iommu_map_runs(domain, iova, runs, nr, IOMMU_READ, GFP_KERNEL, &mapped)

	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(IOVA, odd_phys, 2));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(IOVA, odd_bytes, 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(IOVA, endless, 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(IOVA + 1, good, 3));
	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(end, good, 3));
	domain->type = IOMMU_DOMAIN_BLOCKED;
	KUNIT_EXPECT_EQ(test, -EINVAL, MAP(IOVA, good, 3));
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	KUNIT_EXPECT_EQ(test, 0, mock->nr_maps + mock->nr_sync_maps);

	KUNIT_EXPECT_EQ(test, 0, MAP(IOVA, NULL, 0));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_sync_maps);

	/* The last byte of the IOVA space can be mapped. */
	KUNIT_EXPECT_EQ(test, 0, MAP(end - PAGE_SIZE, good, 3));
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, mapped);
	KUNIT_EXPECT_EQ(test, PHYS_PFN(SZ_4M), mock_domain_pfn(mock, end));
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE,
			iommu_unmap(domain, end - PAGE_SIZE, 2 * PAGE_SIZE));
#undef MAP
}

/*
 * A failed iommu_map_runs() reports the number of bytes that it has mapped,
 * after calling iotlb_sync_map for them.
 */
static void map_runs_reports_mapped(struct kunit *test)
{
	const struct iommu_phys_run runs[] = {
		{ .phys = SZ_2M, .bytes = PAGE_SIZE },
		{ .phys = SZ_4M, .bytes = PAGE_SIZE },
		{ .phys = SZ_8M, .bytes = PAGE_SIZE },
	};
	struct mock_domain *mock = new_mock(test);
	size_t mapped;

	mock->fail_map = 3;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_map_runs(&mock->domain, IOVA, runs, 3, IOMMU_READ,
				       GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, mapped);
	KUNIT_EXPECT_EQ(test, 2, mock->synced);
	KUNIT_EXPECT_EQ(test, 2, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, mapped,
			iommu_unmap(&mock->domain, IOVA, mapped));

	mock->fail_map = 1;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_map_runs(&mock->domain, IOVA, runs, 3, IOMMU_READ,
				       GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 0, mapped);
	KUNIT_EXPECT_EQ(test, 1, mock->nr_sync_maps);
}

/*
 * If a run takes several calls to the IOMMU driver and one of them fails, the
 * bytes that the preceding calls have mapped are reported and stay mapped.
 */
static void map_runs_reports_part_of_run(struct kunit *test)
{
	const struct iommu_phys_run run = {
		.phys = SZ_4M, .bytes = SZ_2M + PAGE_SIZE,
	};
	struct mock_domain *mock = new_mock(test);
	size_t mapped;

	mock->fail_map = 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			iommu_map_runs(&mock->domain, SZ_2M, &run, 1,
				       IOMMU_READ, GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, SZ_2M, mapped);
	KUNIT_EXPECT_EQ(test, SZ_2M >> PAGE_SHIFT, mock->synced);
	KUNIT_EXPECT_EQ(test, 0, mock->nr_unmaps);
	KUNIT_EXPECT_EQ(test, PHYS_PFN(SZ_4M), mock_domain_pfn(mock, SZ_2M));
	KUNIT_EXPECT_EQ(test, SZ_2M, iommu_unmap(&mock->domain, SZ_2M, mapped));
}

static int declining_map_runs(struct iommu_domain *domain, unsigned long iova,
			      const struct iommu_phys_run *runs,
			      unsigned int nr, size_t bytes, int prot,
			      gfp_t gfp, size_t *mapped)
{
	return -EOPNOTSUPP;
}

/* If the op does not support the page table, map_pages maps each run. */
static void map_runs_declined(struct kunit *test)
{
	const struct iommu_phys_run runs[] = {
		{ .phys = SZ_2M, .bytes = PAGE_SIZE },
		{ .phys = SZ_4M, .bytes = PAGE_SIZE },
	};
	struct mock_domain *mock = new_mock(test);
	const struct iommu_domain_ops *mock_ops = mock->domain.ops;
	struct iommu_domain_ops ops = *mock_ops;
	size_t mapped;

	ops.map_runs = declining_map_runs;
	mock->domain.ops = &ops;
	KUNIT_EXPECT_EQ(test, 0,
			iommu_map_runs(&mock->domain, IOVA, runs, 2, IOMMU_READ,
				       GFP_KERNEL, &mapped));
	KUNIT_EXPECT_EQ(test, 2 * PAGE_SIZE, mapped);
	KUNIT_EXPECT_EQ(test, 2, mock->nr_maps);
	KUNIT_EXPECT_EQ(test, 1, mock->nr_sync_maps);
	KUNIT_EXPECT_EQ(test, PHYS_PFN(SZ_4M),
			mock_domain_pfn(mock, IOVA + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, mapped,
			iommu_unmap(&mock->domain, IOVA, mapped));
	mock->domain.ops = mock_ops;
}

/**
 * struct counted - domain that counts unmap_pages calls but maps nothing
 * @domain: the domain
 * @nr_calls: number of unmap_pages calls
 * @nr_flushes: number of iotlb_sync calls
 * @bytes: number of bytes that all calls unmapped
 * @crossing: number of calls that crossed a multiple of 1 GiB
 * @stop: limit on @bytes: a call that would exceed it unmaps nothing; 0 for no
 *        limit
 */
struct counted {
	struct iommu_domain domain;
	unsigned int nr_calls;
	unsigned int nr_flushes;
	unsigned long bytes;
	unsigned int crossing;
	unsigned long stop;
};

static size_t count_unmap_pages(struct iommu_domain *domain, unsigned long iova,
				size_t pgsize, size_t pgcount,
				struct iommu_iotlb_gather *gather)
{
	struct counted *counted = container_of(domain, struct counted, domain);
	unsigned long bytes = pgsize * pgcount;

	counted->nr_calls++;
	if (iova / SZ_1G != (iova + bytes - 1) / SZ_1G)
		counted->crossing++;
	if (counted->stop && counted->bytes + bytes > counted->stop)
		return 0;
	counted->bytes += bytes;
	return bytes;
}

static void count_iotlb_sync(struct iommu_domain *domain,
			     struct iommu_iotlb_gather *gather)
{
	container_of(domain, struct counted, domain)->nr_flushes++;
}

static const struct iommu_domain_ops count_ops = {
	.unmap_pages = count_unmap_pages,
	.iotlb_sync = count_iotlb_sync,
};

/* Unmap an area of @bytes bytes from @counted. */
static void count_unprogram(struct kunit *test, struct counted *counted,
			    unsigned long iova, unsigned long bytes)
{
	struct iopt_flush flush;
	struct record record;
	LIST_HEAD(areas);

	counted->domain.type = IOMMU_DOMAIN_UNMANAGED;
	counted->domain.ops = &count_ops;
	counted->domain.pgsize_bitmap = PAGE_SIZE | SZ_2M | SZ_1G;
	record_init(test, &record);
	record.area = iopt_area_alloc(iova, iova + bytes - 1, record.pages, 0,
				      0, IOMMU_READ, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, record.area);
	iopt_flush_start(&flush, &counted->domain);
	iopt_area_unprogram(record.area, &flush);
	iopt_flush_end(&flush);
	iopt_runs_free(&record.pages->runs);
	list_add(&record.area->node, &areas);
	iopt_areas_free(&areas);
	iopt_pages_put(record.pages);
	iopt_free(record.iopt);
}

/*
 * An unmap is split into calls of bounded size, which end at multiples of 1 GiB
 * to avoid splitting I/O pages.
 */
static void unmap_in_pieces(struct kunit *test)
{
	struct counted counted = {};

	count_unprogram(test, &counted, IOVA + SZ_1G - SZ_2M, 3UL * SZ_1G);
	/* The calls unmap 2 MiB, 1 GiB twice, and 1 GiB less 2 MiB. */
	KUNIT_EXPECT_EQ(test, 4, counted.nr_calls);
	KUNIT_EXPECT_EQ(test, 0, counted.crossing);
	KUNIT_EXPECT_EQ(test, 3UL * SZ_1G, counted.bytes);
	KUNIT_EXPECT_EQ(test, 1, counted.nr_flushes);
}

/* The unmap of a large area flushes the IOTLB after each TiB. */
static void unmap_of_one_area_flushes_each_TiB(struct kunit *test)
{
	struct counted counted = {};

	count_unprogram(test, &counted, SZ_1T / 2, 2 * SZ_1T + SZ_1G);
	KUNIT_EXPECT_EQ(test, 2 * SZ_1T + SZ_1G, counted.bytes);
	KUNIT_EXPECT_EQ(test, 3, counted.nr_flushes);
}

/* If an unmap_pages call unmaps less than requested, the unmap ends there. */
static void unmap_stops_after_short_call(struct kunit *test)
{
	struct counted counted = { .stop = SZ_1G };

	count_unprogram(test, &counted, IOVA, 3UL * SZ_1G);
	KUNIT_EXPECT_EQ(test, 2, counted.nr_calls);
	KUNIT_EXPECT_EQ(test, SZ_1G, counted.bytes);
}

static struct kunit_case program_cases[] = {
	KUNIT_CASE_PARAM(scattered_in_few_calls, ways_gen_params),
	KUNIT_CASE_PARAM(nth_failure_leaves_nothing, ways_gen_params),
	KUNIT_CASE(partial_call_leaves_nothing),
	KUNIT_CASE_PARAM(contiguous_memory_takes_large_pages, ways_gen_params),
	KUNIT_CASE_PARAM(largest_iopte, ways_gen_params),
	KUNIT_CASE(calls_are_bounded),
	KUNIT_CASE(unmap_in_pieces),
	KUNIT_CASE(unmap_of_one_area_flushes_each_TiB),
	KUNIT_CASE(unmap_stops_after_short_call),
	KUNIT_CASE_PARAM(zero_page_is_repeated, ways_gen_params),
	KUNIT_CASE_PARAM(coarse_domain_EINVAL, ways_gen_params),
	KUNIT_CASE_PARAM(map_runs_EINVAL, ways_gen_params),
	KUNIT_CASE_PARAM(map_runs_reports_mapped, ways_gen_params),
	KUNIT_CASE_PARAM(map_runs_reports_part_of_run, ways_gen_params),
	KUNIT_CASE(map_runs_declined),
	{}
};

static int program_init(struct kunit *test)
{
	test_user_mm(test);
	return 0;
}

static struct kunit_suite program_suite = {
	.name = "iopt-program",
	.init = program_init,
	.test_cases = program_cases,
};

kunit_test_suite(program_suite);
