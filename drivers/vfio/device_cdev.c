// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vfio/devices/vfioN: a vfio device without its group
 *
 * Vocabulary:
 *   node     the character device of one vfio_device, struct vfio_cdev
 *   file     one open of a node, struct vfio_cdev_file in its private_data
 *   inert    a file of a node that has not bound; BIND is all that it can do
 *   bound    the one file of a node that has bound its device to an iommufd;
 *            it is then what the group path hands out as device fd
 *   revoked  a node whose device is leaving; its inert files can do nothing
 *
 * Rule: opening a node does nothing and excludes nobody; BIND is the step that
 * takes the device, for one file at a time and never while the device's group
 * is open. Closing the bound file gives it back. No ioctl does.
 *
 * A file is inert while its device is NULL and bound once that is set, which is
 * published after everything else that BIND does. The operations of the group
 * path's device fd find the device with vfio_cdev_file_device() and serve bound
 * files too; an inert file never gets as far.
 *
 * Lifetimes: a bound file holds the device's registration, so its driver waits
 * for it as it does for the device fds of a group. An inert file holds only
 * the node, which is why that is an object of its own: it must not keep a
 * driver from leaving, and neither may it put off the driver's release
 * callback until after the driver is gone.
 */
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uuid.h>
#include <linux/vfio.h>

#include "device_cdev.h"
#include "device_kvm.h"
#include "iommufd_emulated.h"
#include "vfio.h"

/**
 * struct vfio_cdev - the node of a device
 * @kobj: lifetime; held by the device until it is revoked, and by open files
 * @cdev: the character device
 * @lock: protects @device and @bound
 * @device: the device, NULL once revoked
 * @bound: a file is bound, or is on its way there or back
 *
 * Locks on the way of the node's files to the device. None is held while
 * another of them is taken:
 *
 *   lock                      protects                        held across
 *   vfio_cdev.lock            @device, @bound                 nothing
 *   vfio_kvm_link.lock        vfio_cdev_file.kvm              nothing
 *   vfio_group.group_lock     opened_file, cdev_users         nothing
 *   vfio_device_set.lock      open_count, iommufd_ctx         open_device(),
 *                                                             close_device()
 *   vfio_device.iommufd_lock  what the device is attached to  attach_ioas(),
 *                                                             detach_ioas()
 *
 * The last may be held for as long as pinning takes, so nobody but the user of
 * this one device ever waits for it.
 */
struct vfio_cdev {
	struct kobject kobj;
	struct cdev cdev;
	spinlock_t lock;		/* innermost */
	struct vfio_device *device;
	bool bound;
};

/**
 * struct vfio_cdev_file - one open of a node
 * @device: NULL while the file is inert
 * @kvm: the machine that uses the file; a file that other programs have open of
 *       the node has its own
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

/* The device of a bound file, NULL for an inert one. */
static struct vfio_device *vfio_cdev_bound_device(struct file *file)
{
	struct vfio_cdev_file *opened = file->private_data;

	/* Pairs with the release in vfio_cdev_bind(). */
	return smp_load_acquire(&opened->device);
}

/*
 * Claiming: first the node against other files of it, then the group against
 * its own file.
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
	int ret = 0;

	/* SET_CONTAINER of the group's file holds it while it pins memory. */
	if (mutex_lock_killable(&group->group_lock))
		return -EINTR;
	if (group->opened_file)
		ret = -EBUSY;
	else
		group->cdev_users++;
	mutex_unlock(&group->group_lock);
	return ret;
}

static void vfio_cdev_unclaim_group(struct vfio_group *group)
{
	mutex_lock(&group->group_lock);
	group->cdev_users--;
	mutex_unlock(&group->group_lock);
}

/*
 * On the group path the name of a device carries what its driver wants to know
 * before it lets a user in: the token that the users of a PF and its VFs share.
 * So that there is one such check, BIND makes up the name that a user of the
 * group would have to give.
 */
static int vfio_cdev_may_use(struct vfio_device *device,
			     const struct vfio_device_bind_iommufd *bind)
{
	bool has_token = bind->flags & VFIO_DEVICE_BIND_FLAG_TOKEN;
	uuid_t token;
	char *name;
	int ret;

	if (has_token &&
	    copy_from_user(&token, u64_to_user_ptr(bind->token_uuid_ptr),
			   sizeof(token)))
		return -EFAULT;
	if (!device->ops->match)
		return has_token ? -EINVAL : 0;

	if (has_token)
		name = kasprintf(GFP_KERNEL, "%s vf_token=%pUb",
				 dev_name(device->dev), &token);
	else
		name = kstrdup(dev_name(device->dev), GFP_KERNEL);
	if (!name)
		return -ENOMEM;
	ret = device->ops->match(device, name);
	kfree(name);
	return min(ret, 0);
}

static int vfio_cdev_open_device(struct vfio_device *device,
				 struct vfio_cdev_file *opened,
				 struct iommufd_ctx *ictx)
{
	int ret = 0;

	vfio_kvm_take(device, &opened->kvm);
	mutex_lock(&device->dev_set->lock);
	device->open_count = 1;
	if (device->ops->open_device)
		ret = device->ops->open_device(device);
	if (ret)
		device->open_count = 0;
	else
		device->iommufd_ctx = ictx;
	mutex_unlock(&device->dev_set->lock);
	if (ret)
		vfio_kvm_drop(device);
	return ret;
}

static void vfio_cdev_close_device(struct vfio_device *device)
{
	vfio_access_quiesce(device);
	mutex_lock(&device->dev_set->lock);
	if (device->ops->close_device)
		device->ops->close_device(device);
	device->open_count = 0;
	device->iommufd_ctx = NULL;
	mutex_unlock(&device->dev_set->lock);
	vfio_kvm_drop(device);
}

/* A member of @ictx and open, or neither. */
static int vfio_cdev_start(struct vfio_device *device,
			   struct vfio_cdev_file *opened,
			   struct iommufd_ctx *ictx, u32 *devid)
{
	int ret;

	/* Not at open: an inert file keeps no driver from being unloaded. */
	if (!try_module_get(device->dev->driver->owner))
		return -ENODEV;

	ret = device->ops->bind_iommufd(device, ictx, devid);
	if (ret)
		goto err_module;

	ret = vfio_cdev_open_device(device, opened, ictx);
	if (ret)
		goto err_unbind;
	return 0;

err_unbind:
	device->ops->unbind_iommufd(device);
err_module:
	module_put(device->dev->driver->owner);
	return ret;
}

/*
 * The device is closed, which makes it stop, before its mappings go: else each
 * process that is killed would end with a series of DMA faults.
 */
static void vfio_cdev_stop(struct vfio_device *device)
{
	vfio_cdev_close_device(device);

	mutex_lock(&device->iommufd_lock);
	device->ops->detach_ioas(device);
	mutex_unlock(&device->iommufd_lock);

	device->ops->unbind_iommufd(device);
	module_put(device->dev->driver->owner);
}

/* Programs from before there was a token give a shorter struct. */
static int vfio_cdev_get_bind(struct vfio_device_bind_iommufd *bind,
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
	return get_user(bind->token_uuid_ptr, &arg->token_uuid_ptr);
}

static int vfio_cdev_bind(struct file *file,
			  struct vfio_device_bind_iommufd __user *arg)
{
	struct vfio_cdev_file *opened = file->private_data;
	struct vfio_cdev *node = vfio_cdev_of(file);
	struct vfio_device_bind_iommufd bind;
	struct vfio_device *device;
	struct iommufd_ctx *ictx;
	u32 devid;
	int ret;

	ret = vfio_cdev_get_bind(&bind, arg);
	if (ret)
		return ret;

	device = vfio_cdev_claim(node);
	if (IS_ERR(device))
		return PTR_ERR(device);

	ret = vfio_cdev_claim_group(device->group);
	if (ret)
		goto err_unclaim;

	ret = vfio_cdev_may_use(device, &bind);
	if (ret)
		goto err_group;

	ictx = iommufd_ctx_from_fd(bind.iommufd);
	if (IS_ERR(ictx)) {
		ret = PTR_ERR(ictx);
		goto err_group;
	}

	ret = vfio_cdev_start(device, opened, ictx, &devid);
	if (ret)
		goto err_ictx;

	/* No lock is held here: the user decides how long this fault takes. */
	if (put_user(devid, &arg->out_devid)) {
		ret = -EFAULT;
		goto err_stop;
	}

	/* Pairs with the acquire in vfio_cdev_bound_device(). */
	smp_store_release(&opened->device, device);
	return 0;

err_stop:
	vfio_cdev_stop(device);
err_ictx:
	iommufd_ctx_put(ictx);
err_group:
	vfio_cdev_unclaim_group(device->group);
err_unclaim:
	vfio_cdev_unclaim(node, device);
	return ret;
}

/* Fails if the caller is killed while the driver's calls pin memory. */
static int vfio_cdev_leave(struct vfio_device *device)
{
	int ret = vfio_access_leave(device);

	if (!ret)
		device->ops->detach_ioas(device);
	return ret;
}

static int vfio_cdev_attach(struct vfio_device *device,
			    struct vfio_device_attach_iommufd_pt __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_attach_iommufd_pt, pt_id);
	struct vfio_device_attach_iommufd_pt attach;
	int ret;

	if (copy_from_user(&attach, arg, minsz))
		return -EFAULT;
	if (attach.argsz < minsz || attach.flags)
		return -EINVAL;

	if (mutex_lock_killable(&device->iommufd_lock))
		return -EINTR;
	ret = device->ops->attach_ioas(device, &attach.pt_id);
	if (!ret && put_user(attach.pt_id, &arg->pt_id))
		ret = vfio_cdev_leave(device) ?: -EFAULT;
	mutex_unlock(&device->iommufd_lock);
	return ret;
}

static int vfio_cdev_detach(struct vfio_device *device,
			    struct vfio_device_detach_iommufd_pt __user *arg)
{
	size_t minsz = offsetofend(struct vfio_device_detach_iommufd_pt, flags);
	struct vfio_device_detach_iommufd_pt detach;
	int ret;

	if (copy_from_user(&detach, arg, minsz))
		return -EFAULT;
	if (detach.argsz < minsz || detach.flags)
		return -EINVAL;

	if (mutex_lock_killable(&device->iommufd_lock))
		return -EINTR;
	ret = vfio_cdev_leave(device);
	mutex_unlock(&device->iommufd_lock);
	return ret;
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

/* Takes nothing of the device: a new file is inert. */
static int vfio_cdev_open(struct inode *inode, struct file *file)
{
	struct vfio_cdev_file *opened;

	opened = kzalloc(sizeof(*opened), GFP_KERNEL_ACCOUNT);
	if (!opened)
		return -ENOMEM;
	vfio_kvm_link_init(&opened->kvm);
	file->private_data = opened;
	return 0;
}

static int vfio_cdev_release(struct inode *inode, struct file *file)
{
	struct vfio_device *device = vfio_cdev_bound_device(file);
	struct iommufd_ctx *ictx;

	if (device) {
		ictx = device->iommufd_ctx;
		vfio_cdev_stop(device);
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
 * vfio_cdev_is_file - whether a file is of a device node
 * @file: any file
 *
 * Return: true if it is, bound or inert.
 */
bool vfio_cdev_is_file(struct file *file)
{
	return file->f_op == &vfio_cdev_fops;
}

/**
 * vfio_cdev_file_device - the device behind a device file
 * @file: a bound file of a node, or the device fd of a group
 *
 * Return: the device, which stays while the file is open.
 */
struct vfio_device *vfio_cdev_file_device(struct file *file)
{
	return vfio_cdev_is_file(file) ? vfio_cdev_bound_device(file) :
					 file->private_data;
}

/**
 * vfio_cdev_enforced_coherent - whether a file's device can only do DMA that
 *                               is coherent with the CPU caches
 * @file: any file
 *
 * KVM asks once, when it is told of the file, which may be before the device
 * is bound or attached. So the answer is about the device and not about where
 * it is attached: /dev/iommu makes all DMA coherent of every device with which
 * that is possible, and attaches it nowhere else.
 *
 * Context: May sleep.
 * Return: true also for a file that is not of a node, for a device that has
 *         left, and for one that does no DMA of its own.
 */
bool vfio_cdev_enforced_coherent(struct file *file)
{
	struct iommu_device_info info = { .enforce_snoop = true };
	struct vfio_device *device;
	struct vfio_cdev *node;

	if (!vfio_cdev_is_file(file))
		return true;

	node = vfio_cdev_of(file);
	spin_lock(&node->lock);
	device = node->device;
	if (device && !vfio_device_try_get_registration(device))
		device = NULL;
	spin_unlock(&node->lock);
	if (!device)
		return true;

	/* A failure leaves no promise in @info. */
	if (device->group->type == VFIO_IOMMU)
		iommu_device_get_info(device->dev, &info);
	vfio_device_put_registration(device);
	return info.enforce_snoop;
}

/**
 * vfio_cdev_set_kvm - note that a virtual machine uses a file
 * @file: any file; nothing happens if it is not of a node
 * @kvm: the machine, NULL when it stops using the file
 *
 * Its driver sees the machine from the next time that the file is bound.
 *
 * Context: Any that may take a spinlock.
 */
void vfio_cdev_set_kvm(struct file *file, struct kvm *kvm)
{
	struct vfio_cdev_file *opened = file->private_data;

	if (vfio_cdev_is_file(file))
		vfio_kvm_link_set(&opened->kvm, kvm);
}

static void vfio_cdev_free(struct kobject *kobj)
{
	kfree(container_of(kobj, struct vfio_cdev, kobj));
}

static const struct kobj_type vfio_cdev_ktype = {
	.release	= vfio_cdev_free,
};

/**
 * vfio_cdev_device_add - add a device to sysfs, with its node if it has one
 * @device: the device, whose group is known
 *
 * A device has a node when its driver declares the iommufd operations, and
 * when there is an IOMMU between the device and memory. Until its registration
 * is complete the node's files answer BIND with -ENODEV.
 *
 * Context: May sleep.
 * Return: 0, -EINVAL when the driver declares only some of the operations,
 *         -ENOMEM, or what device_add() returns. On failure nothing is left.
 */
int vfio_cdev_device_add(struct vfio_device *device)
{
	const struct vfio_device_ops *ops = device->ops;
	struct vfio_cdev *node;
	int ret;

	if (WARN_ON(!ops->bind_iommufd != !ops->unbind_iommufd ||
		    !ops->bind_iommufd != !ops->attach_ioas ||
		    !ops->bind_iommufd != !ops->detach_ioas))
		return -EINVAL;

	if (!ops->bind_iommufd || device->group->type == VFIO_NO_IOMMU)
		return device_add(&device->device);

	node = kzalloc(sizeof(*node), GFP_KERNEL);
	if (!node)
		return -ENOMEM;
	kobject_init(&node->kobj, &vfio_cdev_ktype);
	spin_lock_init(&node->lock);
	node->device = device;
	mutex_init(&device->iommufd_lock);
	device->device.devt = MKDEV(MAJOR(vfio_cdev_devt), device->index);

	cdev_init(&node->cdev, &vfio_cdev_fops);
	node->cdev.owner = THIS_MODULE;
	cdev_set_parent(&node->cdev, &node->kobj);
	ret = cdev_add(&node->cdev, device->device.devt, 1);
	if (ret) {
		kobject_put(&node->kobj);
		return ret;
	}
	device->cdev = node;

	ret = device_add(&device->device);
	if (ret)
		vfio_cdev_revoke(device);
	return ret;
}

/**
 * vfio_cdev_revoke - let no more files of a device's node bind
 * @device: the device, which has a node or not
 *
 * A file that is bound stays so; it is for the caller to wait for it, and
 * device_del() then takes the name away.
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
 * vfio_cdev_init - reserve the device numbers of the nodes
 * @device_class: the class of the devices' entries in sysfs
 *
 * Context: May sleep, module initialisation.
 * Return: 0, or why alloc_chrdev_region() refused.
 */
int __init vfio_cdev_init(struct class *device_class)
{
	device_class->devnode = vfio_cdev_devnode;
	return alloc_chrdev_region(&vfio_cdev_devt, 0, MINORMASK + 1,
				   "vfio-dev");
}

/**
 * vfio_cdev_cleanup - undo vfio_cdev_init()
 *
 * Context: May sleep, no node is left.
 */
void vfio_cdev_cleanup(void)
{
	unregister_chrdev_region(vfio_cdev_devt, MINORMASK + 1);
}
