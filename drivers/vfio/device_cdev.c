// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vfio/devices/vfioN: access to a vfio device without its group.
 *
 * Vocabulary:
 *  node     the character device of a vfio_device, struct vfio_cdev
 *  file     one open of a node; private_data is a struct vfio_cdev_file
 *  inert    a file that has not bound its device yet and supports only BIND
 *  bound    the file that has bound its device to an iommufd, at most one for a
 *           node. It works like the device fd that a group provides
 *  revoked  the node of a device that is being removed; its inert files cannot
 *           bind
 *
 * Opening a node does nothing to the device and is not exclusive. BIND takes
 * ownership of the device. Only one file at a time can own the device, and none
 * while the group of the device is open. Ownership ends when the bound file is
 * closed, and there is no ioctl to end it earlier.
 *
 * A file is inert while its device pointer is NULL. BIND sets the pointer after
 * everything else is set up. The ioctl, read, write and mmap operations of a
 * group's device fd get the device from vfio_cdev_file_device() and thus also
 * work for bound files. They are never called for an inert file.
 *
 * A bound file holds the registration of its device, so that the removal of the
 * device waits for the file as it does for the device fds of a group. An inert
 * file must neither block the removal of the device nor delay the driver's
 * release callback until after the driver has been unloaded. It therefore only
 * holds the node, which has a lifetime of its own.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommufd.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/uuid.h>
#include <linux/vfio.h>

#include "device_cdev.h"
#include "device_kvm.h"
#include "iommufd_device.h"
#include "iommufd_emulated.h"
#include "vfio.h"

/**
 * struct vfio_cdev - character device of a vfio device
 * @kobj: reference count; drops to 0 once the node is revoked and all its files
 *        are closed
 * @cdev: the character device
 * @lock: protects @device and @bound
 * @device: the device, NULL once revoked
 * @bound: the device is bound through a file, or is being bound or unbound
 * @coherent: all DMA of the device is coherent with CPU caches, because its
 *            IOMMU enforces that or because the device does no DMA of its own.
 *            Constant, and valid even after the node has been revoked
 *
 * Locks that operations on a file take. None of them is taken while another one
 * is held, except that iommufd_lock is held while the device is closed:
 *
 *   lock                      protects                        held across
 *   vfio_cdev.lock            @device, @bound                 nothing
 *   vfio_kvm_link.lock        vfio_cdev_file.kvm              nothing
 *   vfio_group.group_lock     opened_file, cdev_users         nothing
 *   vfio_device_set.lock      open_count, iommufd_ctx         open_device(),
 *                                                             close_device(),
 *                                                             PCI hot reset
 *   vfio_device.iommufd_lock  attached IOAS of the device     attach_ioas(),
 *                                                             detach_ioas()
 *
 * iommufd_lock may be held for a long time while memory is pinned. Each device
 * has a lock of its own, so that users of other devices do not wait for it.
 */
struct vfio_cdev {
	struct kobject kobj;
	struct cdev cdev;
	spinlock_t lock;		/* Innermost */
	struct vfio_device *device;
	bool bound;
	bool coherent;
};

/**
 * struct vfio_cdev_file - one open of a node
 * @device: the device of a bound file, NULL while the file is inert
 * @kvm: association of this file with a KVM VM; other files of the node have
 *       associations of their own
 */
struct vfio_cdev_file {
	struct vfio_device *device;
	struct vfio_kvm_link kvm;
};

static dev_t vfio_cdev_devt;

static struct vfio_cdev *vfio_cdev_of(struct file *file)
{
	return container_of(file_inode(file)->i_cdev, struct vfio_cdev, cdev);
}

/* Return the device of a bound file, or NULL for an inert file. */
static struct vfio_device *vfio_cdev_bound_device(struct file *file)
{
	struct vfio_cdev_file *cdev_file = file->private_data;

	/* Pairs with the release in vfio_cdev_bind(). */
	return smp_load_acquire(&cdev_file->device);
}

/*
 * Claim the node, which prevents its other files from being bound, and hold the
 * registration of the device. vfio_cdev_claim_group() then prevents the group
 * from being opened.
 */
static struct vfio_device *vfio_cdev_claim(struct vfio_cdev *node)
{
	struct vfio_device *device;

	spin_lock(&node->lock);
	device = node->device;
	if (!device)
		device = ERR_PTR(-ENODEV);
	else if (node->bound)
		device = ERR_PTR(-EINVAL);
	else if (!vfio_device_try_get_registration(device))
		device = ERR_PTR(-ENODEV);
	else
		node->bound = true;
	spin_unlock(&node->lock);
	return device;
}

static void vfio_cdev_unclaim(struct vfio_cdev *node,
			      struct vfio_device *device)
{
	spin_lock(&node->lock);
	node->bound = false;
	spin_unlock(&node->lock);
	vfio_device_put_registration(device);
}

static int vfio_cdev_claim_group(struct vfio_group *group)
{
	int rc = 0;

	/*
	 * VFIO_GROUP_SET_CONTAINER holds group_lock while it pins memory, so
	 * the wait must be killable.
	 */
	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	if (group->opened_file)
		rc = -EBUSY;
	else
		group->cdev_users++;
	mutex_unlock(&group->group_lock);
	return rc;
}

static void vfio_cdev_unclaim_group(struct vfio_group *group)
{
	mutex_lock(&group->group_lock);
	group->cdev_users--;
	mutex_unlock(&group->group_lock);
}

/*
 * Check the token of a BIND, which is NULL if none was passed. @set is as for
 * the match_token_uuid op.
 */
static int vfio_cdev_check_token(struct vfio_device *device,
				 const uuid_t *token, bool set)
{
	if (!device->ops->match_token_uuid)
		return token ? -EINVAL : 0;
	return device->ops->match_token_uuid(device, token, set);
}

static int vfio_cdev_open_device(struct vfio_device *device,
				 struct vfio_cdev_file *cdev_file,
				 struct iommufd_ctx *ictx, u32 *devid)
{
	int rc;

	/*
	 * Take the reference to the driver's module only now: an inert file
	 * must not prevent the module from being unloaded.
	 */
	if (!try_module_get(device->dev->driver->owner))
		return -ENODEV;
	rc = vfio_iommufd_open(device, &cdev_file->kvm, ictx, true, devid);
	if (rc)
		module_put(device->dev->driver->owner);
	return rc;
}

static void vfio_cdev_close_device(struct vfio_device *device)
{
	mutex_lock(&device->iommufd_lock);
	vfio_iommufd_close(device);
	mutex_unlock(&device->iommufd_lock);
	module_put(device->dev->driver->owner);
}

/*
 * Read the argument of BIND. Programs that predate the token pass a shorter
 * struct. @uuid is only set with VFIO_DEVICE_BIND_FLAG_TOKEN.
 */
static int vfio_cdev_get_bind(struct vfio_device_bind_iommufd *bind,
			      uuid_t *uuid,
			      struct vfio_device_bind_iommufd __user *arg)
{
	if (copy_from_user(bind, arg,
			   offsetofend(struct vfio_device_bind_iommufd,
				       out_devid)))
		return -EFAULT;
	if (bind->argsz < offsetofend(struct vfio_device_bind_iommufd,
				      out_devid) ||
	    bind->flags & ~VFIO_DEVICE_BIND_FLAG_TOKEN || bind->iommufd < 0)
		return -EINVAL;

	if (!(bind->flags & VFIO_DEVICE_BIND_FLAG_TOKEN))
		return 0;
	if (bind->argsz < offsetofend(struct vfio_device_bind_iommufd,
				      token_uuid_ptr))
		return -EINVAL;
	if (get_user(bind->token_uuid_ptr, &arg->token_uuid_ptr) ||
	    copy_from_user(uuid, u64_to_user_ptr(bind->token_uuid_ptr),
			   sizeof(*uuid)))
		return -EFAULT;
	return 0;
}

/*
 * Bind and open the device and return its ID to user space. On failure the
 * device is neither bound nor open, and the token of a PF is not replaced.
 *
 * The token is checked before the open, because the open resets the device and,
 * if the device is a PF, also its VFs. The token is checked again when nothing
 * else can fail. For a VF, this is necessary because a bind of the PF may have
 * replaced the token meanwhile. For a PF, only the second check replaces the
 * token, so a bind that fails leaves the token unchanged. No bind replaces the
 * token while a VF is open. If a VF is bound between the first check and the
 * open of the PF, a bind of the PF without the token still fails, but only
 * after the open has reset the VF.
 */
static int vfio_cdev_bind_with_token(struct vfio_device *device,
				     struct vfio_cdev_file *cdev_file,
				     struct iommufd_ctx *ictx,
				     const uuid_t *token, u32 __user *out_devid)
{
	u32 devid;
	int rc;

	rc = vfio_cdev_check_token(device, token, false);
	if (rc)
		return rc;
	rc = vfio_cdev_open_device(device, cdev_file, ictx, &devid);
	if (rc)
		return rc;

	/*
	 * No lock is held here: user space controls how long a page fault
	 * takes.
	 */
	rc = put_user(devid, out_devid);
	if (!rc)
		rc = vfio_cdev_check_token(device, token, true);
	if (rc)
		vfio_cdev_close_device(device);
	return rc;
}

static int vfio_cdev_bind(struct file *file,
			  struct vfio_device_bind_iommufd __user *arg)
{
	struct vfio_cdev_file *cdev_file = file->private_data;
	struct vfio_cdev *node = vfio_cdev_of(file);
	struct vfio_device_bind_iommufd bind;
	struct vfio_device *device;
	struct iommufd_ctx *ictx;
	uuid_t *token = NULL;
	uuid_t uuid;
	int rc;

	rc = vfio_cdev_get_bind(&bind, &uuid, arg);
	if (rc)
		return rc;
	if (bind.flags & VFIO_DEVICE_BIND_FLAG_TOKEN)
		token = &uuid;

	device = vfio_cdev_claim(node);
	if (IS_ERR(device))
		return PTR_ERR(device);

	rc = vfio_cdev_claim_group(device->group);
	if (rc)
		goto err_unclaim;

	ictx = iommufd_ctx_from_fd(bind.iommufd);
	if (IS_ERR(ictx)) {
		rc = PTR_ERR(ictx);
		goto err_group;
	}

	rc = vfio_cdev_bind_with_token(device, cdev_file, ictx, token,
				       &arg->out_devid);
	if (rc)
		goto err_ictx;

	/* Pairs with the acquire in vfio_cdev_bound_device(). */
	smp_store_release(&cdev_file->device, device);
	return 0;

err_ictx:
	iommufd_ctx_put(ictx);
err_group:
	vfio_cdev_unclaim_group(device->group);
err_unclaim:
	vfio_cdev_unclaim(node, device);
	return rc;
}

static int vfio_cdev_attach(struct vfio_device *device,
			    struct vfio_device_attach_iommufd_pt __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_attach_iommufd_pt, pt_id);
	struct vfio_device_attach_iommufd_pt attach;
	int rc;

	if (copy_from_user(&attach, arg, minsz))
		return -EFAULT;
	if (attach.argsz < minsz || attach.flags)
		return -EINVAL;
	/*
	 * If the ID cannot be written after a move, the device cannot be moved
	 * back, so check in advance whether the ID can be written.
	 */
	if (put_user(attach.pt_id, &arg->pt_id))
		return -EFAULT;

	if (mutex_lock_killable(&device->iommufd_lock))
		return -EINTR;
	rc = device->ops->attach_ioas(device, &attach.pt_id);
	mutex_unlock(&device->iommufd_lock);
	if (!rc && put_user(attach.pt_id, &arg->pt_id))
		rc = -EFAULT;
	return rc;
}

static int vfio_cdev_detach(struct vfio_device *device,
			    struct vfio_device_detach_iommufd_pt __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_detach_iommufd_pt, flags);
	struct vfio_device_detach_iommufd_pt detach;
	int rc;

	if (copy_from_user(&detach, arg, minsz))
		return -EFAULT;
	if (detach.argsz < minsz || detach.flags)
		return -EINVAL;

	if (mutex_lock_killable(&device->iommufd_lock))
		return -EINTR;
	/* The driver of an emulated device may be pinning or copying memory. */
	rc = vfio_emulated_block(device);
	if (!rc)
		device->ops->detach_ioas(device);
	mutex_unlock(&device->iommufd_lock);
	return rc;
}

static long vfio_cdev_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	struct vfio_device *device = vfio_cdev_bound_device(file);
	void __user *uarg = (void __user *)arg;

	if (cmd == VFIO_DEVICE_BIND_IOMMUFD)
		return vfio_cdev_bind(file, uarg);

	if (!device)
		return READ_ONCE(vfio_cdev_of(file)->device) ? -EINVAL :
							       -ENODEV;

	switch (cmd) {
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
		return vfio_cdev_attach(device, uarg);
	case VFIO_DEVICE_DETACH_IOMMUFD_PT:
		return vfio_cdev_detach(device, uarg);
	default:
		return vfio_device_fops.unlocked_ioctl(file, cmd, arg);
	}
}

static ssize_t vfio_cdev_read(struct file *file, char __user *buf,
			      size_t count, loff_t *ppos)
{
	if (!vfio_cdev_bound_device(file))
		return -EINVAL;
	return vfio_device_fops.read(file, buf, count, ppos);
}

static ssize_t vfio_cdev_write(struct file *file, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	if (!vfio_cdev_bound_device(file))
		return -EINVAL;
	return vfio_device_fops.write(file, buf, count, ppos);
}

static int vfio_cdev_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (!vfio_cdev_bound_device(file))
		return -EINVAL;
	return vfio_device_fops.mmap(file, vma);
}

/* A new file is inert, so it takes no reference to the device. */
static int vfio_cdev_open(struct inode *inode, struct file *file)
{
	struct vfio_cdev_file *cdev_file;

	cdev_file = kzalloc(sizeof(*cdev_file), GFP_KERNEL_ACCOUNT);
	if (!cdev_file)
		return -ENOMEM;
	vfio_kvm_link_init(&cdev_file->kvm);
	file->private_data = cdev_file;
	return 0;
}

static int vfio_cdev_release(struct inode *inode, struct file *file)
{
	struct vfio_device *device = vfio_cdev_bound_device(file);
	struct iommufd_ctx *ictx;

	if (device) {
		ictx = device->iommufd_ctx;
		vfio_cdev_close_device(device);
		iommufd_ctx_put(ictx);
		vfio_cdev_unclaim_group(device->group);
		vfio_cdev_unclaim(vfio_cdev_of(file), device);
	}
	kfree(file->private_data);
	return 0;
}

static const struct file_operations vfio_cdev_fops = {
	.owner		= THIS_MODULE,
	.open		= vfio_cdev_open,
	.release	= vfio_cdev_release,
	.read		= vfio_cdev_read,
	.write		= vfio_cdev_write,
	.unlocked_ioctl	= vfio_cdev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.mmap		= vfio_cdev_mmap,
};

/**
 * vfio_cdev_is_file() - check whether a file belongs to a device node
 * @file: any file
 *
 * Return: true if @file is a bound or an inert file of a node.
 */
bool vfio_cdev_is_file(struct file *file)
{
	return file->f_op == &vfio_cdev_fops;
}

/**
 * vfio_cdev_file_device() - get the device of a device file
 * @file: bound file of a node, or device fd of a group
 *
 * Return: the device, which remains valid while the file is open.
 */
struct vfio_device *vfio_cdev_file_device(struct file *file)
{
	return vfio_cdev_is_file(file) ? vfio_cdev_bound_device(file) :
					 file->private_data;
}

/**
 * vfio_cdev_enforced_coherent() - check whether DMA of a device is always
 * coherent with CPU caches
 * @file: any file
 *
 * KVM calls this for the files of a VM when a file is added or removed, but not
 * when a device is bound, attached or removed. The result must therefore not
 * depend on the state of a file: it is the same for all files of a node at any
 * time, even while the removal of a device waits for its bound file.
 *
 * Context: Any context.
 * Return: true if all DMA is coherent. Also true if the device does no DMA of
 * its own, or if @file does not belong to a node.
 */
bool vfio_cdev_enforced_coherent(struct file *file)
{
	return !vfio_cdev_is_file(file) || vfio_cdev_of(file)->coherent;
}

/**
 * vfio_cdev_set_kvm() - associate a file with a VM
 * @file: any file; nothing is done if it does not belong to a node
 * @kvm: the VM, or NULL to end the association
 *
 * The driver of the device uses the VM with which the file is associated at the
 * time of BIND.
 *
 * Context: Process context. Takes vfio_kvm_link.lock.
 */
void vfio_cdev_set_kvm(struct file *file, struct kvm *kvm)
{
	struct vfio_cdev_file *cdev_file = file->private_data;

	if (vfio_cdev_is_file(file))
		vfio_kvm_link_set(&cdev_file->kvm, kvm);
}

static void vfio_cdev_free(struct kobject *kobj)
{
	kfree(container_of(kobj, struct vfio_cdev, kobj));
}

static const struct kobj_type vfio_cdev_ktype = {
	.release	= vfio_cdev_free,
};

/**
 * vfio_cdev_device_add() - add a device to sysfs and create its node
 * @device: the device; its group is set
 *
 * A node is only created if the driver provides the iommufd operations and the
 * device has an IOMMU or does no DMA of its own. BIND fails with -ENODEV until
 * the registration of the device is complete.
 *
 * Context: May sleep.
 * Return: 0, or
 * * %-EINVAL - The driver provides only some of the iommufd operations, or all
 *   of them and match, but not match_token_uuid.
 * * %-ENOMEM - Out of memory.
 * * Another errno of device_add().
 *
 * On failure nothing is left behind.
 */
int vfio_cdev_device_add(struct vfio_device *device)
{
	const struct vfio_device_ops *ops = device->ops;
	struct vfio_cdev *node;
	int rc;

	if (WARN_ON(!ops->bind_iommufd != !ops->unbind_iommufd ||
		    !ops->bind_iommufd != !ops->attach_ioas ||
		    !ops->bind_iommufd != !ops->detach_ioas))
		return -EINVAL;
	/*
	 * Without match_token_uuid, BIND could not check the token of a VF, and
	 * would accept a device that the group API refuses.
	 */
	if (WARN_ON(ops->bind_iommufd && ops->match && !ops->match_token_uuid))
		return -EINVAL;

	if (!ops->bind_iommufd || device->group->type == VFIO_NO_IOMMU)
		return device_add(&device->device);

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return -ENOMEM;
	kobject_init(&node->kobj, &vfio_cdev_ktype);
	spin_lock_init(&node->lock);
	node->device = device;
	node->coherent = vfio_iommufd_coherent(device);
	device->device.devt = MKDEV(MAJOR(vfio_cdev_devt), device->index);

	cdev_init(&node->cdev, &vfio_cdev_fops);
	node->cdev.owner = THIS_MODULE;
	cdev_set_parent(&node->cdev, &node->kobj);
	rc = cdev_add(&node->cdev, device->device.devt, 1);
	if (rc) {
		kobject_put(&node->kobj);
		return rc;
	}
	device->cdev = node;

	rc = device_add(&device->device);
	if (rc)
		vfio_cdev_revoke(device);
	return rc;
}

/**
 * vfio_cdev_revoke() - prevent further binds of a device
 * @device: the device, which need not have a node
 *
 * Does not affect a file that is already bound. The caller waits for that file
 * to be closed, and removes the node from sysfs with device_del().
 *
 * Context: May sleep.
 */
void vfio_cdev_revoke(struct vfio_device *device)
{
	struct vfio_cdev *node = device->cdev;

	if (!node)
		return;

	device->cdev = NULL;
	cdev_del(&node->cdev);
	spin_lock(&node->lock);
	WRITE_ONCE(node->device, NULL);
	spin_unlock(&node->lock);
	kobject_put(&node->kobj);
}

static char *vfio_cdev_devnode(struct device *dev, umode_t *mode)
{
	return kasprintf(GFP_KERNEL, "vfio/devices/%s", dev_name(dev));
}

/**
 * vfio_cdev_init() - reserve the device numbers of the nodes
 * @device_class: class of the vfio devices in sysfs
 *
 * Context: Module initialisation. May sleep.
 * Return: 0 on success, or an errno of alloc_chrdev_region().
 */
int __init vfio_cdev_init(struct class *device_class)
{
	device_class->devnode = vfio_cdev_devnode;
	return alloc_chrdev_region(&vfio_cdev_devt, 0, MINORMASK + 1,
				   "vfio-dev");
}

/**
 * vfio_cdev_cleanup() - undo vfio_cdev_init()
 *
 * Context: May sleep. All nodes have been removed.
 */
void vfio_cdev_cleanup(void)
{
	unregister_chrdev_region(vfio_cdev_devt, MINORMASK + 1);
}
