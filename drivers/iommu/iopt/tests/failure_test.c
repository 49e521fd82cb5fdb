// SPDX-License-Identifier: GPL-2.0-only
/*
 * The n-th allocation and the n-th step of a domain fail: every failure leaves
 * the state of before, and with n large enough the call succeeds.
 */
#include <linux/sched.h>

#include "space.h"

#define IOVA	0x100000000UL
#define NPAGES	40UL

/**
 * struct failure - one way for a call to fail
 * @name: of the way
 * @arm: let the n-th step fail from now on
 * @disarm: let no step fail; true if the n-th step was not reached
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
#ifdef CONFIG_FAILSLAB
	current->fail_nth = n;
#endif
}

static bool disarm_alloc(struct test_space *space)
{
	bool unused = true;

#ifdef CONFIG_FAILSLAB
	unused = current->fail_nth;
	current->fail_nth = 0;
#endif
	return unused;
}

static const struct failure failures[] = {
	{ "iommu_map", arm_map, disarm_map },
	{ "allocation", arm_alloc, disarm_alloc },
};

static void failure_name(const struct failure *failure, char *name)
{
	strscpy(name, failure->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(failures, failures, failure_name);

/* What a failed call must have left alone: nothing mapped, pinned, charged. */
static void expect_nothing(struct kunit *test, unsigned long uaddr,
			   unsigned long charged)
{
	struct test_space *space = test->priv;
	unsigned int i;

	test_validate(test);
	for (i = 0; i != 2; i++)
		KUNIT_EXPECT_EQ(test, 0, space->mock[i]->nr_ptes);
	for (i = 0; i != NPAGES; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pins(test_user_pfn(test, uaddr +
								 PAGES(i))));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&current->mm->pinned_vm));
}

static bool skip_allocation(struct kunit *test)
{
	const struct failure *failure = test->param_value;

	return failure->arm == arm_alloc && !IS_ENABLED(CONFIG_FAILSLAB);
}

static void map_fails_at_nth(struct kunit *test)
{
	const struct failure *failure = test->param_value;
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, NPAGES);
	unsigned long charged = test_charged();
	unsigned int n, nr_failed = 0;
	bool unused;
	int rc;

	if (skip_allocation(test))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
	space->mock[0]->domain.pgsize_bitmap = PAGE_SIZE;
	test_attach(test, space->mock[0]);
	test_attach(test, space->mock[1]);

	for (n = 1;; n++) {
		failure->arm(space, n);
		rc = test_map(space->iopt, IOVA, uaddr, NPAGES);
		unused = failure->disarm(space);
		if (!rc && unused)
			break;
		/* Some allocations are tried twice. */
		if (!rc)
			rc = test_unmap(space->iopt, IOVA, NPAGES) ?: -ENOMEM;
		else
			nr_failed++;
		KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
		expect_nothing(test, uaddr, charged);
		KUNIT_ASSERT_LT(test, n, 1000);
	}
	/* At least the area, the pages, the batch, the runs; the domains. */
	KUNIT_EXPECT_GE(test, nr_failed, 2);
	mock_expect_maps(space->mock[0], IOVA, uaddr, NPAGES);
	mock_expect_maps(space->mock[1], IOVA, uaddr, NPAGES);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, NPAGES));
}

/*
 * Attach a domain with the n-th step failing, for each n until none does, and
 * look each time that @check finds what was before. Returns how often it
 * failed; the domain is attached then.
 */
static unsigned int attach_failing(struct kunit *test,
				   struct mock_domain *mock,
				   void (*check)(struct kunit *test))
{
	const struct failure *failure = test->param_value;
	struct test_space *space = test->priv;
	unsigned int n, nr_failed = 0;
	bool unused;
	int rc;

	for (n = 1; n != 1000; n++) {
		failure->arm(space, n);
		rc = iopt_attach_domain(space->iopt, &mock->domain);
		unused = failure->disarm(space);
		if (!rc && unused)
			break;
		/* Some allocations are tried twice. */
		if (!rc) {
			iopt_detach_domain(space->iopt, &mock->domain);
		} else {
			KUNIT_EXPECT_EQ(test, -ENOMEM, rc);
			nr_failed++;
		}
		check(test);
	}
	mock->attached = true;
	KUNIT_EXPECT_EQ(test, NPAGES, mock->nr_ptes);
	return nr_failed;
}

static void check_nothing_attached(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct iopt_range range[2];

	expect_nothing(test, space->uaddr, space->charged);
	KUNIT_EXPECT_EQ(test, 1, iopt_iova_ranges(space->iopt, range, 2));
	KUNIT_EXPECT_EQ(test, 0, range[0].start);
}

/* The first domain stays as it is whatever happens to a second one. */
static void check_first_attached(struct kunit *test)
{
	struct test_space *space = test->priv;

	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, space->mock[1]->nr_ptes);
	KUNIT_EXPECT_EQ(test, NPAGES, space->mock[0]->nr_ptes);
	mock_expect_maps(space->mock[0], IOVA, space->uaddr, NPAGES / 2);
	KUNIT_EXPECT_EQ(test, space->charged + NPAGES, test_charged());
}

static void attach_fails_at_nth(struct kunit *test)
{
	struct test_space *space = test->priv;

	if (skip_allocation(test))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
	space->uaddr = test_touched(test, NPAGES);
	space->charged = test_charged();
	space->mock[0]->domain.geometry.aperture_start = PAGE_SIZE;
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, space->uaddr,
					  NPAGES / 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, 2 * IOVA, space->uaddr +
					  PAGES(NPAGES / 2), NPAGES / 2));

	KUNIT_EXPECT_GE(test, attach_failing(test, space->mock[0],
					     check_nothing_attached), 2);
	KUNIT_EXPECT_GE(test, attach_failing(test, space->mock[1],
					     check_first_attached), 1);
}

static struct kunit_case failure_cases[] = {
	KUNIT_CASE_PARAM(map_fails_at_nth, failures_gen_params),
	KUNIT_CASE_PARAM(attach_fails_at_nth, failures_gen_params),
	{}
};

static struct kunit_suite failure_suite = {
	.name = "iopt-failure",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = failure_cases,
};

kunit_test_suite(failure_suite);
