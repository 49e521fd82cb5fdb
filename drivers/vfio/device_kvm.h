/* SPDX-License-Identifier: GPL-2.0-only */
/* Association of VFIO files with KVM VMs. See device_kvm.c. */
#ifndef __VFIO_DEVICE_KVM_H__
#define __VFIO_DEVICE_KVM_H__

#include <linux/spinlock.h>

struct kvm;
struct vfio_device;

/**
 * struct vfio_kvm_link - association of a VFIO file with a KVM VM
 * @lock: protects @kvm; a leaf lock
 * @kvm: the VM, or NULL. No reference is held, since KVM clears the link before
 *       it frees the VM
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
