// SPDX-License-Identifier: GPL-2.0-only
/* Helpers for KUnit tests that make orphans and adopt them. */
#include "adopt.h"
#include "space.h"
#include "thread.h"

/*
 * Make orphans of all mappings in a range. Return the total number of pages in
 * these mappings, or a negative errno.
 */
int test_orphan(struct kunit *test, unsigned long iova, unsigned long npages)
{
	struct test_space *space = test->priv;
	unsigned long bytes = 1;
	int rc;

	rc = iopt_orphan(space->iopt, iova, iova + PAGES(npages) - 1, &bytes);
	if (rc)
		KUNIT_EXPECT_EQ(test, 0, bytes);
	test_validate(test);
	return rc ?: bytes >> PAGE_SHIFT;
}

int test_adopt_as(struct kunit *test, unsigned long iova, unsigned long npages,
		  unsigned long uaddr, enum iopt_account account)
{
	struct test_space *space = test->priv;
	int rc;

	rc = iopt_adopt(space->iopt, iova, iova + PAGES(npages) - 1,
			(void __user *)uaddr, account);
	test_validate(test);
	return rc;
}

int test_adopt(struct kunit *test, unsigned long iova, unsigned long npages,
	       unsigned long uaddr)
{
	return test_adopt_as(test, iova, npages, uaddr, IOPT_ACCOUNT_USER);
}

/**
 * struct owner_call - arguments of iopt_orphan() or iopt_adopt() in a thread
 * @iova: first IOVA
 * @npages: number of pages
 * @uaddr: new user address, for iopt_adopt()
 * @account: accounting mode, for iopt_adopt()
 */
struct owner_call {
	unsigned long iova;
	unsigned long npages;
	unsigned long uaddr;
	enum iopt_account account;
};

static struct owner_call *owner_call_of(struct kunit *test, unsigned long iova,
					unsigned long npages)
{
	struct owner_call *call = kunit_kzalloc(test, sizeof(*call),
						GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, call);
	call->iova = iova;
	call->npages = npages;
	return call;
}

static long call_orphan(struct test_thread *thread)
{
	const struct owner_call *call = thread->data;
	unsigned long bytes;
	int rc = iopt_orphan(thread->space->iopt, call->iova,
			     call->iova + PAGES(call->npages) - 1, &bytes);

	return rc ?: bytes >> PAGE_SHIFT;
}

/*
 * Start a kernel thread that makes orphans of all mappings in a range. The
 * thread returns the total number of pages in these mappings, or a negative
 * errno.
 */
void test_thread_orphan(struct kunit *test, struct test_thread *thread,
			unsigned long iova, unsigned long npages)
{
	test_thread_start(test, thread, call_orphan,
			  owner_call_of(test, iova, npages), NULL);
}

static long call_adopt(struct test_thread *thread)
{
	const struct owner_call *call = thread->data;

	return iopt_adopt(thread->space->iopt, call->iova,
			  call->iova + PAGES(call->npages) - 1,
			  (void __user *)call->uaddr, call->account);
}

/* Start a thread of the test's process that adopts a mapping. */
void test_thread_adopt(struct kunit *test, struct test_thread *thread,
		       unsigned long iova, unsigned long npages,
		       unsigned long uaddr, enum iopt_account account)
{
	struct owner_call *call = owner_call_of(test, iova, npages);

	call->uaddr = uaddr;
	call->account = account;
	test_thread_start(test, thread, call_adopt, call, current->mm);
}
