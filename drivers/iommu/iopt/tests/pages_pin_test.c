// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims of pages (struct iopt_page_claim): a caller waits for another caller
 * that is pinning the same pages, but not for a caller that is pinning
 * different pages.
 *
 * Pinning for a read-only mapping takes the mmap_lock. The tests hold that lock
 * to stop threads after they have claimed pages and before they have pinned
 * any.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/rwsem.h>

#include "../pages.h"
#include "../pages_pin.h"
#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

/*
 * Return the number of claims on @pages, and expect that they do not overlap.
 */
static unsigned int nr_claims(struct kunit *test, struct iopt_pages *pages)
{
	struct iopt_page_claim *claim, *other;
	unsigned int nr = 0;

	mutex_lock(&pages->mutex);
	hlist_for_each_entry(claim, &pages->claims, node) {
		nr++;
		hlist_for_each_entry(other, &pages->claims, node)
			KUNIT_EXPECT_TRUE(test, claim == other ||
					  claim->last < other->first ||
					  claim->first > other->last);
	}
	mutex_unlock(&pages->mutex);
	return nr;
}

/* Wait until @nr callers are pinning or waiting for a claim to end. */
static void wait_for_callers(struct kunit *test, struct iopt_pages *pages,
			     unsigned int nr)
{
	while (nr_claims(test, pages) + READ_ONCE(pages->nr_waiting) < nr)
		msleep(20);
}

/**
 * struct pin_call - pages that a thread pins
 * @access: access that pins the pages
 * @first: first page, counted from %IOVA
 * @npages: number of pages
 */
struct pin_call {
	struct test_access *access;
	unsigned long first;
	unsigned long npages;
};

#define NCALLS	2U

/**
 * struct pinning - threads that pin pages of one mapping at the same time
 * @call: pages that each thread pins
 * @thread: the threads
 * @lock_holder: thread that holds the mmap_lock
 * @locked: completed when @lock_holder holds the lock
 * @resume: completed by the test to make @lock_holder drop the lock
 * @pages: pages that the threads pin
 * @uaddr: user address of @pages
 */
struct pinning {
	struct pin_call call[NCALLS];
	struct test_thread thread[NCALLS];
	struct test_thread lock_holder;
	struct completion locked;
	struct completion resume;
	struct iopt_pages *pages;
	unsigned long uaddr;
};

static long call_hold_mmap_lock(struct test_thread *thread)
{
	struct pinning *pinning = thread->data;

	mmap_write_lock(thread->mm);
	complete(&pinning->locked);
	wait_for_completion(&pinning->resume);
	mmap_write_unlock(thread->mm);
	return 0;
}

/*
 * Start the threads one after the other. Each thread blocks before it has
 * pinned a page.
 */
static void pinning_start(struct kunit *test, struct pinning *pinning,
			  unsigned long npages)
{
	struct test_space *space = test->priv;
	unsigned int i;

	pinning->uaddr = test_touched(test, npages);
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA,
					       pinning->uaddr, npages,
					       IOMMU_READ));
	pinning->pages = test_area_at(space, IOVA)->pages;
	for (i = 0; i != NCALLS; i++)
		pinning->call[i].access = test_access_create(test);
	init_completion(&pinning->locked);
	init_completion(&pinning->resume);
	test_thread_start(test, &pinning->lock_holder, call_hold_mmap_lock,
			  pinning, current->mm);
	wait_for_completion(&pinning->locked);
	for (i = 0; i != NCALLS; i++) {
		test_thread_pin(test, &pinning->thread[i],
				pinning->call[i].access,
				IOVA + PAGES(pinning->call[i].first),
				pinning->call[i].npages);
		wait_for_callers(test, pinning->pages, i + 1);
	}
}

static void pinning_resume(struct pinning *pinning)
{
	complete(&pinning->resume);
	test_thread_join(&pinning->lock_holder);
}

/* If two accesses pin the same pages, the second waits for the first. */
static void access_waits_for_pinning_access(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 0, 8 }, { NULL, 4, 8 } } };
	struct test_space *space = test->priv;
	unsigned int i;

	pinning_start(test, &pinning, 12);
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pinning.pages->nr_waiting));
	KUNIT_EXPECT_EQ(test, 1, nr_claims(test, pinning.pages));
	pinning_resume(&pinning);
	for (i = 0; i != NCALLS; i++)
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[i]));
	KUNIT_EXPECT_EQ(test, 12, pinning.pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 0, pinning.pages->nr_waiting);
	test_expect_pins(test, pinning.uaddr, 12, 1);
	test_validate(test);
	/*
	 * The engine counts two pins of each of the 4 pages that both accesses
	 * need.
	 */
	KUNIT_EXPECT_EQ(test, 12, test_unpin(pinning.call[0].access, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 4, test_unpin(pinning.call[0].access, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 12));
}

/**
 * struct beside_case - pages to pin while pages 8 to 15 are being pinned
 * @name: name of the case
 * @first: first page
 * @npages: number of pages
 */
struct beside_case {
	const char *name;
	unsigned long first;
	unsigned long npages;
};

static const struct beside_case beside_cases[] = {
	{ "below", 0, 4 },
	{ "just below", 0, 8 },
	{ "below and inside", 0, 16 },
	{ "just above", 16, 8 },
	{ "above", 20, 4 },
};

static void beside_case_name(const struct beside_case *beside, char *name)
{
	strscpy(name, beside->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(beside, beside_cases, beside_case_name);

/*
 * An access does not wait for a caller that is pinning other pages. If the
 * access also needs the pages of that caller, it pins the pages below them
 * before it waits.
 */
static void access_pins_beside_pinning_access(struct kunit *test)
{
	const struct beside_case *beside = test->param_value;
	struct pinning pinning = { .call = {
		{ NULL, 8, 8 }, { NULL, beside->first, beside->npages },
	} };
	unsigned long last = beside->first + beside->npages - 1, i;

	pinning_start(test, &pinning, 24);
	KUNIT_EXPECT_EQ(test, 2, nr_claims(test, pinning.pages));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pinning.pages->nr_waiting));
	pinning_resume(&pinning);
	for (i = 0; i != NCALLS; i++)
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[i]));
	for (i = 0; i != 24; i++) {
		bool first = i >= 8 && i <= 15;
		bool second = i >= beside->first && i <= last;

		KUNIT_EXPECT_EQ(test, first || second,
				test_pins(test_user_pfn(test, pinning.uaddr +
							PAGES(i))));
	}
	test_validate(test);
}

/*
 * iopt_access_pin() is killable while it waits for another caller that is
 * pinning the same pages.
 */
static void waiting_access_is_killable(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 0, 8 }, { NULL, 0, 8 } } };

	pinning_start(test, &pinning, 8);
	test_thread_kill(&pinning.thread[1]);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&pinning.thread[1]));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pinning.pages->nr_waiting));
	pinning_resume(&pinning);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[0]));
	KUNIT_EXPECT_EQ(test, 8, pinning.pages->nr_charged);
	test_expect_pins(test, pinning.uaddr, 8, 1);
	KUNIT_EXPECT_EQ(test, 8, test_unpin(pinning.call[0].access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, pinning.pages->nr_charged);
}

/*
 * An attach can be killed while it waits for another caller that is pinning the
 * same pages.
 */
static void waiting_holder_is_killable(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 8, 8 }, { NULL, 0, 4 } } };
	struct test_space *space = test->priv;
	struct test_thread attach;

	pinning_start(test, &pinning, 16);
	test_thread_attach(test, &attach, space->mock[0], current->mm);
	wait_for_callers(test, pinning.pages, NCALLS + 1);
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pinning.pages->nr_waiting));
	test_thread_kill(&attach);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pinning.pages->nr_waiting));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	pinning_resume(&pinning);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[0]));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[1]));
	KUNIT_EXPECT_EQ(test, 12, pinning.pages->nr_charged);
	test_validate(test);
}

/*
 * A holder that needs some pages of a hole waits for the holder that is pinning
 * the whole hole. Afterwards each domain must map the right page at each of its
 * IOVAs, and the pages of the waiting holder must stay pinned when the other
 * holder is removed.
 */
static void expect_holder_waits(struct kunit *test, unsigned long uaddr)
{
	struct test_space *space = test->priv;
	struct io_pagetable *other[2] = {
		test_other_space(test, space->mock[0]),
		test_other_space(test, space->mock[1]),
	};
	struct test_thread one, two;
	struct iopt_pages *pages;
	unsigned long bytes;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, IOVA, uaddr, 64,
					       IOMMU_READ));
	pages = test_area_at(space, IOVA)->pages;
	/* Pin the pages above the hole that the threads fill. */
	KUNIT_ASSERT_EQ(test, 0, test_copy_to(other[0], space->iopt,
					      IOVA + PAGES(32), 32));

	/*
	 * Holding the mmap_lock blocks a read-only pin, which looks up the VMA
	 * first.
	 */
	mmap_write_lock(current->mm);
	test_thread_copy_to(test, &one, other[0], IOVA, 32);
	while (!rwsem_is_contended(&current->mm->mmap_lock))
		msleep(20);
	test_thread_copy_to(test, &two, other[1], IOVA + PAGES(8), 8);
	while (!READ_ONCE(pages->nr_waiting))
		msleep(20);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&one));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&two));

	KUNIT_EXPECT_EQ(test, 64, pages->nr_charged);
	mock_expect_maps(space->mock[0], IOVA, uaddr, 64);
	mock_expect_maps(space->mock[1], IOVA + PAGES(8), uaddr + PAGES(8), 8);
	KUNIT_EXPECT_EQ(test, 64, space->mock[0]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 8, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other[0], IOVA,
					    IOVA + PAGES(32) - 1, &bytes));
	KUNIT_EXPECT_EQ(test, 40, pages->nr_charged);
	for (i = 0; i != 32; i++)
		KUNIT_EXPECT_EQ(test, i >= 8 && i < 16,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
	for (i = 0; i != 2; i++)
		test_other_free(test, other[i], space->mock[i]);
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 64));
}

/*
 * A holder waits while another holder pins scattered pages, each a run of its
 * own.
 */
static void holder_waits_for_scattered_pages(struct kunit *test)
{
	expect_holder_waits(test, test_touched(test, 64));
}

/*
 * A holder waits while another holder pins contiguous pages. The resulting run
 * is cut at both ends of the waiting holder's slice.
 */
static void holder_waits_for_run(struct kunit *test)
{
	unsigned long uaddr = test_contiguous(test, 64);

	if (!uaddr)
		kunit_skip(test, "no contiguous memory");
	expect_holder_waits(test, uaddr);
}

static struct kunit_case pages_pin_cases[] = {
	KUNIT_CASE(access_waits_for_pinning_access),
	KUNIT_CASE_PARAM(access_pins_beside_pinning_access, beside_gen_params),
	KUNIT_CASE(waiting_access_is_killable),
	KUNIT_CASE(waiting_holder_is_killable),
	KUNIT_CASE(holder_waits_for_scattered_pages),
	KUNIT_CASE(holder_waits_for_run),
	{}
};

static struct kunit_suite pages_pin_suite = {
	.name = "iopt-pages-pin",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pages_pin_cases,
};

kunit_test_suite(pages_pin_suite);
