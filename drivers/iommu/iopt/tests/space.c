// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fixture of most suites: a user mm, a space and two mock domains, with helpers
 * for the calls that most tests make.
 */
#include <linux/cred.h>
#include <linux/sched/user.h>

#include "../area.h"
#include "../dirty_bitmap.h"
#include "../io_pagetable.h"
#include "../validate.h"
#include "access.h"
#include "space.h"
#include "thread.h"

/*
 * No call in a passing test case waits for WATCH_ROUNDS periods, even on a busy
 * host.
 */
#define WATCH_PERIOD	(3 * HZ)
#define WATCH_ROUNDS	4

static void watch_fail(struct test_space *space)
{
	KUNIT_FAIL(space->test, "a call is waiting, but no area becomes idle");
	/*
	 * The previous message of KUnit lacks a newline, so the console shows
	 * it only along with the next one.
	 */
	kunit_err(space->test, "io_pagetable.idle_seq is %lu\n",
		  READ_ONCE(space->iopt->idle_seq));
}

/*
 * Fail the test case if a call waits and no area becomes idle for several
 * periods. Otherwise the test case would hang silently, in that call or in
 * joining its thread.
 */
static void space_watch(struct work_struct *work)
{
	struct test_space *space = container_of(to_delayed_work(work),
						struct test_space, watch);
	unsigned long idle_seq = READ_ONCE(space->iopt->idle_seq);

	if (!wq_has_sleeper(&space->iopt->idle) || idle_seq != space->idle_seq)
		space->nr_idle = 0;
	else if (++space->nr_idle == WATCH_ROUNDS)
		watch_fail(space);
	space->idle_seq = idle_seq;
	schedule_delayed_work(&space->watch, WATCH_PERIOD);
}

/*
 * The space allocates with GFP_NOWAIT so that tests can make its allocations
 * fail: fault injection skips allocations that may reclaim.
 */
int test_space_init(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_NOWAIT | __GFP_NOWARN,
		.max_areas = UINT_MAX,
	};
	struct test_space *space;

	/* KUnit keeps the pointer from the previous parameter of a case. */
	test->priv = NULL;
	test_user_mm(test);
	space = kunit_kzalloc(test, sizeof(*space), GFP_KERNEL);
	if (!space)
		return -ENOMEM;
	space->mock[0] = mock_domain_alloc(test);
	space->mock[1] = mock_domain_alloc(test);
	mock_domain_take_runs(space->mock[1]);
	space->iopt = iopt_alloc(&policy);
	if (IS_ERR(space->iopt))
		return PTR_ERR(space->iopt);
	space->test = test;
	INIT_DELAYED_WORK(&space->watch, space_watch);
	schedule_delayed_work(&space->watch, WATCH_PERIOD);
	test->priv = space;
	return 0;
}

/*
 * Replace the space of the test case with an empty space that has another
 * policy.
 */
void test_space_replace(struct kunit *test, const struct iopt_policy *policy)
{
	struct test_space *space = test->priv;

	cancel_delayed_work_sync(&space->watch);
	iopt_free(space->iopt);
	space->iopt = iopt_alloc(policy);
	KUNIT_ASSERT_FALSE(test, IS_ERR(space->iopt));
	schedule_delayed_work(&space->watch, WATCH_PERIOD);
}

/*
 * Free the space, and expect that all threads are joined and that no memory of
 * the test case stays pinned.
 */
void test_space_exit(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, 0, test_threads_unjoined());
	/* KUnit calls this function even if test_space_init() has failed. */
	if (!space)
		return;
	test_validate(test);
	test_accesses_destroy(space);
	for (i = 0; i != ARRAY_SIZE(space->mock); i++)
		if (space->mock[i]->attached)
			test_detach(test, space->mock[i]);
	cancel_delayed_work_sync(&space->watch);
	iopt_free(space->iopt);
	if (current->mm)
		KUNIT_EXPECT_EQ(test, 0,
				atomic64_read(&current->mm->pinned_vm));
}

/* Allocate an empty space, which the caller frees. */
struct io_pagetable *test_iopt_alloc(struct kunit *test)
{
	const struct iopt_policy policy = {
		.gfp = GFP_KERNEL,
		.max_areas = UINT_MAX,
	};
	struct io_pagetable *iopt = iopt_alloc(&policy);

	KUNIT_ASSERT_FALSE(test, IS_ERR(iopt));
	return iopt;
}

/* Allocate a second space with a domain, to copy mappings into. */
struct io_pagetable *test_other_space(struct kunit *test,
				      struct mock_domain *mock)
{
	struct io_pagetable *other = test_iopt_alloc(test);

	KUNIT_ASSERT_EQ(test, 0, iopt_attach_domain(other, &mock->domain));
	return other;
}

/* Empty and free a space that test_other_space() returned. */
void test_other_free(struct kunit *test, struct io_pagetable *other,
		     struct mock_domain *mock)
{
	unsigned long bytes;

	KUNIT_EXPECT_PTR_EQ(test, NULL, iopt_validate(other));
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(other, 0, ULONG_MAX, &bytes));
	iopt_detach_domain(other, &mock->domain);
	iopt_free(other);
}

void test_attach(struct kunit *test, struct mock_domain *mock)
{
	struct test_space *space = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			iopt_attach_domain(space->iopt, &mock->domain));
	mock->attached = true;
}

void test_detach(struct kunit *test, struct mock_domain *mock)
{
	struct test_space *space = test->priv;

	iopt_detach_domain(space->iopt, &mock->domain);
	mock->attached = false;
	KUNIT_EXPECT_EQ(test, 0, mock->nr_ptes);
}

void test_validate(struct kunit *test)
{
	struct test_space *space = test->priv;
	const char *wrong = iopt_validate(space->iopt);

	KUNIT_EXPECT_STREQ(test, "", wrong ?: "");
}

int test_map_prot(struct io_pagetable *iopt, unsigned long iova,
		  unsigned long uaddr, unsigned long npages, int prot)
{
	return iopt_map_user(iopt, &iova, (void __user *)uaddr, PAGES(npages),
			     prot, IOPT_ACCOUNT_USER, IOPT_MAP_FIXED);
}

int test_map(struct io_pagetable *iopt, unsigned long iova,
	     unsigned long uaddr, unsigned long npages)
{
	return test_map_prot(iopt, iova, uaddr, npages, TEST_RW);
}

/* Create @nr adjacent mappings of @npages pages each. */
void test_map_adjacent(struct kunit *test, unsigned long iova,
		       unsigned long uaddr, unsigned long nr,
		       unsigned long npages)
{
	struct test_space *space = test->priv;
	unsigned long i;

	for (i = 0; i != nr; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, iova + PAGES(npages * i),
					 uaddr + PAGES(npages * i), npages));
}

/* Copy mappings within a space. */
int test_copy_prot(struct io_pagetable *iopt, unsigned long to,
		   unsigned long from, unsigned long npages, int prot)
{
	return iopt_copy(iopt, &to, iopt, from, PAGES(npages), prot,
			 IOPT_MAP_FIXED);
}

int test_copy(struct io_pagetable *iopt, unsigned long to, unsigned long from,
	      unsigned long npages)
{
	return test_copy_prot(iopt, to, from, npages, TEST_RW);
}

/* Copy mappings into another space at the same IOVA, with IOMMU_READ only. */
int test_copy_to(struct io_pagetable *other, struct io_pagetable *iopt,
		 unsigned long iova, unsigned long npages)
{
	return iopt_copy(other, &iova, iopt, iova, PAGES(npages), IOMMU_READ,
			 IOPT_MAP_FIXED);
}

/*
 * Unmap whole mappings that fill a range. Return -EBADE if the number of bytes
 * that were unmapped is not the length of the range or, on failure, not 0.
 */
int test_unmap(struct io_pagetable *iopt, unsigned long iova,
	       unsigned long npages)
{
	unsigned long bytes = 1;
	int rc = iopt_unmap(iopt, iova, iova + PAGES(npages) - 1, &bytes);

	if (rc)
		return bytes ? -EBADE : rc;
	return bytes == PAGES(npages) ? 0 : -EBADE;
}

/* Return the number of pages charged to the current user. */
unsigned long test_charged(void)
{
	return atomic_long_read(&current_user()->locked_vm);
}

/* Return a query with one bit for each page and a bitmap of PAGE_SIZE bytes. */
struct iopt_dirty_query test_dirty_query(struct kunit *test)
{
	return (struct iopt_dirty_query){
		.bitmap = (u64 __user *)test_touched(test, 1),
		.pgsize = PAGE_SIZE,
	};
}

/* Return the area that contains an IOVA, or NULL. */
struct iopt_area *test_area_at(struct test_space *space, unsigned long iova)
{
	struct iopt_area *area;

	mutex_lock(&space->iopt->lock);
	area = iopt_area_first(space->iopt, iova, iova);
	mutex_unlock(&space->iopt->lock);
	return area;
}

/* Mark pages of one area dirty. */
void test_mark_dirty(struct test_space *space, unsigned long iova,
		     unsigned long npages)
{
	struct iopt_area *area = test_area_at(space, iova);

	mutex_lock(&space->iopt->lock);
	iopt_area_mark_dirty(area, iova, iova + PAGES(npages) - 1);
	mutex_unlock(&space->iopt->lock);
}
