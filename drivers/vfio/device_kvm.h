/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtual machine that a device file or a group belongs to, see
 * device_kvm.c.
 */
#ifndef __VFIO_DEVICE_KVM_H__
#define __VFIO_DEVICE_KVM_H__

#include <linux/spinlock.h>

struct kvm;
struct vfio_device;

/**
 * struct vfio_kvm_link - virtual machine that uses a file
 * @lock: protects @kvm; a leaf lock
 * @kvm: the virtual machine, or NULL; no reference is held
 */
struct vfio_kvm_link {
	spinlock_t lock;	/* Innermost */
	struct kvm *kvm;
};

static inline void vfio_kvm_link_init(struct vfio_kvm_link *link)
{
	link->kvm = NULL;
	spin_lock_init(&link->lock);
}

void vfio_kvm_link_set(struct vfio_kvm_link *link, struct kvm *kvm);

#if IS_ENABLED(CONFIG_KVM)

void vfio_kvm_take(struct vfio_device *device, struct vfio_kvm_link *link);
void vfio_kvm_drop(struct vfio_device *device);

#else

static inline void vfio_kvm_take(struct vfio_device *device,
				 struct vfio_kvm_link *link)
{
}

static inline void vfio_kvm_drop(struct vfio_device *device)
{
}

#endif
#endif
