// SPDX-License-Identifier: GPL-2.0-only
/*
 * Injection of failures into chosen allocations.
 *
 * Fault injection skips allocations that may reclaim. It reaches allocations of
 * a space that was created with GFP_NOWAIT, and those of kernel debugging: each
 * call_rcu() may allocate an object under CONFIG_DEBUG_OBJECTS.
 */
#include <linux/sched.h>

#include "failing.h"

void test_needs_failing_allocations(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
}

/* Fail the n-th allocation of the current thread from now on. */
void test_fail_allocation(unsigned int n)
{
#ifdef CONFIG_FAILSLAB
	current->fail_nth = n;
#endif
}

/*
 * Suspend the injection. Allocations neither fail nor count until the return
 * value is passed to test_fail_allocation().
 */
unsigned int test_fail_suspend(void)
{
	unsigned int pending = 0;

#ifdef CONFIG_FAILSLAB
	pending = current->fail_nth;
	current->fail_nth = 0;
#endif
	return pending;
}

/* Stop the injection. Return true if no allocation has failed. */
bool test_fail_end(void)
{
	bool unused = true;

#ifdef CONFIG_FAILSLAB
	unused = current->fail_nth;
	current->fail_nth = 0;
#endif
	return unused;
}

/* Expect that no allocation was made since test_fail_allocation(1). */
void test_expect_no_allocation(struct kunit *test)
{
	bool unused = test_fail_end();

	if (!IS_ENABLED(CONFIG_DEBUG_OBJECTS_RCU_HEAD))
		KUNIT_ASSERT_TRUE(test, unused);
}
