// SPDX-License-Identifier: GPL-2.0-only
/* iopt_access_rw(): reads and writes of mapped memory by the CPU. */
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "access.h"
#include "thread.h"

#define IOVA	0x100000000UL

static u64 user_value(struct kunit *test, unsigned long uaddr)
{
	u64 value;

	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&value, (void __user *)uaddr,
						sizeof(value)));
	return value;
}

static int rw(struct test_access *access, unsigned long iova, u64 *value,
	      unsigned int flags)
{
	return iopt_access_rw(access->access, iova, value, sizeof(*value),
			      flags);
}

static u8 *buffer_of(struct kunit *test, unsigned long bytes, u8 fill)
{
	u8 *buffer = kunit_kmalloc(test, bytes, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	memset(buffer, fill, bytes);
	return buffer;
}

/*
 * A read or write may start at any byte and span mappings, with or without a
 * domain, and pins nothing.
 */
static void rw_spans_mappings(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	u8 *bytes = buffer_of(test, PAGES(2), 0);
	u64 value = 0x0807060504030201ULL;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr +
					  PAGES(2), 2));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(2),
					  uaddr, 2));
	for (i = 0; i != 2; i++) {
		if (i)
			test_attach(test, space->mock[0]);
		KUNIT_EXPECT_EQ(test, 0, rw(access, IOVA + PAGES(2) - 3, &value,
					    IOPT_ACCESS_WRITE));
		KUNIT_EXPECT_EQ(test, i,
				test_pins(test_user_pfn(test, uaddr)));
		KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA +
							PAGES(1), bytes,
							PAGES(2), 0));
		KUNIT_EXPECT_EQ(test, 0, memcmp(bytes + PAGES(1) - 3, &value,
						8));
		KUNIT_EXPECT_EQ(test, 0, bytes[PAGES(1) + 5]);
		KUNIT_EXPECT_EQ(test, value << 40 >> 40,
				user_value(test, uaddr + PAGES(4) - 8) >> 40);
		KUNIT_EXPECT_EQ(test, value >> 24,
				user_value(test, uaddr) & GENMASK_ULL(39, 0));
		value = ~value;
	}
}

/*
 * Reads and writes access the current memory of the process, not the pages that
 * are pinned for a domain.
 */
static void rw_uses_current_memory(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 2);
	u64 value;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	test_munmap(test, uaddr + PAGES(1), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(access, IOVA + PAGES(1), &value, 0));
	KUNIT_EXPECT_EQ(test, uaddr + PAGES(1),
			vm_mmap(NULL, uaddr + PAGES(1), PAGE_SIZE,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0));
	value = 7;
	KUNIT_EXPECT_EQ(test, 0, rw(access, IOVA + PAGES(1), &value,
				    IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 7, user_value(test, uaddr + PAGES(1)));
}

/*
 * The length must not be 0, the range must not wrap around, and all of it must
 * be mapped.
 */
static void rw_errnos(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	u64 value = 5, pair[2] = { 11, 12 };

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 2));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_rw(access->access, IOVA, &value, 0, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopt_access_rw(access->access, IOVA, &value, 0,
				       IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW, rw(access, -4UL, &value, 0));
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			iopt_access_rw(access->access, IOVA, &value, ULONG_MAX,
				       0));
	KUNIT_EXPECT_EQ(test, -ENOENT, rw(access, -8UL, &value, 0));
	KUNIT_EXPECT_EQ(test, -ENOENT, rw(access, IOVA - 8, &value, 0));
	KUNIT_EXPECT_EQ(test, -ENOENT, rw(access, IOVA + PAGES(2), &value, 0));
	KUNIT_EXPECT_EQ(test, 5, value);
	/* The bytes below the hole are copied. */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_access_rw(access->access, IOVA + PAGES(2) - 8,
				       pair, 16, IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 11, user_value(test, uaddr + PAGES(2) - 8));
	KUNIT_EXPECT_EQ(test, 2, user_value(test, uaddr + PAGES(2)));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 2));
}

/* A mapping must allow what the caller's flags require. */
static void rw_EPERM(struct kunit *test)
{
	const unsigned int both = IOPT_ACCESS_READ | IOPT_ACCESS_WRITE;
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 3);
	unsigned long ro = IOVA, wo = IOVA + PAGES(1), both_at = IOVA +
								PAGES(2);
	u64 value = 99, pair[2] = { 21, 22 };

	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, ro, uaddr, 1,
					       IOMMU_READ));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, wo,
					       uaddr + PAGES(1), 1,
					       IOMMU_WRITE));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, both_at,
					  uaddr + PAGES(2), 1));
	KUNIT_EXPECT_EQ(test, 0, rw(access, ro, &value, 0));
	KUNIT_EXPECT_EQ(test, 0, value);
	KUNIT_EXPECT_EQ(test, 0, rw(access, ro, &value, IOPT_ACCESS_READ));
	KUNIT_EXPECT_EQ(test, -EPERM, rw(access, ro, &value,
					 IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, -EPERM, rw(access, wo, &value, 0));
	KUNIT_EXPECT_EQ(test, -EPERM, rw(access, wo, &value,
					 IOPT_ACCESS_READ));
	KUNIT_EXPECT_EQ(test, -EPERM, rw(access, wo, &value, both));
	KUNIT_EXPECT_EQ(test, 0, rw(access, wo, &value, IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0, rw(access, both_at, &value, both));
	/*
	 * Each range spans two mappings, one of which does not allow the
	 * access.
	 */
	KUNIT_EXPECT_EQ(test, -EPERM,
			iopt_access_rw(access->access, both_at - 8, pair, 16,
				       both));
	KUNIT_EXPECT_EQ(test, -EPERM,
			iopt_access_rw(access->access, wo - 8, pair, 16, 0));
	KUNIT_EXPECT_EQ(test, 22, pair[1]);
}

/*
 * A write fails if the mapping permits it but the protection of the user memory
 * does not. A read of a kernel address fails.
 */
static void rw_EFAULT(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long ro = test_mmap(test, 1, PROT_READ);
	u64 value = 1;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, ro, 1));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(1),
					  -PAGES(1), 1));
	KUNIT_EXPECT_EQ(test, 0, rw(access, IOVA, &value, 0));
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(access, IOVA, &value,
					  IOPT_ACCESS_WRITE));
	/* The second mapping is of a kernel address. */
	KUNIT_EXPECT_EQ(test, -EFAULT, rw(access, IOVA + PAGES(1), &value, 0));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 2));
}

/* The last bytes of the address space can be written. */
static void rw_last_bytes(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 1);
	u64 value = 3;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGES(1), uaddr, 1));
	KUNIT_EXPECT_EQ(test, 0, rw(access, -8UL, &value, IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 3, user_value(test, uaddr + PAGES(1) - 8));
}

/*
 * A kernel thread can access the memory of the process that mapped it, but
 * another process cannot.
 */
static void rw_by_other_processes(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	struct mm_struct *other = test_other_mm(test);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr + PAGES(3),
					  1));
	KUNIT_EXPECT_EQ(test, 3, test_read_as(test, access, IOVA, current->mm));
	KUNIT_EXPECT_EQ(test, 3, test_read_as(test, access, IOVA, NULL));
	KUNIT_EXPECT_EQ(test, -EFAULT, test_read_as(test, access, IOVA, other));
	mmput(other);
}

static long call_map(struct test_thread *thread)
{
	unsigned long uaddr;

	uaddr = vm_mmap(NULL, 0, PAGES(4), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, 0);
	if (IS_ERR_VALUE(uaddr))
		return uaddr;
	return test_map(thread->space->iopt, IOVA, uaddr, 4);
}

/*
 * Once a process has exited, its memory cannot be read without
 * IOPT_ACCESS_FOREIGN.
 */
static void rw_of_dead_process(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct mm_struct *other = test_other_mm(test);

	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map, NULL, other));
	KUNIT_EXPECT_EQ(test, 0, test_read_as(test, access, IOVA, NULL));
	mmput(other);
	KUNIT_EXPECT_EQ(test, -EPERM, test_read_as(test, access, IOVA, NULL));
	/* -EPERM takes precedence over -EFAULT for a foreign process. */
	KUNIT_EXPECT_EQ(test, -EPERM, test_read_as(test, access, IOVA,
						   current->mm));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
}

/**
 * struct foreign - call to iopt_access_rw() in another process
 * @access: the access
 * @iova: first IOVA
 * @bytes: buffer
 * @length: length in bytes
 * @flags: flags in addition to IOPT_ACCESS_FOREIGN
 */
struct foreign {
	struct iopt_access *access;
	unsigned long iova;
	u8 *bytes;
	unsigned long length;
	unsigned int flags;
};

static long call_foreign(struct test_thread *thread)
{
	const struct foreign *call = thread->data;

	return iopt_access_rw(call->access, call->iova, call->bytes,
			      call->length, call->flags | IOPT_ACCESS_FOREIGN);
}

/*
 * With IOPT_ACCESS_FOREIGN, any process can read and write, even across the
 * boundaries of pages and mappings, and nothing stays pinned or charged.
 */
static void rw_foreign(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 24), charged, i;
	struct mm_struct *other = test_other_mm(test);
	u8 *bytes = buffer_of(test, PAGES(22) + 2, 7);
	struct foreign call = {
		.access = access->access,
		.iova = IOVA + PAGES(1) - 1,
		.bytes = bytes,
		.length = PAGES(22) + 2,
		.flags = IOPT_ACCESS_WRITE,
	};

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 20));
	charged = test_charged();
	KUNIT_EXPECT_EQ(test, 0, test_thread_run(test, call_foreign, &call,
						 other));
	KUNIT_EXPECT_EQ(test, charged, test_charged());
	test_expect_pins(test, uaddr, 24, 0);
	KUNIT_EXPECT_EQ(test, 0x0707070707070707,
			user_value(test, uaddr + PAGES(1)));
	KUNIT_EXPECT_EQ(test, 0x0707070707070707,
			user_value(test, uaddr + PAGES(23) - 8));
	KUNIT_EXPECT_EQ(test, 7, user_value(test, uaddr + PAGES(23)) & 0xff);

	memset(bytes, 0, call.length);
	call.flags = 0;
	KUNIT_EXPECT_EQ(test, 0, test_thread_run(test, call_foreign, &call,
						 other));
	for (i = 0; i != call.length && bytes[i] == 7; i++)
		;
	KUNIT_EXPECT_EQ(test, call.length, i);
	call.iova = IOVA + PAGES(24) - 1;
	call.length = 2;
	KUNIT_EXPECT_EQ(test, -ENOENT, test_thread_run(test, call_foreign,
						       &call, other));
	test_validate(test);
	mmput(other);
}

/*
 * After the process has exited, any process and any kernel thread can still
 * read the pages that are pinned for a domain, but not other pages.
 */
static void rw_foreign_of_dead_process(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	struct mm_struct *other = test_other_mm(test);
	u64 value = 1;
	struct foreign call = {
		.access = access->access,
		.iova = IOVA,
		.bytes = (u8 *)&value,
		.length = sizeof(value),
	};

	KUNIT_ASSERT_EQ(test, 0, test_thread_run(test, call_map, NULL, other));
	test_attach(test, space->mock[0]);
	mmput(other);
	KUNIT_EXPECT_EQ(test, 0, rw(access, IOVA, &value, IOPT_ACCESS_FOREIGN));
	KUNIT_EXPECT_EQ(test, 0, value);
	value = 1;
	KUNIT_EXPECT_EQ(test, 0, test_thread_run(test, call_foreign, &call,
						 NULL));
	KUNIT_EXPECT_EQ(test, 0, value);
	test_detach(test, space->mock[0]);
	KUNIT_EXPECT_EQ(test, -ESRCH,
			rw(access, IOVA, &value, IOPT_ACCESS_FOREIGN));
	KUNIT_EXPECT_EQ(test, -ESRCH, test_thread_run(test, call_foreign, &call,
						      NULL));
	test_validate(test);
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
}

/*
 * Return a bitmap of the dirty pages among the 64 pages at IOVA. The report
 * makes these pages clean.
 */
static u64 dirty_pages(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long bitmap = test_mmap(test, 1, PROT_READ | PROT_WRITE);
	const struct iopt_dirty_query query = {
		.bitmap = (u64 __user *)bitmap, .pgsize = PAGE_SIZE,
	};
	u64 bits;

	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_read(space->iopt, IOVA, IOVA +
						 PAGES(64) - 1, &query, 0));
	bits = user_value(test, bitmap);
	test_munmap(test, bitmap, 1);
	return bits;
}

/*
 * Every page that a write touches becomes dirty, in all mappings that the write
 * spans.
 */
static void rw_marks_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 6);
	u8 *bytes = buffer_of(test, PAGE_SIZE + 2, 1);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA + PAGES(4),
					  uaddr + PAGES(4), 2));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	KUNIT_EXPECT_EQ(test, 0, dirty_pages(test));

	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA +
						PAGES(1) - 1, bytes, 2,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0b11, dirty_pages(test));
	KUNIT_EXPECT_EQ(test, 0, dirty_pages(test));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA +
						PAGES(3) - 1, bytes,
						PAGE_SIZE + 2,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0b11100, dirty_pages(test));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA +
						PAGES(2) - 1, bytes, 1,
						IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0b10, dirty_pages(test));
	KUNIT_EXPECT_EQ(test, 0, iopt_access_rw(access->access, IOVA, bytes,
						PAGE_SIZE, 0));
	KUNIT_EXPECT_EQ(test, 0, dirty_pages(test));
	test_validate(test);
}

/*
 * A write that fails at a missing page has written to the pages before that
 * page and has made them dirty.
 */
static void rw_EFAULT_marks_dirty(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct test_access *access = test_access_create(test);
	unsigned long uaddr = test_touched(test, 4);
	u8 *bytes = buffer_of(test, PAGE_SIZE + 2, 1);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, iopt_dirty_start(space->iopt));
	test_munmap(test, uaddr + PAGES(2), 1);
	KUNIT_EXPECT_EQ(test, -EFAULT,
			iopt_access_rw(access->access, IOVA + PAGES(1) - 1,
				       bytes, PAGE_SIZE + 2,
				       IOPT_ACCESS_WRITE));
	KUNIT_EXPECT_EQ(test, 0x0101010101010101ULL,
			user_value(test, uaddr + PAGES(1)));
	KUNIT_EXPECT_EQ(test, 0b11, dirty_pages(test) & 0b1011);
}

static struct kunit_case rw_cases[] = {
	KUNIT_CASE(rw_spans_mappings),
	KUNIT_CASE(rw_uses_current_memory),
	KUNIT_CASE(rw_errnos),
	KUNIT_CASE(rw_EPERM),
	KUNIT_CASE(rw_EFAULT),
	KUNIT_CASE(rw_last_bytes),
	KUNIT_CASE(rw_by_other_processes),
	KUNIT_CASE(rw_of_dead_process),
	KUNIT_CASE(rw_foreign),
	KUNIT_CASE(rw_foreign_of_dead_process),
	KUNIT_CASE(rw_marks_dirty),
	KUNIT_CASE(rw_EFAULT_marks_dirty),
	{}
};

static struct kunit_suite rw_suite = {
	.name = "iopt-rw",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = rw_cases,
};

kunit_test_suite(rw_suite);
