// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for an area of a space to become idle.
 *
 * An area becomes idle when it stops being busy or working, when it is removed,
 * or when a call stops using it.
 *
 * A caller that finds a conflicting area, such as one that an unmap is tearing
 * down, sleeps until an area of the space becomes idle. It then restarts its
 * lookup, because any area may have changed during the wait. Some other events
 * also wake up waiters; see io_pagetable.idle_seq.
 */
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include <linux/wait.h>

#include "io_pagetable.h"

/**
 * iopt_wait_idle_since() - wait until an area has become idle since @seen
 * @iopt: the space
 * @seen: value of io_pagetable.idle_seq when the caller started its lookup
 * @state: %TASK_KILLABLE, or %TASK_UNINTERRUPTIBLE for callers that cannot
 *         fail. Such a caller may wait for callbacks and for work that unpins
 *         pages, but not for work that pins pages
 *
 * Context: @iopt->lock is held, and dropped while waiting.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending.
 *
 * The lock is held again in both cases.
 */
int iopt_wait_idle_since(struct io_pagetable *iopt, unsigned long seen,
			 unsigned int state)
{
	int rc;

	lockdep_assert_held(&iopt->lock);
	mutex_unlock(&iopt->lock);
	rc = wait_event_state(iopt->idle, READ_ONCE(iopt->idle_seq) != seen,
			      state);
	mutex_lock(&iopt->lock);
	return rc ? -EINTR : 0;
}

/**
 * iopt_wait_idle() - wait until an area becomes idle
 * @iopt: the space
 * @state: see iopt_wait_idle_since()
 *
 * Context: @iopt->lock is held, and has been since the caller found the area
 * that it waits for. The lock is dropped while waiting.
 * Return: 0, or
 * * %-EINTR - A fatal signal is pending.
 *
 * The lock is held again in both cases.
 */
int iopt_wait_idle(struct io_pagetable *iopt, unsigned int state)
{
	return iopt_wait_idle_since(iopt, iopt->idle_seq, state);
}

/**
 * iopt_wake_idle() - wake up all waiters after areas have become idle
 * @iopt: the space
 *
 * Context: @iopt->lock is held.
 */
void iopt_wake_idle(struct io_pagetable *iopt)
{
	lockdep_assert_held(&iopt->lock);
	WRITE_ONCE(iopt->idle_seq, iopt->idle_seq + 1);
	if (wq_has_sleeper(&iopt->idle))
		wake_up_all(&iopt->idle);
}
