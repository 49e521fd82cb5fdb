/* SPDX-License-Identifier: GPL-2.0-only */
/* Dumps of a space, for the kernel log and for debugfs. */
#ifndef __IOPT_DUMP_H
#define __IOPT_DUMP_H

#include <linux/types.h>

struct io_pagetable;

/*
 * Parts of a dump, in the order in which they are shown. IOPT_VIEW_PAGES and
 * the parts after it describe one area. They and the line of the area itself
 * are repeated for each area.
 */
enum iopt_view_part {
	IOPT_VIEW_SPACE,
	IOPT_VIEW_DOMAINS,
	IOPT_VIEW_USABLE,
	IOPT_VIEW_ALLOWED,
	IOPT_VIEW_AREAS,
	IOPT_VIEW_PAGES,
	IOPT_VIEW_RUNS,
	IOPT_VIEW_PINS,
};

/**
 * struct iopt_view - iterator over the lines of a dump
 * @iopt: the space
 * @part: part that the next line belongs to
 * @next: position in the part: a sequence number, an IOVA or a page index
 * @done: the part has no more lines
 * @start: first IOVA of the area that is being shown
 * @last: last IOVA of the area that is being shown
 * @line: the most recent line
 */
struct iopt_view {
	struct io_pagetable *iopt;
	enum iopt_view_part part;
	unsigned long next;
	bool done;
	unsigned long start;
	unsigned long last;
	char line[200];
};

void iopt_view_start(struct iopt_view *view, struct io_pagetable *iopt);
bool iopt_view_next(struct iopt_view *view);
void iopt_dump(struct io_pagetable *iopt);

#endif /* __IOPT_DUMP_H */
