// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifying accesses of an unmap, so that they stop using the areas.
 *
 * An access is notified by a call to iopt_access_ops.unmap. The front ends
 * forward the notification to the drivers of mediated devices (mdev).
 *
 * For each area with pinned pages, every access that has a callback is notified
 * at least once and up to iopt_policy.notices times, with no lock of the engine
 * held. The areas become dying before the last notification, so that pages
 * cannot be pinned after that notification. The unmap then waits until the
 * areas have no pins and no users.
 *
 * Running callbacks are counted for each access separately, so that
 * iopt_access_destroy() waits only for callbacks of the access that it
 * destroys.
 */
#include <linux/list.h>
#include <linux/sched.h>

#include "access.h"
#include "area.h"
#include "io_pagetable.h"
#include "notify.h"

/*
 * Notify all accesses that an area is being unmapped. Drops and retakes
 * iopt->lock for each callback.
 */
static void area_notify(struct io_pagetable *iopt, struct iopt_area *area)
{
	struct iopt_access *access;

	list_for_each_entry(access, &iopt->accesses, node) {
		if (!access->ops || access->closing)
			continue;
		access->nr_callbacks++;
		mutex_unlock(&iopt->lock);
		access->ops->unmap(access->data, area->start, area->last);
		mutex_lock(&iopt->lock);
		if (!--access->nr_callbacks && access->closing)
			iopt_wake_idle(iopt);
	}
}

static void areas_notify(struct io_pagetable *iopt, struct list_head *areas)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	lockdep_assert_held(&iopt->lock);
	list_for_each_entry(area, areas, node) {
		if (READ_ONCE(area->nr_pins))
			area_notify(iopt, area);
		iopt_lock_break(iopt, &steps);
	}
}

static void areas_set_dying(struct io_pagetable *iopt, struct list_head *areas)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	list_for_each_entry(area, areas, node) {
		area->state = IOPT_AREA_DYING;
		iopt_lock_break(iopt, &steps);
	}
}

static void areas_find_users(struct io_pagetable *iopt, struct list_head *areas,
			     bool *pinned, bool *used)
{
	unsigned int steps = 0;
	struct iopt_area *area;

	*pinned = false;
	*used = false;
	list_for_each_entry(area, areas, node) {
		*pinned = *pinned || READ_ONCE(area->nr_pins);
		*used = *used || area->nr_users;
		iopt_lock_break(iopt, &steps);
	}
}

/* Wait until a dying area, which accesses no longer find, is unused. */
static int area_wait_unused(struct io_pagetable *iopt, struct iopt_area *area)
{
	int rc = 0;

	while (!rc && (area->nr_users || READ_ONCE(area->nr_pins))) {
		/*
		 * The driver left without unpinning. Leak the pins: waiting for
		 * them would never end.
		 */
		if (!area->nr_users && WARN_ON_ONCE(list_empty(&iopt->accesses)))
			break;
		rc = iopt_wait_idle(iopt, TASK_KILLABLE);
	}
	return rc;
}

/**
 * iopt_areas_quiesce() - make all accesses stop using areas
 * @iopt: the space
 * @areas: list of areas, linked by iopt_area.node. All are dying, or quiescing
 *         if iopt_policy.notices is more than 1
 *
 * Context: process context, may block indefinitely (killable). @iopt->lock is
 * held, and dropped while accesses are notified and waited for.
 * Return: 0 if the areas are dying and no access uses them any more, or
 * * %-EINTR - A fatal signal is pending. The caller makes the areas live again.
 */
int iopt_areas_quiesce(struct io_pagetable *iopt, struct list_head *areas)
{
	unsigned int rounds = iopt->policy.notices;
	unsigned int steps = 0;
	struct iopt_area *area;
	bool pinned, used;
	unsigned long seen;
	int rc = 0;

	lockdep_assert_held(&iopt->lock);
	/*
	 * Each wait for users also uses up a round, so that the loop
	 * terminates.
	 */
	for (; rounds > 1; rounds--) {
		seen = iopt->idle_seq;
		areas_find_users(iopt, areas, &pinned, &used);
		if (!pinned && !used)
			break;
		if (pinned)
			areas_notify(iopt, areas);
		else
			rc = iopt_wait_idle_since(iopt, seen, TASK_KILLABLE);
		if (rc)
			return rc;
	}

	/*
	 * Accesses do not find dying areas, and a pin that is in progress
	 * fails. The last notification thus covers all pins that remain.
	 */
	areas_set_dying(iopt, areas);
	areas_notify(iopt, areas);
	list_for_each_entry(area, areas, node) {
		rc = area_wait_unused(iopt, area);
		if (rc)
			return rc;
		iopt_lock_break(iopt, &steps);
	}
	return 0;
}
