// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail when a test wants it.
 *
 * Fault injection leaves alone what may reclaim, so these are the allocations
 * whose flags come from a space with GFP_NOWAIT; and those of the kernel's own
 * debugging: each call_rcu() may need an object of CONFIG_DEBUG_OBJECTS.
 */
#include <linux/sched.h>

#include "failing.h"

void test_needs_failing_allocations(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
}

/* Let the n-th allocation of the current thread fail. */
void test_fail_allocation(unsigned int n)
{
#ifdef CONFIG_FAILSLAB
	current->fail_nth = n;
#endif
}

/* Until test_fail_allocation() of the result, none fails nor counts. */
unsigned int test_fail_suspend(void)
{
	unsigned int pending = 0;

#ifdef CONFIG_FAILSLAB
	pending = current->fail_nth;
	current->fail_nth = 0;
#endif
	return pending;
}

/* Let no more fail; true if there were fewer. */
bool test_fail_end(void)
{
	bool unused = true;

#ifdef CONFIG_FAILSLAB
	unused = current->fail_nth;
	current->fail_nth = 0;
#endif
	return unused;
}

/* After test_fail_allocation(1): there was none. */
void test_expect_no_allocation(struct kunit *test)
{
	bool unused = test_fail_end();

	if (!IS_ENABLED(CONFIG_DEBUG_OBJECTS_RCU_HEAD))
		KUNIT_ASSERT_TRUE(test, unused);
}
