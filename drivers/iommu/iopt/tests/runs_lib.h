/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers for suites that test records of runs. */
#ifndef __IOPT_TEST_RUNS_LIB_H
#define __IOPT_TEST_RUNS_LIB_H

#include <kunit/test.h>

#include "../runs.h"

void test_runs_append(struct kunit *test, struct iopt_runs *runs,
		      unsigned long pfn, unsigned long count,
		      enum iopt_run_kind kind);
void test_expect_run(struct kunit *test, struct iopt_run_iter *iter,
		     unsigned long index, unsigned long pfn,
		     unsigned long count, enum iopt_run_kind kind);
void test_runs_cut(struct kunit *test, struct iopt_runs *runs,
		   unsigned long index);
int test_runs_fill(struct kunit *test, struct iopt_runs *runs,
		   unsigned long first, struct iopt_runs *fresh, gfp_t gfp);

#endif /* __IOPT_TEST_RUNS_LIB_H */
