// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machine that a device file or a group belongs to.
 *
 * User space adds the files of a virtual machine to KVM's vfio device, and KVM
 * passes the machine to vfio. A file may be added before it is bound, and must
 * be if the driver of its device requires the machine at open_device().
 *
 * KVM removes the machine from all files before the machine is freed, so a link
 * holds no reference. A reference would keep the machine alive as long as an
 * idle file is open. An open device does hold a reference, since its driver may
 * use the machine until close_device(). That reference is dropped without any
 * lock that KVM's vfio device takes, because dropping the last one destroys the
 * machine.
 *
 * vfio does not depend on KVM. Functions of KVM are looked up at runtime, and a
 * device that holds a machine holds the module, too.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/vfio.h>
#if IS_ENABLED(CONFIG_KVM)
#include <linux/kvm_host.h>
#endif

#include "device_kvm.h"

/**
 * vfio_kvm_link_set() - set the virtual machine that uses a file
 * @link: link of the file
 * @kvm: the virtual machine, or NULL if none uses the file any more
 *
 * Context: Any context. Takes vfio_kvm_link.lock.
 */
void vfio_kvm_link_set(struct vfio_kvm_link *link, struct kvm *kvm)
{
	spin_lock(&link->lock);
	link->kvm = kvm;
	spin_unlock(&link->lock);
}

#if IS_ENABLED(CONFIG_KVM)

/**
 * vfio_kvm_take() - get the virtual machine for a device that is being opened
 * @device: the device
 * @link: link of the file that opens it
 *
 * Sets vfio_device.kvm with a reference held, or leaves it NULL if the file has
 * no machine.
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
 * vfio_kvm_drop() - release the virtual machine of a device
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
