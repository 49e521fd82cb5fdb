/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers for KUnit tests that make orphans and adopt them. */
#ifndef __IOPT_TEST_ADOPT_H
#define __IOPT_TEST_ADOPT_H

#include <kunit/test.h>
#include <linux/iopt.h>

struct test_thread;

int test_orphan(struct kunit *test, unsigned long iova, unsigned long npages);
int test_adopt_as(struct kunit *test, unsigned long iova, unsigned long npages,
		  unsigned long uaddr, enum iopt_account account);
int test_adopt(struct kunit *test, unsigned long iova, unsigned long npages,
	       unsigned long uaddr);
void test_thread_orphan(struct kunit *test, struct test_thread *thread,
			unsigned long iova, unsigned long npages);
void test_thread_adopt(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       unsigned long uaddr, enum iopt_account account);

#endif /* __IOPT_TEST_ADOPT_H */
