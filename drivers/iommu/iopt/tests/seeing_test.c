// SPDX-License-Identifier: GPL-2.0-only
/*
 * Seeing it: the lines of debugfs and of iopt_dump(), and the tracepoints.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kmsg_dump.h>
#include <linux/kthread.h>
#include <linux/mount.h>
#include <linux/sched/mm.h>
#include <linux/seq_buf.h>
#include <linux/uaccess.h>

#include "../io_pagetable.h"
#include "../pages.h"
#include "../trace.h"
#include "space.h"

#define IOVA		0x100000000UL
#define OTHER		0x200000000UL
#define TEXT_MAX	(16 * PAGE_SIZE)

static void no_unmap(void *data, unsigned long start, unsigned long last)
{
}

static const struct iopt_access_ops no_ops = { .unmap = no_unmap };

static struct seq_buf *text_alloc(struct kunit *test)
{
	struct seq_buf *text = kunit_kzalloc(test, sizeof(*text), GFP_KERNEL);
	char *buffer = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	seq_buf_init(text, buffer, TEXT_MAX);
	return text;
}

static const char *text_of(struct seq_buf *text)
{
	text->buffer[min(text->len, text->size - 1)] = '\0';
	return text->buffer;
}

/* All lines of a space, as the view makes them. */
static const char *view_text(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct seq_buf *text = text_alloc(test);
	struct iopt_view view;

	iopt_view_start(&view, space->iopt);
	while (iopt_view_next(&view))
		seq_buf_printf(text, "%s\n", view.line);
	return text_of(text);
}

static void text_space(struct seq_buf *text, struct io_pagetable *iopt,
		       unsigned int nr_areas)
{
	seq_buf_printf(text,
		       "space %lu areas=%u max_areas=4294967295 alignment=0x%lx max_iopte=0x40000000 pfnmap=0 tracking=0 blind=0 orphans=0 lost=0\n",
		       iopt->id, nr_areas, PAGE_SIZE);
}

static void text_area(struct seq_buf *text, unsigned long iova,
		      unsigned long npages, char write, const char *rest)
{
	seq_buf_printf(text, "area 0x%lx-0x%lx prot=r%c- %s\n", iova,
		       iova + PAGES(npages) - 1, write, rest);
}

static struct iopt_pages *pages_at(struct kunit *test, unsigned long iova)
{
	struct iopt_area *area = test_area_at(test->priv, iova);

	KUNIT_ASSERT_NOT_NULL(test, area);
	return area->pages;
}

static void text_pages(struct kunit *test, struct seq_buf *text,
		       unsigned long iova, unsigned long uaddr,
		       unsigned long npages, bool writable,
		       unsigned int shown, unsigned long charged)
{
	seq_buf_printf(text,
		       " pages %p npages=%lu uaddr=0x%lx writable=%d shown=%u charged=%lu payer=%d account=user\n",
		       pages_at(test, iova), npages, uaddr, writable, shown,
		       charged, task_tgid_nr(current));
}

/* The runs, as the page table of the process tells. */
static void text_runs(struct kunit *test, struct seq_buf *text,
		      unsigned long uaddr, unsigned long npages)
{
	unsigned long i, n, pfn;

	for (i = 0; i < npages; i += n) {
		pfn = test_user_pfn(test, uaddr + PAGES(i));
		for (n = 1; i + n < npages; n++)
			if (test_user_pfn(test, uaddr + PAGES(i + n)) !=
			    pfn + n)
				break;
		seq_buf_printf(text, "  run %lu+%lu ram pfn=0x%lx lost=0\n", i,
			       n, pfn);
	}
}

/* Without a domain: nothing is pinned, but what an access pins. */
static void view_without_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct seq_buf *text = text_alloc(test);
	struct iopt_access *access;
	struct page *page;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	access = iopt_access_create(space->iopt, &no_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	for (i = 0; i != 2; i++)
		KUNIT_ASSERT_EQ(test, 0,
				iopt_access_pin(access, IOVA + PAGES(2),
						IOVA + PAGES(3) - 1, &page, 0));

	text_space(text, space->iopt, 1);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	text_area(text, IOVA, 4, 'w',
		  "state=live busy=0 orphan=0 domains=0 pins=2 users=0");
	text_pages(test, text, IOVA, uaddr, 4, true, 1, 1);
	seq_buf_printf(text, "  run 0+4 hole\n");
	seq_buf_printf(text, "  pin 2 ram pfn=0x%lx count=2 all=2 owns=1 lost=0\n",
		       page_to_pfn(page));
	KUNIT_EXPECT_STREQ(test, text_of(text), view_text(test));

	for (i = 0; i != 2; i++)
		KUNIT_EXPECT_EQ(test, 1,
				iopt_access_unpin(access, IOVA + PAGES(2),
						  IOVA + PAGES(3) - 1));
	iopt_access_destroy(access);
}

static void text_pin(struct kunit *test, struct seq_buf *text,
		     unsigned long uaddr, unsigned long index,
		     unsigned int count)
{
	seq_buf_printf(text,
		       "  pin %lu ram pfn=0x%lx count=%u all=1 owns=1 lost=0\n",
		       index, test_user_pfn(test, uaddr + PAGES(index)), count);
}

/* Each of two mappings shows its own part of their pages, by the same index. */
static void view_of_a_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), copy = OTHER;
	struct seq_buf *text = text_alloc(test);
	struct iopt_access *access;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(space->iopt, &copy, space->iopt,
					   IOVA + PAGES(2), PAGES(3), TEST_RW,
					   IOPT_MAP_FIXED));
	access = iopt_access_create(space->iopt, &no_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_ASSERT_EQ(test, 0, iopt_access_pin(access, IOVA + PAGES(1),
						 IOVA + PAGES(2) - 1, &page,
						 0));
	KUNIT_ASSERT_EQ(test, 0, iopt_access_pin(access, OTHER + PAGES(1),
						 OTHER + PAGES(2) - 1, &page,
						 0));

	text_space(text, space->iopt, 2);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	text_area(text, IOVA, 8, 'w',
		  "state=live busy=0 orphan=0 domains=0 pins=1 users=0");
	text_pages(test, text, IOVA, uaddr, 8, true, 2, 2);
	seq_buf_printf(text, "  run 0+8 hole\n");
	text_pin(test, text, uaddr, 1, 1);
	text_pin(test, text, uaddr, 3, 0);
	text_area(text, OTHER, 3, 'w',
		  "state=live busy=0 orphan=0 domains=0 pins=1 users=0");
	text_pages(test, text, OTHER, uaddr, 8, true, 2, 2);
	seq_buf_printf(text, "  run 2+3 hole\n");
	text_pin(test, text, uaddr, 3, 1);
	KUNIT_EXPECT_STREQ(test, text_of(text), view_text(test));

	KUNIT_EXPECT_EQ(test, 2, iopt_access_unpin(access, 0, ULONG_MAX));
	iopt_access_destroy(access);
}

/* Several areas up to the last byte, in a domain, each with its runs. */
static void make_and_tell(struct kunit *test, struct seq_buf *text)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	unsigned long other = test_touched(test, 4);
	const struct iopt_range allowed = { IOVA, 3 * IOVA - 1 };

	KUNIT_ASSERT_EQ(test, 0, iopt_allow_iova(space->iopt, &allowed, 1));
	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, test_map_prot(space->iopt, OTHER, other, 4,
					       IOMMU_READ));

	text_space(text, space->iopt, 2);
	seq_buf_printf(text,
		       "domain 1 pgsizes=0x%lx aperture=0x0-0xffffffffffff open=1\n",
		       space->mock[0]->domain.pgsize_bitmap);
	seq_buf_printf(text, "usable 0x0-0xffffffffffff\n");
	seq_buf_printf(text, "allowed 0x%lx-0x%lx\n", allowed.start,
		       allowed.last);
	text_area(text, IOVA, 8, 'w',
		  "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	text_pages(test, text, IOVA, uaddr, 8, true, 1, 8);
	text_runs(test, text, uaddr, 8);
	text_area(text, OTHER, 4, '-',
		  "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	text_pages(test, text, OTHER, other, 4, false, 1, 4);
	text_runs(test, text, other, 4);
}

static void view_of_areas_in_a_domain(struct kunit *test)
{
	struct seq_buf *text = text_alloc(test);

	make_and_tell(test, text);
	KUNIT_EXPECT_STREQ(test, text_of(text), view_text(test));
}

/* The last byte of the address space ends the walk. */
static void view_ends_at_the_last_byte(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);
	struct seq_buf *text = text_alloc(test);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGE_SIZE, uaddr, 1));
	text_space(text, space->iopt, 1);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	text_area(text, -PAGE_SIZE, 1, 'w',
		  "state=live busy=0 orphan=0 domains=0 pins=0 users=0");
	text_pages(test, text, -PAGE_SIZE, uaddr, 1, true, 1, 0);
	seq_buf_printf(text, "  run 0+1 hole\n");
	KUNIT_EXPECT_STREQ(test, text_of(text), view_text(test));
}

static void view_to(struct kunit *test, struct iopt_view *view,
		    const char *prefix)
{
	do {
		KUNIT_ASSERT_TRUE(test, iopt_view_next(view));
	} while (strncmp(view->line, prefix, strlen(prefix)));
}

/* Each mode of accounting has a name. */
static void view_names_accounts(struct kunit *test)
{
	static const char * const names[] = {
		[IOPT_ACCOUNT_NONE] = " account=none\n",
		[IOPT_ACCOUNT_USER] = " account=user\n",
		[IOPT_ACCOUNT_MM] = " account=mm\n",
		[IOPT_ACCOUNT_MM_UNLIMITED] = " account=unlimited\n",
		[IOPT_ACCOUNT_MM_PINNED] = " account=pinned\n",
	};
	struct test_space *space = test->priv;
	unsigned long iova = IOVA, uaddr = test_touched(test, 1);
	enum iopt_account account;
	const char *text;

	for (account = 0; account != ARRAY_SIZE(names); account++) {
		KUNIT_ASSERT_EQ(test, 0,
				iopt_map_user(space->iopt, &iova,
					      (void __user *)uaddr, PAGE_SIZE,
					      TEST_RW, account,
					      IOPT_MAP_FIXED));
		iova += PAGE_SIZE;
	}
	text = view_text(test);
	for (account = 0; account != ARRAY_SIZE(names); account++)
		KUNIT_EXPECT_TRUE_MSG(test, strstr(text, names[account]),
				      "%s", names[account]);
}

/* Between two lines areas come and go: what is shown next is after them. */
static void view_survives_unmap(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct iopt_view view;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, OTHER,
					  uaddr + PAGES(4), 4));

	iopt_view_start(&view, space->iopt);
	view_to(test, &view, "area 0x100000000-");
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, IOVA, 4));
	KUNIT_ASSERT_TRUE(test, iopt_view_next(&view));
	KUNIT_EXPECT_EQ(test, 0, strncmp(view.line, "area 0x200000000-", 17));

	/* Another one at the same place is not shown again, nor its runs. */
	view_to(test, &view, "  run ");
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, OTHER, 4));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, OTHER, uaddr, 2));
	KUNIT_EXPECT_FALSE(test, iopt_view_next(&view));
	KUNIT_EXPECT_FALSE(test, iopt_view_next(&view));
}

/**
 * struct mapper - a thread that maps 4 pages at IOVA
 * @iopt: where
 * @mm: whose memory
 * @uaddr: which
 * @rc: what came of it
 * @done: completed after that
 */
struct mapper {
	struct io_pagetable *iopt;
	struct mm_struct *mm;
	unsigned long uaddr;
	int rc;
	struct completion done;
};

static int mapper_main(void *data)
{
	struct mapper *mapper = data;

	kthread_use_mm(mapper->mm);
	mapper->rc = test_map(mapper->iopt, IOVA, mapper->uaddr, 4);
	kthread_unuse_mm(mapper->mm);
	complete(&mapper->done);
	return 0;
}

/* A map that hangs while it programs: the view tells, and does not wait. */
static void view_of_a_busy_area(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct mapper mapper = {
		.iopt = space->iopt,
		.mm = current->mm,
		.uaddr = uaddr,
	};
	struct seq_buf *text = text_alloc(test);
	struct task_struct *task;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, OTHER,
					  uaddr + PAGES(4), 4));
	init_completion(&mapper.done);
	space->mock[0]->block_iova = IOVA;
	task = kthread_run(mapper_main, &mapper, "iopt-test");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	wait_for_completion(&space->mock[0]->blocked);

	text_space(text, space->iopt, 2);
	seq_buf_printf(text,
		       "domain 1 pgsizes=0x%lx aperture=0x0-0xffffffffffff open=1\n",
		       space->mock[0]->domain.pgsize_bitmap);
	seq_buf_printf(text, "usable 0x0-0xffffffffffff\n");
	text_area(text, IOVA, 4, 'w',
		  "state=building busy=1 orphan=0 domains=0 pins=0 users=0");
	seq_buf_printf(text, " pages %p busy\n", pages_at(test, IOVA));
	text_area(text, OTHER, 4, 'w',
		  "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	text_pages(test, text, OTHER, uaddr + PAGES(4), 4, true, 1, 4);
	text_runs(test, text, uaddr + PAGES(4), 4);
	KUNIT_EXPECT_STREQ(test, text_of(text), view_text(test));

	complete(&space->mock[0]->go_on);
	wait_for_completion(&mapper.done);
	KUNIT_EXPECT_EQ(test, 0, mapper.rc);
}

#define LOG_LINE	300

static bool next_log_line(struct kmsg_dump_iter *log, char *line)
{
	size_t length;

	if (!kmsg_dump_get_line(log, false, line, LOG_LINE, &length))
		return false;
	/* Instead of the newline; nothing came of a line that does not fit. */
	line[length ? length - 1 : 0] = '\0';
	return true;
}

/* The log has the same lines, with what else is logged in between. */
static void dump_prints_the_view(struct kunit *test)
{
	struct seq_buf *text = text_alloc(test);
	struct test_space *space = test->priv;
	struct kmsg_dump_iter log;
	char *line, *next;
	char printed[LOG_LINE];

	if (!IS_ENABLED(CONFIG_PRINTK))
		kunit_skip(test, "no log");
	make_and_tell(test, text);
	kmsg_dump_rewind(&log);
	while (next_log_line(&log, printed))
		;
	iopt_dump(space->iopt);
	for (line = (char *)text_of(text); *line; line = next + 1) {
		next = strchr(line, '\n');
		*next = '\0';
		do {
			KUNIT_ASSERT_TRUE(test, next_log_line(&log, printed));
		} while (!strstr(printed, "iopt: "));
		KUNIT_EXPECT_STREQ(test, line, strstr(printed, "iopt: ") + 6);
	}
}

#ifdef CONFIG_DEBUG_FS
/**
 * struct debugfs_reader - the file of a space, as user space sees it
 * @mount: of debugfs
 * @count: of its users
 * @file: the file
 * @uaddr: user memory to read to
 */
struct debugfs_reader {
	struct vfsmount *mount;
	int count;
	struct file *file;
	char __user *uaddr;
};

static void debugfs_open(struct kunit *test, struct debugfs_reader *reader)
{
	struct file_system_type *type = get_fs_type("debugfs");
	struct test_space *space = test->priv;
	char name[32];

	KUNIT_ASSERT_NOT_NULL(test, type);
	*reader = (struct debugfs_reader){};
	KUNIT_ASSERT_EQ(test, 0,
			simple_pin_fs(type, &reader->mount, &reader->count));
	put_filesystem(type);
	snprintf(name, sizeof(name), "iopt/%lu", space->iopt->id);
	reader->file = file_open_root_mnt(reader->mount, name, O_RDONLY, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(reader->file));
	reader->uaddr = (char __user *)test_touched(test, 1);
}

static void debugfs_close(struct debugfs_reader *reader)
{
	fput(reader->file);
	flush_delayed_fput();
	simple_release_fs(&reader->mount, &reader->count);
}

/* All from @pos on, @bytes at a time. */
static const char *debugfs_text(struct kunit *test,
				struct debugfs_reader *reader, loff_t pos,
				size_t bytes)
{
	struct seq_buf *text = text_alloc(test);
	ssize_t nr;

	while ((nr = vfs_read(reader->file, reader->uaddr, bytes, &pos)) > 0) {
		KUNIT_ASSERT_LE(test, text->len + nr, text->size);
		KUNIT_ASSERT_EQ(test, 0,
				copy_from_user(text->buffer + text->len,
					       reader->uaddr, nr));
		text->len += nr;
	}
	KUNIT_EXPECT_EQ(test, 0, nr);
	return text_of(text);
}

/* However it is read, at once, in pieces, from the middle: the same text. */
static void debugfs_shows_the_view(struct kunit *test)
{
	struct seq_buf *text = text_alloc(test);
	struct debugfs_reader reader;
	unsigned int i;

	make_and_tell(test, text);
	debugfs_open(test, &reader);
	KUNIT_EXPECT_EQ(test, 0400, file_inode(reader.file)->i_mode & 07777);
	KUNIT_EXPECT_STREQ(test, text_of(text),
			   debugfs_text(test, &reader, 0, PAGE_SIZE));
	KUNIT_EXPECT_STREQ(test, text_of(text),
			   debugfs_text(test, &reader, 0, 7));
	for (i = 1; i < text->len; i += 97)
		KUNIT_EXPECT_STREQ(test, text_of(text) + i,
				   debugfs_text(test, &reader, i, 64));
	debugfs_close(&reader);
}

/* More than a buffer holds, in one area and in many. */
static void debugfs_shows_large_spaces(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long n = 150, uaddr = test_touched(test, n), i;
	struct debugfs_reader reader;
	const char *whole;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, n));
	for (i = 0; i != n; i++)
		KUNIT_ASSERT_EQ(test, 0,
				test_map(space->iopt, OTHER + PAGES(2 * i),
					 uaddr + PAGES(i), 1));
	whole = view_text(test);
	KUNIT_EXPECT_GT(test, strlen(whole), 4 * PAGE_SIZE);
	debugfs_open(test, &reader);
	KUNIT_EXPECT_STREQ(test, whole,
			   debugfs_text(test, &reader, 0, PAGE_SIZE));
	debugfs_close(&reader);
}

/* A file that is still open shows nothing of a space that is gone. */
static void debugfs_outlives_space(struct kunit *test)
{
	const struct iopt_policy policy = { .gfp = GFP_KERNEL };
	struct test_space *space = test->priv;
	struct debugfs_reader reader;
	loff_t pos = 0;

	debugfs_open(test, &reader);
	KUNIT_EXPECT_EQ(test, 10, vfs_read(reader.file, reader.uaddr, 10,
					   &pos));
	iopt_free(space->iopt);
	KUNIT_EXPECT_EQ(test, -EIO, vfs_read(reader.file, reader.uaddr, 10,
					     &pos));
	space->iopt = iopt_alloc(&policy);
	KUNIT_ASSERT_FALSE(test, IS_ERR(space->iopt));
	debugfs_close(&reader);
}
#endif /* CONFIG_DEBUG_FS */

#ifdef CONFIG_TRACEPOINTS
static void saw_map(void *data, const struct io_pagetable *iopt,
		    unsigned long iova, const void __user *uptr,
		    unsigned long length, int prot, enum iopt_account account,
		    unsigned int flags, int rc)
{
	seq_buf_printf(data, "map %lu %lx %lx %lx %d %d %x %d\n", iopt->id,
		       iova, (unsigned long)uptr, length, prot, account, flags,
		       rc);
}

static void saw_copy(void *data, const struct io_pagetable *dst,
		     unsigned long dst_iova, const struct io_pagetable *src,
		     unsigned long src_iova, unsigned long length, int prot,
		     unsigned int flags, int rc)
{
	seq_buf_printf(data, "copy %lu %lx %lu %lx %lx %d %x %d\n", dst->id,
		       dst_iova, src->id, src_iova, length, prot, flags, rc);
}

static void saw_unmap(void *data, const struct io_pagetable *iopt,
		      unsigned long start, unsigned long last,
		      unsigned long unmapped, int rc)
{
	seq_buf_printf(data, "unmap %lu %lx %lx %lx %d\n", iopt->id, start,
		       last, unmapped, rc);
}

static void saw_attach(void *data, const struct io_pagetable *iopt,
		       const struct iommu_domain *domain, int rc)
{
	seq_buf_printf(data, "attach %lu %p %d\n", iopt->id, domain, rc);
}

static void saw_detach(void *data, const struct io_pagetable *iopt,
		       const struct iommu_domain *domain, int rc)
{
	seq_buf_printf(data, "detach %lu %p %d\n", iopt->id, domain, rc);
}

static void saw_pin(void *data, const struct iopt_pages *pages,
		    unsigned long first, unsigned long npages,
		    unsigned long charged, int rc)
{
	seq_buf_printf(data, "pin %lx %lu %lu %lu %d\n", pages->uaddr, first,
		       npages, charged, rc);
}

static void saw_unpin(void *data, const struct iopt_pages *pages,
		      unsigned long first, unsigned long last,
		      unsigned long uncharged, unsigned long lost)
{
	seq_buf_printf(data, "unpin %lx %lu %lu %lu %lu\n", pages->uaddr, first,
		       last, uncharged, lost);
}

static void saw_access_pin(void *data, const struct io_pagetable *iopt,
			   unsigned long start, unsigned long last,
			   unsigned int flags, int rc)
{
	seq_buf_printf(data, "access_pin %lu %lx %lx %x %d\n", iopt->id, start,
		       last, flags, rc);
}

static void saw_access_unpin(void *data, const struct io_pagetable *iopt,
			     unsigned long start, unsigned long last,
			     unsigned long unpinned)
{
	seq_buf_printf(data, "access_unpin %lu %lx %lx %lu\n", iopt->id, start,
		       last, unpinned);
}

static int probes_register(struct seq_buf *text)
{
	return register_trace_iopt_map(saw_map, text) ?:
	       register_trace_iopt_copy(saw_copy, text) ?:
	       register_trace_iopt_unmap(saw_unmap, text) ?:
	       register_trace_iopt_attach(saw_attach, text) ?:
	       register_trace_iopt_detach(saw_detach, text) ?:
	       register_trace_iopt_pin(saw_pin, text) ?:
	       register_trace_iopt_unpin(saw_unpin, text) ?:
	       register_trace_iopt_access_pin(saw_access_pin, text) ?:
	       register_trace_iopt_access_unpin(saw_access_unpin, text);
}

static void probes_unregister(struct seq_buf *text)
{
	unregister_trace_iopt_map(saw_map, text);
	unregister_trace_iopt_copy(saw_copy, text);
	unregister_trace_iopt_unmap(saw_unmap, text);
	unregister_trace_iopt_attach(saw_attach, text);
	unregister_trace_iopt_detach(saw_detach, text);
	unregister_trace_iopt_pin(saw_pin, text);
	unregister_trace_iopt_unpin(saw_unpin, text);
	unregister_trace_iopt_access_pin(saw_access_pin, text);
	unregister_trace_iopt_access_unpin(saw_access_unpin, text);
	tracepoint_synchronize_unregister();
}

/* Do some of everything, some of it in vain, and tell what must be seen. */
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

	access = iopt_access_create(iopt, &no_ops, NULL);
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

	/* The pin that the access has is not pinned again. */
	test_attach(test, space->mock[0]);
	seq_buf_printf(text, "pin %lx 0 1 1 0\npin %lx 2 2 2 0\n", uaddr,
		       uaddr);
	seq_buf_printf(text, "attach %lu %p 0\n", iopt->id, domain);
	KUNIT_EXPECT_EQ(test, 0,
			iopt_copy(iopt, &to, iopt, IOVA, PAGES(2), IOMMU_READ,
				  IOPT_MAP_FIXED));
	seq_buf_printf(text, "copy %lu %lx %lu %lx %lx %d %lx 0\n", iopt->id,
		       OTHER, iopt->id, IOVA, PAGES(2), IOMMU_READ,
		       IOPT_MAP_FIXED);
	test_detach(test, space->mock[0]);
	/* Both slices at the first, what only it held then. */
	seq_buf_printf(text, "unpin %lx 2 3 2 0\nunpin %lx 0 1 1 0\n", uaddr,
		       uaddr);
	seq_buf_printf(text, "detach %lu %p 0\n", iopt->id, domain);

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

/* One event for each operation, after it, with what came of it. */
static void tracepoints_tell_all(struct kunit *test)
{
	struct seq_buf *seen = text_alloc(test);
	struct seq_buf *expected = text_alloc(test);

	KUNIT_ASSERT_EQ(test, 0, probes_register(seen));
	operate(test, expected);
	probes_unregister(seen);
	KUNIT_EXPECT_STREQ(test, text_of(expected), text_of(seen));
}
#endif /* CONFIG_TRACEPOINTS */

static struct kunit_case seeing_cases[] = {
	KUNIT_CASE(view_without_domain),
	KUNIT_CASE(view_of_a_copy),
	KUNIT_CASE(view_of_areas_in_a_domain),
	KUNIT_CASE(view_ends_at_the_last_byte),
	KUNIT_CASE(view_names_accounts),
	KUNIT_CASE(view_survives_unmap),
	KUNIT_CASE(view_of_a_busy_area),
	KUNIT_CASE(dump_prints_the_view),
#ifdef CONFIG_DEBUG_FS
	KUNIT_CASE(debugfs_shows_the_view),
	KUNIT_CASE(debugfs_shows_large_spaces),
	KUNIT_CASE(debugfs_outlives_space),
#endif
#ifdef CONFIG_TRACEPOINTS
	KUNIT_CASE(tracepoints_tell_all),
#endif
	{}
};

static struct kunit_suite seeing_suite = {
	.name = "iopt-seeing",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = seeing_cases,
};

kunit_test_suite(seeing_suite);
