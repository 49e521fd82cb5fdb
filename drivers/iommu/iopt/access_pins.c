// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records of pages that accesses have pinned.
 *
 * Each page that an access has pinned has a list of pin records. For each
 * mapping through which the page is pinned, each access that owns its pins has
 * its own record, and all other accesses share one. A record counts pins, and
 * the first record of a page also contains the pfn. While a holder has the page
 * pinned too, the reference to the page and the charge belong to the holder.
 * Both are transferred to the first record when the last holder is removed, and
 * back to a holder when one is added again.
 *
 * An access therefore keeps the same page until it removes its last pin, even
 * if the process remaps its memory or domains are attached and detached. A page
 * of an iopt_pages is pinned and charged only once, however many holders and
 * records it has.
 *
 * An unpin does not affect the pins of another mapping, nor those of another
 * access that owns its pins.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "access_pins.h"
#include "account.h"
#include "gup.h"
#include "pages.h"
#include "pages_pin.h"
#include "runs_packed.h"
#include "trace.h"

/* Number of records to allocate together: a call may need one for each page. */
#define PINS_AT_ONCE	16

/**
 * struct pins_call - a call of iopt_pins_add() in progress
 * @batch: pages that are being pinned
 * @faults: number of consecutive faults without progress
 * @nr_spare: number of records in @spare
 * @spare: allocated records that are not in use yet
 */
struct pins_call {
	struct iopt_batch batch;
	unsigned int faults;
	unsigned int nr_spare;
	void *spare[PINS_AT_ONCE];
};

struct kmem_cache *iopt_pin_cache;

/*
 * Unpin and uncharge the page of a record that is being removed, if the record
 * owns the page. Returns 1 if the page is lost and therefore stays pinned,
 * otherwise 0.
 */
static unsigned long pin_release(struct iopt_pages *pages, unsigned long index,
				 const struct iopt_pin *pin)
{
	const struct iopt_run run = {
		.pfn = pin->pfn,
		.kind = pin->kind,
		.lost = pin->lost,
	};
	bool charged = pin->kind == IOPT_RUN_RAM;
	bool lost = iopt_run_is_lost(&run);

	if (!pin->owns)
		return 0;
	if (charged)
		pages->nr_charged--;
	trace_iopt_unpin(pages, index, index, charged && !lost, lost);
	if (lost)
		return 1;
	iopt_unpin_run(&run, 0, 1, pages->writable);
	iopt_uncharge(pages->payer, charged);
	return 0;
}

/* Find the record of one pinner in the list of records of a page. */
static struct iopt_pin *pin_by(struct iopt_pin *pin, struct iopt_pinner pinner)
{
	while (pin && (pin->by != pinner.nr_pins || pin->owner != pinner.owner))
		pin = pin->next;
	return pin;
}

/*
 * Make a record for @pinner. Up to @nr more are allocated with it, for later
 * pages of the call. Returns NULL if there is no memory.
 */
static struct iopt_pin *pin_make(struct pins_call *call,
				 struct iopt_pages *pages, unsigned long nr,
				 struct iopt_pinner pinner)
{
	struct iopt_pin *pin;

	if (!call->nr_spare)
		call->nr_spare =
			kmem_cache_alloc_bulk(iopt_pin_cache,
					      pages->gfp | __GFP_ZERO,
					      min_t(unsigned long, nr + 1,
						    PINS_AT_ONCE),
					      call->spare);
	if (!call->nr_spare)
		return NULL;
	pin = call->spare[--call->nr_spare];
	pin->by = pinner.nr_pins;
	pin->owner = pinner.owner;
	pin->count = 1;
	return pin;
}

/*
 * Store @pin as the first record of the page at @index, which is the first page
 * of @run. @owns is true if no holder has the page pinned. On failure, @pin is
 * freed.
 */
static int pin_store(struct iopt_pages *pages, unsigned long index,
		     struct iopt_pin *pin, const struct iopt_run *run,
		     bool owns)
{
	int rc;

	pin->pfn = run->pfn;
	pin->kind = run->kind;
	pin->owns = owns;
	rc = xa_err(xa_store(&pages->pins, index, pin, pages->gfp));
	if (rc)
		kmem_cache_free(iopt_pin_cache, pin);
	return rc;
}

/*
 * Pin a page that an access or a holder has pinned already. @nr is the number
 * of pages that the call has yet to pin after this one.
 */
static int pin_again(struct pins_call *call, struct iopt_pages *pages,
		     unsigned long index, unsigned long nr,
		     struct iopt_pinner pinner, const struct iopt_run *run,
		     struct page **page)
{
	struct iopt_pin *head = xa_load(&pages->pins, index);
	struct iopt_pin *pin = pin_by(head, pinner);
	unsigned int *nr_pins = pinner.nr_pins;
	int rc = 0;

	if (*nr_pins == UINT_MAX)
		return -EOVERFLOW;
	if (!head && run->kind == IOPT_RUN_PFNMAP)
		return -EINVAL;
	if (pin) {
		pin->count++;
	} else {
		pin = pin_make(call, pages, nr, pinner);
		if (!pin)
			return -ENOMEM;
		if (head) {
			pin->next = head->next;
			head->next = pin;
		} else {
			rc = pin_store(pages, index, pin, run, false);
		}
	}
	if (rc)
		return rc;
	WRITE_ONCE(*nr_pins, *nr_pins + 1);
	*page = pfn_to_page(head ? head->pfn : run->pfn);
	return 0;
}

/*
 * Add records that own the pages of a batch. @done receives the number of
 * records added, even on failure.
 */
static int pins_record(struct pins_call *call, struct iopt_pages *pages,
		       struct iopt_pinner pinner, unsigned long first,
		       struct page **out, unsigned long *done)
{
	unsigned int *nr_pins = pinner.nr_pins, i = 0;
	struct iopt_batch *batch = &call->batch;
	struct iopt_run run;
	int rc = 0;

	for (*done = 0; *done != batch->runs.npages; ++*done) {
		struct iopt_pin *pin;

		if (*done == run_batch_end(&batch->runs, i))
			i++;
		run.kind = packed_kind(batch->runs.packed[i]);
		if (run.kind == IOPT_RUN_PFNMAP)
			return -EINVAL;
		if (*nr_pins == UINT_MAX)
			return -EOVERFLOW;
		pin = pin_make(call, pages, batch->runs.npages - *done - 1,
			       pinner);
		if (!pin)
			return -ENOMEM;
		run.pfn = page_to_pfn(batch->pages[*done]);
		rc = pin_store(pages, first + *done, pin, &run, true);
		if (rc)
			return rc;
		WRITE_ONCE(*nr_pins, *nr_pins + 1);
		pages->nr_charged += run.kind == IOPT_RUN_RAM;
		out[*done] = batch->pages[*done];
	}
	return 0;
}

/*
 * Pin the start of a range in which no page is pinned. Drops and reacquires
 * pages->mutex. @done must be 0 on entry and receives the number of pages
 * pinned. It stays 0 on success if the first page was not present and has been
 * faulted in: the caller then retries.
 */
static int pins_fill_hole(struct pins_call *call, struct iopt_pages *pages,
			  struct iopt_pinner pinner, unsigned long first,
			  unsigned long last, struct page **out,
			  unsigned long *done)
{
	struct iopt_batch *batch = &call->batch;
	long nr = iopt_pages_pin(pages, first, last, batch);
	int rc;

	/* RLIMIT_MEMLOCK may have room for one page, but not for the batch. */
	if (nr == -ENOMEM && first != last)
		nr = iopt_pages_pin(pages, first, first, batch);
	if (nr < 0)
		return nr;
	if (!nr)
		return iopt_pages_fault_in(pages, first, last, &call->faults,
					   batch);
	rc = pins_record(call, pages, pinner, first, out, done);
	if (rc)
		iopt_batch_undo(pages, batch, *done);
	return rc;
}

/*
 * Pin the start of a range in which some pages may be pinned already. May drop
 * and reacquire pages->mutex. @done receives the number of pages pinned. If it
 * is 0 on success, the caller retries.
 */
static int pins_step(struct pins_call *call, struct iopt_pages *pages,
		     struct iopt_pinner pinner, unsigned long first,
		     unsigned long last, struct page **out, unsigned long *done)
{
	unsigned long index;
	struct iopt_run_iter iter;
	struct iopt_pin *pin;
	struct iopt_run run;
	int rc;

	*done = 0;
	iopt_run_iter_start(&iter, &pages->runs, first, last);
	iopt_run_iter_next(&iter, &run);
	pin = iopt_pins_first(pages, first, last, &index);
	if ((pin && index == first) || run.kind != IOPT_RUN_HOLE) {
		rc = pin_again(call, pages, first, last - first, pinner, &run,
			       out);
		*done = !rc;
		return rc;
	}

	last = min(run.index + run.count - 1, first + call->batch.max - 1);
	if (pin)
		last = min(last, index - 1);
	if (!iopt_pages_unclaimed(pages, first, &last)) {
		iopt_pages_wait(pages);
		return 0;
	}
	return pins_fill_hole(call, pages, pinner, first, last, out, done);
}

/*
 * Remove @pin, a record with a count of 0, from the list of records that starts
 * at @head. If it is the only record of the page, unpin and uncharge the page,
 * provided that the record owns it. Returns 1 if the page is lost and stays
 * pinned, otherwise 0.
 */
static unsigned long pin_forget(struct iopt_pages *pages, unsigned long index,
				struct iopt_pin *head, struct iopt_pin *pin)
{
	struct iopt_pin *next = head->next;
	unsigned long lost = 0;

	if (pin == head && next) {
		/*
		 * The first record describes the page and has to stay: copy the
		 * second record into it, and remove the second.
		 */
		head->by = next->by;
		head->owner = next->owner;
		head->count = next->count;
		head->next = next->next;
		pin = next;
	} else if (pin == head) {
		xa_erase(&pages->pins, index);
		lost = pin_release(pages, index, pin);
	} else {
		while (head->next != pin)
			head = head->next;
		head->next = pin->next;
	}
	kmem_cache_free(iopt_pin_cache, pin);
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
		cond_resched();
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
 * iopt_pins_add() - pin pages for an access
 * @pages: the pages
 * @pinner: the mapping, and the access if it owns its pins. The pin counter of
 *          the mapping is protected by @pages->mutex
 * @first: index of the first page
 * @npages: number of pages, at least 1
 * @out: receives the pages. On failure, entries up to and including that of the
 *       page that could not be pinned are set to NULL
 * @done: receives the number of pages pinned. On failure, the number that had
 *        been pinned before the rollback
 * @lost: on failure, incremented by the number of pages that stay pinned
 *        permanently
 *
 * Context: process context. Takes @pages->mutex killably. May block
 * indefinitely (killable), without the mutex, while a page is faulted in.
 * Return: 0, or
 * * %-EINVAL - A page has no struct page.
 * * %-EOVERFLOW - The pin counter of the mapping would overflow.
 * * Another errno of iopt_gup() or iopt_fault_in().
 *
 * On failure no pin of this call remains.
 */
int iopt_pins_add(struct iopt_pages *pages, struct iopt_pinner pinner,
		  unsigned long first, unsigned long npages, struct page **out,
		  unsigned long *done, unsigned long *lost)
{
	unsigned long i = 0, nr;
	struct pins_call call __uninitialized;
	int rc;

	*done = 0;
	call.faults = 0;
	call.nr_spare = 0;
	rc = iopt_batch_init(&call.batch, npages, pages->gfp);
	if (rc) {
		*out = NULL;
		return rc;
	}
	rc = mutex_lock_killable(&pages->mutex);
	if (rc)
		goto out;
	while (!rc && i != npages) {
		if (fatal_signal_pending(current)) {
			rc = -EINTR;
			break;
		}
		rc = pins_step(&call, pages, pinner, first + i,
			       first + npages - 1, out + i, &nr);
		if (nr)
			call.faults = 0;
		i += nr;
		cond_resched();
	}
	if (rc && i)
		pins_remove(pages, pinner, first, i, false, lost);
	iopt_pages_unlock(pages);
	*done = i;
out:
	if (rc)
		memset(out, 0, (i + 1) * sizeof(*out));
	if (call.nr_spare)
		kmem_cache_free_bulk(iopt_pin_cache, call.nr_spare, call.spare);
	iopt_batch_free(&call.batch);
	return rc;
}

/**
 * iopt_pins_remove() - unpin pages of an access
 * @pages: the pages
 * @pinner: the access and the mapping
 * @first: index of the first page
 * @npages: number of pages, at least 1. Pages that @pinner has not pinned are
 *          skipped
 * @all: remove all pins of @pinner from each page instead of one
 * @lost: incremented by the number of pages that stay pinned permanently,
 *        because a device may still reach them
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 * Return: the number of pins removed.
 */
unsigned long iopt_pins_remove(struct iopt_pages *pages,
			       struct iopt_pinner pinner, unsigned long first,
			       unsigned long npages, bool all,
			       unsigned long *lost)
{
	unsigned long nr;

	mutex_lock(&pages->mutex);
	nr = pins_remove(pages, pinner, first, npages, all, lost);
	iopt_pages_unlock(pages);
	return nr;
}

/**
 * iopt_pins_any() - check whether a pinner has pinned any page of a range
 * @pages: the pages
 * @pinner: the access and the mapping
 * @first: index of the first page
 * @npages: number of pages, at least 1
 *
 * Context: process context, may sleep. Takes @pages->mutex.
 * Return: true if @pinner has pinned a page of the range, otherwise false.
 */
bool iopt_pins_any(struct iopt_pages *pages, struct iopt_pinner pinner,
		   unsigned long first, unsigned long npages)
{
	struct iopt_pin *pin = NULL;
	unsigned long index;

	mutex_lock(&pages->mutex);
	xa_for_each_range(&pages->pins, index, pin, first, first + npages - 1) {
		if (pin_by(pin, pinner))
			break;
		cond_resched();
	}
	mutex_unlock(&pages->mutex);
	return pin;
}

/**
 * iopt_pins_first() - find the first page with a pin record in a range
 * @pages: the pages
 * @first: first index of the range
 * @last: last index of the range
 * @index: receives the index of the page
 *
 * Context: @pages->mutex is held.
 * Return: the first record of the page, or NULL if there is none.
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
