// SPDX-License-Identifier: GPL-2.0-only
/*
 * An access for KUnit tests, with a model of the driver that owns it.
 *
 * The modelled driver holds a lock of its own while it pins and unpins, and
 * takes the same lock in its unmap callback. The callback does not know which
 * pages are pinned, and therefore unpins the whole range repeatedly until a
 * call removes no pin.
 */
#include <linux/slab.h>

#include "access.h"
#include "thread.h"

static void access_notified(void *data, unsigned long start, unsigned long last)
{
	struct test_access *access = data;

	mutex_lock(&access->lock);
	if (access->nr_notified < TEST_NOTIFIED_MAX)
		access->notified[access->nr_notified] =
			(struct iopt_range){ start, last };
	access->nr_notified++;
	complete(&access->called);
	if (access->block)
		wait_for_completion(&access->resume);
	if (access->hook)
		access->hook(access, start, last);
	while (!access->keep && iopt_access_unpin(access->access, start, last))
		;
	mutex_unlock(&access->lock);
}

static const struct iopt_access_ops access_ops = {
	.unmap = access_notified,
};

static const struct iopt_access_ops owner_ops = {
	.unmap = access_notified,
	.owns_pins = true,
};

static void no_unmap(void *data, unsigned long start, unsigned long last)
{
}

/*
 * Ops with an empty unmap callback, for accesses that unpin before their pages
 * are unmapped.
 */
const struct iopt_access_ops test_no_unmap_ops = { .unmap = no_unmap };

static struct test_access *create(struct kunit *test,
				  const struct iopt_access_ops *ops)
{
	struct test_space *space = test->priv;
	struct test_access *access = kzalloc(sizeof(*access), GFP_KERNEL);
	struct iopt_access *created;

	KUNIT_ASSERT_NOT_NULL(test, access);
	mutex_init(&access->lock);
	init_completion(&access->called);
	init_completion(&access->resume);
	access->space = space;
	created = iopt_access_create(space->iopt, ops, access);
	if (IS_ERR(created)) {
		kfree(access);
		access = NULL;
	}
	KUNIT_ASSERT_NOT_NULL(test, access);
	access->access = created;
	access->next = space->accesses;
	space->accesses = access;
	return access;
}

/*
 * Create an access that is destroyed along with the space unless the test case
 * destroys it first.
 */
struct test_access *test_access_create(struct kunit *test)
{
	return create(test, &access_ops);
}

/* Same as test_access_create(), for an access that owns its pins. */
struct test_access *test_owner_create(struct kunit *test)
{
	return create(test, &owner_ops);
}

/*
 * Destroy an access. It must have unpinned its pages, unless another access is
 * going to unpin them.
 */
void test_access_destroy(struct test_access *access)
{
	struct test_access **link = &access->space->accesses;

	while (*link != access)
		link = &(*link)->next;
	*link = access->next;
	iopt_access_destroy(access->access);
	kfree(access);
}

/*
 * Expect that notification @i of an access, counting from 0, covered exactly
 * the @npages pages at IOVA @start.
 */
void test_expect_notified(struct kunit *test, struct test_access *access,
			  unsigned int i, unsigned long start,
			  unsigned long npages)
{
	KUNIT_ASSERT_LT(test, i, access->nr_notified);
	KUNIT_EXPECT_EQ(test, start, access->notified[i].start);
	KUNIT_EXPECT_EQ(test, start + PAGES(npages) - 1,
			access->notified[i].last);
}

/* Drop the remaining pins of all accesses, and destroy the accesses. */
void test_accesses_destroy(struct test_space *space)
{
	while (space->accesses) {
		struct test_access *access = space->accesses;

		while (iopt_access_unpin(access->access, 0, ULONG_MAX))
			;
		test_access_destroy(access);
	}
}

/*
 * Pin a range while holding the driver's lock. @pages may be NULL if the caller
 * does not need the pages and @npages is at most 64.
 */
int test_pin_flags(struct test_access *access, unsigned long iova,
		   unsigned long npages, struct page **pages,
		   unsigned int flags)
{
	struct page *some[64];
	int rc;

	if (!pages && npages > ARRAY_SIZE(some))
		return -E2BIG;
	mutex_lock(&access->lock);
	rc = iopt_access_pin(access->access, iova, iova + PAGES(npages) - 1,
			     pages ?: some, flags);
	mutex_unlock(&access->lock);
	return rc;
}

int test_pin(struct test_access *access, unsigned long iova,
	     unsigned long npages)
{
	return test_pin_flags(access, iova, npages, NULL, 0);
}

unsigned long test_unpin(struct test_access *access, unsigned long iova,
			 unsigned long npages)
{
	unsigned long nr;

	mutex_lock(&access->lock);
	nr = iopt_access_unpin(access->access, iova, iova + PAGES(npages) - 1);
	mutex_unlock(&access->lock);
	return nr;
}

/*
 * Map @npages pages of new memory at @iova, and pin the first @nr_pinned of
 * them. Return the user address of the memory.
 */
unsigned long test_map_pinned(struct kunit *test, struct test_access *access,
			      unsigned long iova, unsigned long npages,
			      unsigned long nr_pinned)
{
	unsigned long uaddr = test_touched(test, npages);

	KUNIT_ASSERT_EQ(test, 0, test_map(access->space->iopt, iova, uaddr,
					  npages));
	KUNIT_ASSERT_EQ(test, 0, test_pin(access, iova, nr_pinned));
	return uaddr;
}

/**
 * struct access_call - arguments of a pin or a read in another thread
 * @access: the access
 * @iova: first IOVA
 * @npages: number of pages; not used for reads
 */
struct access_call {
	struct test_access *access;
	unsigned long iova;
	unsigned long npages;
};

static struct access_call *access_call_of(struct kunit *test,
					  struct test_access *access,
					  unsigned long iova,
					  unsigned long npages)
{
	struct access_call *call = kunit_kzalloc(test, sizeof(*call),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, call);
	*call = (struct access_call){ access, iova, npages };
	return call;
}

static long call_pin(struct test_thread *thread)
{
	const struct access_call *call = thread->data;

	return test_pin(call->access, call->iova, call->npages);
}

/*
 * Start a thread that uses the mm of the test and pins @npages pages at @iova.
 */
void test_thread_pin(struct kunit *test, struct test_thread *thread,
		     struct test_access *access, unsigned long iova,
		     unsigned long npages)
{
	test_thread_start(test, thread, call_pin,
			  access_call_of(test, access, iova, npages),
			  current->mm);
}

static long call_read(struct test_thread *thread)
{
	const struct access_call *call = thread->data;
	u64 value = 0;
	int rc = iopt_access_rw(call->access->access, call->iova, &value,
				sizeof(value), 0);

	return rc ?: value;
}

/*
 * Start a thread that uses @mm and reads 8 bytes at @iova. The thread returns
 * the bytes as a number, or a negative errno.
 */
void test_thread_read(struct kunit *test, struct test_thread *thread,
		      struct test_access *access, unsigned long iova,
		      struct mm_struct *mm)
{
	test_thread_start(test, thread, call_read,
			  access_call_of(test, access, iova, 0), mm);
}

/* Same as test_thread_read(), but wait for the thread and return its result. */
long test_read_as(struct kunit *test, struct test_access *access,
		  unsigned long iova, struct mm_struct *mm)
{
	struct test_thread thread;

	test_thread_read(test, &thread, access, iova, mm);
	return test_thread_join(&thread);
}

static long call_destroy(struct test_thread *thread)
{
	test_access_destroy(thread->data);
	return 0;
}

/* Start a thread that calls test_access_destroy(). */
void test_thread_destroy(struct kunit *test, struct test_thread *thread,
			 struct test_access *access)
{
	test_thread_start(test, thread, call_destroy, access, NULL);
}

/*
 * Start an unmap of a range in which @access has pins, and let the access keep
 * its pins when it is notified. Return once the unmap has notified the access
 * and is waiting for the pins to be removed.
 */
void test_thread_unmap_pinned(struct kunit *test, struct test_thread *thread,
			      struct test_access *access, unsigned long iova,
			      unsigned long npages)
{
	access->keep = true;
	test_thread_unmap(test, thread, iova, npages, current->mm);
	wait_for_completion(&access->called);
	test_thread_expect_waiting(thread);
}
