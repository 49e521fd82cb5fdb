// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that accesses have pinned, and what happens when holders come and go.
 *
 * Each such page has a record of its own: which page it is and how often it was
 * pinned, by which mapping and, if that owns its pins, by which access. As long
 * as a holder has it pinned too, the pin is the holder's. When the last holder
 * leaves, the pin and its charge pass to the record, and when one comes again,
 * he takes the page that the record has.
 *
 * Rule: until the last unpin it is the same page, whatever the process does to
 * its memory and whoever comes and goes; and a page is pinned and charged once.
 * By one mapping nobody unpins what was pinned by another one, nor one access
 * what another one owns.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "pages.h"
#include "trace.h"

/* What is known about a page: from a holder, or by pinning it now. */
static int pin_find_page(struct iopt_pages *pages, unsigned long index,
			 struct iopt_pin *pin)
{
	unsigned long nr_charged = 0;
	struct iopt_runs fresh = {};
	struct iopt_run_iter iter;
	struct iopt_run run;
	int rc;

	iopt_run_iter_start(&iter, &pages->runs, index, index);
	iopt_run_iter_next(&iter, &run);
	if (run.kind == IOPT_RUN_HOLE) {
		rc = iopt_gup(pages, index, 1, &fresh, &nr_charged);
		if (rc)
			return rc;
		iopt_run_iter_start(&iter, &fresh, 0, 0);
		iopt_run_iter_next(&iter, &run);
		iopt_runs_free(&fresh);
		pin->owns = true;
	}
	/* Of which nothing is pinned or charged. */
	if (run.kind == IOPT_RUN_PFNMAP)
		return -EINVAL;
	pages->nr_charged += nr_charged;
	pin->pfn = run.pfn;
	pin->kind = run.kind;
	return 0;
}

/* Give back what pin_find_page() has pinned, or what a holder left. */
static unsigned long pin_release(struct iopt_pages *pages, unsigned long index,
				 const struct iopt_pin *pin, bool dirty)
{
	const struct iopt_run run = { .pfn = pin->pfn, .kind = pin->kind };
	bool charged = pin->kind == IOPT_RUN_RAM;

	if (!pin->owns)
		return 0;
	if (charged)
		pages->nr_charged--;
	trace_iopt_unpin(pages, index, index, charged && !pin->lost, pin->lost);
	if (pin->lost)
		return 1;
	iopt_unpin_run(&run, 0, 1, dirty);
	if (charged)
		iopt_uncharge(pages->payer, 1);
	return 0;
}

/* The record of what one pinner has pinned of a page, in a list of them. */
static struct iopt_pin *pin_by(struct iopt_pin *pin, struct iopt_pinner pinner)
{
	while (pin && (pin->by != pinner.nr_pins || pin->owner != pinner.owner))
		pin = pin->next;
	return pin;
}

/* Make the first record of a page, or one more after @head. */
static int pin_make(struct iopt_pages *pages, unsigned long index,
		    struct iopt_pin *head, struct iopt_pinner pinner)
{
	struct iopt_pin *pin = kzalloc(sizeof(*pin), pages->gfp);
	int rc;

	if (!pin)
		return -ENOMEM;
	pin->by = pinner.nr_pins;
	pin->owner = pinner.owner;
	pin->count = 1;
	if (head) {
		pin->next = head->next;
		head->next = pin;
		return 0;
	}

	rc = xa_err(xa_store(&pages->pins, index, pin, pages->gfp));
	if (rc)
		goto err_free;
	rc = pin_find_page(pages, index, pin);
	if (rc)
		goto err_erase;
	return 0;

err_erase:
	xa_erase(&pages->pins, index);
err_free:
	kfree(pin);
	return rc;
}

static int pin_add(struct iopt_pages *pages, unsigned long index,
		   struct iopt_pinner pinner, struct page **page)
{
	struct iopt_pin *head = xa_load(&pages->pins, index);
	struct iopt_pin *pin = pin_by(head, pinner);
	unsigned int *nr_pins = pinner.nr_pins;
	int rc = 0;

	if (*nr_pins == UINT_MAX)
		return -EOVERFLOW;
	if (pin)
		pin->count++;
	else
		rc = pin_make(pages, index, head, pinner);
	if (rc)
		return rc;
	WRITE_ONCE(*nr_pins, *nr_pins + 1);
	head = xa_load(&pages->pins, index);
	*page = pfn_to_page(head->pfn);
	return 0;
}

/* Take a record whose count is 0 out of its page's; the last one unpins. */
static unsigned long pin_forget(struct iopt_pages *pages, unsigned long index,
				struct iopt_pin *head, struct iopt_pin *pin)
{
	struct iopt_pin *next = head->next;
	unsigned long lost = 0;

	if (pin == head && next) {
		/* The first one tells which page it is: let the next go. */
		head->by = next->by;
		head->owner = next->owner;
		head->count = next->count;
		head->next = next->next;
		pin = next;
	} else if (pin == head) {
		xa_erase(&pages->pins, index);
		lost = pin_release(pages, index, pin, pages->writable);
	} else {
		while (head->next != pin)
			head = head->next;
		head->next = pin->next;
	}
	kfree(pin);
	return lost;
}

static unsigned long pins_remove(struct iopt_pages *pages,
				 struct iopt_pinner pinner, unsigned long first,
				 unsigned long npages, bool all,
				 unsigned long *lost)
{
	unsigned int *nr_pins = pinner.nr_pins, count;
	struct iopt_pin *head, *pin;
	unsigned long index, nr = 0;

	lockdep_assert_held(&pages->mutex);
	xa_for_each_range(&pages->pins, index, head, first,
			  first + npages - 1) {
		pin = pin_by(head, pinner);
		if (!pin)
			continue;
		count = all ? pin->count : 1;
		nr += count;
		pin->count -= count;
		if (!pin->count)
			*lost += pin_forget(pages, index, head, pin);
	}
	WRITE_ONCE(*nr_pins, *nr_pins - nr);
	return nr;
}

/**
 * iopt_pins_add - pin pages for an access
 * @pages: the pages
 * @pinner: who pins; its counter is protected by @pages->mutex
 * @first: index of the first one
 * @npages: how many, at least 1
 * @out: receives each page, on failure NULL up to the one that could not be
 *       pinned
 * @done: receives how many were pinned, on failure for a while
 *
 * Context: process context, may sleep for long. Takes @pages->mutex, killably.
 * Return: 0, -EINVAL if a page has no struct page, -EOVERFLOW if there are too
 * many pins, or an errno of iopt_gup(). Nothing is pinned then.
 */
int iopt_pins_add(struct iopt_pages *pages, struct iopt_pinner pinner,
		  unsigned long first, unsigned long npages, struct page **out,
		  unsigned long *done)
{
	unsigned long i, lost = 0;
	int rc = 0;

	*done = 0;
	if (mutex_lock_killable(&pages->mutex))
		return -EINTR;
	for (i = 0; i != npages; i++) {
		rc = pin_add(pages, first + i, pinner, &out[i]);
		if (rc)
			break;
	}
	/* What was pinned just now was not lost meanwhile. */
	if (rc && i)
		pins_remove(pages, pinner, first, i, false, &lost);
	if (rc)
		memset(out, 0, (i + 1) * sizeof(*out));
	*done = i;
	mutex_unlock(&pages->mutex);
	return rc;
}

/**
 * iopt_pins_remove - unpin pages of an access
 * @pages: the pages
 * @pinner: who has pinned
 * @first: index of the first one
 * @npages: how many, at least 1; those that @pinner has not pinned are left
 *          alone
 * @all: as often as they are pinned, and not once
 * @lost: raised by the number of pages that stay pinned for ever, because a
 *        device may still reach them
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 * Return: how many pins were taken back.
 */
unsigned long iopt_pins_remove(struct iopt_pages *pages,
			       struct iopt_pinner pinner, unsigned long first,
			       unsigned long npages, bool all,
			       unsigned long *lost)
{
	unsigned long nr;

	mutex_lock(&pages->mutex);
	nr = pins_remove(pages, pinner, first, npages, all, lost);
	mutex_unlock(&pages->mutex);
	return nr;
}

/**
 * iopt_pins_any - is any of some pages pinned by somebody
 * @pages: the pages
 * @pinner: who
 * @first: index of the first one
 * @npages: how many, at least 1
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 * Return: whether it is.
 */
bool iopt_pins_any(struct iopt_pages *pages, struct iopt_pinner pinner,
		   unsigned long first, unsigned long npages)
{
	struct iopt_pin *pin = NULL;
	unsigned long index;

	mutex_lock(&pages->mutex);
	xa_for_each_range(&pages->pins, index, pin, first, first + npages - 1)
		if (pin_by(pin, pinner))
			break;
	mutex_unlock(&pages->mutex);
	return pin;
}

/**
 * iopt_pins_first - the first pinned page of some
 * @pages: the pages
 * @first: the first index to look at
 * @last: the last one
 * @index: receives the index of the page
 *
 * Context: @pages->mutex is held.
 * Return: the first record of the page, or NULL.
 */
struct iopt_pin *iopt_pins_first(struct iopt_pages *pages, unsigned long first,
				 unsigned long last, unsigned long *index)
{
	lockdep_assert_held(&pages->mutex);
	if (xa_empty(&pages->pins))
		return NULL;
	*index = first;
	return xa_find(&pages->pins, index, last, XA_PRESENT);
}

/**
 * iopt_pins_inherit - unpin a run, but for pages that accesses have pinned
 * @pages: the pages
 * @run: a run that no holder needs any more; of a lost one nothing is unpinned
 * @dirty: somebody may have written to it
 *
 * Context: process context, may sleep. @pages->mutex is held.
 * Return: how many pages passed to the records of accesses.
 */
unsigned long iopt_pins_inherit(struct iopt_pages *pages,
				const struct iopt_run *run, bool dirty)
{
	unsigned long last = run->index + run->count - 1;
	unsigned long first = run->index, index, nr = 0;
	struct iopt_pin *pin;

	while (first <= last &&
	       (pin = iopt_pins_first(pages, first, last, &index))) {
		if (!run->lost)
			iopt_unpin_run(run, first - run->index, index - first,
				       dirty);
		pin->owns = true;
		pin->lost = run->lost;
		first = index + 1;
		nr++;
	}
	if (!run->lost)
		iopt_unpin_run(run, first - run->index, last + 1 - first,
			       dirty);
	return nr;
}
