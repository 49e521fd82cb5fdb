// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports of dirty pages (dirty_report.c): which bits of the user's bitmap
 * iopt_dirty_read() writes, for a bitmap at any address.
 *
 * Most test cases compare the user's memory byte for byte with a simple model.
 */
#include <linux/bitmap.h>
#include <linux/mman.h>
#include <linux/prandom.h>
#include <linux/uaccess.h>

#include "../area.h"
#include "../dirty_bitmap.h"
#include "../io_pagetable.h"
#include "space.h"

#define IOVA	0x100000000UL
#define BYTES	(2 * PAGE_SIZE)
#define NPAGES	512U

/**
 * struct model - expected state
 * @mapped: for each page, starting at %IOVA, whether it is mapped
 * @dirty: for each page, starting at %IOVA, whether it is dirty
 * @user: user address of the memory that contains the bitmap
 * @expected: expected content of that memory
 * @found: actual content of that memory
 * @whole_words: value of iopt_dirty_query.whole_words in the queries
 * @rnd: state of the random number generator
 */
struct model {
	bool mapped[NPAGES];
	bool dirty[NPAGES];
	unsigned long user;
	u8 expected[BYTES];
	u8 found[BYTES];
	bool whole_words;
	struct rnd_state rnd;
};

static unsigned int dice(struct model *model, unsigned int n)
{
	return prandom_u32_state(&model->rnd) % n;
}

static struct model *model_make(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, model);
	prandom_seed_state(&model->rnd, 31);
	/*
	 * Leave a hole after the memory, so that an access beyond its end
	 * faults.
	 */
	model->user = test_mmap(test, 3, PROT_READ | PROT_WRITE);
	test_munmap(test, model->user + BYTES, 1);
	return model;
}

/*
 * Map a user address that has no memory: the engine does not access it as long
 * as no domain is attached.
 */
static void model_map(struct kunit *test, struct model *model,
		      unsigned int first, unsigned int n)
{
	struct test_space *space = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(first),
					  PAGES(1), n));
	for (i = first; i != first + n; i++)
		model->mapped[i] = true;
}

static void model_mark(struct kunit *test, struct model *model,
		       unsigned int page)
{
	struct test_space *space = test->priv;
	unsigned long iova = IOVA + PAGES(page);

	mutex_lock(&space->iopt->lock);
	iopt_area_mark_dirty(iopt_area_first(space->iopt, iova, iova), iova,
			     iova);
	mutex_unlock(&space->iopt->lock);
	model->dirty[page] = true;
}

/* Fill the user's memory with random bytes. */
static void model_fill(struct kunit *test, struct model *model)
{
	prandom_bytes_state(&model->rnd, model->expected, BYTES);
	KUNIT_ASSERT_EQ(test, 0, copy_to_user((void __user *)model->user,
					      model->expected, BYTES));
}

static void model_set(struct model *model, unsigned long offset,
		      unsigned int bit, bool set)
{
	u8 *byte = &model->expected[offset + bit / 8];

	*byte = (*byte & ~BIT(bit % 8)) | set << bit % 8;
}

/*
 * Apply to the model a read of @n pages, starting at page @first, with @per_bit
 * pages per bit and the bitmap at @offset. Reported pages become clean unless
 * @keep is set.
 */
static void model_read(struct model *model, unsigned long offset,
		       unsigned int first, unsigned int n, unsigned int per_bit,
		       bool keep)
{
	unsigned int bit, i;

	for (bit = 0; bit != n / per_bit; bit++) {
		bool *dirty = &model->dirty[first + bit * per_bit];
		bool any = false;

		if (!model->mapped[first + bit * per_bit])
			continue;
		for (i = 0; i != per_bit; i++) {
			any = any || dirty[i];
			dirty[i] = keep && dirty[i];
		}
		model_set(model, offset, bit, any);
	}
}

static int do_read(struct kunit *test, struct model *model,
		   unsigned long offset, unsigned int first, unsigned int n,
		   unsigned int per_bit, unsigned int flags)
{
	struct test_space *space = test->priv;
	const struct iopt_dirty_query query = {
		.bitmap = (void __user *)model->user + offset,
		.pgsize = PAGES(per_bit),
		.whole_words = model->whole_words,
	};

	return iopt_dirty_read(space->iopt, IOVA + PAGES(first),
			       IOVA + PAGES(first + n) - 1, &query, flags);
}

static void model_check(struct kunit *test, struct model *model)
{
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(model->found,
						(void __user *)model->user,
						BYTES));
	KUNIT_ASSERT_EQ(test, 0, memcmp(model->expected, model->found, BYTES));
}

/*
 * Fill the user's memory with random bytes, and expect that a read changes
 * exactly the bits that the model changes.
 */
static void expect_read(struct kunit *test, struct model *model,
			unsigned long offset, unsigned int first,
			unsigned int n, unsigned int per_bit, bool keep)
{
	model_fill(test, model);
	KUNIT_EXPECT_EQ(test, 0, do_read(test, model, offset, first, n, per_bit,
					 keep ? IOPT_DIRTY_KEEP : 0));
	model_read(model, offset, first, n, per_bit, keep);
	model_check(test, model);
}

/* Map with holes, so that some words cover several mappings and others none. */
static void model_map_some(struct kunit *test, struct model *model)
{
	model_map(test, model, 3, 7);
	model_map(test, model, 12, 1);
	model_map(test, model, 60, 70);
	model_map(test, model, 130, 62);
	model_map(test, model, 320, 64);
	model_map(test, model, 448, 5);
}

/* Bits of holes, and bits outside the queried range, stay unchanged. */
static void holes_are_unchanged(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned int i;

	model_map_some(test, model);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != NPAGES; i++)
		if (model->mapped[i] && i % 3)
			model_mark(test, model, i);
	expect_read(test, model, 64, 0, NPAGES, 1, true);
	KUNIT_EXPECT_EQ(test, 0, do_read(test, model, 64, 0, NPAGES, 1, 0));
	model_check(test, model);
	KUNIT_EXPECT_EQ(test, 0, do_read(test, model, 64, 0, NPAGES, 1, 0));
	model_read(model, 64, 0, NPAGES, 1, false);
	model_read(model, 64, 0, NPAGES, 1, false);
	model_check(test, model);
}

/*
 * With whole_words, a read overwrites a word if its first bit belongs to a
 * mapping, and only adds dirty bits to any other word.
 */
static void whole_words(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned int i, word;

	model_map_some(test, model);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != NPAGES; i++)
		if (model->mapped[i] && i % 3)
			model_mark(test, model, i);
	model_fill(test, model);
	model->whole_words = true;
	KUNIT_EXPECT_EQ(test, 0, do_read(test, model, 64, 0, NPAGES, 1, 0));
	for (word = 0; word != NPAGES; word += 64)
		for (i = word; model->mapped[word] && i != word + 64; i++)
			model_set(model, 64, i, false);
	for (i = 0; i != NPAGES; i++)
		if (model->mapped[i] && i % 3)
			model_set(model, 64, i, true);
	model_check(test, model);
}

/*
 * A word that covers no mapping is not accessed, so it may lie in unmapped
 * memory.
 */
static void holes_need_no_bitmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);

	model_map(test, model, 0, 128);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	model_mark(test, model, 127);
	model_fill(test, model);
	KUNIT_EXPECT_EQ(test, 0, do_read(test, model, BYTES - 16, 0, NPAGES, 1,
					 0));
	model_read(model, BYTES - 16, 0, 128, 1, false);
	model_check(test, model);
}

/*
 * The bitmap may start at any address, and may end at the last byte of the
 * memory.
 */
static void bitmap_at_every_byte(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned long offset, last = BYTES - NPAGES / 8;
	unsigned int i;

	model_map_some(test, model);
	model_map(test, model, 500, 12);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != NPAGES; i++)
		if (model->mapped[i] && dice(model, 2))
			model_mark(test, model, i);
	for (offset = last - PAGE_SIZE; offset <= last; offset++)
		expect_read(test, model, offset, 0, NPAGES, 1, true);
	/* A bitmap that extends one byte beyond the memory faults. */
	KUNIT_EXPECT_EQ(test, -EFAULT, do_read(test, model, last + 1, 0, NPAGES,
					       1, IOPT_DIRTY_KEEP));
}

/*
 * After -EFAULT, dirty pages that were reported are clean, and all other dirty
 * pages are still dirty.
 */
static void read_EFAULT_leaves_rest_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned int i, shift;

	model_map(test, model, 0, 160);
	model_map(test, model, 160, 160);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (shift = 0; shift != 8; shift++) {
		for (i = 0; i != 320; i++)
			if (i % 5 == shift % 5)
				model_mark(test, model, i);
		/* The first two words fit; the third lacks 1 to 8 bytes. */
		model_fill(test, model);
		KUNIT_EXPECT_EQ(test, -EFAULT,
				do_read(test, model, BYTES - 16 - shift, 0, 320,
					1, 0));
		model_read(model, BYTES - 16 - shift, 0, 128, 1, false);
		model_check(test, model);
		expect_read(test, model, 0, 0, 320, 1, false);
	}
	/* A bitmap at address 0 faults, and so does one in kernel memory. */
	model_mark(test, model, 200);
	KUNIT_EXPECT_EQ(test, -EFAULT, do_read(test, model, -model->user, 0,
					       320, 1, 0));
	KUNIT_EXPECT_EQ(test, -EFAULT, do_read(test, model, -model->user - 64,
					       0, 320, 1, 0));
	expect_read(test, model, 0, 0, 320, 1, false);
}

/*
 * If a query with several pages per bit fails with -EFAULT, dirty pages that
 * were not reported stay dirty, and all other pages that share a bit with one
 * of them become dirty, too.
 */
static void coarse_EFAULT_leaves_rest_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	static const unsigned int pages[] = { 0, 300, 511 };
	struct model *model = model_make(test);
	unsigned int i, page;

	model_map(test, model, 0, 512);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	for (i = 0; i != ARRAY_SIZE(pages); i++)
		model_mark(test, model, pages[i]);
	KUNIT_EXPECT_EQ(test, -EFAULT, do_read(test, model, BYTES - 4, 0, 512,
					       8, 0));
	for (i = 0; i != ARRAY_SIZE(pages); i++)
		for (page = round_down(pages[i], 8); page <= (pages[i] | 7);
		     page++)
			model->dirty[page] = true;
	expect_read(test, model, 0, 0, 512, 1, true);
	expect_read(test, model, 0, 0, 512, 8, false);
	expect_read(test, model, 0, 0, 512, 1, false);
}

/*
 * If one bit of a report covers many pages, reading the dirty bits of these
 * pages drops iopt->lock repeatedly, and so does restoring the dirty bits after
 * a failure.
 */
static void lock_is_dropped_for_long_slice(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_dirty_query query = test_dirty_query(test);
	u64 __user *bitmap = query.bitmap;
	const unsigned long per_bit = 65536;
	unsigned long last = IOVA + PAGES(2 * per_bit) - 1;
	struct iopt_area *area;
	u64 word = 0;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, PAGES(1),
					  2 * per_bit));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	area = test_area_at(space, IOVA);
	test_mark_dirty(space, IOVA + PAGES(per_bit - 1), 1);
	query.pgsize = PAGES(per_bit);

	query.bitmap = NULL;
	space->iopt->nr_breaks = 0;
	KUNIT_EXPECT_EQ(test, -EFAULT, iopt_dirty_read(space->iopt, IOVA, last,
						       &query, 0));
	KUNIT_EXPECT_EQ(test, 8, space->iopt->nr_breaks);
	KUNIT_EXPECT_EQ(test, per_bit, bitmap_weight(area->dirty, 2 * per_bit));

	query.bitmap = bitmap;
	space->iopt->nr_breaks = 0;
	KUNIT_EXPECT_EQ(test, 0, iopt_dirty_read(space->iopt, IOVA, last,
						 &query, 0));
	KUNIT_EXPECT_EQ(test, 4, space->iopt->nr_breaks);
	KUNIT_EXPECT_EQ(test, 0, copy_from_user(&word, bitmap, sizeof(word)));
	KUNIT_EXPECT_EQ(test, 1, word);
	KUNIT_EXPECT_EQ(test, 0, bitmap_weight(area->dirty, 2 * per_bit));
}

/* A read into a bitmap that the process cannot write to fails. */
static void read_only_bitmap_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned long user = model->user;

	model_map(test, model, 0, 64);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	model_mark(test, model, 5);
	model->user = test_mmap(test, 1, PROT_READ);
	KUNIT_EXPECT_EQ(test, -EFAULT, do_read(test, model, 0, 0, 64, 1, 0));
	model->user = user;
	expect_read(test, model, 0, 0, 64, 1, false);
}

/*
 * Mark random pages dirty, read random windows with 1 to 16 pages per bit, and
 * compare each read with the model.
 */
static void random_against_model(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct model *model = model_make(test);
	unsigned int first, n, i, round;

	/* Mappings are multiples of 16 pages, with holes in between. */
	for (first = 0; first != NPAGES; first += n) {
		n = 16 * (dice(model, 6) + 1);
		n = min(n, NPAGES - first);
		if (dice(model, 3))
			model_map(test, model, first, n);
	}
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));

	for (round = 0; round != 3000; round++) {
		unsigned int per_bit = 1U << dice(model, 5);
		unsigned long offset;
		bool keep = dice(model, 2);

		for (i = dice(model, 40); i; i--) {
			unsigned int page = dice(model, NPAGES);

			if (model->mapped[page])
				model_mark(test, model, page);
		}
		/* Choose a window that does not cut a mapping. */
		do {
			struct iopt_area *area;
			unsigned long last;

			first = 16 * dice(model, NPAGES / 16);
			n = 16 * (dice(model, (NPAGES - first) / 16) + 1);
			mutex_lock(&space->iopt->lock);
			last = IOVA + PAGES(first + n) - 1;
			area = iopt_area_first(space->iopt, IOVA + PAGES(first),
					       last);
			for (i = 0; area; area = iopt_area_next(area, last))
				i |= area->start < IOVA + PAGES(first) ||
				     area->last > last;
			mutex_unlock(&space->iopt->lock);
		} while (i);

		offset = dice(model, BYTES - NPAGES / 8);
		expect_read(test, model, offset, first, n, per_bit, keep);
	}
	test_validate(test);
}

static struct kunit_case dirty_report_cases[] = {
	KUNIT_CASE(holes_are_unchanged),
	KUNIT_CASE(whole_words),
	KUNIT_CASE(holes_need_no_bitmap),
	KUNIT_CASE(bitmap_at_every_byte),
	KUNIT_CASE(read_EFAULT_leaves_rest_dirty),
	KUNIT_CASE(coarse_EFAULT_leaves_rest_dirty),
	KUNIT_CASE(lock_is_dropped_for_long_slice),
	KUNIT_CASE(read_only_bitmap_EFAULT),
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite dirty_report_suite = {
	.name = "iopt-dirty-report",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = dirty_report_cases,
};

kunit_test_suite(dirty_report_suite);
