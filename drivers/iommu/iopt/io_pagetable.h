/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private structures of the engine: the space, its areas and its domains.
 *
 * Vocabulary:
 *   space     an I/O address space, struct io_pagetable
 *   area      one mapping, an IOVA interval that maps a slice of an iopt_pages
 *   busy      a caller owns the area: it is mapping, unmapping or adopting it
 *   working   a thread is adding the area to domains or removing it from them,
 *             without a lock
 *   idle      an area becomes idle when it stops being busy or working, when it
 *             is removed, or when a call stops using it
 *   claim     an IOVA interval in which an operation walks areas in batches
 *   holder    an area that keeps its slice pinned, see pages.h
 *   in        an area is in a domain if the domain translates it
 *   open      a domain is open if new areas must be added to it: it is attached
 *             and not being detached
 *   orphan    an area with memory that has moved to another process or address,
 *             see owner.c
 *   hole      unmapped IOVAs between two adjacent areas
 */
#ifndef __IOPT_IO_PAGETABLE_H
#define __IOPT_IO_PAGETABLE_H

#include <linux/idr.h>
#include <linux/interval_tree.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>

struct dentry;
struct iopt_pages;
struct iopt_payer;
struct kmem_cache;

/**
 * struct io_pagetable - one I/O address space
 * @id: number of the space for debugging, never reused
 * @attach_mutex: serialises attach and detach of domains, and changes of owners
 * @lock: protects the trees, @domains and iopt_domain.open, @accesses,
 *        @idle_seq, @payer, @tracking, @nr_orphans, @nr_untracked, @nr_claimed,
 *        @nr_inserting, @nr_publishing, @filling, and the state, marks, users
 *        and dirty bitmap of each area. A loop of user-controlled length
 *        holds it for at most %IOPT_MAX_STEPS steps
 * @areas: all &struct iopt_area, sorted by IOVA
 * @highest: the area with the highest IOVA, or NULL
 * @nr_areas: number of areas in @areas
 * @reserved: all &struct iopt_interval that must not be mapped, sorted by IOVA
 * @allowed: all &struct iopt_interval that must not be reserved, sorted by
 *           IOVA. The engine chooses IOVAs in them only, or anywhere if the
 *           tree is empty
 * @claims: all &struct iopt_claim, which do not overlap
 * @nr_claimed: number of areas that claims are about to insert
 * @nr_inserting: number of claims that are inserting areas without a bitmap [0]
 *                and with one [1]
 * @nr_publishing: number of maps that are making their areas live; no
 *                 domain is opened while it is not 0
 * @nr_breaks: number of times that a long loop dropped @lock, for tests
 * @filling: the area that attach is pinning or programming, or NULL
 * @domains: all &struct iopt_domain, sorted by iopt_domain.seq; modified under
 *           @lock, also read under RCU
 * @next_seq: iopt_domain.seq of the next domain; protected by @attach_mutex
 * @iova_alignment: required alignment of IOVAs and lengths in bytes
 * @idle_seq: incremented each time an area becomes idle, a claim ends, or an
 *              access is destroyed
 * @idle: wait queue for changes of @idle_seq
 * @policy: options of the front end
 * @accesses: all &struct iopt_access
 * @owners: allocated numbers of accesses that own their pins, starting at 1
 * @track_mutex: serialises start and stop of dirty tracking
 * @track_new: new areas are given a bitmap
 * @tracking: dirty pages are tracked: every area has iopt_area.dirty
 * @nr_orphans: number of areas that are orphans
 * @nr_untracked: number of devices that can write without being tracked, see
 *            iopt_dirty_add_untracked()
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
 *                                attach, detach and changes of owners contend
 *                                for it. Unless no other domain is attached,
 *                                its holder waits only for operations that
 *                                finish on their own
 *  @track_mutex                  held while bitmaps are allocated and freed
 *  @lock                         held to look up, link and unlink objects;
 *                                never while pages are pinned, a domain is
 *                                programmed, user memory is accessed or a
 *                                callback of an access runs
 *  &iopt_pages.mutex             held while pages are unpinned and domains are
 *                                programmed with them, and in some cases while
 *                                pages are pinned: only callers that share the
 *                                pages contend for it. Under @lock only
 *                                mutex_trylock() is allowed
 *  mmap_lock of the user's mm    taken by GUP and to charge pages. To lower
 *                                VmLck a caller waits for it without any lock
 *                                or mark, or leaves that to a worker
 *  ============================  ==============================================
 *
 * The busy and working marks are not locks: a caller that finds a conflicting
 * area sleeps without any lock until an area of the space becomes idle, and
 * then restarts its lookup.
 *
 * A busy area stays in the tree, and its @iopt_area.node belongs to the caller
 * that owns it. A caller that owns areas waits only for areas at higher IOVAs,
 * so that two callers cannot wait for each other.
 *
 * Only the thread that marked an area as working may add it to domains or
 * remove it from them, and the area stays in the tree meanwhile.
 * Uninterruptible waits, as in detach, are only for work that finishes on its
 * own: a map pins its pages before it marks its areas as working. Attach alone
 * pins pages while an area is working, and only if no other domain is attached.
 *
 * A domain stays attached while an area is working that is in it or may be
 * added to it: detach closes the domain first and then waits for every working
 * area. If an area is busy but not working, detach removes it from the domain
 * itself, and attach adds it to the new domain.
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
	unsigned long idle_seq;
	wait_queue_head_t idle;
	struct iopt_policy policy;
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

/**
 * enum iopt_area_state - life cycle of an area
 * @IOPT_AREA_BUILDING: being mapped, always busy; removed if the map fails
 * @IOPT_AREA_LIVE: mapped
 * @IOPT_AREA_QUIESCING: being unmapped, always busy; accesses can still use it
 * @IOPT_AREA_DYING: being unmapped, always busy; accesses do not find it
 */
enum iopt_area_state {
	IOPT_AREA_BUILDING,
	IOPT_AREA_LIVE,
	IOPT_AREA_QUIESCING,
	IOPT_AREA_DYING,
};

/**
 * struct iopt_area - one mapping
 * @rb: node in io_pagetable.areas
 * @start: first IOVA
 * @last: last IOVA
 * @hole: size of the hole below @start in bytes, 0 for the lowest area
 * @max_hole: the largest @hole in the subtree of @rb
 * @pages: the mapped memory
 * @slice: interval of page indexes of @pages that is mapped. The node is linked
 *         in iopt_pages.holders while the area is a holder, which is always the
 *         case while @nr_domains is not 0
 * @filled: the area is in every attached domain up to this iopt_domain.seq,
 *          with the exception of @skips
 * @skips: iopt_domain.seq of a domain that the area is not in. One exception is
 *         enough because domains are detached one at a time
 * @nr_domains: number of domains that the area is in
 * @prot: protection for iommu_map(): IOMMU_READ, IOMMU_WRITE etc.
 * @state: see &enum iopt_area_state
 * @busy: a caller owns the area, see the vocabulary
 * @orphan: the location of the memory is unknown, see owner.c
 * @late: the area was inserted inside the interval that an unmap had claimed,
 *        so that the unmap ignores it. An area that extends beyond the claim is
 *        noted in the claim instead
 * @working: a thread is changing the domains that the area is in, see the
 *           vocabulary; set under io_pagetable.lock, or by the owner of an area
 *           that is being built
 * @nr_pins: number of pins that accesses hold in this area; protected by
 *           iopt_pages.mutex
 * @nr_users: number of calls that are using the area. An unmap waits until both
 *            @nr_pins and @nr_users are 0
 * @dirty: one bit for each page while dirty pages are tracked, see dirty.c
 * @node: entry in the list of the owner, or in the list of detach while the
 *        area is live and working
 *
 * @skips may name a domain that was detached long ago, because sequence numbers
 * are never reused.
 */
struct iopt_area {
	struct rb_node rb;
	unsigned long start;
	unsigned long last;
	unsigned long hole;
	unsigned long max_hole;
	struct iopt_pages *pages;
	struct interval_tree_node slice;
	unsigned long filled;
	unsigned long skips;
	unsigned int nr_domains;
	u16 prot;
	enum iopt_area_state state : 4;
	bool busy : 1;
	bool orphan : 1;
	bool late : 1;
	bool working;
	unsigned int nr_pins;
	unsigned int nr_users;
	unsigned long *dirty;
	struct list_head node;
};

/**
 * struct iopt_interval - an interval of reserved or allowed IOVAs
 * @iova: the interval, a node in io_pagetable.reserved or io_pagetable.allowed
 * @owner: the device or domain that reserved the interval, or NULL
 */
struct iopt_interval {
	struct interval_tree_node iova;
	const void *owner;
};

/**
 * struct iopt_claim - an IOVA interval in which areas are walked in batches
 * @iova: the interval, a node in io_pagetable.claims
 * @map: areas are being inserted, and other maps have to wait. If false the
 *       claim is that of an unmap, which ignores areas that are inserted
 *       meanwhile
 * @committed: the unmap can no longer fail
 * @refilled: attach has added an area of the interval to a domain
 * @late_below: an area that extends below the interval was inserted meanwhile
 * @late_above: an area that extends above the interval was inserted meanwhile
 * @nr_late: number of areas inside the interval that were inserted meanwhile
 */
struct iopt_claim {
	struct interval_tree_node iova;
	bool map;
	bool committed;
	bool refilled;
	bool late_below;
	bool late_above;
	unsigned int nr_late;
};

/**
 * struct iopt_flush - IOVAs unmapped from a domain since its last IOTLB flush
 * @domain: the domain
 * @start: first IOVA, or ULONG_MAX if there is none
 * @last: last IOVA, or 0 if there is none
 * @gather: state of the IOMMU driver
 */
struct iopt_flush {
	struct iommu_domain *domain;
	unsigned long start;
	unsigned long last;
	struct iommu_iotlb_gather gather;
};

/**
 * struct iopt_domain - an attached IOMMU domain
 * @node: entry in io_pagetable.domains
 * @domain: the IOMMU domain; the engine never looks up translations in it
 * @seq: larger than the number of every domain that was attached earlier
 * @open: new areas must be added to the domain
 * @rcu: for kfree_rcu()
 */
struct iopt_domain {
	struct list_head node;
	struct iommu_domain *domain;
	unsigned long seq;
	bool open;
	struct rcu_head rcu;
};

/*
 * Compute the first byte after a closed interval. Returns false if the interval
 * ends at the last byte of the address space, so that no such byte exists. All
 * code that walks intervals uses this helper to avoid the overflow.
 */
static inline bool iopt_next_start(unsigned long last, unsigned long *start)
{
	*start = last + 1;
	return *start != 0;
}

/* Length of a closed interval in bytes; 0 means the whole address space. */
static inline unsigned long iopt_length(unsigned long start, unsigned long last)
{
	return last - start + 1;
}

static inline unsigned long iopt_area_length(const struct iopt_area *area)
{
	return iopt_length(area->start, area->last);
}

/* Accesses find areas in these states only. */
static inline bool iopt_area_is_accessible(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_LIVE ||
	       area->state == IOPT_AREA_QUIESCING;
}

/* True while an area is being unmapped. If the unmap fails the area stays. */
static inline bool iopt_area_is_unmapping(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_QUIESCING ||
	       area->state == IOPT_AREA_DYING;
}

static inline bool iopt_area_is_in(const struct iopt_area *area,
				   unsigned long seq)
{
	return seq <= area->filled && seq != area->skips;
}

const char *iopt_validate(struct io_pagetable *iopt);
void iopt_dump(struct io_pagetable *iopt);

/* Validate the space after each operation, if CONFIG_IOPT_DEBUG is set. */
static inline void iopt_debug_validate(struct io_pagetable *iopt)
{
	if (IS_ENABLED(CONFIG_IOPT_DEBUG)) {
		const char *wrong = iopt_validate(iopt);

		if (WARN(wrong, "not true of an I/O address space: %s\n",
			 wrong))
			iopt_dump(iopt);
	}
}

static inline bool iopt_has_claims(const struct io_pagetable *iopt)
{
	return !RB_EMPTY_ROOT(&iopt->claims.rb_root);
}

static inline bool iopt_area_is_held(const struct iopt_area *area)
{
	return !RB_EMPTY_NODE(&area->slice.rb);
}

/* Steps of a loop before it drops its lock or calls cond_resched(). */
#define IOPT_MAX_STEPS	512

/*
 * Count a step of a loop under iopt->lock, and drop the lock every
 * IOPT_MAX_STEPS steps. Returns true if the lock was dropped: areas may have
 * been inserted or removed meanwhile.
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

/* Count a step of a loop that holds no lock, and reschedule if necessary. */
static inline void iopt_step(unsigned int *steps)
{
	if (!(++*steps % IOPT_MAX_STEPS))
		cond_resched();
}

extern struct kmem_cache *iopt_area_cache;

/* area.c */
struct iopt_area *iopt_area_alloc(unsigned long start, unsigned long last,
				  struct iopt_pages *pages, unsigned long first,
				  int prot, gfp_t gfp);
void iopt_areas_free(struct list_head *areas);
void iopt_area_insert(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iopt_area *above);
void iopt_area_remove(struct io_pagetable *iopt, struct iopt_area *area);
struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
				  unsigned long start, unsigned long last);
struct iopt_area *iopt_area_next(struct iopt_area *area, unsigned long last);
struct iopt_area *iopt_area_walk(struct io_pagetable *iopt,
				 struct iopt_area *area, unsigned long last,
				 unsigned int *steps);
struct iopt_area *iopt_area_next_hole(struct iopt_area *area,
				      unsigned long bytes);
int iopt_wait_idle_since(struct io_pagetable *iopt, unsigned long seen,
			 unsigned int state);
int iopt_wait_idle(struct io_pagetable *iopt, unsigned int state);
void iopt_wake_idle(struct io_pagetable *iopt);

/* claim.c */
struct iopt_claim *iopt_claim_first(struct io_pagetable *iopt,
				    unsigned long start, unsigned long last);
bool iopt_map_is_claimed(struct io_pagetable *iopt, unsigned long start,
			 unsigned long last);
void iopt_claims_note_area(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_late(const struct iopt_claim *claim,
		       const struct iopt_area *area);
int iopt_claim_add(struct io_pagetable *iopt, struct iopt_claim *claim,
		   unsigned long start, unsigned long last);
void iopt_claim_end(struct io_pagetable *iopt, struct iopt_claim *claim);

/* unmap.c */
void iopt_areas_destroy(struct io_pagetable *iopt, struct list_head *areas,
			struct iopt_payer **unsynced);

/* map.c */
struct iopt_payer *iopt_current_payer(struct io_pagetable *iopt,
				      enum iopt_account account);

/* program.c */
int iopt_area_program(struct io_pagetable *iopt, struct iopt_area *area,
		      struct iommu_domain *domain);
void iopt_flush_start(struct iopt_flush *flush, struct iommu_domain *domain);
void iopt_area_unprogram(struct iopt_area *area, struct iopt_flush *flush);
void iopt_flush_end(struct iopt_flush *flush);

/* domain.c */
bool iopt_domain_is_open(struct io_pagetable *iopt);
int iopt_area_hold(struct io_pagetable *iopt, struct iopt_area *area,
		   bool built);
void iopt_area_drop(struct io_pagetable *iopt, struct iopt_area *area,
		    struct iopt_payer **unsynced);
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area);
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      struct iopt_payer **unsynced);

/* access.c */
int iopt_areas_quiesce(struct io_pagetable *iopt, struct list_head *areas);
void iopt_area_put(struct io_pagetable *iopt, struct iopt_area *area);

/* dirty.c */
int iopt_area_track(struct iopt_area *area, gfp_t gfp);
void iopt_area_untrack(struct iopt_area *area);
void iopt_area_mark_dirty(struct iopt_area *area, unsigned long start,
			  unsigned long last);
int iopt_area_report(struct io_pagetable *iopt, struct iopt_area *area,
		     const struct iopt_dirty_query *query, unsigned long start,
		     unsigned int flags);
int iopt_dirty_check(struct io_pagetable *iopt, unsigned long start,
		     unsigned long last, const struct iopt_dirty_query *query,
		     const struct iopt_claim *claim);

/* iova.c */
int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last, struct iopt_area **above);
int iopt_choose_iova(struct io_pagetable *iopt, unsigned long uaddr,
		     unsigned long length, unsigned long *start);
int iopt_check_unmapped(struct io_pagetable *iopt, unsigned long start,
			unsigned long last);

/* interval.c */
struct iopt_interval *iopt_interval_first(struct rb_root_cached *tree,
					  unsigned long start,
					  unsigned long last);
int iopt_interval_add(struct rb_root_cached *tree, unsigned long start,
		      unsigned long last, const void *owner, gfp_t gfp);
void iopt_intervals_drop(struct rb_root_cached *tree, const void *owner);
bool iopt_interval_gap(struct rb_root_cached *tree, unsigned long start,
		       unsigned long last, struct iopt_range *gap);

/* reserve.c */
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner);
void iopt_unreserve_iova(struct io_pagetable *iopt, const void *owner);
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain);
void iopt_update_alignment(struct io_pagetable *iopt);

/*
 * Parts of a dump, in the order in which they are shown. The parts from
 * IOPT_VIEW_PAGES on belong to one area and are repeated for each.
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

/* dump.c */
void iopt_view_start(struct iopt_view *view, struct io_pagetable *iopt);
bool iopt_view_next(struct iopt_view *view);

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void iopt_debugfs_init(void);
void iopt_debugfs_exit(void);
void iopt_debugfs_add(struct io_pagetable *iopt);
void iopt_debugfs_remove(struct io_pagetable *iopt);
#else
static inline void iopt_debugfs_init(void) {}
static inline void iopt_debugfs_exit(void) {}
static inline void iopt_debugfs_add(struct io_pagetable *iopt) {}
static inline void iopt_debugfs_remove(struct io_pagetable *iopt) {}
#endif

#endif /* __IOPT_IO_PAGETABLE_H */
