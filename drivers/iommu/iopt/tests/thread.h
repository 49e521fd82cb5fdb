/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads for KUnit tests, with or without a user mm. */
#ifndef __IOPT_TEST_THREAD_H
#define __IOPT_TEST_THREAD_H

#include <kunit/test.h>
#include <linux/completion.h>

#include "space.h"

/*
 * Time in jiffies within which a call that does not have to wait returns, even
 * on a busy host.
 */
#define TEST_PATIENCE	(10 * HZ)

struct mm_struct;
struct task_struct;

/**
 * struct test_thread - thread that makes one call
 * @space: fixture that the call works on
 * @test: the test case
 * @call: function that the thread calls
 * @data: argument of @call
 * @mm: mm that the thread uses, or NULL
 * @task: the thread
 * @rc: return value of @call
 * @killable: completed before the call, once SIGKILL can interrupt waits of the
 *            thread
 * @done: completed after the call
 */
struct test_thread {
	struct test_space *space;
	struct kunit *test;
	long (*call)(struct test_thread *thread);
	void *data;
	struct mm_struct *mm;
	struct task_struct *task;
	long rc;
	struct completion killable;
	struct completion done;
};

struct mm_struct *test_other_mm(struct kunit *test);
void test_thread_start(struct kunit *test, struct test_thread *thread,
		       long (*call)(struct test_thread *thread), void *data,
		       struct mm_struct *mm);
bool test_thread_expect_return(struct test_thread *thread);
long test_thread_join(struct test_thread *thread);
unsigned int test_threads_unjoined(void);
long test_thread_run(struct kunit *test,
		     long (*call)(struct test_thread *thread), void *data,
		     struct mm_struct *mm);
void test_thread_map(struct kunit *test, struct test_thread *thread,
		     unsigned long iova, unsigned long uaddr,
		     unsigned long npages);
void test_thread_map_blocked(struct kunit *test, struct test_thread *thread,
			     struct mock_domain *mock, unsigned long iova,
			     unsigned long uaddr, unsigned long npages);
void test_thread_unmap(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       struct mm_struct *mm);
void test_thread_copy(struct kunit *test, struct test_thread *thread,
		      unsigned long to, unsigned long from,
		      unsigned long npages);
void test_thread_copy_to(struct kunit *test, struct test_thread *thread,
			 struct io_pagetable *other, unsigned long iova,
			 unsigned long npages);
void test_thread_attach(struct kunit *test, struct test_thread *thread,
			struct mock_domain *mock, struct mm_struct *mm);
void test_thread_attach_wait(struct kunit *test, struct test_thread *thread,
			     struct mock_domain *mock);
void test_thread_detach(struct kunit *test, struct test_thread *thread,
			struct mock_domain *mock, struct mm_struct *mm);
void test_thread_wait_state(struct test_thread *thread, unsigned int state);
void test_thread_kill(struct test_thread *thread);
void test_thread_expect_waiting(struct test_thread *thread);
void test_thread_expect_killable(struct test_thread *thread);

#endif /* __IOPT_TEST_THREAD_H */
