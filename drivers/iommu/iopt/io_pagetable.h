/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's private structures: the space, its areas and its domains.
 *
 * Vocabulary:
 *  area      one mapping, an IOVA interval onto an iopt_pages
 *  busy      a caller owns the area: it maps, unmaps or adopts it
 *  working   a thread changes which domains the area is in, without any lock
 *  claim     IOVAs in which a long operation walks the areas in batches
 *  holds     an area "is in" a domain if the domain translates it
 *  open      a domain that new areas must be put into: attached, not leaving
 *  orphan    an area whose memory is somewhere else than it was, see owner.c
 *  hole      IOVAs between two areas that no area has
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
 * @id: its number, for people who debug: no other one ever has it
 * @attach_mutex: serialises attach and detach of domains, and changes of owners
 * @lock: protects the trees, @domains and which of them are open, @accesses,
 *        @nr_settled, @payer, @tracking, @nr_orphans, @nr_blind, @nr_claimed,
 *        @nr_inserting, @nr_publishing, @filling, and of areas the state, the
 *        marks, the users and the dirty pages. No loop of a length that the
 *        user chooses holds it for more than %IOPT_MAX_STEPS steps
 * @areas: every &struct iopt_area by IOVA
 * @highest: the last of them, or NULL
 * @nr_areas: how many
 * @reserved: every &struct iopt_interval that must not be mapped, by IOVA
 * @allowed: likewise those that must not be reserved, and in which the engine
 *           chooses IOVAs; if empty it chooses anywhere
 * @claims: every &struct iopt_claim; they do not overlap
 * @nr_claimed: areas that claims are about to insert
 * @nr_inserting: claims that are inserting areas without a bitmap, and with one
 * @nr_publishing: lists of areas that are going live; no domain is opened then
 * @nr_breaks: how often a long loop dropped @lock, for tests
 * @filling: the area that attach is pinning or programming, or NULL
 * @domains: every &struct iopt_domain in the order of iopt_domain.seq; changed
 *           under @lock and read under RCU too
 * @next_seq: of the next domain; protected by @attach_mutex
 * @iova_alignment: what IOVAs and lengths are multiples of, in bytes
 * @nr_settled: counts areas that stopped being busy
 * @settled: waits for @nr_settled to change
 * @policy: of the front end
 * @accesses: every &struct iopt_access
 * @owners: numbers in use of accesses that own their pins, from 1 on
 * @track_mutex: serialises the start and the stop of tracking
 * @track_new: new areas get a bitmap
 * @tracking: dirty pages are tracked: every area has iopt_area.dirty
 * @nr_orphans: areas that are orphans
 * @nr_blind: devices whose writes are not seen, see iopt_dirty_blind()
 * @payer: of the last mapping, and likely of the next one; changed under @lock
 *         and read under RCU
 * @nr_lost: pages given up because an IOMMU driver failed to unmap
 * @debugfs: shows it; may be an error
 *
 * Lock order, outermost first::
 *
 *  ============================  ==============================================
 *  @attach_mutex                 held while a domain is filled and emptied:
 *                                only other attaches, detaches and changes of
 *                                owners wait. Its holder waits only for what
 *                                ends by itself, unless no domain is attached
 *  @track_mutex                  held while bitmaps are allocated and freed
 *  @lock                         held for looking things up and linking them:
 *                                never while pages are pinned, a domain is
 *                                programmed, user memory is touched or a
 *                                callback of an access runs
 *  &iopt_pages.mutex             held while pages are pinned and unpinned and
 *                                domains programmed with them: only who shares
 *                                these pages waits; under @lock it may only be
 *                                tried
 *  mmap_lock of the user's mm    inside GUP, and to charge; to lower VmLck it is
 *                                waited for without any lock or mark, or by a
 *                                worker
 *  ============================  ==============================================
 *
 * The marks are no locks: a caller that finds a conflicting area sleeps without
 * any lock until an area of the space settles, and restarts its lookup.
 *
 * A busy area stays, and its @iopt_area.node is its owner's. A caller that owns
 * areas waits for areas above them only, so that two callers never wait for each
 * other.
 *
 * The thread that made an area work may change which domains it is in, and the
 * area stays. Only work that ends by itself makes other threads wait that cannot
 * be killed: pages are pinned before an area of a map starts to work. Attach
 * alone pins while an area works, if no other domain is attached.
 *
 * A domain stays while an area works that is in it or may be put into it: detach
 * closes the domain first and then waits for every working area that it finds.
 * An area that is busy but not working is taken out by detach itself, and put
 * into a new domain by attach.
 */
struct io_pagetable {
	unsigned long id;
	struct mutex attach_mutex;	/* outermost */
	struct mutex lock;		/* short */
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
	unsigned long nr_settled;
	wait_queue_head_t settled;
	struct iopt_policy policy;
	struct list_head accesses;
	struct ida owners;
	struct mutex track_mutex;	/* start and stop of tracking */
	bool track_new;
	bool tracking;
	unsigned int nr_orphans;
	unsigned int nr_blind;
	struct iopt_payer __rcu *payer;
	atomic_long_t nr_lost;
	struct dentry *debugfs;
};

/**
 * enum iopt_area_state - where an area is in its life
 * @IOPT_AREA_BUILDING: being mapped, always busy; may still fail and vanish
 * @IOPT_AREA_LIVE: mapped
 * @IOPT_AREA_LEAVING: being unmapped, always busy, but accesses may still use it
 *                     as if it were not
 * @IOPT_AREA_DYING: being unmapped, always busy
 */
enum iopt_area_state {
	IOPT_AREA_BUILDING,
	IOPT_AREA_LIVE,
	IOPT_AREA_LEAVING,
	IOPT_AREA_DYING,
};

/**
 * struct iopt_area - one mapping
 * @rb: in io_pagetable.areas
 * @start: first IOVA
 * @last: last IOVA
 * @hole: bytes of the hole below @start; 0 for the lowest area
 * @max_hole: the largest @hole in the subtree of @rb
 * @pages: the memory
 * @slice: which of its pages, by index; its node is linked while the area is a
 *         holder of them, which it is whenever @nr_domains is not 0
 * @filled: it is in every attached domain up to this iopt_domain.seq
 * @skips: except for this one: domains leave one at a time
 * @nr_domains: in how many domains it is
 * @prot: IOMMU_READ, IOMMU_WRITE and the like, for iommu_map()
 * @state: see &enum iopt_area_state
 * @busy: see above
 * @orphan: nobody knows where its memory is
 * @late: it was inserted while an unmap claimed all of its IOVAs, which leaves it
 *        alone; of an area that sticks out of a claim, the claim notes that
 * @working: see above; set under the lock, or by the owner of an area that is
 *           being built
 * @nr_pins: pages that accesses have pinned here and not unpinned; protected by
 *           iopt_pages.mutex
 * @nr_users: calls of accesses that are at work in it: who wants to unmap it
 *            waits until both are 0
 * @dirty: a bit for each page, if dirty pages are tracked; see dirty.c
 * @node: in the list of its owner, or of detach while it is live and working
 *
 * A sequence number is never used again, so that @skips may stay when the
 * domain is long gone.
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
 * struct iopt_interval - IOVAs that are reserved or allowed
 * @iova: the interval, in io_pagetable.reserved or .allowed
 * @owner: who reserved it and takes it back, a device or a domain
 */
struct iopt_interval {
	struct interval_tree_node iova;
	const void *owner;
};

/**
 * struct iopt_claim - IOVAs in which an operation walks the areas in batches
 * @iova: the interval, in io_pagetable.claims
 * @map: areas are being inserted and other maps wait; otherwise it is an unmap,
 *       which leaves alone what others map meanwhile
 * @committed: the unmap can no longer fail
 * @refilled: attach has put an area of it into a domain
 * @late_below: an area that contains the first byte and the one below it was
 *              inserted meanwhile
 * @late_above: an area that contains the last byte and the one above it was
 * @nr_late: areas inside of the interval that were inserted meanwhile
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
 * struct iopt_flush - what was unmapped from a domain since its last IOTLB flush
 * @domain: the domain
 * @start: first IOVA, or ULONG_MAX
 * @last: last IOVA, or 0
 * @gather: what the IOMMU driver collects
 */
struct iopt_flush {
	struct iommu_domain *domain;
	unsigned long start;
	unsigned long last;
	struct iommu_iotlb_gather gather;
};

/**
 * struct iopt_domain - an attached IOMMU domain
 * @node: in io_pagetable.domains
 * @domain: the domain, written and never read
 * @seq: larger than that of every domain that was attached before it
 * @open: areas are put into it
 * @rcu: to free it
 */
struct iopt_domain {
	struct list_head node;
	struct iommu_domain *domain;
	unsigned long seq;
	bool open;
	struct rcu_head rcu;
};

/*
 * The one place that forms the byte after an interval. False if there is none,
 * because the interval ends at the last byte of the address space.
 */
static inline bool iopt_next_start(unsigned long last, unsigned long *start)
{
	*start = last + 1;
	return *start != 0;
}

/* The bytes of a closed interval; 0 stands for the whole address space. */
static inline unsigned long iopt_length(unsigned long start, unsigned long last)
{
	return last - start + 1;
}

static inline unsigned long iopt_area_length(const struct iopt_area *area)
{
	return iopt_length(area->start, area->last);
}

/* Do accesses find it? */
static inline bool iopt_area_is_there(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_LIVE ||
	       area->state == IOPT_AREA_LEAVING;
}

/* Is it being unmapped? It stays after all if that fails. */
static inline bool iopt_area_is_going(const struct iopt_area *area)
{
	return area->state == IOPT_AREA_LEAVING ||
	       area->state == IOPT_AREA_DYING;
}

static inline bool iopt_area_is_in(const struct iopt_area *area,
				   unsigned long seq)
{
	return seq <= area->filled && seq != area->skips;
}

/* After each operation, in kernels for those who change the engine. */
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

/* How many steps of a loop run in one hold of a lock, and without a break. */
#define IOPT_MAX_STEPS	512

/*
 * Count a step of a loop under iopt->lock and drop the lock now and then.
 * Returns true if it was dropped, so that areas may have come and gone.
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

/* Likewise in a loop that holds no lock. */
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
int iopt_wait_settled_since(struct io_pagetable *iopt, unsigned long seen,
			    unsigned int state);
int iopt_wait_settled(struct io_pagetable *iopt, unsigned int state);
void iopt_wake_settled(struct io_pagetable *iopt);

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
			struct iopt_payer **unsettled);

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
		    struct iopt_payer **unsettled);
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area);
bool iopt_area_is_filled(struct io_pagetable *iopt, struct iopt_area *area);
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      struct iopt_payer **unsettled);

/* access.c */
int iopt_areas_quiesce(struct io_pagetable *iopt, struct list_head *areas);
void iopt_area_leave(struct io_pagetable *iopt, struct iopt_area *area);

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
 * What a view shows next: the parts in this order, where those from
 * IOPT_VIEW_PAGES on are below an area and lead to the next area.
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
 * struct iopt_view - somebody looks at a space, line by line
 * @iopt: the space
 * @part: what the next line is of
 * @next: from where on: a sequence number, an IOVA or a page index
 * @done: the part has nothing more
 * @start: first IOVA of the area that is looked at
 * @last: its last one
 * @line: the line that was made last
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
