// SPDX-License-Identifier: GPL-2.0-only
/*
 * Injection of failures into chosen allocations.
 *
 * Fault injection skips allocations that may reclaim. It affects allocations of
 * a space that was created with GFP_NOWAIT, and allocations of debug code:
 * call_rcu() may allocate an object if CONFIG_DEBUG_OBJECTS_RCU_HEAD is set.
 */
#include <linux/sched.h>

#include "failing.h"

void test_needs_failing_allocations(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
}

/* Make the @n-th allocation that the current thread makes from now on fail. */
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

/*
 * Stop the injection, and expect that the thread has not allocated since
 * test_fail_allocation(1). With CONFIG_DEBUG_OBJECTS_RCU_HEAD there is nothing
 * to expect, because call_rcu() may have allocated.
 */
void test_expect_no_allocation(struct kunit *test)
{
	bool unused = test_fail_end();

	if (!IS_ENABLED(CONFIG_DEBUG_OBJECTS_RCU_HEAD))
		KUNIT_ASSERT_TRUE(test, unused);
}
