// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pinning and faulting in pages without holding iopt_pages.mutex.
 *
 * iopt_pages.mutex is dropped to pin pages and to fault them in, unless no
 * other caller can find the iopt_pages yet. A caller claims the indexes of a
 * batch before it pins them, to keep other callers from pinning the same pages.
 */
#include <linux/mutex.h>
#include <linux/wait_bit.h>

#include "gup.h"
#include "pages.h"
#include "pages_pin.h"

static void claim_end(struct iopt_pages *pages, struct iopt_page_claim *claim)
{
	lockdep_assert_held(&pages->mutex);
	hlist_del(&claim->node);
	if (pages->nr_waiting) {
		WRITE_ONCE(pages->nr_ended, pages->nr_ended + 1);
		/* Pairs with set_current_state() in the waiter. */
		smp_mb();
		wake_up_var(&pages->nr_ended);
	}
}

/**
 * iopt_pages_unclaimed() - find indexes that no other caller has claimed
 * @pages: the pages
 * @first: first index
 * @last: last index; lowered to the index before the next claim, if any
 *
 * Context: @pages->mutex is held.
 * Return: true if @first is not claimed, otherwise false.
 */
bool iopt_pages_unclaimed(struct iopt_pages *pages, unsigned long first,
			  unsigned long *last)
{
	struct iopt_page_claim *claim;

	lockdep_assert_held(&pages->mutex);
	hlist_for_each_entry(claim, &pages->claims, node) {
		if (claim->last < first || claim->first > *last)
			continue;
		if (claim->first <= first)
			return false;
		*last = claim->first - 1;
	}
	return true;
}

/**
 * iopt_pages_wait() - wait until a claim ends
 * @pages: the pages
 *
 * The wait is usually short, because missing pages are faulted in without a
 * claim; see gup.c for the exceptions.
 *
 * Context: @pages->mutex is held, and dropped while the function waits. It is
 * held again on return. A fatal signal ends the wait, so the caller checks for
 * one before it waits again.
 */
void iopt_pages_wait(struct iopt_pages *pages)
{
	unsigned int seen = pages->nr_ended;

	lockdep_assert_held(&pages->mutex);
	pages->nr_waiting++;
	mutex_unlock(&pages->mutex);
	wait_var_event_killable(&pages->nr_ended,
				READ_ONCE(pages->nr_ended) != seen);
	mutex_lock(&pages->mutex);
	pages->nr_waiting--;
}

/**
 * iopt_pages_pin() - pin pages that no other caller has claimed
 * @pages: the pages
 * @first: first index
 * @last: last index; see iopt_pages_unclaimed()
 * @batch: receives the pages, which the caller must record before it drops
 *         @pages->mutex
 *
 * Context: process context, may block like iopt_gup(). @pages->mutex is held.
 * Unless @batch->alone is set, it is dropped to pin the pages and retaken
 * afterwards.
 * Return: see iopt_gup().
 */
long iopt_pages_pin(struct iopt_pages *pages, unsigned long first,
		    unsigned long last, struct iopt_batch *batch)
{
	struct iopt_page_claim claim = { .first = first, .last = last };
	long nr;

	if (batch->alone)
		return iopt_gup(pages, first, last + 1 - first, batch);
	hlist_add_head(&claim.node, &pages->claims);
	mutex_unlock(&pages->mutex);
	nr = iopt_gup(pages, first, last + 1 - first, batch);
	mutex_lock(&pages->mutex);
	claim_end(pages, &claim);
	return nr;
}

/**
 * iopt_pages_fault_in() - fault in pages that iopt_pages_pin() could not pin
 * @pages: the pages
 * @first: first index
 * @last: last index
 * @faults: number of consecutive calls without progress, incremented. The
 *          caller resets it to 0 when any caller has pinned some of the pages
 * @batch: the batch that was passed to iopt_pages_pin()
 *
 * Context: see iopt_fault_in(). @pages->mutex is held. Unless @batch->alone is
 * set, it is dropped while pages are faulted in and retaken afterwards.
 * Return: see iopt_fault_in(); also -EFAULT if @faults has reached
 * %IOPT_FAULTS_MAX.
 */
int iopt_pages_fault_in(struct iopt_pages *pages, unsigned long first,
			unsigned long last, unsigned int *faults,
			const struct iopt_batch *batch)
{
	int rc;

	if ((*faults)++ == IOPT_FAULTS_MAX)
		return -EFAULT;
	if (batch->alone)
		return iopt_fault_in(pages, first, last + 1 - first);
	mutex_unlock(&pages->mutex);
	rc = iopt_fault_in(pages, first, last + 1 - first);
	mutex_lock(&pages->mutex);
	return rc;
}
