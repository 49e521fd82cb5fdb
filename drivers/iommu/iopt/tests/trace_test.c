// SPDX-License-Identifier: GPL-2.0-only
/* Tracepoints (trace.h): one event for each traced call, with its result. */
#include "../io_pagetable.h"
#include "../pages.h"
#include "../trace.h"
#include "access.h"
#include "dump_text.h"

#define IOVA		0x100000000UL
#define OTHER		0x200000000UL

static void probe_map(void *data, const struct io_pagetable *iopt,
		      unsigned long iova, const void __user *uptr,
		      unsigned long length, int prot, enum iopt_account account,
		      unsigned int flags, int rc)
{
	seq_buf_printf(data, "map %lu %lx %lx %lx %d %d %x %d\n", iopt->id,
		       iova, (unsigned long)uptr, length, prot, account, flags,
		       rc);
}

static void probe_copy(void *data, const struct io_pagetable *dst,
		       unsigned long dst_iova, const struct io_pagetable *src,
		       unsigned long src_iova, unsigned long length, int prot,
		       unsigned int flags, int rc)
{
	seq_buf_printf(data, "copy %lu %lx %lu %lx %lx %d %x %d\n", dst->id,
		       dst_iova, src->id, src_iova, length, prot, flags, rc);
}

static void probe_unmap(void *data, const struct io_pagetable *iopt,
			unsigned long start, unsigned long last,
			unsigned long unmapped, int rc)
{
	seq_buf_printf(data, "unmap %lu %lx %lx %lx %d\n", iopt->id, start,
		       last, unmapped, rc);
}

static void append_domain(struct seq_buf *text, const char *call,
			  const struct io_pagetable *iopt,
			  const struct iommu_domain *domain, int rc)
{
	seq_buf_printf(text, "%s %lu %p %d\n", call, iopt->id, domain, rc);
}

static void probe_attach(void *data, const struct io_pagetable *iopt,
			 const struct iommu_domain *domain, int rc)
{
	append_domain(data, "attach", iopt, domain, rc);
}

static void probe_detach(void *data, const struct io_pagetable *iopt,
			 const struct iommu_domain *domain, int rc)
{
	append_domain(data, "detach", iopt, domain, rc);
}

static void probe_pin(void *data, const struct iopt_pages *pages,
		      unsigned long first, unsigned long npages,
		      unsigned long charged, int rc)
{
	seq_buf_printf(data, "pin %lx %lu %lu %lu %d\n", pages->uaddr, first,
		       npages, charged, rc);
}

static void probe_unpin(void *data, const struct iopt_pages *pages,
			unsigned long first, unsigned long last,
			unsigned long uncharged, unsigned long lost)
{
	seq_buf_printf(data, "unpin %lx %lu %lu %lu %lu\n", pages->uaddr, first,
		       last, uncharged, lost);
}

static void probe_access_pin(void *data, const struct io_pagetable *iopt,
			     unsigned long start, unsigned long last,
			     unsigned int flags, int rc)
{
	seq_buf_printf(data, "access_pin %lu %lx %lx %x %d\n", iopt->id, start,
		       last, flags, rc);
}

static void probe_access_unpin(void *data, const struct io_pagetable *iopt,
			       unsigned long start, unsigned long last,
			       unsigned long unpinned)
{
	seq_buf_printf(data, "access_unpin %lu %lx %lx %lu\n", iopt->id, start,
		       last, unpinned);
}

static int probes_register(struct seq_buf *text)
{
	return register_trace_iopt_map(probe_map, text) ?:
	       register_trace_iopt_copy(probe_copy, text) ?:
	       register_trace_iopt_unmap(probe_unmap, text) ?:
	       register_trace_iopt_attach(probe_attach, text) ?:
	       register_trace_iopt_detach(probe_detach, text) ?:
	       register_trace_iopt_pin(probe_pin, text) ?:
	       register_trace_iopt_unpin(probe_unpin, text) ?:
	       register_trace_iopt_access_pin(probe_access_pin, text) ?:
	       register_trace_iopt_access_unpin(probe_access_unpin, text);
}

static void probes_unregister(struct seq_buf *text)
{
	unregister_trace_iopt_map(probe_map, text);
	unregister_trace_iopt_copy(probe_copy, text);
	unregister_trace_iopt_unmap(probe_unmap, text);
	unregister_trace_iopt_attach(probe_attach, text);
	unregister_trace_iopt_detach(probe_detach, text);
	unregister_trace_iopt_pin(probe_pin, text);
	unregister_trace_iopt_unpin(probe_unpin, text);
	unregister_trace_iopt_access_pin(probe_access_pin, text);
	unregister_trace_iopt_access_unpin(probe_access_unpin, text);
	tracepoint_synchronize_unregister();
}

/*
 * Make calls that are traced, some of which fail, and append the expected
 * events to @text.
 */
static void operate(struct kunit *test, struct seq_buf *text)
{
	struct test_space *space = test->priv;
	struct io_pagetable *iopt = space->iopt;
	unsigned long uaddr = test_touched(test, 4), to = OTHER, bytes;
	struct iommu_domain *domain = &space->mock[0]->domain;
	struct iopt_access *access;
	struct page *page;

	KUNIT_EXPECT_EQ(test, 0, test_map(iopt, IOVA, uaddr, 4));
	seq_buf_printf(text, "map %lu %lx %lx %lx %d %d %lx 0\n", iopt->id,
		       IOVA, uaddr, PAGES(4), TEST_RW, IOPT_ACCOUNT_USER,
		       IOPT_MAP_FIXED);
	KUNIT_EXPECT_EQ(test, -EINVAL, test_map(iopt, IOVA, uaddr, 0));
	seq_buf_printf(text, "map %lu %lx %lx 0 %d %d %lx %d\n", iopt->id,
		       IOVA, uaddr, TEST_RW, IOPT_ACCOUNT_USER, IOPT_MAP_FIXED,
		       -EINVAL);

	access = iopt_access_create(iopt, &test_no_unmap_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_EXPECT_EQ(test, 0,
			iopt_access_pin(access, IOVA + PAGES(1),
					IOVA + PAGES(2) - 1, &page, 0));
	seq_buf_printf(text, "pin %lx 1 1 1 0\n", uaddr);
	seq_buf_printf(text, "access_pin %lu %lx %lx 0 0\n", iopt->id,
		       IOVA + PAGES(1), IOVA + PAGES(2) - 1);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iopt_access_pin(access, OTHER, OTHER + PAGES(1) - 1,
					&page, IOPT_ACCESS_WRITE));
	seq_buf_printf(text, "access_pin %lu %lx %lx %lx %d\n", iopt->id, OTHER,
		       OTHER + PAGES(1) - 1, IOPT_ACCESS_WRITE, -ENOENT);

	/* The page that the access has pinned is not pinned again. */
	test_attach(test, space->mock[0]);
	seq_buf_printf(text, "pin %lx 0 1 1 0\npin %lx 2 2 2 0\n", uaddr,
		       uaddr);
	append_domain(text, "attach", iopt, domain, 0);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(iopt, &to, iopt, IOVA, PAGES(2), IOMMU_READ,
				  IOPT_MAP_FIXED));
	seq_buf_printf(text, "copy %lu %lx %lu %lx %lx %d %lx 0\n", iopt->id,
		       OTHER, iopt->id, IOVA, PAGES(2), IOMMU_READ,
		       IOPT_MAP_FIXED);
	test_detach(test, space->mock[0]);
	/*
	 * Each area unpins the pages that no other area holds, except for the
	 * page that the access has pinned.
	 */
	seq_buf_printf(text, "unpin %lx 2 3 2 0\nunpin %lx 0 1 1 0\n", uaddr,
		       uaddr);
	append_domain(text, "detach", iopt, domain, 0);

	KUNIT_EXPECT_EQ(test, 1, iopt_access_unpin(access, IOVA + 1,
						   IOVA + PAGES(4) - 1));
	seq_buf_printf(text, "unpin %lx 1 1 1 0\n", uaddr);
	seq_buf_printf(text, "access_unpin %lu %lx %lx 1\n", iopt->id, IOVA + 1,
		       IOVA + PAGES(4) - 1);
	iopt_access_destroy(access);

	KUNIT_EXPECT_EQ(test, -ENOENT, test_unmap(iopt, IOVA, 2));
	seq_buf_printf(text, "unmap %lu %lx %lx 0 %d\n", iopt->id, IOVA,
		       IOVA + PAGES(2) - 1, -ENOENT);
	KUNIT_EXPECT_EQ(test, 0, iopt_unmap(iopt, 0, ULONG_MAX, &bytes));
	seq_buf_printf(text, "unmap %lu 0 %lx %lx 0\n", iopt->id, ULONG_MAX,
		       PAGES(6));
}

/*
 * Each call that has a tracepoint reports one event when it ends. Separate
 * events before that one report the pages that the call pins or unpins.
 */
static void tracepoints_report_every_operation(struct kunit *test)
{
	struct seq_buf *reported = test_text_alloc(test);
	struct seq_buf *expected = test_text_alloc(test);

	KUNIT_ASSERT_EQ(test, 0, probes_register(reported));
	operate(test, expected);
	probes_unregister(reported);
	KUNIT_EXPECT_STREQ(test, test_text_of(expected),
			   test_text_of(reported));
}

static struct kunit_case trace_cases[] = {
	KUNIT_CASE(tracepoints_report_every_operation),
	{}
};

static struct kunit_suite trace_suite = {
	.name = "iopt-trace",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);
