// SPDX-License-Identifier: GPL-2.0-only
/*
 * Make chosen allocations of the current thread fail.
 *
 * Fault injection skips allocations that may reclaim. Allocations of a space
 * can fail only if the space was created with GFP_NOWAIT. Allocations of debug
 * code can fail too: call_rcu() may allocate an object if
 * CONFIG_DEBUG_OBJECTS_RCU_HEAD is set.
 */
#include <linux/sched.h>

#include "failing.h"

void test_needs_failing_allocations(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_FAILSLAB))
		kunit_skip(test, "needs CONFIG_FAILSLAB");
}

/* Fail the @n-th allocation of the current thread, counting from now. */
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
 * Return which allocation to fail next, after the @n-th has failed in a call
 * that returned @rc. If the call succeeded, return @n again, up to twice: if
 * the call had to allocate a slab, the slab allocator may have absorbed the
 * failure, and in a repeated call the @n-th allocation is a different one.
 * @repeated counts the repetitions; the caller initialises it to 0.
 */
unsigned int test_fail_next(unsigned int n, int rc, unsigned int *repeated)
{
	if (!rc && *repeated != 2) {
		++*repeated;
		return n;
	}
	*repeated = 0;
	return n + 1;
}

/*
 * Stop the injection, and expect that no allocation has failed since
 * test_fail_allocation(1). Nothing is checked without CONFIG_FAILSLAB, nor with
 * CONFIG_DEBUG_OBJECTS_RCU_HEAD, because call_rcu() might have allocated.
 */
void test_expect_no_allocation(struct kunit *test)
{
	bool unused = test_fail_end();

	if (!IS_ENABLED(CONFIG_DEBUG_OBJECTS_RCU_HEAD))
		KUNIT_ASSERT_TRUE(test, unused);
}
