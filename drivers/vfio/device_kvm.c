// SPDX-License-Identifier: GPL-2.0-only
/*
 * Association of VFIO files (device files and groups) with KVM VMs.
 *
 * User space adds the VFIO files of a VM to the VM's KVM-VFIO device, and KVM
 * passes the VM to vfio. The driver of a device uses the VM that the file is
 * associated with when the device is opened, so if the driver needs the VM, the
 * device file must be added before it is bound.
 *
 * A link holds no reference to its VM: KVM clears all links before it frees the
 * VM, and a reference would keep the VM alive as long as an idle file is open.
 * An open device does hold a reference, since its driver may use the VM until
 * close_device(). Dropping the last reference destroys the VM, so a reference
 * must not be dropped under a lock that the KVM-VFIO device takes.
 *
 * vfio does not depend on KVM: it looks up KVM's functions at run time. A
 * device that holds a VM also holds the KVM module.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/vfio.h>
#if IS_ENABLED(CONFIG_KVM)
#include <linux/kvm_host.h>
#endif

#include "device_kvm.h"

/**
 * vfio_kvm_link_set() - associate a file with a VM
 * @link: link of the file
 * @kvm: the VM, or NULL to end the association
 *
 * Context: Process context. Takes vfio_kvm_link.lock.
 */
void vfio_kvm_link_set(struct vfio_kvm_link *link, struct kvm *kvm)
{
	spin_lock(&link->lock);
	link->kvm = kvm;
	spin_unlock(&link->lock);
}

#if IS_ENABLED(CONFIG_KVM)

/**
 * vfio_kvm_take() - reference the VM for a device that is being opened
 * @device: the device
 * @link: link of the file by which the device is opened
 *
 * Sets vfio_device.kvm and takes a reference to the VM. Leaves vfio_device.kvm
 * NULL if the file is not associated with a VM or if the VM is already being
 * destroyed.
 *
 * Context: May sleep. The caller serialises opens of @device.
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
 * vfio_kvm_drop() - drop the reference of a device to its VM
 * @device: the device, which has been closed
 *
 * Context: May sleep. The caller serialises opens of @device, and holds no lock
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
