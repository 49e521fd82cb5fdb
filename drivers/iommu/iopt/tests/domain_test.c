// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching and detaching domains, usable IOVAs, and domains that fail to map
 * or unmap.
 */
#include <linux/cred.h>
#include <linux/mman.h>
#include <linux/sched/user.h>
#include <linux/sizes.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "space.h"

#define IOVA	0x100000000UL

/* Attach pins the existing mappings and puts them into the domain. */
static void attach_fills(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 20);
	unsigned long charged = test_charged();

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr + PAGES(4),
					  16));
	test_attach(test, space->mock[0]);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 4);
	mock_expect_maps(space->mock[0], 0, uaddr + PAGES(4), 16);
	KUNIT_EXPECT_EQ(test, charged + 20, test_charged());

	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/*
 * Two domains share pins and charge. Both stay until the last domain is
 * detached.
 */
static void domains_share_pins(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	unsigned long charged = test_charged();

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	test_attach(test, space->mock[1]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	mock_expect_maps(space->mock[0], IOVA, uaddr, 8);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	KUNIT_EXPECT_EQ(test, charged + 8, test_charged());

	test_detach(test, space->mock[0]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 8);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
}

/* Unmap flushes each domain once, before it unpins, which the mock checks. */
static void unmap_flushes_every_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), i;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	for (i = 0; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(2 * i),
					 uaddr + PAGES(2 * i), 2));
	space->mock[0]->nr_flushes = 0;
	space->mock[1]->nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 1, space->mock[0]->nr_flushes);
	KUNIT_EXPECT_EQ(test, 1, space->mock[1]->nr_flushes);
	KUNIT_EXPECT_TRUE(test, xa_empty(&space->mock[0]->unflushed));
	KUNIT_EXPECT_TRUE(test, xa_empty(&space->mock[1]->unflushed));
}

/* Detach handles more mappings than fit into one of its batches. */
static void detach_many(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long n = 1100, i, uaddr = test_touched(test, n);

	test_attach(test, space->mock[0]);
	for (i = 0; i != n; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(i),
					 uaddr + PAGES(i), 1));
	space->mock[0]->nr_flushes = 0;
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, n, space->mock[0]->nr_unmaps);
	KUNIT_EXPECT_EQ(test, 3, space->mock[0]->nr_flushes);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, n));
}

/* A failed attach leaves neither pins nor translations. */
static void attach_EFAULT_leaves_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 8);
	unsigned long charged = test_charged();

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 4));
	test_munmap(test, uaddr + PAGES(6), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_validate(test);

	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA + PAGES(4), 4));
	test_attach(test, mock);
	mock_expect_maps(mock, IOVA, uaddr, 4);
}

/* The aperture of a domain limits usable IOVAs while the domain is attached. */
static void aperture_limits_iovas(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 1);
	struct iopt_range range[2] = {};

	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range[0].last);

	mock->domain.geometry.aperture_start = SZ_1M;
	mock->domain.geometry.aperture_end = SZ_4G - 1;
	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, SZ_1M, range[0].start);
	KUNIT_EXPECT_EQ(test, SZ_4G - 1, range[0].last);

	KUNIT_EXPECT_EQ(test, -EINVAL,
			test_map(space->iopt, SZ_1M - PAGE_SIZE, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, SZ_4G, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, SZ_4G - PAGE_SIZE,
					  uaddr, 1));
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);

	/* A domain cannot be attached if its aperture excludes a mapping. */
	mock->domain.geometry.aperture_end = SZ_4G - PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, ULONG_MAX, range[0].last);
}

static int reserve(struct io_pagetable *iopt, unsigned long start,
		   unsigned long last, const void *owner)
{
	int rc;

	mutex_lock(&iopt->lock);
	rc = iopt_reserve_iova(iopt, start, last, owner);
	mutex_unlock(&iopt->lock);
	return rc;
}

static void unreserve(struct io_pagetable *iopt, const void *owner)
{
	mutex_lock(&iopt->lock);
	iopt_unreserve_iova(iopt, owner);
	mutex_unlock(&iopt->lock);
}

/* Usable ranges exclude the reservations of all owners, which may overlap. */
static void ranges_with_owners(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	struct iopt_range range[4] = {};
	unsigned long uaddr = test_touched(test, 1);
	int a, b;

	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, 0x2000, 0x4fff, &a));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, 0x4000, 0x6fff, &b));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, -0x1000UL, ULONG_MAX, &b));
	KUNIT_ASSERT_EQ(test, 0, reserve(iopt, 0x9000, 0x9fff, &a));

	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, NULL, 0));
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, range, 1));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);
	KUNIT_EXPECT_EQ(test, 0x1fff, range[0].last);
	KUNIT_EXPECT_EQ(test, 0, range[1].last);
	KUNIT_EXPECT_EQ(test, 3, iopt_iova_ranges(iopt, range, 4));
	KUNIT_EXPECT_EQ(test, 0x7000, range[1].start);
	KUNIT_EXPECT_EQ(test, 0x8fff, range[1].last);
	KUNIT_EXPECT_EQ(test, 0xa000, range[2].start);
	KUNIT_EXPECT_EQ(test, -0x1001UL, range[2].last);

	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, 0x6000, uaddr, 1));
	unreserve(iopt, &b);
	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, 0x6000, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, reserve(iopt, 0x6fff, 0x7000, &b));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, 0x4000, uaddr, 1));
	unreserve(iopt, &a);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(iopt, range, 4));
}

/*
 * IOVAs must be aligned to the page size of a domain with pages larger than the
 * CPU's. The domain cannot be attached to a space with unaligned mappings.
 */
static void alignment_of_coarse_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 64);

	mock->domain.pgsize_bitmap = SZ_64K;
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_attach_domain(space->iopt, &mock->domain));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 1));

	test_attach(test, mock);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, IOVA, uaddr, 1));
	/*
	 * The map fails without a warning in the log, because scattered pages
	 * do not form an I/O page.
	 */
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, IOVA, uaddr, 16));
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
	test_detach(test, mock);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
}

/*
 * Return the first page of the run that contains page @i. Runs are lost as a
 * whole.
 */
static unsigned long run_start(const unsigned long *pfn, unsigned long i)
{
	while (i && pfn[i - 1] + 1 == pfn[i])
		i--;
	return i;
}

/* Expect that of four pages those from @from on stay pinned and charged. */
static void expect_lost(struct kunit *test, const unsigned long *pfn,
			unsigned long from, unsigned long charged)
{
	struct test_space *space = test->priv;
	unsigned long i;

	for (i = 0; i != 4; i++)
		KUNIT_EXPECT_EQ(test, i >= from, test_pins(pfn[i]));
	KUNIT_EXPECT_EQ(test, 4 - from,
			atomic_long_read(&space->iopt->nr_lost));
	KUNIT_EXPECT_EQ(test, charged + 4 - from, test_charged());
}

/*
 * Unpin and uncharge the lost pages, so that the memory of the test can be
 * freed.
 */
static void give_back_lost(const unsigned long *pfn, unsigned long from)
{
	unsigned long i;

	for (i = from; i != 4; i++)
		unpin_user_page(pfn_to_page(pfn[i]));
	atomic_long_sub(4 - from, &current_user()->locked_vm);
	atomic64_sub(4 - from, &current->mm->pinned_vm);
}

/* Pages that a driver failed to unmap stay pinned and charged. */
static void short_unmap_loses_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	unsigned long charged = test_charged(), pfn[4], i, from;

	mock->domain.pgsize_bitmap = PAGE_SIZE;
	for (i = 0; i != 4; i++)
		pfn[i] = test_user_pfn(test, uaddr + PAGES(i));
	from = run_start(pfn, 3);
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));

	mock->short_unmap = 3;
	mock->fail_unmap = 2;
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	expect_lost(test, pfn, from, charged);

	/* Unmap the page that the failing unmap has left. */
	mock->short_unmap = 0;
	KUNIT_EXPECT_EQ(test, PAGE_SIZE,
			iommu_unmap(&mock->domain, IOVA + PAGES(3), PAGE_SIZE));
	give_back_lost(pfn, from);
}

/*
 * More domains can be attached than a word has bits, and detached in any order.
 */
static void many_domains(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock[70];
	unsigned long uaddr = test_touched(test, 2);
	unsigned int i, at;

	for (i = 0; i != ARRAY_SIZE(mock); i++) {
		mock[i] = mock_domain_alloc(test);
		if (i == 35)
			KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA,
							  uaddr, 1));
		KUNIT_ASSERT_EQ(test, 0,
				iopt_attach_domain(space->iopt,
						   &mock[i]->domain));
	}
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(1),
					  uaddr + PAGES(1), 1));
	for (i = 0, at = 13; i != ARRAY_SIZE(mock);
	     i++, at = (at + 37) % ARRAY_SIZE(mock)) {
		mock_expect_maps(mock[at], IOVA, uaddr, 2);
		iopt_detach_domain(space->iopt, &mock[at]->domain);
		KUNIT_EXPECT_EQ(test, 0, mock[at]->nr_ptes);
		test_validate(test);
		if (i == 50)
			KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA,
							    1));
		if (i == 50)
			KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, IOVA,
							  uaddr, 1));
	}
	KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr)));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 2));
}

/* Physically contiguous memory is mapped with large I/O pages. */
static void large_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr, pfn;

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		kunit_skip(test, "no transparent huge pages");
	uaddr = test_mmap(test, 2048, PROT_READ | PROT_WRITE);
	KUNIT_ASSERT_EQ(test, 0, do_madvise(current->mm, uaddr, PAGES(2048),
					    MADV_HUGEPAGE));
	uaddr = ALIGN(uaddr + PAGES(100), SZ_2M);
	test_touch(test, uaddr, 1024);
	pfn = test_user_pfn(test, uaddr);
	if (!PageTransHuge(compound_head(pfn_to_page(pfn))) || pfn % 512)
		kunit_skip(test, "no huge page to be had");

	/* Make the batches of pinning start in the middle of huge pages. */
	test_attach(test, mock);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, SZ_1G - PAGES(100),
					  uaddr - PAGES(100), 100 + 1024));
	KUNIT_EXPECT_GE(test, mock->nr_large, 1);
	KUNIT_EXPECT_EQ(test, pfn, mock_domain_pfn(mock, SZ_1G));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, SZ_1G - PAGES(100),
					    100 + 1024));
}

/*
 * If a driver fails to unmap the pages of a map that failed, they stay pinned
 * and charged.
 */
static void failed_map_loses_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct mock_domain *mock = space->mock[0];
	unsigned long uaddr = test_touched(test, 4);
	unsigned long charged = test_charged(), pfn[4], i, from;

	KUNIT_ASSERT_EQ(test, 0, iopt_limit_iopte(space->iopt, PAGE_SIZE));
	for (i = 0; i != 4; i++)
		pfn[i] = test_user_pfn(test, uaddr + PAGES(i));
	from = run_start(pfn, 2);
	test_attach(test, mock);
	mock->fail_map = 4;
	mock->short_unmap = 2;
	mock->fail_unmap = 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM, test_map(space->iopt, IOVA, uaddr, 4));
	expect_lost(test, pfn, from, charged);

	/*
	 * Unmap the page that the failing unmap has left. The last page was
	 * never mapped.
	 */
	mock->short_unmap = 0;
	KUNIT_EXPECT_EQ(test, PAGE_SIZE,
			iommu_unmap(&mock->domain, IOVA + PAGES(2), PAGE_SIZE));
	give_back_lost(pfn, from);
}

/*
 * The IOVA alignment is that of the domain with the largest minimum page size.
 */
static void alignment_of_several_domains(struct kunit *test)
{
	struct test_space *space = test->priv;

	space->mock[0]->domain.pgsize_bitmap = SZ_64K;
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, SZ_64K, iopt_iova_alignment(space->iopt));
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(space->iopt));
}

static struct kunit_case domain_cases[] = {
	KUNIT_CASE(attach_fills),
	KUNIT_CASE(domains_share_pins),
	KUNIT_CASE(unmap_flushes_every_domain),
	KUNIT_CASE(detach_many),
	KUNIT_CASE(attach_EFAULT_leaves_nothing),
	KUNIT_CASE(aperture_limits_iovas),
	KUNIT_CASE(ranges_with_owners),
	KUNIT_CASE(alignment_of_coarse_domain),
	KUNIT_CASE(short_unmap_loses_pages),
	KUNIT_CASE(many_domains),
	KUNIT_CASE(large_pages),
	KUNIT_CASE(failed_map_loses_pages),
	KUNIT_CASE(alignment_of_several_domains),
	{}
};

static struct kunit_suite domain_suite = {
	.name = "iopt-domain",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = domain_cases,
};

kunit_test_suite(domain_suite);
