// SPDX-License-Identifier: GPL-2.0-only
/* Helpers that read the dump of a space, and that build the expected text. */
#include "../area.h"
#include "../dump.h"
#include "../io_pagetable.h"
#include "../pages.h"
#include "dump_text.h"

#define IOVA		0x100000000UL
#define OTHER		0x200000000UL
#define TEXT_MAX	(16 * PAGE_SIZE)

/* Allocate an empty text buffer, which is freed after the test case. */
struct seq_buf *test_text_alloc(struct kunit *test)
{
	struct seq_buf *text = kunit_kzalloc(test, sizeof(*text), GFP_KERNEL);
	char *buffer = kunit_kzalloc(test, TEXT_MAX, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, text);
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	seq_buf_init(text, buffer, TEXT_MAX);
	return text;
}

/* Terminate a text and return it. */
const char *test_text_of(struct seq_buf *text)
{
	text->buffer[min(text->len, text->size - 1)] = '\0';
	return text->buffer;
}

/* Return the whole dump of the space, as the iterator returns it. */
const char *test_view_text(struct kunit *test)
{
	struct test_space *space = test->priv;
	struct seq_buf *text = test_text_alloc(test);
	struct iopt_view view;

	iopt_view_start(&view, space->iopt);
	while (iopt_view_next(&view))
		seq_buf_printf(text, "%s\n", view.line);
	return test_text_of(text);
}

/* Append the expected first line of a dump. */
void test_text_space(struct seq_buf *text, struct io_pagetable *iopt,
		     unsigned int nr_areas)
{
	seq_buf_printf(text,
		       "space %lu areas=%u max_areas=4294967295 alignment=0x%lx max_iopte=0x40000000 tracking=0 untracked=0 orphans=0 lost=0\n",
		       iopt->id, nr_areas, PAGE_SIZE);
}

/* Append the expected line of an area, which ends with @rest. */
void test_text_area(struct seq_buf *text, unsigned long iova,
		    unsigned long npages, char write, const char *rest)
{
	seq_buf_printf(text, "area 0x%lx-0x%lx prot=r%c- %s\n", iova,
		       iova + PAGES(npages) - 1, write, rest);
}

/* Return the iopt_pages of the area that contains an IOVA. */
struct iopt_pages *test_pages_at(struct kunit *test, unsigned long iova)
{
	struct iopt_area *area = test_area_at(test->priv, iova);

	KUNIT_ASSERT_NOT_NULL(test, area);
	return area->pages;
}

/* Append the expected line about the iopt_pages of the area at @iova. */
void test_text_pages(struct kunit *test, struct seq_buf *text,
		     unsigned long iova, unsigned long uaddr,
		     unsigned long npages, bool writable,
		     unsigned int shown, unsigned long charged)
{
	seq_buf_printf(text,
		       " pages %p npages=%lu uaddr=0x%lx writable=%d shown=%u charged=%lu payer=%d account=user\n",
		       test_pages_at(test, iova), npages, uaddr, writable,
		       shown, charged, task_tgid_nr(current));
}

/*
 * Append the expected lines of runs, derived from the page table of the
 * process.
 */
void test_text_runs(struct kunit *test, struct seq_buf *text,
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

/* Attach a domain, map two areas, and append the expected dump of the space. */
void test_view_areas(struct kunit *test, struct seq_buf *text)
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

	test_text_space(text, space->iopt, 2);
	seq_buf_printf(text,
		       "domain 1 pgsizes=0x%lx aperture=0x0-0xffffffffffff open=1\n",
		       space->mock[0]->domain.pgsize_bitmap);
	seq_buf_printf(text, "usable 0x0-0xffffffffffff\n");
	seq_buf_printf(text, "allowed 0x%lx-0x%lx\n", allowed.start,
		       allowed.last);
	test_text_area(text, IOVA, 8, 'w',
		       "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	test_text_pages(test, text, IOVA, uaddr, 8, true, 1, 8);
	test_text_runs(test, text, uaddr, 8);
	test_text_area(text, OTHER, 4, '-',
		       "state=live busy=0 orphan=0 domains=1 pins=0 users=0");
	test_text_pages(test, text, OTHER, other, 4, false, 1, 4);
	test_text_runs(test, text, other, 4);
}
