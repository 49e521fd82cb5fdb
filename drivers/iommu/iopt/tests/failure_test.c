// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fail the n-th step of each call in calls[], for every n. A step is an
 * allocation or a map_pages call of a domain. A failed call must restore the
 * previous state, and undoing a successful call must not allocate, except in
 * undo_allow() and undo_adopt(). The loop over n ends when the call completes
 * without reaching step n.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

#include "../io_pagetable.h"
#include "../reserve.h"
#include "failing.h"
#include "space.h"
#include "thread.h"

#define IOVA	0x100000000UL
#define NEW	0x200000000UL
#define NPAGES	40UL
#define HALF	(NPAGES / 2)
/*
 * Minimum number of map_pages calls to expect. It is less than NPAGES, because
 * pages that happen to be contiguous are mapped by a single call.
 */
#define NSTEPS	(NPAGES - 5)
#define GFP	(GFP_NOWAIT | __GFP_NOWARN)

/**
 * struct failure - how to make a step of a call fail
 * @name: name of the failing step
 * @arm: makes the @n-th step fail, counting from now
 * @disarm: ends the injection; returns true if step @n was not reached
 */
struct failure {
	const char *name;
	void (*arm)(struct test_space *space, unsigned int n);
	bool (*disarm)(struct test_space *space);
};

static void arm_map(struct test_space *space, unsigned int n)
{
	space->mock[0]->fail_map = n;
	space->mock[1]->fail_map = n;
}

static bool disarm_map(struct test_space *space)
{
	bool unused = space->mock[0]->fail_map && space->mock[1]->fail_map;

	space->mock[0]->fail_map = 0;
	space->mock[1]->fail_map = 0;
	return unused;
}

static void arm_alloc(struct test_space *space, unsigned int n)
{
	test_fail_allocation(n);
}

static bool disarm_alloc(struct test_space *space)
{
	return test_fail_end();
}

enum { STEP_MAP, STEP_ALLOC, NR_FAILURES };

static const struct failure failures[NR_FAILURES] = {
	[STEP_MAP] = { "iommu_map", arm_map, disarm_map },
	[STEP_ALLOC] = { "allocation", arm_alloc, disarm_alloc },
};

/**
 * struct work - objects that the calls use, reset by each test case
 * @access: access for the calls that pin, or NULL
 * @second: object that the call created, or the mm of the adopting process
 * @iova: IOVA that the engine chose for the mapping
 */
static struct work {
	struct iopt_access *access;
	void *second;
	unsigned long iova;
} work;

static void unpin_all(void *data, unsigned long start, unsigned long last)
{
	iopt_access_unpin(work.access, start, last);
}

static const struct iopt_access_ops access_ops = { .unmap = unpin_all };

/* Create two adjacent mappings. */
static void prepare_maps(struct kunit *test)
{
	struct test_space *space = test->priv;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr,
					  HALF));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(HALF),
					  space->uaddr + PAGES(HALF), HALF));
}

static void prepare_domains(struct kunit *test)
{
	struct test_space *space = test->priv;

	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);
}

static void prepare_tracking(struct kunit *test)
{
	struct test_space *space = test->priv;

	prepare_domains(test);
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
}

static void prepare_copy(struct kunit *test)
{
	prepare_domains(test);
	prepare_maps(test);
}

static void prepare_first(struct kunit *test)
{
	struct test_space *space = test->priv;

	/*
	 * Attach reserves the page below the aperture, which takes one more
	 * allocation.
	 */
	space->mock[0]->domain.geometry.aperture_start = PAGE_SIZE;
	prepare_maps(test);
}

static void pin_some(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct page *pages[3];
	unsigned int i;

	work.access = iopt_access_create(space->iopt, &access_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(work.access));
	for (i = 0; i != 5; i++)
		KUNIT_ASSERT_EQ(test, 0,
				iopt_access_pin(work.access,
						IOVA + PAGES(7 * i),
						IOVA + PAGES(7 * i + 3) - 1,
						pages, 0));
}

static void prepare_pinned(struct kunit *test)
{
	prepare_maps(test);
	pin_some(test);
}

static void prepare_second(struct kunit *test)
{
	struct test_space *space = test->priv;

	prepare_maps(test);
	test_attach(test, space->mock[0]);
}

static void prepare_access(struct kunit *test)
{
	struct test_space *space = test->priv;

	prepare_maps(test);
	work.access = iopt_access_create(space->iopt, &access_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(work.access));
}

static void prepare_access_held(struct kunit *test)
{
	prepare_domains(test);
	prepare_access(test);
}

static void prepare_allowed(struct kunit *test)
{
	const struct iopt_range range = { 0, PAGES(8) - 1 };
	struct test_space *space = test->priv;

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(space->iopt, &range, 1));
}

static void prepare_orphan(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bytes;

	prepare_copy(test);
	KUNIT_ASSERT_EQ(test, 0, iopt_orphan(space->iopt, IOVA, IOVA +
					     PAGES(HALF) - 1, &bytes));
}

static int call_map(struct kunit *test)
{
	struct test_space *space = test->priv;

	return test_map(space->iopt, NEW, space->uaddr, NPAGES);
}

static int undo_map(struct kunit *test)
{
	struct test_space *space = test->priv;

	return test_unmap(space->iopt, NEW, NPAGES);
}

static int call_map_anywhere(struct kunit *test)
{
	struct test_space *space = test->priv;

	return iopt_map_user(space->iopt, &work.iova,
			     (void __user *)space->uaddr, PAGES(NPAGES),
			     TEST_RW, IOPT_ACCOUNT_USER, 0);
}

static int undo_map_anywhere(struct kunit *test)
{
	struct test_space *space = test->priv;

	return test_unmap(space->iopt, work.iova, NPAGES);
}

/* Copy a range that starts inside one mapping and ends inside the next. */
static int call_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long iova = NEW;

	return iopt_copy(space->iopt, &iova, space->iopt, IOVA + PAGES(5),
			 PAGES(30), TEST_RW, IOPT_MAP_FIXED);
}

static int undo_copy(struct kunit *test)
{
	struct test_space *space = test->priv;

	return test_unmap(space->iopt, NEW, 30);
}

static int attach(struct kunit *test, struct mock_domain *mock)
{
	struct test_space *space = test->priv;
	int rc = iopt_attach_domain(space->iopt, &mock->domain);

	mock->attached = !rc;
	return rc;
}

static int call_attach_first(struct kunit *test)
{
	struct test_space *space = test->priv;

	return attach(test, space->mock[0]);
}

static int undo_attach_first(struct kunit *test)
{
	struct test_space *space = test->priv;

	test_detach(test, space->mock[0]);
	return 0;
}

static int call_attach_second(struct kunit *test)
{
	struct test_space *space = test->priv;

	return attach(test, space->mock[1]);
}

static int undo_attach_second(struct kunit *test)
{
	struct test_space *space = test->priv;

	test_detach(test, space->mock[1]);
	return 0;
}

static int call_create(struct kunit *test)
{
	const struct iopt_policy policy = { .gfp = GFP };

	work.second = iopt_alloc(&policy);
	return PTR_ERR_OR_ZERO(work.second);
}

static int undo_create(struct kunit *test)
{
	iopt_free(work.second);
	return 0;
}

static int call_access_create(struct kunit *test)
{
	struct test_space *space = test->priv;

	work.second = iopt_access_create(space->iopt, &access_ops, NULL);
	return PTR_ERR_OR_ZERO(work.second);
}

static int undo_access_create(struct kunit *test)
{
	iopt_access_destroy(work.second);
	return 0;
}

/* Pin a range that spans both mappings. */
static int call_pin(struct kunit *test)
{
	struct page *pages[12];

	return iopt_access_pin(work.access, IOVA + PAGES(HALF - 8),
			       IOVA + PAGES(HALF + 4) - 1, pages, 0);
}

static int undo_pin(struct kunit *test)
{
	unsigned long nr = iopt_access_unpin(work.access, IOVA,
					     IOVA + PAGES(NPAGES) - 1);

	return nr == 12 ? 0 : -EBADE;
}

static int call_track(struct kunit *test)
{
	struct test_space *space = test->priv;

	return iopt_dirty_start(space->iopt);
}

static int undo_track(struct kunit *test)
{
	struct test_space *space = test->priv;

	iopt_dirty_stop(space->iopt);
	return 0;
}

static int call_allow(struct kunit *test)
{
	const struct iopt_range ranges[] = {
		{ 0, PAGES(4) - 1 },
		{ NEW, NEW + PAGES(3) - 1 },
		{ IOVA, IOVA },
	};
	struct test_space *space = test->priv;

	return iopt_allow_iova(space->iopt, ranges, ARRAY_SIZE(ranges));
}

static int undo_allow(struct kunit *test)
{
	test_fail_end();
	prepare_allowed(test);
	test_fail_allocation(1);
	return 0;
}

static int call_reserve(struct kunit *test)
{
	struct test_space *space = test->priv;
	int rc;

	mutex_lock(&space->iopt->lock);
	rc = iopt_reserve_iova(space->iopt, NEW, NEW + PAGES(2) - 1, &work);
	mutex_unlock(&space->iopt->lock);
	return rc;
}

static int undo_reserve(struct kunit *test)
{
	struct test_space *space = test->priv;

	mutex_lock(&space->iopt->lock);
	iopt_unreserve_iova(space->iopt, &work);
	mutex_unlock(&space->iopt->lock);
	return 0;
}

static int call_orphan(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bytes;

	return iopt_orphan(space->iopt, 0, ULONG_MAX, &bytes);
}

static int adopt(struct kunit *test, unsigned int first)
{
	struct test_space *space = test->priv;
	unsigned long start = IOVA + PAGES(first);

	return iopt_adopt(space->iopt, start, start + PAGES(HALF) - 1,
			  (void __user *)space->uaddr + PAGES(first),
			  IOPT_ACCOUNT_USER);
}

static int undo_orphan(struct kunit *test)
{
	return adopt(test, 0) ?: adopt(test, HALF);
}

/*
 * Adopt as another process. A failed iopt_adopt() must not charge that process.
 */
static int call_adopt(struct kunit *test)
{
	struct mm_struct *mm = current->mm;
	int rc;

	kthread_unuse_mm(mm);
	kthread_use_mm(work.second);
	rc = adopt(test, 0);
	KUNIT_EXPECT_EQ(test, rc ? 0 : HALF,
			atomic64_read(&current->mm->pinned_vm));
	kthread_unuse_mm(work.second);
	kthread_use_mm(mm);
	return rc;
}

/*
 * Move the mapping back to this process and make it an orphan again. This
 * allocates memory, so stop the injection meanwhile.
 */
static int undo_adopt(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bytes;
	int rc;

	test_fail_end();
	rc = iopt_orphan(space->iopt, IOVA, IOVA + PAGES(HALF) - 1, &bytes) ?:
	     adopt(test, 0) ?:
	     iopt_orphan(space->iopt, IOVA, IOVA + PAGES(HALF) - 1, &bytes);
	test_fail_allocation(1);
	return rc;
}

/**
 * struct call - an engine call that can fail
 * @name: name of the call
 * @prepare: sets up the state that the call needs
 * @call: makes the call
 * @undo: undoes the call while an allocation failure is pending; stops the
 *        injection if it has to allocate
 * @steps: minimum number of steps that make the call fail, by kind of failure
 */
struct call {
	const char *name;
	void (*prepare)(struct kunit *test);
	int (*call)(struct kunit *test);
	int (*undo)(struct kunit *test);
	unsigned int steps[NR_FAILURES];
};

static const struct call calls[] = {
	{ "create a space", prepare_maps, call_create, undo_create, { 0, 1 } },
	{ "map", prepare_domains, call_map, undo_map, { NSTEPS, 3 } },
	{ "map anywhere", prepare_domains, call_map_anywhere,
	  undo_map_anywhere, { NSTEPS, 3 } },
	{ "map while tracking", prepare_tracking, call_map, undo_map,
	  { NSTEPS, 4 } },
	{ "copy", prepare_copy, call_copy, undo_copy, { NSTEPS - 10, 2 } },
	{ "attach the first domain", prepare_first, call_attach_first,
	  undo_attach_first, { NSTEPS, 5 } },
	{ "attach the first domain while pages are pinned", prepare_pinned,
	  call_attach_first, undo_attach_first, { NSTEPS, 6 } },
	{ "attach the second domain", prepare_second, call_attach_second,
	  undo_attach_second, { NSTEPS, 2 } },
	{ "create an access", prepare_maps, call_access_create,
	  undo_access_create, { 0, 1 } },
	{ "pin", prepare_access, call_pin, undo_pin, { 0, 2 } },
	{ "pin pages of a holder", prepare_access_held, call_pin, undo_pin,
	  { 0, 2 } },
	{ "start tracking", prepare_pinned, call_track, undo_track, { 0, 2 } },
	{ "allow", prepare_allowed, call_allow, undo_allow, { 0, 3 } },
	{ "reserve", prepare_maps, call_reserve, undo_reserve, { 0, 1 } },
	{ "orphan", prepare_copy, call_orphan, undo_orphan, { 0, 0 } },
	{ "adopt by another process", prepare_orphan, call_adopt, undo_adopt,
	  { 0, 1 } },
};

/**
 * struct state - state that a failed call must not change
 * @charged: number of pages charged to the user
 * @pinned: pinned_vm of the process
 * @nr_areas: number of mappings
 * @nr_allowed: number of allowed ranges
 * @orphans: the space has orphans
 * @tracking: dirty pages are tracked
 * @alignment: alignment of IOVAs, in bytes
 * @nr_ranges: number of usable ranges
 * @range: the first usable ranges
 * @nr_ptes: number of pages mapped in each domain
 * @pfn: page frames that each domain maps at %IOVA and at %NEW
 * @pins: pin count of each page
 */
struct state {
	unsigned long charged;
	unsigned long pinned;
	unsigned int nr_areas;
	unsigned int nr_allowed;
	bool orphans;
	bool tracking;
	unsigned long alignment;
	unsigned int nr_ranges;
	struct iopt_range range[4];
	unsigned long nr_ptes[2];
	unsigned long pfn[2][2 * NPAGES];
	unsigned int pins[NPAGES];
};

static unsigned int nr_allowed(struct io_pagetable *iopt)
{
	struct interval_tree_node *node;
	unsigned int nr = 0;

	mutex_lock(&iopt->lock);
	for (node = interval_tree_iter_first(&iopt->allowed, 0, ULONG_MAX);
	     node; node = interval_tree_iter_next(node, 0, ULONG_MAX))
		nr++;
	mutex_unlock(&iopt->lock);
	return nr;
}

static void look(struct kunit *test, struct state *state)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned int i, d;

	memset(state, 0, sizeof(*state));
	test_validate(test);
	state->charged = test_charged();
	state->pinned = atomic64_read(&current->mm->pinned_vm);
	state->nr_areas = iopt->nr_areas;
	state->nr_allowed = nr_allowed(iopt);
	state->orphans = iopt_has_orphans(iopt);
	state->tracking = iopt->tracking;
	state->alignment = iopt_iova_alignment(iopt);
	state->nr_ranges = iopt_iova_ranges(iopt, state->range,
					    ARRAY_SIZE(state->range));
	for (d = 0; d != 2; d++) {
		struct mock_domain *mock = space->mock[d];

		state->nr_ptes[d] = mock->nr_ptes;
		for (i = 0; i != NPAGES; i++) {
			state->pfn[d][i] =
				mock_domain_pfn(mock, IOVA + PAGES(i));
			state->pfn[d][NPAGES + i] =
				mock_domain_pfn(mock, NEW + PAGES(i));
		}
	}
	for (i = 0; i != NPAGES; i++)
		state->pins[i] = test_pins(test_user_pfn(test, space->uaddr +
							 PAGES(i)));
}

static const void *next_failing_call(const void *previous, char *name)
{
	unsigned long i = (unsigned long)previous;

	if (i == ARRAY_SIZE(calls) * NR_FAILURES)
		return NULL;
	snprintf(name, KUNIT_PARAM_DESC_SIZE, "%s: %s",
		 calls[i / NR_FAILURES].name, failures[i % NR_FAILURES].name);
	return (void *)(i + 1);
}

static void clean_up(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bytes;

	iopt_dirty_stop(space->iopt);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(space->iopt, 0, ULONG_MAX, &bytes));
	if (work.access)
		iopt_access_destroy(work.access);
}

/* A call that fails at the n-th step restores the previous state. */
static void fails_at_nth(struct kunit *test)
{
	unsigned long param = (unsigned long)test->param_value - 1;
	const struct failure *failure = &failures[param % NR_FAILURES];
	const struct call *call = &calls[param / NR_FAILURES];
	struct test_space *space = test->priv;
	struct state *before, *after;
	unsigned int n, nr_failed = 0, repeated = 0;
	bool unused = false;
	int rc;

	if (failure->arm == arm_alloc)
		test_needs_failing_allocations(test);
	before = kunit_kzalloc(test, sizeof(*before), GFP_KERNEL);
	after = kunit_kzalloc(test, sizeof(*after), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	KUNIT_ASSERT_NOT_NULL(test, after);
	memset(&work, 0, sizeof(work));
	space->uaddr = test_touched(test, NPAGES);
	space->mock[0]->domain.pgsize_bitmap = PAGE_SIZE;
	if (call->call == call_adopt)
		work.second = test_other_mm(test);
	call->prepare(test);
	look(test, before);

	for (n = 1; !unused && n != 1000;
	     n = test_fail_next(n, rc, &repeated)) {
		failure->arm(space, n);
		rc = call->call(test);
		unused = failure->disarm(space);
		if (rc) {
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
			KUNIT_EXPECT_FALSE(test, unused);
			nr_failed++;
		} else {
			/*
			 * The call may succeed despite a failed allocation,
			 * because some allocations are retried.
			 */
			test_fail_allocation(1);
			rc = call->undo(test);
			test_expect_no_allocation(test);
			KUNIT_EXPECT_EQ(test, 0, rc);
		}
		look(test, after);
		KUNIT_ASSERT_EQ(test, 0, memcmp(before, after, sizeof(*after)));
	}
	KUNIT_EXPECT_TRUE(test, unused);
	KUNIT_EXPECT_GE(test, nr_failed, call->steps[param % NR_FAILURES]);
	clean_up(test);
	if (call->call == call_adopt)
		mmput(work.second);
}

static struct kunit_case failure_cases[] = {
	KUNIT_CASE_PARAM(fails_at_nth, next_failing_call),
	{}
};

static struct kunit_suite failure_suite = {
	.name = "iopt-failure",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = failure_cases,
};

kunit_test_suite(failure_suite);
