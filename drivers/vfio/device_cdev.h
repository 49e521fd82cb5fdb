/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interface between device_cdev.c and the vfio core. Without
 * CONFIG_VFIO_DEVICE_CDEV, devices appear in sysfs but have no node in /dev.
 */
#ifndef __VFIO_DEVICE_CDEV_H__
#define __VFIO_DEVICE_CDEV_H__

#include <linux/device.h>
#include <linux/fs.h>
#include <linux/vfio.h>

#ifdef CONFIG_VFIO_DEVICE_CDEV

int vfio_cdev_init(struct class *device_class);
void vfio_cdev_cleanup(void);
int vfio_cdev_device_add(struct vfio_device *device);
void vfio_cdev_revoke(struct vfio_device *device);
bool vfio_cdev_is_file(struct file *file);
struct vfio_device *vfio_cdev_file_device(struct file *file);
bool vfio_cdev_enforced_coherent(struct file *file);
void vfio_cdev_set_kvm(struct file *file, struct kvm *kvm);

/*
 * Check an ioctl on a device file of a group. Returns the errno to fail with if
 * only files of /dev/vfio/devices support the ioctl, or 0 to pass the ioctl to
 * the driver.
 */
static inline int vfio_cdev_refused_ioctl(unsigned int cmd)
{
	switch (cmd) {
	case VFIO_DEVICE_BIND_IOMMUFD:
		return -EINVAL;
	case VFIO_DEVICE_ATTACH_IOMMUFD_PT:
	case VFIO_DEVICE_DETACH_IOMMUFD_PT:
		return -ENOTTY;
	default:
		return 0;
	}
}

#else

static inline int vfio_cdev_init(struct class *device_class)
{
	return 0;
}

static inline void vfio_cdev_cleanup(void)
{
}

static inline int vfio_cdev_device_add(struct vfio_device *device)
{
	return device_add(&device->device);
}

static inline void vfio_cdev_revoke(struct vfio_device *device)
{
}

static inline bool vfio_cdev_is_file(struct file *file)
{
	return false;
}

static inline struct vfio_device *vfio_cdev_file_device(struct file *file)
{
	return file->private_data;
}

static inline bool vfio_cdev_enforced_coherent(struct file *file)
{
	return true;
}

static inline void vfio_cdev_set_kvm(struct file *file, struct kvm *kvm)
{
}

static inline int vfio_cdev_refused_ioctl(unsigned int cmd)
{
	return 0;
}

#endif
#endif
