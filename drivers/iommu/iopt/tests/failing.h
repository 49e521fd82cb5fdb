/* SPDX-License-Identifier: GPL-2.0-only */
/* Make chosen allocations of the current thread fail. */
#ifndef __IOPT_TEST_FAILING_H
#define __IOPT_TEST_FAILING_H

#include <kunit/test.h>

void test_needs_failing_allocations(struct kunit *test);
void test_fail_allocation(unsigned int n);
unsigned int test_fail_suspend(void);
bool test_fail_end(void);
unsigned int test_fail_next(unsigned int n, int rc, unsigned int *repeated);
void test_expect_no_allocation(struct kunit *test);

#endif /* __IOPT_TEST_FAILING_H */
