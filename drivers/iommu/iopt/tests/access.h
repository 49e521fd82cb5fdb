/* SPDX-License-Identifier: GPL-2.0-only */
/* An access for KUnit tests that behaves like a driver. */
#ifndef __IOPT_TEST_ACCESS_H
#define __IOPT_TEST_ACCESS_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/iopt.h>
#include <linux/mutex.h>

#include "space.h"

struct test_thread;

#define TEST_NOTIFIED_MAX 8

/**
 * struct test_access - an access and the state of its driver
 * @access: the engine's access
 * @space: fixture that the access belongs to
 * @next: next access of @space
 * @lock: the driver's lock, held while pinning and unpinning, and in the
 *        callback
 * @keep: unpin nothing when notified of an unmap
 * @nr_notified: number of notifications
 * @notified: ranges of the first %TEST_NOTIFIED_MAX notifications
 * @block: wait for @resume in the callback
 * @called: completed by each notification
 * @resume: see @block
 * @hook: function that the callback calls before it unpins, or NULL
 */
struct test_access {
	struct iopt_access *access;
	struct test_space *space;
	struct test_access *next;
	struct mutex lock;	/* nests outside the engine's locks */
	bool keep;
	unsigned int nr_notified;
	struct iopt_range notified[TEST_NOTIFIED_MAX];
	bool block;
	struct completion called;
	struct completion resume;
	void (*hook)(struct test_access *access, unsigned long start,
		     unsigned long last);
};

extern const struct iopt_access_ops test_no_unmap_ops;

struct test_access *test_access_create(struct kunit *test);
struct test_access *test_owner_create(struct kunit *test);
void test_access_destroy(struct test_access *access);
void test_accesses_destroy(struct test_space *space);
void test_expect_notified(struct kunit *test, struct test_access *access,
			  unsigned int i, unsigned long start,
			  unsigned long npages);
int test_pin_flags(struct test_access *access, unsigned long iova,
		   unsigned long npages, struct page **pages,
		   unsigned int flags);
int test_pin(struct test_access *access, unsigned long iova,
	     unsigned long npages);
unsigned long test_unpin(struct test_access *access, unsigned long iova,
			 unsigned long npages);
unsigned long test_map_pinned(struct kunit *test, struct test_access *access,
			      unsigned long iova, unsigned long npages,
			      unsigned long nr_pinned);
void test_thread_pin(struct kunit *test, struct test_thread *thread,
		     struct test_access *access, unsigned long iova,
		     unsigned long npages);
void test_thread_read(struct kunit *test, struct test_thread *thread,
		      struct test_access *access, unsigned long iova,
		      struct mm_struct *mm);
long test_read_as(struct kunit *test, struct test_access *access,
		  unsigned long iova, struct mm_struct *mm);
void test_thread_destroy(struct kunit *test, struct test_thread *thread,
			 struct test_access *access);
void test_thread_unmap_pinned(struct kunit *test, struct test_thread *thread,
			      struct test_access *access, unsigned long iova,
			      unsigned long npages);

#endif /* __IOPT_TEST_ACCESS_H */
