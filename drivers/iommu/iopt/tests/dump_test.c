// SPDX-License-Identifier: GPL-2.0-only
/*
 * The lines of a dump (dump.c), as iopt_view_next() returns them and as
 * iopt_dump() prints them to the log.
 */
#include <linux/kmsg_dump.h>

#include "../dump.h"
#include "access.h"
#include "dump_text.h"
#include "thread.h"

#define IOVA		0x100000000UL
#define OTHER		0x200000000UL

/*
 * Without a domain, the dump of an area shows a single hole and the pins of
 * accesses.
 */
static void view_without_domain(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 4);
	struct seq_buf *text = test_text_alloc(test);
	struct iopt_access *access;
	struct page *page;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 4));
	access = iopt_access_create(space->iopt, &test_no_unmap_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	for (i = 0; i != 2; i++)
		KUNIT_ASSERT_EQ(test, 0,
				iopt_access_pin(access, IOVA + PAGES(2),
						IOVA + PAGES(3) - 1, &page, 0));

	test_text_space(text, space->iopt, 1);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	test_text_area(text, IOVA, 4, 'w',
		       "state=live busy=0 orphan=0 domains=0 pins=2 users=0");
	test_text_pages(test, text, IOVA, uaddr, 4, true, 1, 1);
	seq_buf_printf(text, "  run 0+4 hole\n");
	seq_buf_printf(text,
		       "  pin 2 ram pfn=0x%lx count=2 all=2 owns=1 lost=0\n",
		       page_to_pfn(page));
	KUNIT_EXPECT_STREQ(test, test_text_of(text), test_view_text(test));

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

/*
 * The dump of a copy shows only the runs and pins of the slice that the copy
 * maps.
 */
static void view_of_a_copy(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8), copy = OTHER;
	struct seq_buf *text = test_text_alloc(test);
	struct iopt_access *access;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, IOVA, uaddr, 8));
	KUNIT_ASSERT_EQ(test, 0, iopt_copy(space->iopt, &copy, space->iopt,
					   IOVA + PAGES(2), PAGES(3), TEST_RW,
					   IOPT_MAP_FIXED));
	access = iopt_access_create(space->iopt, &test_no_unmap_ops, NULL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(access));
	KUNIT_ASSERT_EQ(test, 0, iopt_access_pin(access, IOVA + PAGES(1),
						 IOVA + PAGES(2) - 1, &page,
						 0));
	KUNIT_ASSERT_EQ(test, 0, iopt_access_pin(access, OTHER + PAGES(1),
						 OTHER + PAGES(2) - 1, &page,
						 0));

	test_text_space(text, space->iopt, 2);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	test_text_area(text, IOVA, 8, 'w',
		       "state=live busy=0 orphan=0 domains=0 pins=1 users=0");
	test_text_pages(test, text, IOVA, uaddr, 8, true, 2, 2);
	seq_buf_printf(text, "  run 0+8 hole\n");
	text_pin(test, text, uaddr, 1, 1);
	text_pin(test, text, uaddr, 3, 0);
	test_text_area(text, OTHER, 3, 'w',
		       "state=live busy=0 orphan=0 domains=0 pins=1 users=0");
	test_text_pages(test, text, OTHER, uaddr, 8, true, 2, 2);
	seq_buf_printf(text, "  run 2+3 hole\n");
	text_pin(test, text, uaddr, 3, 1);
	KUNIT_EXPECT_STREQ(test, test_text_of(text), test_view_text(test));

	KUNIT_EXPECT_EQ(test, 2, iopt_access_unpin(access, 0, ULONG_MAX));
	iopt_access_destroy(access);
}

/*
 * The dump of a space shows its domains, its usable and allowed IOVAs, and the
 * pages and runs of each area.
 */
static void view_of_areas_in_a_domain(struct kunit *test)
{
	struct seq_buf *text = test_text_alloc(test);

	test_view_areas(test, text);
	KUNIT_EXPECT_STREQ(test, test_text_of(text), test_view_text(test));
}

/* A dump ends even if a mapping ends at the last byte of the address space. */
static void view_ends_at_the_last_byte(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 1);
	struct seq_buf *text = test_text_alloc(test);

	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, -PAGE_SIZE, uaddr, 1));
	test_text_space(text, space->iopt, 1);
	seq_buf_printf(text, "usable 0x0-0x%lx\n", ULONG_MAX);
	test_text_area(text, -PAGE_SIZE, 1, 'w',
		       "state=live busy=0 orphan=0 domains=0 pins=0 users=0");
	test_text_pages(test, text, -PAGE_SIZE, uaddr, 1, true, 1, 0);
	seq_buf_printf(text, "  run 0+1 hole\n");
	KUNIT_EXPECT_STREQ(test, test_text_of(text), test_view_text(test));
}

static void view_to(struct kunit *test, struct iopt_view *view,
		    const char *prefix)
{
	do {
		KUNIT_ASSERT_TRUE(test, iopt_view_next(view));
	} while (strncmp(view->line, prefix, strlen(prefix)));
}

/* A dump names the accounting mode of each mapping. */
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
	text = test_view_text(test);
	for (account = 0; account != ARRAY_SIZE(names); account++)
		KUNIT_EXPECT_TRUE_MSG(test, strstr(text, names[account]),
				      "%s", names[account]);
}

/*
 * If an area is unmapped while its lines are being read, the dump continues
 * with the next area.
 */
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

	/*
	 * The dump continues above a removed area, so it does not show a
	 * shorter area that is mapped at the same IOVA meanwhile.
	 */
	view_to(test, &view, "  run ");
	KUNIT_EXPECT_EQ(test, 0, test_unmap(space->iopt, OTHER, 4));
	KUNIT_EXPECT_EQ(test, 0, test_map(space->iopt, OTHER, uaddr, 2));
	KUNIT_EXPECT_FALSE(test, iopt_view_next(&view));
	KUNIT_EXPECT_FALSE(test, iopt_view_next(&view));
}

/* A dump does not wait for an area that is being mapped. */
static void view_of_a_busy_area(struct kunit *test)
{
	struct test_space *space = test->priv;
	unsigned long uaddr = test_touched(test, 8);
	struct seq_buf *text = test_text_alloc(test);
	struct test_thread map;

	test_attach(test, space->mock[0]);
	KUNIT_ASSERT_EQ(test, 0, test_map(space->iopt, OTHER,
					  uaddr + PAGES(4), 4));
	test_thread_map_blocked(test, &map, space->mock[0], IOVA, uaddr, 4);

	test_text_space(text, space->iopt, 2);
	seq_buf_printf(text,
		       "domain 1 pgsizes=0x%lx aperture=0x0-0xffffffffffff open=1\n",
		       space->mock[0]->domain.pgsize_bitmap);
	seq_buf_printf(text, "usable 0x0-0xffffffffffff\n");
	test_text_area(text, IOVA, 4, 'w',
		       "state=building busy=1 orphan=0 domains=0 pins=0 users=0");
	seq_buf_printf(text, " pages %p busy\n", test_pages_at(test, IOVA));
	test_text_area(text, OTHER, 4, 'w',
		       "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	test_text_pages(test, text, OTHER, uaddr + PAGES(4), 4, true, 1, 4);
	test_text_runs(test, text, uaddr + PAGES(4), 4);
	KUNIT_EXPECT_STREQ(test, test_text_of(text), test_view_text(test));

	complete(&space->mock[0]->resume);
	KUNIT_EXPECT_EQ(test, 0, test_thread_join(&map));
}

#define LOG_LINE	300

static bool next_log_line(struct kmsg_dump_iter *log, char *line)
{
	size_t length;

	if (!kmsg_dump_get_line(log, false, line, LOG_LINE, &length))
		return false;
	/* Drop the newline. The length is 0 if the line does not fit. */
	line[length ? length - 1 : 0] = '\0';
	return true;
}

/*
 * iopt_dump() prints the lines that the iterator returns, possibly with lines
 * of other callers in between.
 */
static void dump_prints_the_view(struct kunit *test)
{
	struct seq_buf *text = test_text_alloc(test);
	struct test_space *space = test->priv;
	struct kmsg_dump_iter log;
	char *line, *next;
	char printed[LOG_LINE];

	if (!IS_ENABLED(CONFIG_PRINTK))
		kunit_skip(test, "needs CONFIG_PRINTK");
	test_view_areas(test, text);
	kmsg_dump_rewind(&log);
	while (next_log_line(&log, printed))
		;
	iopt_dump(space->iopt);
	for (line = (char *)test_text_of(text); *line; line = next + 1) {
		next = strchr(line, '\n');
		*next = '\0';
		do {
			KUNIT_ASSERT_TRUE(test, next_log_line(&log, printed));
		} while (!strstr(printed, "iopt: "));
		KUNIT_EXPECT_STREQ(test, line, strstr(printed, "iopt: ") + 6);
	}
}

static struct kunit_case dump_cases[] = {
	KUNIT_CASE(view_without_domain),
	KUNIT_CASE(view_of_a_copy),
	KUNIT_CASE(view_of_areas_in_a_domain),
	KUNIT_CASE(view_ends_at_the_last_byte),
	KUNIT_CASE(view_names_accounts),
	KUNIT_CASE(view_survives_unmap),
	KUNIT_CASE(view_of_a_busy_area),
	KUNIT_CASE(dump_prints_the_view),
	{}
};

static struct kunit_suite dump_suite = {
	.name = "iopt-dump",
	.init = test_space_init,
	.exit = test_space_exit,
	.test_cases = dump_cases,
};

kunit_test_suite(dump_suite);
