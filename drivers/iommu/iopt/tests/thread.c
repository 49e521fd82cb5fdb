// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads for KUnit tests: a second thread of the test's process, a thread of
 * another process, or a kernel thread.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "../io_pagetable.h"
#include "thread.h"

/* Allocate the memory of another process, which the caller puts. */
struct mm_struct *test_other_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	return mm;
}

static int thread_main(void *data)
{
	struct test_thread *thread = data;

	allow_signal(SIGKILL);
	complete(&thread->killable);
	if (thread->mm)
		kthread_use_mm(thread->mm);
	thread->rc = thread->call(thread);
	if (thread->mm)
		kthread_unuse_mm(thread->mm);
	complete(&thread->done);
	return 0;
}

/*
 * Start a thread that calls @call once. @mm must stay until the thread is
 * joined.
 */
void test_thread_start(struct kunit *test, struct test_thread *thread,
		       long (*call)(struct test_thread *thread), void *data,
		       struct mm_struct *mm)
{
	*thread = (struct test_thread){
		.space = test->priv,
		.test = test,
		.call = call,
		.data = data,
		.mm = mm,
	};
	init_completion(&thread->killable);
	init_completion(&thread->done);
	thread->task = kthread_create(thread_main, thread, "iopt-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(thread->task));
	get_task_struct(thread->task);
	wake_up_process(thread->task);
	wait_for_completion(&thread->killable);
}

/*
 * Expect that the call returns without any further event. The caller still
 * joins the thread.
 */
void test_thread_expect_return(struct test_thread *thread)
{
	if (wait_for_completion_timeout(&thread->done, TEST_PATIENCE))
		complete(&thread->done);
	else
		KUNIT_FAIL(thread->test, "the call does not return");
}

/* Wait for the call to return, and return its return value. */
long test_thread_join(struct test_thread *thread)
{
	wait_for_completion(&thread->done);
	put_task_struct(thread->task);
	return thread->rc;
}

long test_thread_run(struct kunit *test,
		     long (*call)(struct test_thread *thread), void *data,
		     struct mm_struct *mm)
{
	struct test_thread thread;

	test_thread_start(test, &thread, call, data, mm);
	return test_thread_join(&thread);
}

static long call_unmap(struct test_thread *thread)
{
	const struct iopt_range *range = thread->data;

	return test_unmap(thread->space->iopt, range->start,
			  (range->last - range->start + 1) >> PAGE_SHIFT);
}

/* Start a thread that unmaps @npages at @iova; see test_thread_start(). */
void test_thread_unmap(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       struct mm_struct *mm)
{
	struct iopt_range *range = kunit_kzalloc(test, sizeof(*range),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, range);
	range->start = iova;
	range->last = iova + PAGES(npages) - 1;
	test_thread_start(test, thread, call_unmap, range, mm);
}

void test_thread_kill(struct test_thread *thread)
{
	send_sig(SIGKILL, thread->task, 1);
}

/*
 * Wait until the thread waits for an area to become idle. Fail the test if the
 * call returns instead.
 */
void test_thread_expect_waiting(struct test_thread *thread)
{
	struct io_pagetable *iopt = thread->space->iopt;

	while (!wq_has_sleeper(&iopt->idle) && !completion_done(&thread->done))
		msleep(20);
	KUNIT_EXPECT_FALSE(thread->test, completion_done(&thread->done));
}
