// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty pages (dirty.c): which pages a read or an unmap reports, and the state
 * that a failed call leaves behind.
 */
#include <linux/mman.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "../io_pagetable.h"
#include "access.h"
#include "failing.h"

#define IOVA	0x100000000UL
#define COPY	0x200000000UL

static u64 query_take(struct kunit *test, const struct iopt_dirty_query *query)
{
	u64 bits;

	KUNIT_ASSERT_EQ(test, 0, get_user(bits, query->bitmap));
	KUNIT_ASSERT_EQ(test, 0, put_user(0ULL, query->bitmap));
	return bits;
}

/*
 * Return a bitmap of the dirty pages among the 64 pages at @iova. Reported
 * pages become clean unless @flags contains IOPT_DIRTY_KEEP.
 */
static u64 read_flags(struct kunit *test, unsigned long iova,
		      unsigned int flags)
{
	struct test_space *space = test->priv;
	const struct iopt_dirty_query query = test_dirty_query(test);
	u64 bits;

	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(space->iopt, iova, iova +
						 PAGES(64) - 1, &query, flags));
	bits = query_take(test, &query);
	test_munmap(test, (unsigned long)query.bitmap, 1);
	return bits;
}

static u64 read_and_clear(struct kunit *test)
{
	return read_flags(test, IOVA, 0);
}

/*
 * iopt_dirty_start() keeps the dirty bits if tracking is active already, and
 * iopt_dirty_stop() discards them.
 */
static void start_keeps_and_stop_discards(struct kunit *test)
{
	struct test_space *space = test->priv;
	const struct iopt_dirty_query query = test_dirty_query(test);
	unsigned long uaddr = test_touched(test, 4);

	iopt_dirty_stop(space->iopt);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_dirty_read(space->iopt, IOVA, IOVA +
						       PAGES(4) - 1, &query,
						       0));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	test_mark_dirty(space, IOVA + PAGES(1), 2);
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0b110, read_flags(test, IOVA, IOPT_DIRTY_KEEP));
	iopt_dirty_stop(space->iopt);
	iopt_dirty_stop(space->iopt);
	test_validate(test);
	KUNIT_EXPECT_PTR_EQ(test, NULL, test_area_at(space, IOVA)->dirty);
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_dirty_read(space->iopt, IOVA, IOVA +
						       PAGES(4) - 1, &query,
						       0));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
}

/*
 * A read clears the dirty bits that it reports, unless IOPT_DIRTY_KEEP is set.
 */
static void read_clears(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(10),
					  uaddr + PAGES(4), 4));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_mark_dirty(space, IOVA + PAGES(3), 1);
	test_mark_dirty(space, IOVA + PAGES(10), 2);
	KUNIT_EXPECT_EQ(test, 0xc08, read_flags(test, IOVA, IOPT_DIRTY_KEEP));
	KUNIT_EXPECT_EQ(test, 0xc08, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	/* A read clears only the dirty bits in its own range. */
	test_mark_dirty(space, IOVA + PAGES(3), 1);
	test_mark_dirty(space, IOVA + PAGES(10), 2);
	KUNIT_EXPECT_EQ(test, 0b11, read_flags(test, IOVA + PAGES(10), 0));
	KUNIT_EXPECT_EQ(test, 0b1000, read_and_clear(test));
}

static int read_range(struct kunit *test, unsigned long start,
		      unsigned long last, unsigned long pgsize)
{
	struct test_space *space = test->priv;
	struct iopt_dirty_query query = test_dirty_query(test);
	int rc;

	query.pgsize = pgsize;
	rc = iopt_dirty_read(space->iopt, start, last, &query, 0);
	KUNIT_EXPECT_EQ(test, 0, query_take(test, &query));
	test_munmap(test, (unsigned long)query.bitmap, 1);
	return rc;
}

/*
 * A range must not be empty, and must not start or end inside a mapping. The
 * range and the mappings in it must be aligned to iopt_dirty_query.pgsize,
 * which must be a power of two and at least PAGE_SIZE.
 */
static void read_EINVAL(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4), last = IOVA + PAGES(4) - 1;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_mark_dirty(space, IOVA, 4);
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, IOVA - 1,
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA + 1, last + 1,
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last + 1,
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last - 1,
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA + PAGES(1), last,
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last - PAGES(1),
						  PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last,
						  PAGE_SIZE / 2));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, last,
						  PAGES(3)));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA, IOVA +
						  PAGES(8) - 1, PAGES(8)));
	KUNIT_EXPECT_EQ(test, -EINVAL, read_range(test, IOVA - PAGES(2), last,
						  PAGES(4)));
	/* None of the failed reads has cleared a dirty bit. */
	KUNIT_EXPECT_EQ(test, 0b1111, read_and_clear(test));
}

/*
 * Every power of two that is at least PAGE_SIZE is a valid
 * iopt_dirty_query.pgsize, unless the range, or a mapping in the range, is not
 * aligned to that size.
 */
static void read_every_page_size(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 64);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != BITS_PER_LONG; i++) {
		unsigned long size = 1UL << i;
		int rc = size < PAGE_SIZE ? -EINVAL : 0;

		KUNIT_EXPECT_EQ(test, rc, read_range(test, 0, ULONG_MAX, size));
		KUNIT_EXPECT_EQ(test, rc, read_range(test, 0, size - 1, size));
		KUNIT_EXPECT_EQ(test, rc, read_range(test, -size, ULONG_MAX,
						     size));
	}
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, PAGES(64), uaddr, 64));
	for (i = PAGE_SHIFT; i != BITS_PER_LONG; i++) {
		unsigned long size = 1UL << i;

		KUNIT_EXPECT_EQ(test, size <= PAGES(64) ? 0 : -EINVAL,
				read_range(test, 0, max(size, PAGES(128)) - 1,
					   size));
	}
}

/*
 * If iopt_dirty_query.pgsize exceeds PAGE_SIZE, one bit reports several pages.
 * Bits beyond the range do not change.
 */
static void read_coarse(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_dirty_query query = test_dirty_query(test);
	unsigned long uaddr = test_touched(test, 64);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 64));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_mark_dirty(space, IOVA + PAGES(15), 1);
	test_mark_dirty(space, IOVA + PAGES(48), 1);
	query.pgsize = PAGES(16);
	KUNIT_EXPECT_EQ(test, 0, put_user(~0ULL, query.bitmap));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(space->iopt, IOVA, IOVA +
						 PAGES(64) - 1, &query, 0));
	KUNIT_EXPECT_EQ(test, ~0b0110ULL, query_take(test, &query));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
}

/*
 * A pinned page is reported as dirty by each read, and once more after it has
 * been unpinned, even if it was pinned before tracking started.
 */
static void pinned_is_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8), i;

	test_map_adjacent(test, IOVA, uaddr, 2, 4);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != 3; i++)
		KUNIT_EXPECT_EQ(test, 0b10, read_and_clear(test));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 3));
	for (i = 0; i != 3; i++) {
		KUNIT_EXPECT_EQ(test, 0b111010, read_and_clear(test));
		/* A second pin of a page makes no difference. */
		KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
		KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA + PAGES(3),
						    1));
	}
	KUNIT_EXPECT_EQ(test, 4, test_unpin(access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0b111010, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	/*
	 * A page that has been pinned since the last read is dirty, even if it
	 * was pinned with IOPT_ACCESS_READ only and is no longer pinned.
	 */
	KUNIT_ASSERT_EQ(test, 0, test_pin_flags(access, IOVA, 1, NULL,
						IOPT_ACCESS_READ));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 1));
	KUNIT_EXPECT_EQ(test, 0b1, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	/* A pin that fails at the first page marks no page dirty. */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA + PAGES(8), 1));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	/* A pin that fails at a later page marks the preceding pages dirty. */
	KUNIT_EXPECT_EQ(test, -ENOENT, test_pin(access, IOVA + PAGES(3), 6));
	KUNIT_EXPECT_EQ(test, 0b11111000, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	test_munmap(test, uaddr + PAGES(6), 2);
	KUNIT_EXPECT_EQ(test, -EFAULT, test_pin(access, IOVA + PAGES(4), 4));
	KUNIT_EXPECT_EQ(test, 0b110000, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
}

/*
 * A page that is pinned through a mapping is dirty in copies of that mapping,
 * too.
 */
static void pinned_is_dirty_in_copies(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA + PAGES(1),
					   2));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, 0b10, read_flags(test, COPY, IOPT_DIRTY_KEEP));
	KUNIT_EXPECT_EQ(test, 0b10, read_flags(test, COPY, 0));
	KUNIT_EXPECT_EQ(test, 0b10, read_flags(test, COPY, 0));
	KUNIT_EXPECT_EQ(test, 0b100, read_flags(test, IOVA, 0));
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 0b10, read_flags(test, COPY, 0));
	KUNIT_EXPECT_EQ(test, 0, read_flags(test, COPY, 0));
}

/* A pinned page beyond the slice of a copy is not dirty in the copy. */
static void pinned_page_beyond_copy_is_clean(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 128);
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 128));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, COPY, IOVA, 32));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(31), 3));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	area = test_area_at(space, COPY);
	KUNIT_EXPECT_EQ(test, BIT(31), area->dirty[0]);
	KUNIT_EXPECT_EQ(test, BIT_ULL(31), read_flags(test, COPY, 0));
	KUNIT_EXPECT_EQ(test, BIT(31), area->dirty[0]);
	KUNIT_EXPECT_EQ(test, 3, test_unpin(access, IOVA, 128));
}

/*
 * All pages that are pinned when tracking starts are dirty after they are
 * unpinned, even if there are so many that iopt_dirty_start() drops
 * io_pagetable.lock while it marks them.
 */
static void many_pins_when_tracking_starts(struct kunit *test)
{
	const unsigned long n = 2 * IOPT_MAX_STEPS + 64;
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, n), i;
	struct iopt_area *area;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, n));
	area = test_area_at(space, IOVA);
	for (i = 0; i != n; i += 64)
		KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(i),
						  64));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, n, test_unpin(access, IOVA, n));
	KUNIT_EXPECT_EQ(test, n, bitmap_weight(area->dirty, n));
}

/* Pages that an untracked device can reach are dirty at each read. */
static void untracked_device_dirties_all_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 6), i;

	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 3));
	iopt_dirty_add_untracked(space->iopt);
	/* Without a domain, a device cannot reach any page. */
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(3), 3));
	for (i = 0; i != 3; i++)
		KUNIT_EXPECT_EQ(test, 0b1110111, read_and_clear(test));
	iopt_dirty_add_untracked(space->iopt);
	iopt_dirty_remove_untracked(space->iopt, true);
	KUNIT_EXPECT_EQ(test, 0b1110111, read_and_clear(test));
	/*
	 * The last untracked device stays, but from now on writes only to pages
	 * that an access pins for it.
	 */
	iopt_dirty_remove_untracked(space->iopt, true);
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	/*
	 * When an untracked device leaves the space, all mapped pages become
	 * dirty once, because it may have written to any of them.
	 */
	iopt_dirty_add_untracked(space->iopt);
	test_detach(test, space->mock[0]);
	iopt_dirty_remove_untracked(space->iopt, false);
	KUNIT_EXPECT_EQ(test, 0b1110111, read_flags(test, IOVA,
						    IOPT_DIRTY_KEEP));
	KUNIT_EXPECT_EQ(test, 0b1110111, read_and_clear(test));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	test_validate(test);
	/* Without tracking, untracked devices are only counted. */
	iopt_dirty_stop(space->iopt);
	iopt_dirty_add_untracked(space->iopt);
	iopt_dirty_remove_untracked(space->iopt, false);
	KUNIT_EXPECT_EQ(test, 0, space->iopt->nr_untracked);
}

/* While tracking is active, new mappings are tracked and start out clean. */
static void map_while_tracking(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_copy(space->iopt, IOVA + PAGES(8), IOVA,
					   4));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
	test_mark_dirty(space, IOVA + PAGES(9), 1);
	KUNIT_EXPECT_EQ(test, BIT(9), read_and_clear(test));
	/*
	 * A new mapping does not inherit the dirty pages of an earlier mapping
	 * at the same IOVAs.
	 */
	test_mark_dirty(space, IOVA, 4);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_EXPECT_EQ(test, 0, read_and_clear(test));
}

/*
 * A mapping of more than INT_MAX pages cannot be tracked: tracking does not
 * start while such a mapping exists, and no such mapping can be created while
 * tracking is active.
 */
static void too_large_to_track(struct kunit *test)
{
	const unsigned long n = 1UL + INT_MAX;
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 0, uaddr, 1));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, PAGES(n), 0, n));
	KUNIT_EXPECT_EQ(test, -EINVAL, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_FALSE(test, space->iopt->tracking);
	KUNIT_EXPECT_PTR_EQ(test, NULL, test_area_at(space, 0)->dirty);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, PAGES(n), n));
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(space->iopt, PAGES(n), 0, n));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(space->iopt, PAGES(n), n));
}

/*
 * If any allocation of iopt_dirty_start() fails, tracking stays off and no
 * mapping keeps a bitmap.
 */
static void start_ENOMEM_at_nth_allocation(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), i;
	unsigned int n, nr_failed = 0, repeated = 0;
	bool unused = false;
	int rc = 0;

	test_needs_failing_allocations(test);
	for (i = 0; i != 4; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, IOVA + PAGES(2 * i),
					 uaddr + PAGES(2 * i), 2));
	for (n = 1; !unused && n != 100;
	     n = test_fail_next(n, rc, &repeated)) {
		test_fail_allocation(n);
		rc = iopt_dirty_start(space->iopt);
		unused = test_fail_end();
		nr_failed += rc == -ENOMEM;
		KUNIT_EXPECT_EQ(test, !rc, space->iopt->tracking);
		for (i = 0; i != 4; i++)
			KUNIT_EXPECT_EQ(test, rc != 0,
					!test_area_at(space, IOVA +
						      PAGES(2 * i))->dirty);
		test_validate(test);
		/*
		 * If iopt_dirty_start() succeeds although an allocation failed,
		 * it did not make that allocation itself (see failing.c). Stop
		 * tracking, so that the next call allocates again.
		 */
		if (!rc && !unused)
			iopt_dirty_stop(space->iopt);
	}
	KUNIT_EXPECT_EQ(test, 0, rc);
	KUNIT_EXPECT_GE(test, nr_failed, 4);
}

/* An unmap reports the dirty pages of the mappings that it removes. */
static void unmap_reports_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	const struct iopt_dirty_query query = test_dirty_query(test);
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 8), bytes;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(6),
					  uaddr + PAGES(4), 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(60),
					  uaddr + PAGES(6), 2));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(10) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(7) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, 8, space->mock[0]->nr_ptes);

	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(2), 1));
	test_mark_dirty(space, IOVA + PAGES(7), 1);
	test_mark_dirty(space, IOVA + PAGES(60), 2);
	KUNIT_EXPECT_EQ(test, 0, put_user(BIT_ULL(5), query.bitmap));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(10) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(6), bytes);
	KUNIT_EXPECT_EQ(test, BIT(2) | BIT(5) | BIT(7),
			query_take(test, &query));
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	KUNIT_EXPECT_EQ(test, BIT(60) | BIT(61), read_and_clear(test));

	/*
	 * An untracked device may have written to any page that a domain
	 * translates.
	 */
	iopt_dirty_add_untracked(space->iopt);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(64) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, BIT(60) | BIT(61), query_take(test, &query));
	iopt_dirty_remove_untracked(space->iopt, false);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(64) - 1, &query, &bytes));
}

/*
 * If an unmap fails to write its report, its pages stay mapped and can be
 * pinned, and dirty pages stay dirty.
 */
static void unmap_EFAULT_changes_nothing(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long bitmap = test_touched(test, 2);
	unsigned long uaddr = test_touched(test, 132), bytes;
	struct iopt_dirty_query query = {
		.bitmap = (u64 __user *)(bitmap + PAGE_SIZE - 16),
		.pgsize = PAGE_SIZE,
	};

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(2),
					  uaddr + PAGES(2), 130));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(3), 1));
	test_mark_dirty(space, IOVA, 1);
	test_mark_dirty(space, IOVA + PAGES(131), 1);

	/* Only the first two words of the bitmap can be written. */
	test_munmap(test, bitmap + PAGE_SIZE, 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(132) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, 0, bytes);
	KUNIT_EXPECT_EQ(test, 132, space->mock[0]->nr_ptes);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 1, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	test_attach(test, space->mock[1]);
	mock_expect_maps(space->mock[1], IOVA, uaddr, 132);

	query = test_dirty_query(test);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_unmap_dirty(space->iopt, IOVA, IOVA +
					 PAGES(132) - 1, &query, &bytes));
	KUNIT_EXPECT_EQ(test, PAGES(132), bytes);
	KUNIT_EXPECT_EQ(test, BIT(0) | BIT(1) | BIT(3),
			query_take(test, &query));
	query.bitmap += 2;
	KUNIT_EXPECT_EQ(test, BIT(3), query_take(test, &query));
}

static void read_when_notified(struct test_access *access, unsigned long start,
			       unsigned long last)
{
	struct test_space *space = access->space;
	const struct iopt_dirty_query query = {
		.bitmap = (u64 __user *)space->uaddr + access->nr_notified - 1,
		.pgsize = PAGE_SIZE,
	};

	WARN_ON(iopt_dirty_read(space->iopt, start, start + PAGES(64) - 1,
				&query, 0));
	access->keep = access->nr_notified == 1;
}

/*
 * Until accesses are notified for the last time, a read reports the dirty pages
 * of a mapping that is being unmapped.
 */
static void read_between_notices(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct iopt_dirty_query query = test_dirty_query(test);
	unsigned long uaddr = test_touched(test, 4);

	space->iopt->policy.notices = 2;
	space->uaddr = (unsigned long)query.bitmap;
	access->hook = read_when_notified;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_EXPECT_EQ(test, 2, access->nr_notified);
	KUNIT_EXPECT_EQ(test, 0b10, query_take(test, &query));
	query.bitmap++;
	KUNIT_EXPECT_EQ(test, 0, query_take(test, &query));
}

/* The last page of the address space is tracked like any other. */
static void last_page_of_space(struct kunit *test)
{
	struct test_space *space = test->priv;
	const struct iopt_dirty_query query = test_dirty_query(test);
	unsigned long uaddr = test_touched(test, 2), bytes;
	unsigned long start = -PAGES(64);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGES(2), uaddr, 2));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_mark_dirty(space, -PAGES(1), 1);
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(space->iopt, start, ULONG_MAX,
						 &query, 0));
	KUNIT_EXPECT_EQ(test, BIT_ULL(63), query_take(test, &query));
	test_mark_dirty(space, -PAGES(2), 2);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap_dirty(space->iopt, start, ULONG_MAX,
						  &query, &bytes));
	KUNIT_EXPECT_EQ(test, BIT_ULL(62) | BIT_ULL(63),
			query_take(test, &query));
	KUNIT_EXPECT_EQ(test, PAGES(2), bytes);
}

static struct kunit_case dirty_cases[] = {
	KUNIT_CASE(start_keeps_and_stop_discards),
	KUNIT_CASE(read_clears),
	KUNIT_CASE(read_EINVAL),
	KUNIT_CASE(read_every_page_size),
	KUNIT_CASE(read_coarse),
	KUNIT_CASE(pinned_is_dirty),
	KUNIT_CASE(pinned_is_dirty_in_copies),
	KUNIT_CASE(pinned_page_beyond_copy_is_clean),
	KUNIT_CASE(many_pins_when_tracking_starts),
	KUNIT_CASE(untracked_device_dirties_all_pages),
	KUNIT_CASE(map_while_tracking),
	KUNIT_CASE(too_large_to_track),
	KUNIT_CASE(start_ENOMEM_at_nth_allocation),
	KUNIT_CASE(unmap_reports_dirty),
	KUNIT_CASE(unmap_EFAULT_changes_nothing),
	KUNIT_CASE(read_between_notices),
	KUNIT_CASE(last_page_of_space),
	{}
};

static struct kunit_suite dirty_suite = {
	.name = "iopt-dirty",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = dirty_cases,
};

kunit_test_suite(dirty_suite);
