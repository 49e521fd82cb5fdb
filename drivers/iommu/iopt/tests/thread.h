/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads for KUnit tests, with the memory of a process or with none.
 */
#ifndef __IOPT_TEST_THREAD_H
#define __IOPT_TEST_THREAD_H

#include <kunit/test.h>
#include <linux/completion.h>

#include "space.h"

/* Within this time a call returns that waits for nothing, on a busy host too. */
#define TEST_PATIENCE	(10 * HZ)

struct mm_struct;
struct task_struct;

/**
 * struct test_thread - a thread that makes one call
 * @space: what it works on
 * @test: the test case
 * @call: the call
 * @data: its argument, for whoever uses it
 * @mm: the memory of the process it stands for, or NULL
 * @task: the thread
 * @rc: what the call returned
 * @killable: completed before the call: from then on it can be killed
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
void test_thread_expect_return(struct test_thread *thread);
long test_thread_join(struct test_thread *thread);
long test_thread_run(struct kunit *test,
		     long (*call)(struct test_thread *thread), void *data,
		     struct mm_struct *mm);
void test_thread_unmap(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       struct mm_struct *mm);
void test_thread_kill(struct test_thread *thread);
void test_thread_expect_waiting(struct test_thread *thread);

#endif /* __IOPT_TEST_THREAD_H */
