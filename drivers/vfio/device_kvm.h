/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine that a device file belongs to, see device_kvm.c.
 */
#ifndef __VFIO_DEVICE_KVM_H__
#define __VFIO_DEVICE_KVM_H__

#include <linux/spinlock.h>

struct file;
struct kvm;
struct vfio_device;

/**
 * struct vfio_kvm_link - what KVM said last of the files of one device
 * @lock: protects the others; innermost
 * @file: the file that it said it of
 * @kvm: the machine, NULL when it has none; no reference is held
 */
struct vfio_kvm_link {
	spinlock_t lock;	/* file and kvm, which change together */
	struct file *file;
	struct kvm *kvm;
};

static inline void vfio_kvm_link_init(struct vfio_kvm_link *link)
{
	*link = (struct vfio_kvm_link){};
	spin_lock_init(&link->lock);
}

void vfio_kvm_link_set(struct vfio_kvm_link *link, struct file *file,
		       struct kvm *kvm);

#if IS_ENABLED(CONFIG_KVM)

void vfio_kvm_take(struct vfio_device *device, struct vfio_kvm_link *link,
		   struct file *file);
void vfio_kvm_drop(struct vfio_device *device);

#else

static inline void vfio_kvm_take(struct vfio_device *device,
				 struct vfio_kvm_link *link, struct file *file)
{
}

static inline void vfio_kvm_drop(struct vfio_device *device)
{
}

#endif
#endif
