/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO type1: the IOMMU driver of containers for devices behind an IOMMU and
 * for mediated devices.
 *
 * A type1 container is one I/O address space of the engine in
 * drivers/iommu/iopt. These files implement its groups. Its ioctls are
 * implemented in ../type1_ioctl/ for all drivers that offer them.
 *
 * Vocabulary:
 *  physical  a group of devices that do DMA through an IOMMU
 *  mediated  the group of a device without an IOMMU. The driver of the device
 *            pins memory or accesses it with the CPU
 *  notified  a device with a dma_unmap op, which is notified of unmaps
 *
 * Do not change the order of checks where user space can observe it. All
 * pinning, charging and mapping is done by the engine.
 */
#ifndef __VFIO_TYPE1_H
#define __VFIO_TYPE1_H

#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include <linux/vfio_type1.h>

#include "../vfio.h"

/**
 * struct type1_domain - I/O page table of a container
 * @node: node in type1.domains
 * @domain: the IOMMU domain, which the engine fills
 * @coherent: the IOMMU enforces coherency of all DMA
 * @groups: list of the &struct type1_group attached to @domain, not empty while
 *          the domain is in type1.domains
 */
struct type1_domain {
	struct list_head node;
	struct iommu_domain *domain;
	bool coherent;
	struct list_head groups;
};

/**
 * struct type1_group - group of a container
 * @node: node in type1.mediated or type1_domain.groups
 * @iommu_group: the group
 * @domain: domain that the group is attached to, NULL if it is mediated
 * @untracked: DMA writes of the group's devices are not tracked
 */
struct type1_group {
	struct list_head node;
	struct iommu_group *iommu_group;
	struct type1_domain *domain;
	bool untracked;
};

/**
 * struct type1 - type1 state of a container
 * @space: the I/O address space and the state of its ioctls. Its vaddr_lock is
 *         also held while a mediated group is being attached, since a container
 *         with a mediated group has no mapping without a user address
 * @access: access of the engine, shared by the drivers of all devices
 * @nesting: domains must be stage 2 of a nested translation
 * @attach_lock: serialises attaches of physical groups, so that an attach finds
 *               the domains of all earlier ones. Held while memory is pinned.
 *               Detach does not take it
 * @domain_lock: serialises adding physical groups to @domains and removing
 *               them. Held while the IOMMU driver detaches a group or moves it
 *               to an existing domain, and never while memory is pinned
 * @lock: protects @mediated and @domains and everything in them. To change
 *        @domains or the groups in it, @domain_lock must be held as well
 * @mediated: list of the &struct type1_group without a domain
 * @domains: list of all &struct type1_domain, most recent first
 * @notify_lock: protects @notified; held across the dma_unmap op of a driver,
 *               so that a driver handles one unmap of the container at a time
 * @notified: list of &struct vfio_device, linked by iommu_entry, most recent
 *            first
 * @warned: tgid of the last process for which type1_warn_of_limit() found
 *          RLIMIT_MEMLOCK exceeded
 *
 * Lock order, outermost first: @attach_lock, @domain_lock, @lock. @lock is only
 * held for a short time, and the only lock taken under it is &io_pagetable.lock
 * of the engine. type1_space.vaddr_lock is taken outside of @lock.
 *
 * @notify_lock is taken in the callback of the engine with none of the other
 * locks held. Drivers take their own locks under it, and may hold their locks
 * when they pin or unpin. Pinning and unpinning must therefore take no lock of
 * this struct except @lock.
 */
struct type1 {
	struct type1_space space;
	struct iopt_access *access;
	bool nesting;
	struct mutex attach_lock;	/* Serialises physical attach */
	struct mutex domain_lock;	/* Serialises changes of domains */
	struct mutex lock;		/* Protects groups and domains */
	struct list_head mediated;
	struct list_head domains;
	struct mutex notify_lock;	/* Protects notified */
	struct list_head notified;
	pid_t warned;
};

/* main.c */
int type1_attach_errno(int rc);
int type1_access_errno(int rc);
void type1_choose_pages(struct type1 *type1);
void type1_warn_of_limit(struct type1 *type1, const char *function,
			 unsigned long npages);

/* groups.c */
int type1_attach_group(void *data, struct iommu_group *iommu_group,
		       enum vfio_group_type type);
void type1_detach_group(void *data, struct iommu_group *iommu_group);
void type1_group_pinned(struct type1 *type1, struct iommu_group *iommu_group);
bool type1_all_coherent(struct type1_space *space);

/* mediated.c */
extern const struct iopt_access_ops type1_access_ops;
void type1_register_device(void *data, struct vfio_device *vdev);
void type1_unregister_device(void *data, struct vfio_device *vdev);
int type1_pin_pages(void *data, struct iommu_group *iommu_group,
		    dma_addr_t iova, int npage, int prot, struct page **pages);
void vfio_iommu_type1_unpin_pages(void *data, dma_addr_t iova, int npage);
int type1_dma_rw(void *data, dma_addr_t iova, void *buffer, size_t length,
		 bool write);

#endif /* __VFIO_TYPE1_H */
