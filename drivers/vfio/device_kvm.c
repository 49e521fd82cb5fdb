// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machine that a device file or a group belongs to
 *
 * A program tells KVM's vfio device of the files that its machine uses, and
 * KVM tells vfio. That may come before a file is bound, and does where a driver
 * wants to know the machine when it opens the device.
 *
 * Rule: KVM takes its word back before the machine is gone, so a link needs no
 * reference, and holding one would keep the machine for as long as an idle file
 * is open. An open device does hold one: its driver may use the machine until
 * it closes. The reference is dropped with no lock held that KVM's vfio device
 * takes, because the last one ends the machine.
 *
 * vfio is there without KVM, so KVM's functions are looked up as they are
 * needed, and its module stays as long as a machine is held.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/vfio.h>
#if IS_ENABLED(CONFIG_KVM)
#include <linux/kvm_host.h>
#endif

#include "device_kvm.h"

/**
 * vfio_kvm_link_set - note which machine uses a file
 * @link: the file's
 * @kvm: the machine, or NULL when none uses the file any more
 *
 * Context: any that may take a spinlock.
 */
void vfio_kvm_link_set(struct vfio_kvm_link *link, struct kvm *kvm)
{
	spin_lock(&link->lock);
	link->kvm = kvm;
	spin_unlock(&link->lock);
}

#if IS_ENABLED(CONFIG_KVM)

/**
 * vfio_kvm_take - let a device have the machine of the file that opens it
 * @device: the device, about to be opened
 * @link: the file's
 *
 * Sets vfio_device.kvm, with a reference, or leaves it NULL.
 *
 * Context: May sleep. The caller keeps other opens of @device out.
 */
void vfio_kvm_take(struct vfio_device *device, struct vfio_kvm_link *link)
{
	void (*put)(struct kvm *kvm) = symbol_get(kvm_put_kvm);
	bool (*get)(struct kvm *kvm) = symbol_get(kvm_get_kvm_safe);

	if (put && get) {
		spin_lock(&link->lock);
		if (link->kvm && get(link->kvm)) {
			device->kvm = link->kvm;
			device->put_kvm = put;
		}
		spin_unlock(&link->lock);
	}
	if (get)
		symbol_put(kvm_get_kvm_safe);
	if (put && !device->kvm)
		symbol_put(kvm_put_kvm);
}

/**
 * vfio_kvm_drop - undo vfio_kvm_take()
 * @device: the device, closed
 *
 * Context: May sleep. The caller keeps opens of @device out, and holds no lock
 * that vfio_file_set_kvm() or vfio_file_enforced_coherent() takes.
 */
void vfio_kvm_drop(struct vfio_device *device)
{
	struct kvm *kvm = device->kvm;

	if (!kvm)
		return;

	device->kvm = NULL;
	device->put_kvm(kvm);
	device->put_kvm = NULL;
	symbol_put(kvm_put_kvm);
}

#endif
