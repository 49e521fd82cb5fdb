/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls of VFIO type1 on an I/O address space of the engine. */
#ifndef __LINUX_VFIO_TYPE1_H
#define __LINUX_VFIO_TYPE1_H

#include <linux/iopt.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct type1_space;

/**
 * struct type1_space_ops - operations of the owner of an I/O address space
 * @account: return how mappings of the current process are charged
 * @prepare_map: called before memory is mapped; may be NULL
 * @map_enomem: called after a map of @npages pages has failed with -ENOMEM; may
 *              be NULL
 * @coherent: return true if the IOMMU enforces coherency of all DMA, or if no
 *            device is attached
 * @has_mediated: return true if drivers of devices without an IOMMU may access
 *                memory. Such drivers need the user addresses of mappings.
 *                Called with type1_space.vaddr_lock held before mappings lose
 *                their user address, and by VFIO_CHECK_EXTENSION without the
 *                lock
 * @has_notified: return true if drivers may be notified of unmaps
 */
struct type1_space_ops {
	enum iopt_account (*account)(struct type1_space *space);
	void (*prepare_map)(struct type1_space *space);
	void (*map_enomem)(struct type1_space *space, unsigned long npages);
	bool (*coherent)(struct type1_space *space);
	bool (*has_mediated)(struct type1_space *space);
	bool (*has_notified)(struct type1_space *space);
};

/**
 * struct type1_space - state of type1's ioctls for an I/O address space
 * @iopt: the I/O address space
 * @ops: operations of its owner
 * @v2: the ioctls follow the rules of version 2
 * @ranges_known: VFIO_IOMMU_GET_INFO reports the usable IOVAs
 * @vaddr_lock: held while mappings lose their user address. The owner of the
 *              space can hold the lock while it permits a driver to access
 *              memory, so that no mapping loses its user address meanwhile. A
 *              thread that holds the lock does not pin memory, but may wait in
 *              iopt_orphan() for a thread that does
 */
struct type1_space {
	struct io_pagetable *iopt;
	const struct type1_space_ops *ops;
	bool v2;
	bool ranges_known;
	struct mutex vaddr_lock;	/* Held while mappings become orphans */
};

void type1_space_init(struct type1_space *space, struct io_pagetable *iopt,
		      const struct type1_space_ops *ops);
void type1_space_destroy(struct type1_space *space);
long type1_space_ioctl(struct type1_space *space, unsigned int cmd,
		       unsigned long arg);

#endif /* __LINUX_VFIO_TYPE1_H */
