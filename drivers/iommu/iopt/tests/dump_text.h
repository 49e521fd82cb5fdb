/* SPDX-License-Identifier: GPL-2.0-only */
/* Helpers that read the dump of a space, and that build the expected text. */
#ifndef __IOPT_TEST_DUMP_TEXT_H
#define __IOPT_TEST_DUMP_TEXT_H

#include <kunit/test.h>
#include <linux/seq_buf.h>

#include "../pages.h"
#include "space.h"

struct seq_buf *test_text_alloc(struct kunit *test);
const char *test_text_of(struct seq_buf *text);
const char *test_view_text(struct kunit *test);
void test_text_space(struct seq_buf *text, struct io_pagetable *iopt,
		     unsigned int nr_areas);
void test_text_area(struct seq_buf *text, unsigned long iova,
		    unsigned long npages, char write, const char *rest);
struct iopt_pages *test_pages_at(struct kunit *test, unsigned long iova);
void test_text_pages(struct kunit *test, struct seq_buf *text,
		     unsigned long iova, unsigned long uaddr,
		     unsigned long npages, bool writable,
		     unsigned int shown, unsigned long charged);
void test_text_runs(struct kunit *test, struct seq_buf *text,
		    unsigned long uaddr, unsigned long npages);
void test_view_areas(struct kunit *test, struct seq_buf *text);

#endif /* __IOPT_TEST_DUMP_TEXT_H */
