// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record of pages that several holders and accesses need at the same time.
 *
 * Pinning for a read-only mapping takes the mmap_lock. While a thread holds
 * that lock, the threads that pin have claimed their pages but pinned none.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "../io_pagetable.h"
#include "../page_claim.h"
#include "../pages.h"
#include "access.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL

static int copy_to(struct io_pagetable *other, struct test_space *space,
		   unsigned long iova, unsigned long npages)
{
	return iopt_copy(other, &iova, space->iopt, iova, PAGES(npages),
			 IOMMU_READ, IOPT_MAP_FIXED);
}

/* Expect that of @npages only those in [@first, @last] are pinned, once. */
static void expect_pinned(struct kunit *test, unsigned long uaddr,
			  unsigned long npages, unsigned long first,
			  unsigned long last)
{
	unsigned long i;

	for (i = 0; i != npages; i++)
		KUNIT_EXPECT_EQ(test, i >= first && i <= last,
				test_pins(test_user_pfn(test, uaddr +
							PAGES(i))));
}

/*
 * Contiguous pages of two holders are separate runs, and each is unpinned with
 * its holder, whether the slices are adjacent or nested.
 */
static void run_ends_where_a_slice_ends(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 16);
	struct io_pagetable *other;
	struct iopt_pages *pages;
	unsigned long bytes;

	if (!uaddr)
		kunit_skip(test, "no contiguous memory to be had");
	other = test_other_space(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 16));
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0, copy_to(other, space, IOVA, 8));
	KUNIT_ASSERT_EQ(test, 0, copy_to(other, space, IOVA + PAGES(8), 8));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, IOVA, IOVA + PAGES(8) - 1,
					    &bytes));
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	expect_pinned(test, uaddr, 16, 8, 15);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	expect_pinned(test, uaddr, 16, 16, 16);

	KUNIT_ASSERT_EQ(test, 0, copy_to(other, space, IOVA, 8));
	test_attach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	test_validate(test);
	test_detach(test, space->mock[1]);
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	expect_pinned(test, uaddr, 16, 0, 7);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
}

/* Insert the slice of a holder that does not have all of its pages yet. */
static void slice_insert(struct iopt_pages *pages,
			 struct interval_tree_node *slice)
{
	mutex_lock(&pages->mutex);
	interval_tree_insert(slice, &pages->holders);
	pages->nr_filling++;
	mutex_unlock(&pages->mutex);
}

static void slice_drop(struct iopt_pages *pages,
		       struct interval_tree_node *slice)
{
	mutex_lock(&pages->mutex);
	iopt_pages_drop(pages, slice);
	iopt_pages_unlock(pages);
}

/*
 * A run that grows with contiguous pages still ends where the slice of a
 * waiting holder starts.
 */
static void run_ends_where_a_waiting_slice_starts(struct kunit *test)
{
	struct interval_tree_node filling = { .start = 0, .last = 15 };
	struct interval_tree_node waiting = { .start = 12, .last = 20 };
	struct interval_tree_node holder = { .start = 0, .last = 15 };
	struct test_space *space = test->priv;
	unsigned long uaddr = test_contiguous(test, 32), lost = 0;
	struct io_pagetable *other;
	struct iopt_pages *pages;

	if (!uaddr)
		kunit_skip(test, "no contiguous memory to be had");
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 32));
	pages = test_area_at(space, IOVA)->pages;
	other = test_other_space(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, copy_to(other, space, IOVA, 8));
	slice_insert(pages, &filling);
	test_other_free(test, other, space->mock[0]);
	KUNIT_EXPECT_EQ(test, 8, pages->nr_charged);
	slice_insert(pages, &waiting);

	KUNIT_EXPECT_EQ(test, 0, iopt_pages_hold(pages, &holder, false,
						 &lost));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	slice_drop(pages, &filling);
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	slice_drop(pages, &holder);
	KUNIT_EXPECT_EQ(test, 4, pages->nr_charged);
	expect_pinned(test, uaddr, 32, 12, 15);
	slice_drop(pages, &waiting);
	pages->nr_filling -= 2;
	KUNIT_EXPECT_EQ(test, 0, pages->nr_charged);
	expect_pinned(test, uaddr, 32, 32, 32);
}

/* An access does not pin a page again that a holder or an access has pinned. */
static void pins_end_at_pinned_pages(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 16);
	struct io_pagetable *other = test_other_space(test, space->mock[0]);
	struct iopt_pages *pages;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 16));
	pages = test_area_at(space, IOVA)->pages;
	KUNIT_ASSERT_EQ(test, 0, copy_to(other, space, IOVA + PAGES(12), 4));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA + PAGES(5), 1));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 16, pages->nr_charged);
	expect_pinned(test, uaddr, 16, 0, 15);
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 16, test_unpin(access, IOVA, 16));
	KUNIT_EXPECT_EQ(test, 5, pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 1, test_unpin(access, IOVA, 16));
	expect_pinned(test, uaddr, 16, 12, 15);
	test_other_free(test, other, space->mock[0]);
	expect_pinned(test, uaddr, 16, 16, 16);
}

/* A pin and its unpin leave the number of references to the payer unchanged. */
static void unpin_puts_payer(struct kunit *test)
{
	struct test_access *access = test_access_create(test);
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 2);
	struct iopt_payer *payer;
	unsigned int users;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	payer = test_area_at(space, IOVA)->pages->payer;
	users = refcount_read(&payer->users);
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, 2, test_unpin(access, IOVA, 2));
	KUNIT_EXPECT_EQ(test, users, refcount_read(&payer->users));
}

/**
 * struct pin_call - pages that a thread pins
 * @access: access that pins them
 * @first: first page, counted from %IOVA
 * @npages: number of pages
 */
struct pin_call {
	struct test_access *access;
	unsigned long first;
	unsigned long npages;
};

static long call_pin(struct test_thread *thread)
{
	const struct pin_call *call = thread->data;

	return test_pin_flags(call->access, IOVA + PAGES(call->first),
			      call->npages, NULL, 0);
}

/*
 * Return the number of callers that are pinning, and expect that their claims
 * do not overlap.
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

/* Wait until @nr callers are pinning or wait for another caller to pin. */
static void wait_for_callers(struct kunit *test, struct iopt_pages *pages,
			     unsigned int nr)
{
	while (nr_claims(test, pages) + READ_ONCE(pages->nr_waiting) < nr)
		msleep(20);
}

#define NCALLS	2U

/**
 * struct pinning - threads that pin some pages at the same time
 * @call: pages of each thread
 * @thread: the threads
 * @keeper: thread that holds the mmap_lock
 * @kept: completed when @keeper holds the lock
 * @go_on: completed by the test to make @keeper drop the lock
 * @pages: pages that the threads pin
 * @uaddr: user address of @pages
 */
struct pinning {
	struct pin_call call[NCALLS];
	struct test_thread thread[NCALLS];
	struct test_thread keeper;
	struct completion kept;
	struct completion go_on;
	struct iopt_pages *pages;
	unsigned long uaddr;
};

static long call_keep_mmap_lock(struct test_thread *thread)
{
	struct pinning *pinning = thread->data;

	mmap_write_lock(thread->mm);
	complete(&pinning->kept);
	wait_for_completion(&pinning->go_on);
	mmap_write_unlock(thread->mm);
	return 0;
}

/*
 * Start the threads one after the other. Each is blocked before it has pinned a
 * page.
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
	init_completion(&pinning->kept);
	init_completion(&pinning->go_on);
	test_thread_start(test, &pinning->keeper, call_keep_mmap_lock, pinning,
			  current->mm);
	wait_for_completion(&pinning->kept);
	for (i = 0; i != NCALLS; i++) {
		test_thread_start(test, &pinning->thread[i], call_pin,
				  &pinning->call[i], current->mm);
		wait_for_callers(test, pinning->pages, i + 1);
	}
}

static void pinning_go_on(struct pinning *pinning)
{
	complete(&pinning->go_on);
	test_thread_join(&pinning->keeper);
}

/* If two accesses need the same pages, the second waits for the first. */
static void access_waits_for_pinning_access(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 0, 8 }, { NULL, 4, 8 } } };
	struct test_space *space = test->priv;
	unsigned int i;

	pinning_start(test, &pinning, 12);
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pinning.pages->nr_waiting));
	KUNIT_EXPECT_EQ(test, 1, nr_claims(test, pinning.pages));
	pinning_go_on(&pinning);
	for (i = 0; i != NCALLS; i++)
		KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[i]));
	KUNIT_EXPECT_EQ(test, 12, pinning.pages->nr_charged);
	KUNIT_EXPECT_EQ(test, 0, pinning.pages->nr_waiting);
	expect_pinned(test, pinning.uaddr, 12, 0, 11);
	test_validate(test);
	/* Both accesses have a pin on each page that both need. */
	KUNIT_EXPECT_EQ(test, 12, test_unpin(pinning.call[0].access, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 4, test_unpin(pinning.call[0].access, IOVA, 12));
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 12));
}

/**
 * struct beside_case - pages that are pinned while a thread is pinning 8 to 15
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
	{ "up to the first", 0, 8 },
	{ "below and inside", 0, 16 },
	{ "from the last", 16, 8 },
	{ "above", 20, 4 },
};

static void beside_case_name(const struct beside_case *beside, char *name)
{
	strscpy(name, beside->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(beside, beside_cases, beside_case_name);

/* An access does not wait to pin pages that no other caller is pinning. */
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
	pinning_go_on(&pinning);
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

/* An access that waits for another caller to pin is killable. */
static void waiting_access_is_killable(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 0, 8 }, { NULL, 0, 8 } } };

	pinning_start(test, &pinning, 8);
	test_thread_kill(&pinning.thread[1]);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&pinning.thread[1]));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pinning.pages->nr_waiting));
	pinning_go_on(&pinning);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[0]));
	KUNIT_EXPECT_EQ(test, 8, pinning.pages->nr_charged);
	expect_pinned(test, pinning.uaddr, 8, 0, 7);
	KUNIT_EXPECT_EQ(test, 8, test_unpin(pinning.call[0].access, IOVA, 8));
	KUNIT_EXPECT_EQ(test, 0, pinning.pages->nr_charged);
}

static long call_attach(struct test_thread *thread)
{
	return iopt_attach_domain(thread->space->iopt,
				  &thread->space->mock[0]->domain);
}

/* A holder that waits for another caller to pin is killable. */
static void waiting_holder_is_killable(struct kunit *test)
{
	struct pinning pinning = { .call = { { NULL, 8, 8 }, { NULL, 0, 4 } } };
	struct test_space *space = test->priv;
	struct test_thread attach;

	pinning_start(test, &pinning, 16);
	test_thread_start(test, &attach, call_attach, NULL, current->mm);
	wait_for_callers(test, pinning.pages, NCALLS + 1);
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pinning.pages->nr_waiting));
	test_thread_kill(&attach);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&attach));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pinning.pages->nr_waiting));
	KUNIT_EXPECT_EQ(test, 0, space->mock[0]->nr_ptes);
	pinning_go_on(&pinning);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[0]));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&pinning.thread[1]));
	KUNIT_EXPECT_EQ(test, 12, pinning.pages->nr_charged);
	test_validate(test);
}

static struct kunit_case pages_cases[] = {
	KUNIT_CASE(run_ends_where_a_slice_ends),
	KUNIT_CASE(run_ends_where_a_waiting_slice_starts),
	KUNIT_CASE(pins_end_at_pinned_pages),
	KUNIT_CASE(unpin_puts_payer),
	KUNIT_CASE(access_waits_for_pinning_access),
	KUNIT_CASE_PARAM(access_pins_beside_pinning_access, beside_gen_params),
	KUNIT_CASE(waiting_access_is_killable),
	KUNIT_CASE(waiting_holder_is_killable),
	{}
};

static struct kunit_suite pages_suite = {
	.name = "iopt-pages",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = pages_cases,
};

kunit_test_suite(pages_suite);
