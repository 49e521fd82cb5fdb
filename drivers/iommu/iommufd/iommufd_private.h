/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal structures and functions of /dev/iommu.
 *
 * Vocabulary: a context is one open file of /dev/iommu. It contains objects,
 * which are identified by IDs. An IOAS is an I/O address space. An HWPT is an
 * I/O page table (an iommu_domain) that translates an IOAS. A DEVICE is a
 * device bound to the context. An ACCESS represents a driver that accesses
 * memory with the CPU on behalf of its device.
 *
 * The code in this directory decodes ioctls and checks permissions. It neither
 * pins memory nor writes to I/O page tables, but calls the engine
 * (linux/iopt.h) to do so.
 *
 * A context has no reference count of its own, but lives as long as its struct
 * file. Each bound device and each access holds a reference to the file, except
 * for mock devices (tests/devices.c). When the file is released, only these
 * objects can therefore remain: IOASes, HWPTs without devices, and mock devices
 * with the HWPTs that they are attached to.
 *
 * Lock order, outermost first. None of these locks is held across a map, an
 * unmap or a query of the engine:
 *
 *	iommufd_ioas::attach_lock	held across attach, detach and setting
 *					IOMMU_OPTION_HUGE_PAGES. Since detach is
 *					not killable, a thread that holds the
 *					lock may wait for memory or for a driver
 *					only while the HWPTs of the IOAS have no
 *					devices. A device is moved under the
 *					locks of both IOASes; the lock of the
 *					IOAS at the lower address is taken first
 *	iommufd_access::unmap_lock	held across the unmap callback of a
 *					driver
 *	locks of that driver
 *	locks of the engine and of the IOMMU core
 *	iommufd_access::lock,		innermost, spinlocks
 *	iommufd_ctx::objects' xa_lock
 */
#ifndef _IOMMUFD_PRIVATE_H
#define _IOMMUFD_PRIVATE_H

#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/iopt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/vfio_type1.h>
#include <linux/wait.h>
#include <linux/xarray.h>

struct file;
struct iommufd_object;

/**
 * struct iommufd_ctx - one open file of /dev/iommu
 * @file: the file; a reference to it is a reference to the context
 * @objects: all objects by ID; the entry is NULL while the object is being set
 *           up
 * @put_wq: woken when a short-term reference to an object is dropped
 * @account: how mappings of processes without CAP_IPC_LOCK are charged. Written
 *           only while @objects is empty, under the xa_lock of @objects
 * @container: IOAS that the ioctls of VFIO containers apply to, or NULL;
 *             written under the xa_lock of @objects. Cleared when the IOAS is
 *             destroyed
 */
struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	wait_queue_head_t put_wq;
	enum iopt_account account;
	struct iommufd_object *container;
};

void iommufd_ctx_get(struct iommufd_ctx *ictx);

/**
 * struct iommufd_object_type - operations common to all objects of a type
 * @destroy: tears down the type-specific part of an object that has no users
 *           left. The caller frees the object
 */
struct iommufd_object_type {
	void (*destroy)(struct iommufd_object *obj);
};

/**
 * struct iommufd_object - head of every object, embedded as its first member
 * @ictx: context that @id belongs to
 * @type: type of the object
 * @id: ID of the object, at least 1
 * @refs: number of short-term users, which are calls in progress, plus 1 until
 *        the object is destroyed. The object is freed when this drops to 0
 * @users: number of long-term users. IOMMU_DESTROY fails unless it is 0.
 *         Protected by the xa_lock of iommufd_ctx.objects
 * @removed: the object has lost its ID and accepts no new long-term users.
 *           Protected by the same lock as @users
 * @rcu: frees the object after a grace period, since lookups take no lock
 */
struct iommufd_object {
	struct iommufd_ctx *ictx;
	const struct iommufd_object_type *type;
	u32 id;
	refcount_t refs;
	unsigned int users;
	bool removed;
	struct rcu_head rcu;
};

void *iommufd_object_alloc(struct iommufd_ctx *ictx, size_t size,
			   const struct iommufd_object_type *type);
void iommufd_object_abort(struct iommufd_object *obj);
void iommufd_object_publish_locked(struct iommufd_object *obj);
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
 * struct iommufd_call - one decoded ioctl
 * @ictx: context of the file that the ioctl was issued on
 * @arg: user address of the argument
 * @size: size of the argument in bytes as given by the caller, at least that of
 *        the first version of the command
 * @cmd: kernel copy of the argument, zero-extended if the caller's struct is
 *       shorter
 */
struct iommufd_call {
	struct iommufd_ctx *ictx;
	void __user *arg;
	u32 size;
	void *cmd;
};

/*
 * Copy the first @size bytes of the argument back to the caller, but not more
 * than the struct of the caller holds. Returns 0 or -EFAULT.
 */
static inline int iommufd_respond(struct iommufd_call *call, size_t size)
{
	if (copy_to_user(call->arg, call->cmd, min_t(size_t, call->size, size)))
		return -EFAULT;
	return 0;
}

int iommufd_object_respond(struct iommufd_object *obj,
			   struct iommufd_call *call, size_t size);

/*
 * Convert an errno of pinning to that of the uAPI. The engine returns -EFAULT
 * if memory is not accessible, and -ESRCH if the process that mapped it has
 * exited. IOMMU_IOAS_COPY and an attach return -EFAULT for both, as Linux 6.12
 * does.
 *
 * Other code that pins memory does not convert errnos: IOMMU_IOAS_MAP pins
 * memory of the calling process, so -ESRCH does not occur, and the driver of an
 * access gets the errno of the engine.
 *
 * The only other errno of the engine that is converted is that of
 * IOMMU_OPTION_HUGE_PAGES, see set_small_iopte().
 */
static inline int iommufd_pin_errno(int rc)
{
	return rc == -ESRCH ? -EFAULT : rc;
}

/* Return how mappings of the current process are charged. */
static inline enum iopt_account iommufd_account(struct iommufd_ctx *ictx)
{
	enum iopt_account account = READ_ONCE(ictx->account);

	if (!capable(CAP_IPC_LOCK))
		return account;
	return account == IOPT_ACCOUNT_MM ? IOPT_ACCOUNT_MM_UNLIMITED :
					    IOPT_ACCOUNT_NONE;
}

/**
 * struct iommufd_ioas - I/O address space
 * @obj: object head; the long-term users are the HWPTs and accesses of the
 *       IOAS, and ioctls in progress that may pin memory, such as a map
 * @iopt: address space of the engine, which records all mappings
 * @enforce_snoop: only devices for which the IOMMU can enforce coherent DMA may
 *                 be attached
 * @addr_width: number of address bits that the IOMMU must translate for each
 *              attached device; 0 for any
 * @attach_lock: serialises attach and detach of devices
 * @hwpts: list of the &struct iommufd_hwpt that compatible devices may join;
 *         protected by @attach_lock
 * @incoherent: number of HWPTs that have devices but do not enforce coherent
 *              DMA; written under @attach_lock
 * @type1: state of the ioctls of VFIO containers
 */
struct iommufd_ioas {
	struct iommufd_object obj;
	struct io_pagetable *iopt;
	bool enforce_snoop;
	u32 addr_width;
	struct mutex attach_lock;	/* Protects hwpts and their devices */
	struct list_head hwpts;
	unsigned int incoherent;
	struct type1_space type1;
};

struct iommufd_ioas *iommufd_ioas_new(struct iommufd_ctx *ictx);
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
 * @obj: object head; the only long-term user is the subsystem that bound the
 *       device
 * @dev: the device; its group is owned by the context
 * @info: properties of the I/O page tables that the device can be attached to
 * @enforce_snoop: the IOMMU can make all DMA of the device coherent
 * @cookie: number by which user space identifies the device
 * @group: the IOMMU group of @dev, with a reference
 * @hwpt: HWPT that the device is attached to, or NULL. Attach sets and detach
 *        clears it; the subsystem serialises these calls. A move of any device
 *        of the group replaces the HWPT of all attached devices of the group,
 *        with the attach_lock of both the old and the new IOAS held
 * @item: node in iommufd_hwpt.attached, unless @hwpt is NULL
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct device *dev;
	struct iommu_device_info info;
	bool enforce_snoop;
	atomic64_t cookie;
	struct iommu_group *group;
	struct iommufd_hwpt *hwpt;
	struct list_head item;
};

extern const struct iommufd_object_type iommufd_device_type;

static inline struct iommufd_device *
iommufd_device_get(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;

	obj = iommufd_object_get(ictx, id, &iommufd_device_type);
	return obj ? container_of(obj, struct iommufd_device, obj) : NULL;
}

void iommufd_device_remove(struct iommufd_device *idev);
int iommufd_device_get_info(struct iommufd_call *call);
int iommufd_device_get_hw_info(struct iommufd_call *call);
int iommufd_device_set_cookie(struct iommufd_call *call);

/**
 * struct iommufd_hwpt - I/O page table of an IOAS
 * @obj: object head; has one long-term user while @devices is not 0
 * @ioas: IOAS that @domain translates
 * @user_owned: created by user space, which also destroys it. Otherwise the
 *              HWPT is freed when its last device detaches
 * @enforce_snoop: @domain enforces coherent DMA
 * @addr_width: address width in bits of the device that the HWPT was created
 *              for; narrower devices need another HWPT
 * @devices: number of devices that are attached or that are about to be moved
 *           here. Protected by iommufd_ioas.attach_lock, as are all members
 *           below
 * @attached: list of the attached &struct iommufd_device
 * @domain: the I/O page table, attached to the engine's space; only valid while
 *          @devices is not 0
 * @msi_window: @domain has a window that interrupt doorbells are mapped in
 * @item: node in iommufd_ioas.hwpts while @devices is not 0, unless
 *        @user_owned is set
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ioas *ioas;
	bool user_owned;
	bool enforce_snoop;
	u32 addr_width;
	unsigned int devices;
	struct list_head attached;
	struct iommu_domain *domain;
	bool msi_window;
	struct list_head item;
};

extern const struct iommufd_object_type iommufd_hwpt_type;

/**
 * struct iommufd_join - request to attach or move a device to an HWPT
 * @idev: the device
 * @ioas: IOAS of the HWPT; the caller is a short-term user of it
 * @hwpt_id: input: ID of the HWPT, or 0 for any HWPT of @ioas; output: ID of
 *           @hwpt
 * @move: the device is already attached. The join only counts it as one of the
 *        devices of @hwpt, and the caller moves it there afterwards
 * @rejections: number of HWPTs that the IOMMU driver has rejected for a move
 * @created: @hwpt was created for this device
 * @msi_start: IOVA of the MSI doorbell window of @idev, or PHYS_ADDR_MAX
 * @refused: domain that the engine does not accept until a busy mapping becomes
 *           idle, or NULL. No device is attached to the domain
 * @hwpt: the HWPT that the device has joined
 */
struct iommufd_join {
	struct iommufd_device *idev;
	struct iommufd_ioas *ioas;
	u32 hwpt_id;
	bool move;
	unsigned int rejections;
	bool created;
	phys_addr_t msi_start;
	struct iommu_domain *refused;
	struct iommufd_hwpt *hwpt;
};

bool iommufd_ioas_accepts(const struct iommufd_ioas *ioas,
			  const struct iommufd_device *idev);
bool iommufd_hwpt_compatible(const struct iommufd_hwpt *hwpt,
			     const struct iommufd_device *idev);
int iommufd_hwpt_msi_window(struct iommufd_hwpt *hwpt, phys_addr_t start);
int iommufd_hwpt_join(struct iommufd_join *join);
bool iommufd_hwpt_leave(struct iommufd_hwpt *hwpt, unsigned int nr);
struct iommufd_hwpt *iommufd_hwpt_free_domain(struct iommufd_hwpt *hwpt);
struct iommufd_ioas *iommufd_device_ioas(struct iommufd_device *idev);
bool iommufd_device_in(struct iommufd_device *idev,
		       const struct iommufd_ioas *ioas);

int iommufd_hwpt_attach(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			u32 *hwpt_id);
int iommufd_hwpt_replace(struct iommufd_device *idev, struct iommufd_ioas *ioas,
			 u32 *hwpt_id);
void iommufd_hwpt_detach(struct iommufd_device *idev);
int iommufd_hwpt_alloc(struct iommufd_call *call);

#ifdef CONFIG_IOMMUFD_VFIO

void iommufd_container_init(struct iommufd_ioas *ioas);
void iommufd_container_destroy(struct iommufd_ioas *ioas);
int iommufd_vfio_ioas(struct iommufd_call *call);
long iommufd_container_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
			     unsigned long arg);

#else

static inline void iommufd_container_init(struct iommufd_ioas *ioas)
{
}

static inline void iommufd_container_destroy(struct iommufd_ioas *ioas)
{
}

#define iommufd_vfio_ioas NULL

static inline long iommufd_container_ioctl(struct iommufd_ctx *ictx,
					   unsigned int cmd, unsigned long arg)
{
	return -ENOTTY;
}

#endif

/* Flag of iommufd_access_rw() for tests: copy through pinned pages */
#define IOMMUFD_ACCESS_RW_PINNED	BIT(31)

#ifdef CONFIG_IOMMUFD_TEST

int iommufd_test_init(void);
void iommufd_test_exit(void);
bool iommufd_is_test(unsigned int nr, u32 size);
int iommufd_test(struct iommufd_call *call);

#else

static inline int iommufd_test_init(void)
{
	return 0;
}

static inline void iommufd_test_exit(void)
{
}

static inline bool iommufd_is_test(unsigned int nr, u32 size)
{
	return false;
}

static inline int iommufd_test(struct iommufd_call *call)
{
	return -ENOTTY;
}

#endif

#endif
