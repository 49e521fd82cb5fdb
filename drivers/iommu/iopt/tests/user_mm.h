/* SPDX-License-Identifier: GPL-2.0-only */
/* User address space for KUnit tests, and queries of its pages. */
#ifndef __IOPT_TEST_USER_MM_H
#define __IOPT_TEST_USER_MM_H

#include <kunit/test.h>
#include <linux/mm.h>

struct mm_struct *test_user_mm(struct kunit *test);
const struct cred *test_be_user(struct kunit *test, unsigned int uid);
unsigned long test_mmap(struct kunit *test, unsigned long npages, int prot);
unsigned long test_mmap_shared(struct kunit *test, unsigned long npages);
void test_munmap(struct kunit *test, unsigned long uaddr, unsigned long npages);
void test_touch(struct kunit *test, unsigned long uaddr, unsigned long npages);
unsigned long test_touched(struct kunit *test, unsigned long npages);
unsigned long test_contiguous(struct kunit *test, unsigned long npages);
unsigned long test_user_pfn(struct kunit *test, unsigned long uaddr);
unsigned int test_pins(unsigned long pfn);
void test_expect_pins(struct kunit *test, unsigned long uaddr,
		      unsigned long npages, unsigned int pins);
void test_set_memlock(unsigned long bytes);

#endif /* __IOPT_TEST_USER_MM_H */
