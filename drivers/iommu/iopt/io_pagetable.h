/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's private structures: the space, its areas and its domains.
 *
 * Vocabulary:
 *  area      one mapping, an IOVA interval onto an iopt_pages
 *  busy      somebody is building, tearing down or programming an area without
 *            holding a lock; the area is that caller's alone
 *  holds     an area "is in" a domain if the domain translates it
 *  open      a domain that new areas must be put into: attached, not leaving
 */
#ifndef __IOPT_IO_PAGETABLE_H
#define __IOPT_IO_PAGETABLE_H

#include <linux/interval_tree.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct iopt_pages;

/**
 * struct io_pagetable - one I/O address space
 * @attach_mutex: serialises attach and detach of domains
 * @lock: protects the trees, @domains' membership and marks, @nr_settled, and
 *        the state and busy mark of areas
 * @areas: every &struct iopt_area by IOVA
 * @reserved: every &struct iopt_reserved by IOVA
 * @domains: &struct iopt_domain by slot, the bit number in iopt_area.domains;
 *           %IOPT_DOMAIN_OPEN marks the open ones
 * @iova_alignment: what IOVAs and lengths are multiples of, in bytes
 * @nr_settled: counts areas that stopped being busy
 * @settled: waits for @nr_settled to change
 * @policy: of the front end
 * @nr_lost: pages given up because an IOMMU driver failed to unmap
 *
 * Lock order, outermost first:
 *
 *  ============================  ==============================================
 *  @attach_mutex                 held while a domain is filled and emptied:
 *                                other attaches and detaches wait, nobody else
 *  @lock                         held for looking things up and linking them:
 *                                never while pages are pinned, a domain is
 *                                programmed or user memory is touched
 *  &iopt_pages.mutex             held while pages are pinned and unpinned;
 *                                under @lock it may only be tried
 *  mmap_lock of the user's mm    inside GUP
 *  ============================  ==============================================
 *
 * The busy mark is no lock: who meets a busy area waits without any lock until
 * something settled, and decides anew. An area is busy for one caller at a
 * time, who may use its @iopt_area.domains and @iopt_area.pages; a caller that
 * makes several areas busy does so in one hold of @lock and never waits in
 * between.
 */
struct io_pagetable {
	struct mutex attach_mutex;	/* outermost */
	struct mutex lock;		/* short */
	struct rb_root_cached areas;
	struct rb_root_cached reserved;
	struct xarray domains;
	unsigned long iova_alignment;
	unsigned long nr_settled;
	wait_queue_head_t settled;
	struct iopt_policy policy;
	atomic_long_t nr_lost;
};

#define IOPT_DOMAIN_OPEN	XA_MARK_1
#define IOPT_MAX_DOMAINS	BITS_PER_LONG

/**
 * enum iopt_area_state - where an area is in its life
 * @IOPT_AREA_BUILDING: being mapped, always busy; may still fail and vanish
 * @IOPT_AREA_LIVE: mapped; busy while a domain comes or goes
 * @IOPT_AREA_DYING: being unmapped, always busy
 */
enum iopt_area_state {
	IOPT_AREA_BUILDING,
	IOPT_AREA_LIVE,
	IOPT_AREA_DYING,
};

/**
 * struct iopt_area - one mapping
 * @iova: its interval, in io_pagetable.areas
 * @pages: the memory; the area is a holder of it while @domains is not 0
 * @domains: slots of the domains it is in
 * @prot: IOMMU_READ, IOMMU_WRITE and the like, for iommu_map()
 * @state: see &enum iopt_area_state
 * @busy: see above
 * @node: in the list of whoever made it busy
 */
struct iopt_area {
	struct interval_tree_node iova;
	struct iopt_pages *pages;
	unsigned long domains;
	int prot;
	enum iopt_area_state state : 8;
	bool busy;
	struct list_head node;
};

/**
 * struct iopt_reserved - an IOVA interval that cannot be mapped
 * @iova: the interval, in io_pagetable.reserved
 * @owner: who reserved it and takes it back, a device or a domain
 */
struct iopt_reserved {
	struct interval_tree_node iova;
	const void *owner;
};

/**
 * struct iopt_domain - an attached IOMMU domain
 * @domain: the domain, written and never read
 * @slot: its index in io_pagetable.domains
 */
struct iopt_domain {
	struct iommu_domain *domain;
	unsigned int slot;
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

static inline struct iopt_area *iova_to_area(struct interval_tree_node *node)
{
	return node ? container_of(node, struct iopt_area, iova) : NULL;
}

static inline unsigned long iopt_area_length(const struct iopt_area *area)
{
	return area->iova.last - area->iova.start + 1;
}

/* After each operation, in kernels for those who change the engine. */
static inline void iopt_debug_validate(struct io_pagetable *iopt)
{
	if (IS_ENABLED(CONFIG_IOPT_DEBUG)) {
		const char *wrong = iopt_validate(iopt);

		WARN(wrong, "not true of an I/O address space: %s\n", wrong);
	}
}

/* area.c */
struct iopt_area *iopt_area_alloc(unsigned long start, unsigned long last,
				  struct iopt_pages *pages, int prot,
				  gfp_t gfp);
void iopt_area_free(struct iopt_area *area);
struct iopt_area *iopt_area_first(struct io_pagetable *iopt,
				  unsigned long start, unsigned long last);
struct iopt_area *iopt_area_next(struct iopt_area *area, unsigned long last);
int iopt_wait_settled(struct io_pagetable *iopt);
void iopt_wait_settled_always(struct io_pagetable *iopt);
void iopt_wake_settled(struct io_pagetable *iopt);

/* domain.c */
int iopt_area_fill(struct io_pagetable *iopt, struct iopt_area *area,
		   const struct iopt_domain *domain);
void iopt_areas_clear(struct io_pagetable *iopt, struct list_head *areas,
		      unsigned long slots);
struct iopt_domain *iopt_area_missing_domain(struct io_pagetable *iopt,
					     struct iopt_area *area);

/* iova.c */
int iopt_check_iova(struct io_pagetable *iopt, unsigned long start,
		    unsigned long last);
int iopt_reserve_iova(struct io_pagetable *iopt, unsigned long start,
		      unsigned long last, const void *owner);
void iopt_unreserve_iova(struct io_pagetable *iopt, const void *owner);
int iopt_check_domain_fits(struct io_pagetable *iopt,
			   struct iommu_domain *domain);
void iopt_update_alignment(struct io_pagetable *iopt);

#endif /* __IOPT_IO_PAGETABLE_H */
