// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limit on the size of I/O pages.
 *
 * A new limit takes effect when an area is next added to a domain; see
 * iopt_area_program(). I/O pages that domains already contain do not change.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "io_pagetable.h"
#include "reserve.h"

/*
 * While the space has both areas and domains, the limit can be lowered only if
 * the policy permits larger I/O pages to remain.
 */
static bool limit_is_possible(struct io_pagetable *iopt, unsigned long bytes)
{
	lockdep_assert_held(&iopt->lock);
	return bytes >= iopt->max_iopte || iopt->policy.mixed_iopte ||
	       !iopt->nr_areas || list_empty(&iopt->domains);
}

/**
 * iopt_set_max_iopte() - limit the size of I/O pages
 * @iopt: the space
 * @bytes: size in bytes of the largest I/O page that may be used from now on, a
 *         power of two, at least the page size
 *
 * If all page sizes of a domain exceed @bytes, the smallest of them is used. If
 * @bytes is the page size, mappings have to be page aligned.
 *
 * Context: process context. May wait killably for mappings that are not page
 * aligned and are being built or torn down.
 * Return: 0, or
 * * %-EINVAL - @bytes is not a power of two or is less than the page size.
 * * %-EADDRINUSE - @bytes is the page size, and a mapping is not page aligned.
 * * %-EINTR - A fatal signal is pending.
 * * %-EBUSY - @bytes is below the current limit, iopt_policy.mixed_iopte is not
 *   set, and the space has both domains and mappings, so a domain may contain
 *   larger I/O pages.
 */
int iopt_set_max_iopte(struct io_pagetable *iopt, unsigned long bytes)
{
	int rc = 0;

	if (!is_power_of_2(bytes) || bytes < PAGE_SIZE)
		return -EINVAL;
	mutex_lock(&iopt->lock);
	if (!limit_is_possible(iopt, bytes))
		rc = -EBUSY;
	else if (bytes == PAGE_SIZE)
		rc = iopt_raise_alignment(iopt, PAGE_SIZE);
	/* The lock may have been dropped meanwhile. */
	if (!rc && !limit_is_possible(iopt, bytes))
		rc = -EBUSY;
	if (!rc)
		WRITE_ONCE(iopt->max_iopte, bytes);
	iopt_update_alignment(iopt);
	mutex_unlock(&iopt->lock);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iopt_set_max_iopte, IOPT);

/**
 * iopt_max_iopte() - query the limit on the size of I/O pages
 * @iopt: the space
 *
 * Context: any context; the result may be outdated when it is returned.
 * Return: the limit in bytes, %IOPT_MAX_IOPTE unless iopt_set_max_iopte() has
 * changed it.
 */
unsigned long iopt_max_iopte(struct io_pagetable *iopt)
{
	return READ_ONCE(iopt->max_iopte);
}
EXPORT_SYMBOL_NS_GPL(iopt_max_iopte, IOPT);
