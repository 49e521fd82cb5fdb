// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls that pin the same blocks are serialised, because GUP may migrate the
 * pages (page_migration.c).
 */
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>

#include "../page_migration.h"
#include "space.h"
#include "thread.h"

#define BLOCK	(PMD_SIZE >> PAGE_SHIFT)

/* Return a call that pins blocks [@first, @first + @nr) of @object. */
static struct iopt_migration blocks_of(const void *object, unsigned long first,
				       unsigned long nr)
{
	return (struct iopt_migration){
		.object = object,
		.first = first * BLOCK,
		.last = (first + nr) * BLOCK - 1,
	};
}

static long call_start(struct test_thread *thread)
{
	return iopt_migration_start(thread->data);
}

static void expect_waiting(struct kunit *test, struct test_thread *thread)
{
	msleep(100);
	KUNIT_EXPECT_FALSE(test, completion_done(&thread->done));
}

/*
 * Start @migration in a thread, and expect that it waits for an earlier call.
 */
static void start_waiting(struct kunit *test, struct test_thread *thread,
			  struct iopt_migration *migration)
{
	test_thread_start(test, thread, call_start, migration, NULL);
	expect_waiting(test, thread);
}

/* Calls with a block in common proceed one at a time, in order of arrival. */
static void same_blocks_are_serialised(struct kunit *test)
{
	struct iopt_migration first = blocks_of(test, 0, 2);
	struct iopt_migration second = blocks_of(test, 1, 2);
	struct iopt_migration third = blocks_of(test, 2, 1);
	struct test_thread two, three;

	KUNIT_ASSERT_EQ(test, 0, iopt_migration_start(&first));
	start_waiting(test, &two, &second);
	/*
	 * The third call overlaps only the second call, which is still waiting.
	 */
	start_waiting(test, &three, &third);

	iopt_migration_end(&first);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&two));
	expect_waiting(test, &three);
	iopt_migration_end(&second);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&three));
	iopt_migration_end(&third);
}

/*
 * Calls that pin different blocks, or memory of different objects, do not wait
 * for each other, even if the objects have the same hash. If a call does wait,
 * the test case hangs.
 */
static void other_blocks_do_not_wait(struct kunit *test)
{
	struct iopt_migration stuck = blocks_of(test, 1, 1), other;
	unsigned long i;

	KUNIT_ASSERT_EQ(test, 0, iopt_migration_start(&stuck));
	other = blocks_of(test, 0, 1);
	KUNIT_EXPECT_EQ(test, 0, iopt_migration_start(&other));
	iopt_migration_end(&other);
	other = blocks_of(test, 2, 1);
	KUNIT_EXPECT_EQ(test, 0, iopt_migration_start(&other));
	iopt_migration_end(&other);
	/*
	 * Objects are hashed into 64 buckets, so about 15 of these 999 objects
	 * share the bucket of the call that is stuck.
	 */
	for (i = 1; i != 1000; i++) {
		other = blocks_of((char *)test + i, 1, 1);
		KUNIT_EXPECT_EQ(test, 0, iopt_migration_start(&other));
		iopt_migration_end(&other);
	}
	iopt_migration_end(&stuck);
}

/* Once a waiting call is killed, later calls no longer wait for it. */
static void killed_call_delays_no_other(struct kunit *test)
{
	struct iopt_migration first = blocks_of(test, 0, 1);
	struct iopt_migration second = blocks_of(test, 0, 2);
	struct iopt_migration third = blocks_of(test, 1, 1);
	struct test_thread two, three;

	KUNIT_ASSERT_EQ(test, 0, iopt_migration_start(&first));
	start_waiting(test, &two, &second);
	start_waiting(test, &three, &third);
	test_thread_kill(&two);
	KUNIT_EXPECT_EQ(test, -EINTR, test_thread_join(&two));
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&three));
	iopt_migration_end(&third);
	iopt_migration_end(&first);
}

/* A call covers each block in which it pins a page, and no other block. */
static void range_is_rounded_to_blocks(struct kunit *test)
{
	unsigned long uaddr = test_mmap(test, 3 * BLOCK, PROT_READ);
	unsigned long first = round_up(uaddr >> PAGE_SHIFT, BLOCK);
	struct iopt_migration migration;
	struct vm_area_struct *vma;

	mmap_read_lock(current->mm);
	vma = vma_lookup(current->mm, uaddr);
	iopt_migration_set(&migration, vma, first << PAGE_SHIFT, 1);
	KUNIT_EXPECT_PTR_EQ(test, migration.object,
			    (const void *)current->mm);
	KUNIT_EXPECT_EQ(test, migration.first, first);
	KUNIT_EXPECT_EQ(test, migration.last, first + BLOCK - 1);
	iopt_migration_set(&migration, vma,
			   (first + BLOCK - 1) << PAGE_SHIFT, 1);
	KUNIT_EXPECT_EQ(test, migration.first, first);
	KUNIT_EXPECT_EQ(test, migration.last, first + BLOCK - 1);
	iopt_migration_set(&migration, vma,
			   (first + BLOCK - 1) << PAGE_SHIFT, 2);
	KUNIT_EXPECT_EQ(test, migration.first, first);
	KUNIT_EXPECT_EQ(test, migration.last, first + 2 * BLOCK - 1);
	mmap_read_unlock(current->mm);
	test_munmap(test, uaddr, 3 * BLOCK);
}

/*
 * A page of a file is identified by the f_mapping of the file and the index of
 * the page in the file, wherever the page is mapped.
 */
static void pages_are_identified_by_file(struct kunit *test)
{
	struct file *file = shmem_file_setup("iopt-test", PAGES(4 * BLOCK), 0);
	unsigned long skipped = PAGES(2 * BLOCK + 1), uaddr;
	struct iopt_migration migration;

	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	uaddr = vm_mmap(file, 0, PAGES(BLOCK), PROT_READ, MAP_SHARED, skipped);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(uaddr));
	mmap_read_lock(current->mm);
	iopt_migration_set(&migration, vma_lookup(current->mm, uaddr), uaddr,
			   1);
	mmap_read_unlock(current->mm);
	KUNIT_EXPECT_PTR_EQ(test, migration.object,
			    (const void *)file->f_mapping);
	KUNIT_EXPECT_EQ(test, migration.first, 2 * BLOCK);
	KUNIT_EXPECT_EQ(test, migration.last, 3 * BLOCK - 1);
	test_munmap(test, uaddr, BLOCK);
	fput(file);
}

static struct kunit_case migration_cases[] = {
	KUNIT_CASE(same_blocks_are_serialised),
	KUNIT_CASE(other_blocks_do_not_wait),
	KUNIT_CASE(killed_call_delays_no_other),
	KUNIT_CASE(range_is_rounded_to_blocks),
	KUNIT_CASE(pages_are_identified_by_file),
	{}
};

static struct kunit_suite migration_suite = {
	.name = "iopt-page-migration",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = migration_cases,
};

kunit_test_suite(migration_suite);
