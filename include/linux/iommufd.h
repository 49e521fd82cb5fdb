/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel API of /dev/iommu, for subsystems that pass devices to user space.
 *
 * A context is one open file of /dev/iommu. Binding a device adds the device to
 * a context, which then owns the whole IOMMU group of the device. Attaching a
 * bound device lets its DMA access the memory that is mapped in an I/O address
 * space (IOAS) of that context. DMA of a group that a context owns is blocked
 * while no device of the group is attached. A driver that accesses memory with
 * the CPU on behalf of its device creates an access instead of binding the
 * device.
 *
 * The order of calls is bind, attach, detach, unbind. The caller serialises
 * these calls for one device. They may sleep.
 */
#ifndef _LINUX_IOMMUFD_H
#define _LINUX_IOMMUFD_H

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct file;
struct iommufd_access;
struct iommufd_ctx;
struct iommufd_device;
struct page;

/**
 * struct iommufd_access_ops - operations of the driver that owns an access
 * @unmap: called when a mapping in which any access has pages pinned is being
 *         unmapped. Also called while this access is being detached, for each
 *         mapping in which this access has pages pinned. The @length bytes at
 *         @iova are exactly one mapping. The driver must unpin its pages in
 *         this range, in the callback or soon after: an unmap waits until it
 *         has, and a detach unpins the pages that are left. Until the unmap or
 *         detach ends, new pins in the range fail with -ENOENT. An unmap
 *         notifies all accesses of the IOAS that have operations, even if only
 *         one of them has pages pinned in the mapping. After
 *         iommufd_access_stop_notify(), the callback is not called any more. It
 *         runs in process context, and never concurrently for the same access.
 *         It may unpin pages. It must not take a lock that is held across
 *         iommufd_access_attach(), iommufd_access_detach(),
 *         iommufd_access_destroy() or iommufd_access_stop_notify()
 */
struct iommufd_access_ops {
	void (*unmap)(void *data, unsigned long iova, unsigned long length);
};

/* Required permissions of a mapping, and direction of a copy */
#define IOMMUFD_ACCESS_RW_READ	BIT(0)
#define IOMMUFD_ACCESS_RW_WRITE	BIT(1)

struct iommufd_ctx *iommufd_ctx_from_file(struct file *file);
struct iommufd_ctx *iommufd_ctx_from_fd(int fd);
void iommufd_ctx_put(struct iommufd_ctx *ictx);

struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev, u32 *id);
void iommufd_device_unbind(struct iommufd_device *idev);
int iommufd_device_attach(struct iommufd_device *idev, u32 *pt_id);
void iommufd_device_detach(struct iommufd_device *idev);

u32 iommufd_device_to_id(struct iommufd_device *idev);
bool iommufd_ctx_owns(struct iommufd_ctx *ictx, struct device *dev);

struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data,
		      u32 *id);
void iommufd_access_destroy(struct iommufd_access *access);
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id);
int iommufd_access_block(struct iommufd_access *access);
void iommufd_access_detach(struct iommufd_access *access);
void iommufd_access_stop_notify(struct iommufd_access *access);
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t length, unsigned int flags);
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **pages,
			     unsigned int flags);
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length);

#ifdef CONFIG_IOMMUFD_VFIO
int iommufd_container_create(struct iommufd_ctx *ictx);
int iommufd_container_ioas_id(struct iommufd_ctx *ictx, u32 *id);
#else
static inline int iommufd_container_create(struct iommufd_ctx *ictx)
{
	return -EINVAL;
}

static inline int iommufd_container_ioas_id(struct iommufd_ctx *ictx, u32 *id)
{
	return -ENODEV;
}
#endif

#endif
