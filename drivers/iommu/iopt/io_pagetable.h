/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The I/O address space, its lock order, and the terms of the engine.
 *
 * Vocabulary:
 *   space     an I/O address space, struct io_pagetable
 *   area      one mapping, an IOVA interval that maps a slice of an iopt_pages
 *   busy      the area is owned by a caller that is mapping, unmapping or
 *             adopting it
 *   working   a thread is adding the area to domains, or removing it from them,
 *             without holding io_pagetable.lock
 *   idle      an area becomes idle when it stops being busy or working, when it
 *             is removed, or when a call stops using it
 *   claim     an IOVA interval in which an operation walks areas in batches
 *   holder    an area that keeps its slice pinned; see pages.h
 *   in        an area is in a domain if the domain translates it
 *   open      a domain is open if new areas must be added to it: it is attached
 *             and not being detached
 *   orphan    an area that maps memory which has moved to another process or
 *             address; see adopt.c
 *   hole      unmapped IOVAs between two adjacent areas
 */
#ifndef __IOPT_IO_PAGETABLE_H
#define __IOPT_IO_PAGETABLE_H

#include <linux/idr.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

struct dentry;
struct iopt_area;
struct iopt_payer;

/**
 * struct io_pagetable - one I/O address space
 * @id: number of the space for debugging, never reused
 * @attach_mutex: serialises attach and detach of domains, iopt_orphan() and
 *                iopt_adopt()
 * @lock: protects the state, marks, users and dirty bitmap of each area, and
 *        the members below, except where another protection is stated. A loop
 *        of user-controlled length holds @lock for at most %IOPT_MAX_STEPS
 *        steps, unless a comment gives a reason to hold it longer
 * @areas: all &struct iopt_area, sorted by IOVA
 * @highest: the area with the highest IOVA, or NULL
 * @nr_areas: number of areas in @areas
 * @reserved: all &struct iopt_interval that must not be mapped, sorted by IOVA
 * @allowed: all &struct iopt_interval that must not be reserved, sorted by
 *           IOVA. The engine chooses IOVAs in them only, or anywhere if the
 *           tree is empty
 * @claims: all &struct iopt_claim, which do not overlap
 * @nr_claimed: number of areas still to be inserted by maps with a claim
 * @nr_inserting: number of maps with a claim that are inserting areas without a
 *                dirty bitmap [0] and with a dirty bitmap [1]
 * @nr_publishing: number of maps that are making their areas live; no
 *                 domain is opened while it is not 0
 * @nr_breaks: number of times that a long loop dropped @lock, for tests
 * @filling: the area that attach is pinning or programming, or NULL
 * @domains: all &struct iopt_domain, sorted by iopt_domain.seq; modified under
 *           @lock, also read under RCU
 * @next_seq: iopt_domain.seq of the next domain; protected by @attach_mutex
 * @iova_alignment: see iopt_iova_alignment()
 * @nr_raising: number of calls that check whether @iova_alignment can be raised
 * @raising: the highest alignment that these calls check, or 0
 * @nr_pinners: number of accesses that can pin pages
 * @pgsizes: see iopt_pgsizes()
 * @idle_seq: incremented when an area that a caller may be waiting for becomes
 *            idle, when a claim ends, when an access is destroyed, and when
 *            the last callback of an access that is being destroyed returns
 * @idle: wait queue for changes of @idle_seq
 * @policy: options of the front end, which do not change
 * @max_iopte: size of the largest I/O page in bytes (see iopt_set_max_iopte());
 *             written under @lock, also read without it
 * @accesses: all &struct iopt_access
 * @owners: allocated numbers of accesses that own their pins, starting at 1
 * @track_mutex: serialises start and stop of dirty tracking
 * @track_new: new areas are given a dirty bitmap
 * @tracking: dirty pages are tracked: every area has iopt_area.dirty
 * @nr_orphans: number of areas that are orphans
 * @nr_untracked: number of devices that can write without being tracked; see
 *                iopt_dirty_add_untracked()
 * @payer: payer of the last mapping, cached for the next one; modified under
 *         @lock and read under RCU
 * @nr_lost: number of pages that stay pinned because an IOMMU driver failed to
 *           unmap them
 * @debugfs: the file of the space in debugfs, may be an ERR_PTR
 *
 * Lock order, outermost first::
 *
 *  ============================  ==============================================
 *  @attach_mutex                 held while a domain is filled or emptied: only
 *                                attach, detach, iopt_orphan() and iopt_adopt()
 *                                contend for it. Its owner waits only for
 *                                operations that finish on their own, except
 *                                that unpinning may wait for a folio lock, and
 *                                that attaching the first domain pins pages
 *  @track_mutex                  held while dirty tracking starts or stops,
 *                                which adds or removes the bitmaps of areas
 *  @lock                         held to look up, link and unlink objects;
 *                                never to pin pages, to program a domain, to
 *                                access user memory or to run a callback of an
 *                                access
 *  &iopt_pages.mutex             held to unpin pages and to program domains.
 *                                Also held to pin pages, if no other caller can
 *                                find the iopt_pages. Only callers that share
 *                                the pages contend for it. Under @lock, only
 *                                mutex_trylock() is allowed
 *  mmap_lock of the payer's mm   taken by GUP and to charge pages. To lower
 *                                VmLck, a caller waits only for the mmap_lock
 *                                of its own process, and only if it holds no
 *                                lock and, except in iopt_adopt(), owns no busy
 *                                or working area. Otherwise the caller only
 *                                tries the lock, and a worker lowers VmLck if
 *                                that fails
 *  ============================  ==============================================
 *
 * The busy and working marks are not locks: a caller that finds a conflicting
 * area sleeps until an area of the space becomes idle, and then restarts its
 * lookup. It holds no lock of the engine meanwhile, except that attach and
 * detach hold @attach_mutex while they wait for a working area.
 *
 * A busy area stays in the tree, and iopt_area.node is reserved for the caller
 * that owns the area. A caller that owns areas waits for busy areas of other
 * callers only at higher IOVAs, so that two callers cannot wait for each other.
 *
 * Only the thread that marked an area as working may add it to domains or
 * remove it from them, and the area stays in the tree meanwhile. An
 * uninterruptible wait for an area, as in detach, is allowed only for work that
 * finishes on its own, or that unpins pages, which may take a folio lock; see
 * iopt_unpin_run(). Therefore a map pins its pages before it marks its areas as
 * working. Only attach pins pages while an area is working, and only if no
 * other domain is attached.
 *
 * A domain stays attached while a working area is in it or may be added to it:
 * detach closes the domain first and then waits for every working area. If an
 * area is busy but not working, detach itself removes the area from the domain.
 * Attach itself adds such an area to the new domain, unless a map is still
 * building the area or an unmap of the area can no longer fail.
 */
struct io_pagetable {
	unsigned long id;
	struct mutex attach_mutex;	/* outermost lock */
	struct mutex lock;		/* never held for long */
	struct rb_root_cached areas;
	struct iopt_area *highest;
	unsigned int nr_areas;
	struct rb_root_cached reserved;
	struct rb_root_cached allowed;
	struct rb_root_cached claims;
	unsigned int nr_claimed;
	unsigned int nr_inserting[2];
	unsigned int nr_publishing;
	unsigned long nr_breaks;
	struct iopt_area *filling;
	struct list_head domains;
	unsigned long next_seq;
	unsigned long iova_alignment;
	unsigned int nr_raising;
	unsigned long raising;
	unsigned int nr_pinners;
	unsigned long pgsizes;
	unsigned long idle_seq;
	wait_queue_head_t idle;
	struct iopt_policy policy;
	unsigned long max_iopte;
	struct list_head accesses;
	struct ida owners;
	struct mutex track_mutex;	/* serialises start and stop */
	bool track_new;
	bool tracking;
	unsigned int nr_orphans;
	unsigned int nr_untracked;
	struct iopt_payer __rcu *payer;
	atomic_long_t nr_lost;
	struct dentry *debugfs;
};

/* wait.c */
int iopt_wait_idle_since(struct io_pagetable *iopt, unsigned long seen,
			 unsigned int state);
int iopt_wait_idle(struct io_pagetable *iopt, unsigned int state);
void iopt_wake_idle(struct io_pagetable *iopt);

/* Number of steps after which a loop drops its lock or calls cond_resched(). */
#define IOPT_MAX_STEPS	512

/*
 * Count a step of a loop under iopt->lock, and drop and retake the lock every
 * IOPT_MAX_STEPS steps. Returns true if the lock was dropped, in which case
 * other threads may have inserted or removed areas.
 */
static inline bool iopt_lock_break(struct io_pagetable *iopt,
				   unsigned int *steps)
{
	if (++*steps % IOPT_MAX_STEPS)
		return false;
	iopt->nr_breaks++;
	mutex_unlock(&iopt->lock);
	cond_resched();
	mutex_lock(&iopt->lock);
	return true;
}

/* Count a step of a loop that drops no lock, and reschedule if necessary. */
static inline void iopt_step(unsigned int *steps)
{
	if (!(++*steps % IOPT_MAX_STEPS))
		cond_resched();
}

#endif /* __IOPT_IO_PAGETABLE_H */
