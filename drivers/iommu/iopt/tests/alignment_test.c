// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings that are not page aligned, and what requires alignment (reserve.c).
 *
 * A space may allow mappings of single bytes as long as only the CPU accesses
 * the memory. A domain, or an access that can pin pages, raises the required
 * alignment, and cannot be added while a mapping does not have this alignment.
 */
#include <linux/sizes.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "access.h"
#include "thread.h"

#define IOVA	(SZ_1G + 3UL)
#define BYTES	(PAGE_SIZE + 100)

static int alignment_space_init(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL, .max_areas = UINT_MAX, .alignment = 1,
	};
	int rc = test_space_init(test);

	if (!rc)
		test_space_replace(test, &policy);
	return rc;
}

static int map_bytes(struct io_pagetable *iopt, unsigned long iova,
		     unsigned long uaddr, unsigned long length)
{
	return iopt_map_user(iopt, &iova, (void __user *)uaddr, length, TEST_RW,
			     IOPT_ACCOUNT_USER, IOPT_MAP_FIXED);
}

static int unmap_bytes(struct io_pagetable *iopt, unsigned long iova,
		       unsigned long length)
{
	unsigned long unmapped;
	int rc = iopt_unmap(iopt, iova, iova + length - 1, &unmapped);

	return rc ?: (unmapped == length ? 0 : -EPROTO);
}

/* Return the byte at an IOVA, or -errno. */
static int byte_at(struct iopt_access *access, unsigned long iova)
{
	u8 value;

	return iopt_access_rw(access, iova, &value, 1, 0) ?: value;
}

static void fill(struct kunit *test, unsigned long uaddr, unsigned int npages)
{
	unsigned long i;

	for (i = 0; i != PAGES(npages); i++) {
		u8 value = i % 251;

		KUNIT_ASSERT_EQ(test, 0, put_user(value,
						  (u8 __user *)(uaddr + i)));
	}
}

/* Mappings may start and end at any byte, and each byte has its own IOVA. */
static void bytes_can_be_mapped(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct io_pagetable *iopt = space->iopt;
	struct iopt_range mapping;
	struct iopt_access *access;

	fill(test, uaddr, 4);
	access = iopt_access_create(iopt, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, IOVA, uaddr + 7, BYTES));
	KUNIT_EXPECT_EQ(test, -EEXIST,
			map_bytes(iopt, IOVA + BYTES - 1, uaddr, 1));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, IOVA + BYTES, uaddr + 5, 1));
	test_validate(test);

	KUNIT_EXPECT_EQ(test, -ENOENT, byte_at(access, IOVA - 1));
	KUNIT_EXPECT_EQ(test, 7, byte_at(access, IOVA));
	KUNIT_EXPECT_EQ(test, (7 + BYTES - 1) % 251,
			byte_at(access, IOVA + BYTES - 1));
	KUNIT_EXPECT_EQ(test, 5, byte_at(access, IOVA + BYTES));
	KUNIT_EXPECT_EQ(test, -ENOENT, byte_at(access, IOVA + BYTES + 1));
	KUNIT_EXPECT_TRUE(test, iopt_find_mapping(iopt, IOVA, IOVA, &mapping));
	KUNIT_EXPECT_EQ(test, IOVA + BYTES - 1, mapping.last);

	KUNIT_EXPECT_EQ(test, -ENOENT, unmap_bytes(iopt, IOVA, BYTES - 1));
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, IOVA, BYTES));
	KUNIT_EXPECT_EQ(test, -ENOENT, byte_at(access, IOVA));
	KUNIT_EXPECT_EQ(test, 5, byte_at(access, IOVA + BYTES));
	iopt_access_destroy(access);
}

/*
 * The engine also chooses IOVAs for mappings that are not page aligned. Such an
 * IOVA has the same offset in its page as the memory, so that the IOVA of a
 * mapping of whole pages is page aligned.
 */
static void iova_of_bytes_is_chosen(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 2);
	unsigned long iova = 0, whole = 0, copy = 0;

	KUNIT_ASSERT_EQ(test, 0,
			iopt_map_user(iopt, &iova, (void __user *)(uaddr + 9),
				      100, TEST_RW, IOPT_ACCOUNT_USER, 0));
	KUNIT_EXPECT_EQ(test, 9, offset_in_page(iova));
	KUNIT_ASSERT_EQ(test, 0,
			iopt_map_user(iopt, &whole, (void __user *)uaddr,
				      PAGE_SIZE, TEST_RW, IOPT_ACCOUNT_USER,
				      0));
	KUNIT_EXPECT_EQ(test, 0, offset_in_page(whole));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(iopt, &copy, iopt, iova + 50, 50,
					   IOMMU_READ, 0));
	KUNIT_EXPECT_EQ(test, 59, offset_in_page(copy));
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, copy, 50));
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, iova, 100));
	test_attach(test, space->mock[0]);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, whole, PAGE_SIZE));
}

/* A copy may start and end at any byte of its source. */
static void bytes_can_be_copied(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 4), to = SZ_2G;
	struct iopt_access *access;

	fill(test, uaddr, 4);
	access = iopt_access_create(iopt, NULL, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, IOVA, uaddr + 7, BYTES));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, IOVA + BYTES, uaddr, 200));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(iopt, &to, iopt,
					   IOVA + PAGE_SIZE, 150, IOMMU_READ,
					   IOPT_MAP_FIXED));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, (7 + PAGE_SIZE) % 251, byte_at(access, to));
	KUNIT_EXPECT_EQ(test, (7 + BYTES - 1) % 251, byte_at(access, to + 99));
	KUNIT_EXPECT_EQ(test, 0, byte_at(access, to + 100));
	KUNIT_EXPECT_EQ(test, 49, byte_at(access, to + 149));
	KUNIT_EXPECT_EQ(test, -ENOENT, byte_at(access, to + 150));
	iopt_access_destroy(access);
}

/*
 * A domain cannot be attached while the IOVA, the length or the user address of
 * a mapping is not aligned to the page size of the domain, and no such mapping
 * can be created while the domain is attached.
 */
static void attach_requires_alignment(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 4), i, to = SZ_4G;
	const struct {
		unsigned long iova, offset, length;
	} odd[] = {
		{ SZ_1G + 512, 0, PAGE_SIZE },
		{ SZ_1G, 512, PAGE_SIZE },
		{ SZ_1G, 0, PAGE_SIZE + 512 },
	};

	for (i = 0; i != ARRAY_SIZE(odd); i++) {
		KUNIT_ASSERT_EQ(test, 0,
				map_bytes(iopt, odd[i].iova,
					  uaddr + odd[i].offset,
					  odd[i].length));
		KUNIT_EXPECT_EQ(test, -EADDRINUSE,
				iopt_attach_domain(iopt,
						   &space->mock[0]->domain));
		KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
		KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, odd[i].iova,
						     odd[i].length));
	}
	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, SZ_1G, uaddr, 4));
	test_attach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(iopt));
	for (i = 0; i != ARRAY_SIZE(odd); i++)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				map_bytes(iopt, odd[i].iova + SZ_2G,
					  uaddr + odd[i].offset,
					  odd[i].length));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_copy(iopt, &to, iopt, SZ_1G + 512, PAGE_SIZE,
				  IOMMU_READ, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 4, space->mock[0]->nr_ptes);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
}

/*
 * A copy into a space that requires page alignment fails if an area in the
 * middle of the source range starts at an unaligned IOVA, even though the range
 * as a whole is aligned.
 */
static void copy_requires_alignment_of_all_areas(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other = test_iopt_alloc(test);
	unsigned long uaddr = test_touched(test, 4), to = SZ_1G, bytes;

	KUNIT_ASSERT_EQ(test, 0, map_bytes(space->iopt, SZ_1G, uaddr,
					   PAGE_SIZE + 512));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(space->iopt,
					   SZ_1G + PAGE_SIZE + 512,
					   uaddr + PAGE_SIZE + 512,
					   PAGE_SIZE - 512));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, SZ_1G + PAGES(2),
					  uaddr + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_copy(other, &to, space->iopt, SZ_1G, PAGES(2),
				  IOMMU_READ, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_copy(other, &to, space->iopt, SZ_1G, PAGES(3),
				  IOMMU_READ, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(other, &to, space->iopt, SZ_1G, PAGE_SIZE,
				  IOMMU_READ, IOPT_MAP_FIXED));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, bytes);
	iopt_free(other);
}

static void no_unmap(void *data, unsigned long start, unsigned long last)
{
}

/* An access requires page alignment only if it can pin pages. */
static void pins_require_alignment(struct kunit *test)
{
	static const struct iopt_access_ops ops = { .unmap = no_unmap };
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 2);
	struct iopt_access *access;

	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, SZ_1G, uaddr + 1, PAGE_SIZE));
	access = iopt_access_create(iopt, &ops, NULL);
	KUNIT_EXPECT_EQ(test, -EADDRINUSE, PTR_ERR(access));
	KUNIT_EXPECT_FALSE(test, iopt_has_accesses(iopt));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, SZ_1G, PAGE_SIZE));

	access = iopt_access_create(iopt, &ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			map_bytes(iopt, SZ_1G, uaddr + 1, PAGE_SIZE));
	iopt_access_destroy(access);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
}

/* Limiting I/O pages to the page size also requires page alignment. */
static void small_iopages_require_alignment(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 2);

	KUNIT_ASSERT_EQ(test, 0, map_bytes(iopt, SZ_1G, uaddr, 1));
	KUNIT_EXPECT_EQ(test, -EADDRINUSE,
			iopt_set_max_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, IOPT_MAX_IOPTE, iopt_max_iopte(iopt));
	KUNIT_EXPECT_EQ(test, 0, unmap_bytes(iopt, SZ_1G, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt_iova_alignment(iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, map_bytes(iopt, SZ_1G, uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, iopt_set_max_iopte(iopt, SZ_2M));
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_alignment(iopt));
}

/**
 * struct half - domain that has I/O pages of half a page and records its runs
 * @domain: the domain
 * @runs: runs that were mapped
 * @nr: number of runs in @runs
 * @start: first IOVA that was mapped
 * @bytes: number of bytes that are mapped
 */
struct half {
	struct iommu_domain domain;
	struct iommu_phys_run runs[8];
	unsigned int nr;
	unsigned long start;
	unsigned long bytes;
};

static int half_map_runs(struct iommu_domain *domain, unsigned long iova,
			 const struct iommu_phys_run *runs, unsigned int nr,
			 size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct half *half = container_of(domain, struct half, domain);
	unsigned int i;

	if (!half->nr)
		half->start = iova;
	for (i = 0; i != nr && half->nr != ARRAY_SIZE(half->runs); i++) {
		half->runs[half->nr++] = runs[i];
		half->bytes += runs[i].bytes;
		*mapped += runs[i].bytes;
	}
	return 0;
}

static size_t half_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	container_of(domain, struct half, domain)->bytes -= pgsize * pgcount;
	return pgsize * pgcount;
}

static const struct iommu_domain_ops half_ops = {
	.map_runs = half_map_runs,
	.unmap_pages = half_unmap_pages,
};

/* Return the address that a domain translates an IOVA to, or 0. */
static phys_addr_t half_translate(const struct half *half, unsigned long iova)
{
	unsigned long at = iova - half->start;
	unsigned int i;

	for (i = 0; i != half->nr; at -= half->runs[i++].bytes)
		if (at < half->runs[i].bytes)
			return half->runs[i].phys + at;
	return 0;
}

/*
 * A domain with I/O pages that are smaller than PAGE_SIZE translates exactly
 * the bytes of the mapping. The pages are pinned and charged as a whole.
 */
static void parts_of_pages_are_translated(struct kunit *test)
{
	const unsigned long size = PAGE_SIZE / 2;
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4), at;
	unsigned long charged = test_charged();
	struct half half = {
		.domain = {
			.type = IOMMU_DOMAIN_UNMANAGED,
			.ops = &half_ops,
			.pgsize_bitmap = size,
		},
	};

	KUNIT_ASSERT_EQ(test, 0,
			iopt_attach_domain(space->iopt, &half.domain));
	KUNIT_EXPECT_EQ(test, size, iopt_iova_alignment(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			map_bytes(space->iopt, SZ_1G, uaddr + 1, PAGE_SIZE));
	KUNIT_ASSERT_EQ(test, 0, map_bytes(space->iopt, SZ_1G + size,
					   uaddr + size, PAGES(3)));
	KUNIT_EXPECT_EQ(test, charged + 4, test_charged());
	KUNIT_EXPECT_EQ(test, SZ_1G + size, half.start);
	KUNIT_EXPECT_EQ(test, PAGES(3), half.bytes);
	for (at = size; at != size + PAGES(3); at += size)
		KUNIT_EXPECT_EQ(test,
				PFN_PHYS(test_user_pfn(test, uaddr + at)) +
				offset_in_page(at),
				half_translate(&half, SZ_1G + at));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0,
			unmap_bytes(space->iopt, SZ_1G + size, PAGES(3)));
	KUNIT_EXPECT_EQ(test, 0, half.bytes);
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	iopt_detach_domain(space->iopt, &half.domain);
}

static long call_map_unaligned(struct test_thread *thread)
{
	unsigned long *uaddr = thread->data;

	return map_bytes(thread->space->iopt, SZ_1G, *uaddr + 0x200, PAGE_SIZE);
}

/*
 * A map that waits for its IOVAs is checked against the alignment that is
 * required after the wait.
 */
static void alignment_rises_while_map_waits(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 2);
	struct test_thread unmap, map;
	struct iopt_access *access;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(iopt, SZ_1G, uaddr, 1));
	area = iopt_area_get(iopt, SZ_1G, IOPT_ACCESS_READ);
	KUNIT_ASSERT_FALSE(test, IS_ERR(area));
	test_thread_unmap(test, &unmap, SZ_1G, 1, NULL);
	test_thread_expect_waiting(&unmap);
	test_thread_start(test, &map, call_map_unaligned, &uaddr, current->mm);
	test_thread_expect_waiting(&map);

	access = iopt_access_create(iopt, &test_no_unmap_ops, NULL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, iopt->iova_alignment);
	mutex_lock(&iopt->lock);
	iopt_area_put(iopt, area);
	mutex_unlock(&iopt->lock);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&unmap));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_thread_join(&map));
	KUNIT_EXPECT_EQ(test, 0, iopt->nr_areas);
	if (!IS_ERR(access))
		iopt_access_destroy(access);
}

static struct kunit_case alignment_cases[] = {
	KUNIT_CASE(bytes_can_be_mapped),
	KUNIT_CASE(iova_of_bytes_is_chosen),
	KUNIT_CASE(bytes_can_be_copied),
	KUNIT_CASE(attach_requires_alignment),
	KUNIT_CASE(copy_requires_alignment_of_all_areas),
	KUNIT_CASE(pins_require_alignment),
	KUNIT_CASE(small_iopages_require_alignment),
	KUNIT_CASE(parts_of_pages_are_translated),
	KUNIT_CASE(alignment_rises_while_map_waits),
	{}
};

static struct kunit_suite alignment_suite = {
	.name = "iopt-alignment",
	.init = alignment_space_init,
	.exit = test_space_exit,
	.test_cases = alignment_cases,
};

kunit_test_suite(alignment_suite);
