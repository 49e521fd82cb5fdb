/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO type1: containers for devices behind an IOMMU of the usual kind, and for
 * mediated devices.
 *
 * A container that userspace sets to type1 is one I/O address space of the
 * engine in drivers/iommu/iopt, and what stands here is what the engine does
 * not know: the ioctls of a container, its groups, and the rules of a uAPI
 * that is older than the engine.
 *
 * Vocabulary:
 *  version   1 or 2, what userspace chose: they differ in what UNMAP does with
 *            a range that cuts mappings, and version 1 cannot track dirty pages
 *  physical  a group of devices that do DMA through an IOMMU
 *  mediated  a group of a device that has no IOMMU: its driver pins memory, or
 *            accesses it with the CPU
 *  told      a device whose driver has to let go of memory that is unmapped
 *
 * Rule: a check comes before another one only if userspace can see that, and
 * then it must. All that is pinned, charged or mapped is so by the engine.
 */
#ifndef __VFIO_TYPE1_H
#define __VFIO_TYPE1_H

#include <linux/bitops.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vfio.h>

#include "vfio.h"

/* Bytes of the largest bitmap of dirty pages: a bit for INT_MAX pages. */
#define TYPE1_BITMAP_MAX	BIT(28)

/**
 * struct type1_domain - I/O page tables of the container
 * @node: in type1.domains
 * @domain: filled by the engine
 * @coherent: DMA that is not snooped is blocked
 * @groups: every &struct type1_group that is attached to it, at least one
 */
struct type1_domain {
	struct list_head node;
	struct iommu_domain *domain;
	bool coherent;
	struct list_head groups;
};

/**
 * struct type1_group - a group of the container
 * @node: in type1.mediated or type1_domain.groups
 * @iommu_group: the group
 * @domain: what it is attached to, NULL if it is a mediated one
 * @blind: its devices may write by DMA without being seen
 */
struct type1_group {
	struct list_head node;
	struct iommu_group *iommu_group;
	struct type1_domain *domain;
	bool blind;
};

/**
 * struct type1 - what a container has from type1
 * @iopt: its address space
 * @access: by which drivers of mediated devices reach memory
 * @v2: version 2
 * @nesting: domains are to be stage 2 of a nested translation
 * @attach_lock: serialises the attach of physical groups, so that two of them
 *               find the domain that they can share; held while memory is
 *               pinned. Detach does not take it
 * @domain_lock: serialises physical groups that join and leave @domains; held
 *               while the IOMMU driver attaches and detaches them, and never
 *               while memory is pinned
 * @lock: protects @mediated, @domains and what hangs there; @domains and the
 *        groups in them change with @domain_lock held as well
 * @mediated: &struct type1_group without a domain
 * @domains: every &struct type1_domain, the latest one first
 * @pgsizes: bitmap of the page sizes that all domains have
 * @ranges_known: there has been a physical group, so that the IOVAs are
 *                something to tell of, and to check
 * @vaddr_lock: held while mappings lose their address and while a mediated
 *              group comes: there is never both
 * @told_lock: protects @told; held across a driver's dma_unmap op, so that a
 *             driver handles one unmap of the container at a time
 * @told: &struct vfio_device by iommu_entry, the latest one first
 * @warned: the last process that was warned of its limit, by its number
 *
 * Lock order, outermost first: @attach_lock; @domain_lock; @lock, held for a
 * moment, under which the engine takes its short lock at most. @vaddr_lock is
 * taken outside of @lock and is never held while something is pinned.
 *
 * @told_lock is taken in the engine's callback with none of the others held.
 * Drivers take their own locks under it, and pin and unpin with their own locks
 * held, so that pinning and unpinning must take none of these but @lock.
 */
struct type1 {
	struct io_pagetable *iopt;
	struct iopt_access *access;
	bool v2;
	bool nesting;
	struct mutex attach_lock;	/* attach of physical groups */
	struct mutex domain_lock;	/* groups in domains */
	struct mutex lock;		/* groups and domains, short */
	struct list_head mediated;
	struct list_head domains;
	unsigned long pgsizes;
	bool ranges_known;
	struct mutex vaddr_lock;	/* no address or mediated groups */
	struct mutex told_lock;		/* told, and dma_unmap against itself */
	struct list_head told;
	pid_t warned;
};

/* Bytes of the smallest page: all IOVAs and sizes are multiples of it. */
static inline unsigned long type1_pgsize(struct type1 *type1)
{
	return 1UL << __ffs(READ_ONCE(type1->pgsizes));
}

/* type1_main.c */
void type1_choose_pages(struct type1 *type1);
void type1_warn_of_limit(struct type1 *type1, const char *function,
			 unsigned long npages);

/* type1_info.c */
long type1_check_extension(struct type1 *type1, unsigned long extension);
long type1_get_info(struct type1 *type1, void __user *arg);

/* type1_dma.c */
long type1_map_dma(struct type1 *type1, void __user *arg);
long type1_unmap_dma(struct type1 *type1, void __user *arg);

/* type1_dirty.c */
int type1_check_bitmap(const struct vfio_bitmap *bitmap, u64 size);
long type1_dirty_pages(struct type1 *type1, void __user *arg);

/* type1_groups.c */
int type1_attach_group(void *data, struct iommu_group *iommu_group,
		       enum vfio_group_type type);
void type1_detach_group(void *data, struct iommu_group *iommu_group);
void type1_group_pinned(struct type1 *type1, struct iommu_group *iommu_group);

/* type1_mediated.c */
extern const struct iopt_access_ops type1_access_ops;
void type1_register_device(void *data, struct vfio_device *vdev);
void type1_unregister_device(void *data, struct vfio_device *vdev);
int type1_pin_pages(void *data, struct iommu_group *iommu_group,
		    dma_addr_t iova, int npage, int prot, struct page **pages);
void vfio_iommu_type1_unpin_pages(void *data, dma_addr_t iova, int npage);
int type1_dma_rw(void *data, dma_addr_t iova, void *buffer, size_t length,
		 bool write);

#endif /* __VFIO_TYPE1_H */
