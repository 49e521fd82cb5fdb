/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of /dev/iommu share.
 *
 * Vocabulary: a context is one open file of /dev/iommu. Objects have an ID in
 * a context: an IOAS is an I/O address space, an HWPT one I/O page table (an
 * iommu domain) of an IOAS, a DEVICE a device bound to the context, an ACCESS
 * a driver in it whose device reaches memory with the CPU.
 *
 * Rule: this directory decodes what user space says and decides who may do
 * what. All mapping is done by the engine, see linux/iopt.h: no memory is
 * pinned and no I/O page table is written here.
 *
 * A context has no count of its own. It lives as long as its struct file, which
 * a bound device holds. So when the file is released only what the program made
 * can be left: IOASes, and HWPTs without a device.
 *
 * Lock order, outermost first. None is held around a map, unmap or query:
 *
 *	iommufd_ioas::attach_lock	around attach, detach and HUGE_PAGES. Detach
 *					is not killable, so a holder waits for
 *					memory or a driver only while no device
 *					is attached
 *	locks of the engine and of the IOMMU core
 *	iommufd_access::unmap_lock	around a driver's unmap callback
 *	locks of that driver
 *	iommufd_ctx::objects' xa_lock	innermost, a spinlock
 */
#ifndef _IOMMUFD_PRIVATE_H
#define _IOMMUFD_PRIVATE_H

#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct file;
struct iommufd_object;

/**
 * struct iommufd_ctx - one open file of /dev/iommu
 * @file: that file; counting it is counting the context
 * @objects: all objects by ID; an ID being set up has a NULL entry
 * @fence: woken whenever an object's last short-term user is done
 * @account: whom to charge for mappings. Changes under the xa_lock of @objects,
 *           while there are none
 */
struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	wait_queue_head_t fence;
	enum iopt_account account;
};

/**
 * struct iommufd_object_type - what the objects of one kind have in common
 * @destroy: ends what is special to the kind; nothing uses the object any
 *           more. The struct itself is freed after it
 */
struct iommufd_object_type {
	void (*destroy)(struct iommufd_object *obj);
};

/**
 * struct iommufd_object - first member of everything that has an ID
 * @ictx: where the ID means something
 * @type: its kind
 * @id: 1 or above
 * @refs: short-term users, that is calls that are working with the object, and
 *        1 for the object being there. At 0 it is destroyed
 * @users: long-term users: while there are any, IOMMU_DESTROY is refused.
 *         Under the xa_lock of the context's objects
 * @gone: has lost its ID and takes no new users. Under the same lock
 * @rcu: for lookups, which take no lock
 */
struct iommufd_object {
	struct iommufd_ctx *ictx;
	const struct iommufd_object_type *type;
	u32 id;
	refcount_t refs;
	unsigned int users;
	bool gone;
	struct rcu_head rcu;
};

void *iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size,
			   const struct iommufd_object_type *type);
void iommufd_object_abort(struct iommufd_object *obj);
void iommufd_object_publish(struct iommufd_object *obj);
struct iommufd_object *
iommufd_object_get(struct iommufd_ctx *ictx, u32 id,
		   const struct iommufd_object_type *type);
void iommufd_object_put(struct iommufd_object *obj);
int iommufd_object_use(struct iommufd_object *obj);
void iommufd_object_unuse(struct iommufd_object *obj);
void iommufd_object_remove(struct iommufd_object *obj);
int iommufd_object_destroy(struct iommufd_ctx *ictx, u32 id);
void iommufd_objects_release(struct iommufd_ctx *ictx);

/**
 * struct iommufd_call - one ioctl, decoded
 * @ictx: of the file it came by
 * @arg: the caller's struct
 * @size: its size as the caller sees it, at least the command's first version
 * @cmd: a copy, zeros where the caller's is shorter
 */
struct iommufd_call {
	struct iommufd_ctx *ictx;
	void __user *arg;
	u32 size;
	void *cmd;
};

/* Copies the answer out. Returns 0 or -EFAULT. */
static inline int iommufd_respond(struct iommufd_call *call, size_t size)
{
	if (copy_to_user(call->arg, call->cmd, min_t(size_t, call->size, size)))
		return -EFAULT;
	return 0;
}

int iommufd_object_answer(struct iommufd_object *obj, struct iommufd_call *call,
			  size_t size);

/* Programs need not know whether memory is not there or its process is not. */
static inline int iommufd_pin_errno(int rc)
{
	return rc == -ESRCH ? -EFAULT : rc;
}

/**
 * struct iommufd_ioas - I/O address space
 * @obj: its users are its HWPTs and accesses, and calls that map or copy
 * @iopt: what is mapped, and all that is known about it
 * @enforce_snoop: only devices attach whose DMA can be forced to be coherent
 * @addr_width: only devices attach that translate as many bits; 0 for any
 * @small_iopte: I/O pages are as small as can be. Changes under @attach_lock
 * @attach_lock: one attach or detach at a time
 * @hwpts: under @attach_lock, those struct iommufd_hwpt that any device may join
 */
struct iommufd_ioas {
	struct iommufd_object obj;
	struct io_pagetable *iopt;
	bool enforce_snoop;
	u32 addr_width;
	bool small_iopte;
	struct mutex attach_lock;	/* the hwpts, and what is on them */
	struct list_head hwpts;
};

int iommufd_ioas_alloc(struct iommufd_call *call);
int iommufd_ioasid_alloc(struct iommufd_call *call);
int iommufd_ioas_iova_ranges(struct iommufd_call *call);
int iommufd_ioas_allow_iovas(struct iommufd_call *call);
int iommufd_ioas_map(struct iommufd_call *call);
int iommufd_ioas_copy(struct iommufd_call *call);
int iommufd_ioas_unmap(struct iommufd_call *call);
int iommufd_option(struct iommufd_call *call);

extern const struct iommufd_object_type iommufd_ioas_type;

static inline struct iommufd_ioas *
iommufd_ioas_get(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_object_get(ictx, id, &iommufd_ioas_type);
	return obj ? container_of(obj, struct iommufd_ioas, obj) : NULL;
}

/**
 * struct iommufd_device - device bound to a context
 * @obj: its one user is the subsystem that bound it
 * @dev: the device, whose group the context owns
 * @info: what the IOMMU can do for it
 * @cookie: the program's name of it
 * @hwpt: what it is attached to, or NULL. Calls that change it are serialised
 *        by the subsystem
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct device *dev;
	struct iommu_device_info info;
	atomic64_t cookie;
	struct iommufd_hwpt *hwpt;
};

extern const struct iommufd_object_type iommufd_device_type;

static inline struct iommufd_device *
iommufd_device_get(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_object_get(ictx, id, &iommufd_device_type);
	return obj ? container_of(obj, struct iommufd_device, obj) : NULL;
}

int iommufd_device_get_info(struct iommufd_call *call);
int iommufd_device_get_hw_info(struct iommufd_call *call);
int iommufd_device_set_cookie(struct iommufd_call *call);

/**
 * struct iommufd_hwpt - one I/O page table of an IOAS
 * @obj: its users are the devices attached to it
 * @ioas: whose mappings it shows
 * @keep: the program made it and destroys it; else it goes with its last device
 * @enforce_snoop: it forces DMA to be coherent
 * @addr_width: of the device it was made for: narrower ones need their own
 * @devices: how many are attached. Under the IOAS's attach_lock, as all below
 * @domain: the page table, attached to the IOAS's engine; only while there are
 *          devices
 * @msi_window: @domain has a place for the doorbells of interrupts
 * @item: in @ioas's hwpts, unless @keep, as long as @devices is not 0
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ioas *ioas;
	bool keep;
	bool enforce_snoop;
	u32 addr_width;
	unsigned int devices;
	struct iommu_domain *domain;
	bool msi_window;
	struct list_head item;
};

extern const struct iommufd_object_type iommufd_hwpt_type;

int iommufd_hwpt_attach(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			u32 hwpt_id);
void iommufd_hwpt_detach(struct iommufd_device *idev);
int iommufd_hwpt_alloc(struct iommufd_call *call);

#endif
