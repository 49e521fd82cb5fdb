// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads for KUnit tests. All are kthreads. A thread that uses the mm of the
 * test stands for another thread of the test's process, and a thread that uses
 * an mm from test_other_mm() stands for a thread of another process. In both
 * cases, the thread has a thread group and an RLIMIT_MEMLOCK of its own.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "../io_pagetable.h"
#include "thread.h"

/* Number of threads that were started and not joined. */
static unsigned int nr_unjoined;

/*
 * Allocate the mm of another process. The caller drops it with mmput().
 *
 * For a thread with an mm, mm_alloc() of user-mode Linux copies the registers
 * of a host process, which fails on processors with AMX. Therefore the thread
 * calls mm_alloc() without using its own mm.
 */
struct mm_struct *test_other_mm(struct kunit *test)
{
	struct mm_struct *own = current->mm, *mm;

	kthread_unuse_mm(own);
	mm = mm_alloc();
	kthread_use_mm(own);
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
 * Start a kthread that calls @call once, with @mm as its mm, or without an mm
 * if @mm is NULL. @mm must remain valid until the thread is joined.
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
	nr_unjoined++;
	wake_up_process(thread->task);
	wait_for_completion(&thread->killable);
}

/*
 * Expect that the call returns without any further event, and return whether it
 * did. The caller must still join the thread.
 */
bool test_thread_expect_return(struct test_thread *thread)
{
	if (!wait_for_completion_timeout(&thread->done, TEST_PATIENCE)) {
		KUNIT_FAIL(thread->test, "the call does not return");
		return false;
	}
	/* test_thread_join() waits for the completion again. */
	complete(&thread->done);
	return true;
}

/* Wait for the call of a thread to return, and return its result. */
long test_thread_join(struct test_thread *thread)
{
	wait_for_completion(&thread->done);
	put_task_struct(thread->task);
	nr_unjoined--;
	return thread->rc;
}

/*
 * Return the number of threads that were not joined, and reset the counter, so
 * that these threads fail only one test case.
 */
unsigned int test_threads_unjoined(void)
{
	unsigned int nr = nr_unjoined;

	nr_unjoined = 0;
	return nr;
}

long test_thread_run(struct kunit *test,
		     long (*call)(struct test_thread *thread), void *data,
		     struct mm_struct *mm)
{
	struct test_thread thread;

	test_thread_start(test, &thread, call, data, mm);
	return test_thread_join(&thread);
}

/**
 * struct mapping - mapping that a thread creates or removes
 * @iova: first IOVA
 * @from: user address of the memory, or first IOVA of the source of a copy
 * @npages: number of pages
 * @other: destination space of a copy into another space
 */
struct mapping {
	unsigned long iova;
	unsigned long from;
	unsigned long npages;
	struct io_pagetable *other;
};

static struct mapping *mapping_of(struct kunit *test, unsigned long iova,
				  unsigned long from, unsigned long npages)
{
	struct mapping *mapping = kunit_kzalloc(test, sizeof(*mapping),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, mapping);
	*mapping = (struct mapping){ iova, from, npages, NULL };
	return mapping;
}

static long call_map(struct test_thread *thread)
{
	const struct mapping *mapping = thread->data;

	return test_map(thread->space->iopt, mapping->iova, mapping->from,
			mapping->npages);
}

/* Start a thread of the test's process that maps @npages pages at @iova. */
void test_thread_map(struct kunit *test, struct test_thread *thread,
		     unsigned long iova, unsigned long uaddr,
		     unsigned long npages)
{
	test_thread_start(test, thread, call_map,
			  mapping_of(test, iova, uaddr, npages), current->mm);
}

/*
 * Start a thread that maps @npages pages at @iova, and wait until it blocks in
 * @mock before it has mapped a page. Completing mock->resume resumes the
 * thread.
 */
void test_thread_map_blocked(struct kunit *test, struct test_thread *thread,
			     struct mock_domain *mock, unsigned long iova,
			     unsigned long uaddr, unsigned long npages)
{
	mock->block_iova = iova;
	test_thread_map(test, thread, iova, uaddr, npages);
	wait_for_completion(&mock->blocked);
}

static long call_unmap(struct test_thread *thread)
{
	const struct mapping *mapping = thread->data;

	return test_unmap(thread->space->iopt, mapping->iova, mapping->npages);
}

/* Start a thread that uses @mm and unmaps @npages pages at @iova. */
void test_thread_unmap(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       struct mm_struct *mm)
{
	test_thread_start(test, thread, call_unmap,
			  mapping_of(test, iova, 0, npages), mm);
}

static long call_copy(struct test_thread *thread)
{
	const struct mapping *mapping = thread->data;

	return test_copy(thread->space->iopt, mapping->iova, mapping->from,
			 mapping->npages);
}

/*
 * Start a thread of the test's process that copies the mapping of @npages pages
 * at IOVA @from to IOVA @to.
 */
void test_thread_copy(struct kunit *test, struct test_thread *thread,
		      unsigned long to, unsigned long from,
		      unsigned long npages)
{
	test_thread_start(test, thread, call_copy,
			  mapping_of(test, to, from, npages), current->mm);
}

static long call_copy_to(struct test_thread *thread)
{
	const struct mapping *mapping = thread->data;

	return test_copy_to(mapping->other, thread->space->iopt, mapping->iova,
			    mapping->npages);
}

/*
 * Start a thread of the test's process that copies the mapping of @npages pages
 * at @iova into another space.
 */
void test_thread_copy_to(struct kunit *test, struct test_thread *thread,
			 struct io_pagetable *other, unsigned long iova,
			 unsigned long npages)
{
	struct mapping *mapping = mapping_of(test, iova, iova, npages);

	mapping->other = other;
	test_thread_start(test, thread, call_copy_to, mapping, current->mm);
}

static long call_attach(struct test_thread *thread)
{
	struct mock_domain *mock = thread->data;
	int rc = iopt_attach_domain(thread->space->iopt, &mock->domain);

	mock->attached = mock->attached || !rc;
	return rc;
}

/* Start a thread that uses @mm and attaches a domain. */
void test_thread_attach(struct kunit *test, struct test_thread *thread,
			struct mock_domain *mock, struct mm_struct *mm)
{
	test_thread_start(test, thread, call_attach, mock, mm);
}

static long call_attach_wait(struct test_thread *thread)
{
	struct mock_domain *mock = thread->data;

	return iopt_attach_wait(thread->space->iopt, &mock->domain);
}

void test_thread_attach_wait(struct kunit *test, struct test_thread *thread,
			     struct mock_domain *mock)
{
	test_thread_start(test, thread, call_attach_wait, mock, current->mm);
}

static long call_detach(struct test_thread *thread)
{
	struct mock_domain *mock = thread->data;

	iopt_detach_domain(thread->space->iopt, &mock->domain);
	mock->attached = false;
	return 0;
}

/* Start a thread that uses @mm and detaches a domain. */
void test_thread_detach(struct kunit *test, struct test_thread *thread,
			struct mock_domain *mock, struct mm_struct *mm)
{
	test_thread_start(test, thread, call_detach, mock, mm);
}

/* Wait until the thread is in task state @state, e.g. TASK_KILLABLE. */
void test_thread_wait_state(struct test_thread *thread, unsigned int state)
{
	const unsigned long end = jiffies + TEST_PATIENCE;

	while (READ_ONCE(thread->task->__state) != state &&
	       !completion_done(&thread->done) && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_EQ(thread->test, state,
			READ_ONCE(thread->task->__state));
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

/*
 * Kill a thread that waits for an area to become idle, and expect that its call
 * returns -EINTR. This joins the thread.
 */
void test_thread_expect_killable(struct test_thread *thread)
{
	test_thread_expect_waiting(thread);
	test_thread_kill(thread);
	KUNIT_EXPECT_EQ(thread->test, -EINTR, test_thread_join(thread));
}
