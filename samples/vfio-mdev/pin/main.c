// SPDX-License-Identifier: GPL-2.0-only
/*
 * mdev_pin: a mediated device that pins, unpins, reads and writes memory of its
 * user on command, to test vfio. It needs no hardware.
 *
 * To create a device:
 *
 *   echo UUID > /sys/class/mdev_pin/mdev_pin/mdev_supported_types/TYPE/create
 *
 * The type mdev_pin-notified has the dma_unmap op, and the type mdev_pin-plain
 * does not. mdev_pin.h describes the user interface.
 */
#include <linux/mdev.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "device.h"

static struct mdev_type plain_type = {
	.sysfs_name = "plain",
	.pretty_name = "pins on command, without dma_unmap op",
};

static struct mdev_type notified_type = {
	.sysfs_name = "notified",
	.pretty_name = "pins on command, with dma_unmap op",
};

static struct mdev_type *types[] = { &plain_type, &notified_type };

static int init_device(struct vfio_device *vdev)
{
	struct pin_device *pin = to_pin_device(vdev);
	unsigned int i;
	int ret = 0;

	pin_table_init(&pin->table);
	notices_init(&pin->notices);
	for (i = 0; i < MDEV_PIN_SLOTS; i++)
		ret = slot_init(&pin->slot[i]) ?: ret;
	if (ret)
		for (i = 0; i < MDEV_PIN_SLOTS; i++)
			slot_destroy(&pin->slot[i]);
	return ret;
}

static void release_device(struct vfio_device *vdev)
{
	struct pin_device *pin = to_pin_device(vdev);
	unsigned int i;

	for (i = 0; i < MDEV_PIN_SLOTS; i++)
		slot_destroy(&pin->slot[i]);
	pin_table_destroy(&pin->table);
	vfio_free_device(vdev);
}

static int open_device(struct vfio_device *vdev)
{
	notices_open(to_pin_device(vdev));
	return 0;
}

static void close_device(struct vfio_device *vdev)
{
	notices_close(to_pin_device(vdev));
}

static struct pin_slot *find_slot(struct pin_device *pin, u64 *offset)
{
	u64 number;

	if (*offset < MDEV_PIN_SLOT(0) ||
	    *offset >= MDEV_PIN_SLOT(MDEV_PIN_SLOTS))
		return NULL;
	*offset -= MDEV_PIN_SLOT(0);
	number = *offset / (MDEV_PIN_SLOT(1) - MDEV_PIN_SLOT(0));
	*offset %= MDEV_PIN_SLOT(1) - MDEV_PIN_SLOT(0);
	return &pin->slot[number];
}

/*
 * Copy the first @count bytes of a block to the user. Returns @count, -EINVAL
 * if the block is shorter, or -EFAULT.
 */
static ssize_t copy_block(char __user *buf, size_t count, const void *block,
			  size_t size)
{
	if (count > size)
		return -EINVAL;
	return copy_to_user(buf, block, count) ? -EFAULT : count;
}

static ssize_t read_slot(struct pin_slot *slot, u64 offset, char __user *buf,
			 size_t count)
{
	ssize_t ret = -EINVAL;

	mutex_lock(&slot->lock);
	if (!offset)
		ret = copy_block(buf, count, &slot->result,
				 sizeof(slot->result));
	else if (offset == MDEV_PIN_PAGES)
		ret = copy_block(buf, count, slot->page_info,
				 MDEV_PIN_MAX_PAGES * sizeof(*slot->page_info));
	else if (offset == MDEV_PIN_WINDOW)
		ret = copy_block(buf, count, slot->window,
				 MDEV_PIN_WINDOW_SIZE);
	mutex_unlock(&slot->lock);
	return ret;
}

static ssize_t read_state(struct pin_device *pin, char __user *buf,
			  size_t count)
{
	struct mdev_pin_state *state;
	ssize_t ret;

	state = kmalloc(sizeof(*state), GFP_KERNEL);
	if (!state)
		return -ENOMEM;
	notices_state(pin, state);
	ret = copy_block(buf, count, state, sizeof(*state));
	kfree(state);
	return ret;
}

static ssize_t read_device(struct vfio_device *vdev, char __user *buf,
			   size_t count, loff_t *ppos)
{
	struct pin_device *pin = to_pin_device(vdev);
	struct mdev_pin_control control;
	struct pin_slot *slot;
	u64 offset = *ppos;

	slot = find_slot(pin, &offset);
	if (slot)
		return read_slot(slot, offset, buf, count);
	if (offset == MDEV_PIN_STATE)
		return read_state(pin, buf, count);
	if (offset != MDEV_PIN_CONTROL)
		return -EINVAL;
	notices_control(&pin->notices, &control, false);
	return copy_block(buf, count, &control, sizeof(control));
}

static ssize_t write_slot(struct pin_device *pin, struct pin_slot *slot,
			  u64 offset, const char __user *buf, size_t count)
{
	struct mdev_pin_request request;
	ssize_t ret = count;

	if (!offset) {
		if (count != sizeof(request))
			return -EINVAL;
		if (copy_from_user(&request, buf, sizeof(request)))
			return -EFAULT;
		mutex_lock(&slot->lock);
		ret = slot_run(pin, slot, &request) ?: ret;
		mutex_unlock(&slot->lock);
		return ret;
	}
	if (offset != MDEV_PIN_WINDOW || count > MDEV_PIN_WINDOW_SIZE)
		return -EINVAL;
	mutex_lock(&slot->lock);
	if (copy_from_user(slot->window, buf, count))
		ret = -EFAULT;
	mutex_unlock(&slot->lock);
	return ret;
}

static ssize_t write_device(struct vfio_device *vdev, const char __user *buf,
			    size_t count, loff_t *ppos)
{
	struct pin_device *pin = to_pin_device(vdev);
	struct mdev_pin_control control;
	struct pin_slot *slot;
	u64 offset = *ppos;

	slot = find_slot(pin, &offset);
	if (slot)
		return write_slot(pin, slot, offset, buf, count);
	if (offset != MDEV_PIN_CONTROL || count != sizeof(control))
		return -EINVAL;
	if (copy_from_user(&control, buf, sizeof(control)))
		return -EFAULT;
	notices_control(&pin->notices, &control, true);
	return count;
}

static const struct vfio_device_ops plain_ops = {
	.name = "mdev_pin-plain",
	.init = init_device,
	.release = release_device,
	.open_device = open_device,
	.close_device = close_device,
	.read = read_device,
	.write = write_device,
};

static const struct vfio_device_ops notified_ops = {
	.name = "mdev_pin-notified",
	.init = init_device,
	.release = release_device,
	.open_device = open_device,
	.close_device = close_device,
	.read = read_device,
	.write = write_device,
	.dma_unmap = pin_dma_unmap,
};

static int probe_mdev(struct mdev_device *mdev)
{
	bool notified = mdev->type == &notified_type;
	struct pin_device *pin;
	int ret;

	pin = vfio_alloc_device(pin_device, vdev, &mdev->dev,
				notified ? &notified_ops : &plain_ops);
	if (IS_ERR(pin))
		return PTR_ERR(pin);
	dev_set_drvdata(&mdev->dev, pin);
	ret = vfio_register_emulated_iommu_dev(&pin->vdev);
	if (ret)
		vfio_put_device(&pin->vdev);
	return ret;
}

static void remove_mdev(struct mdev_device *mdev)
{
	struct pin_device *pin = dev_get_drvdata(&mdev->dev);

	vfio_unregister_group_dev(&pin->vdev);
	vfio_put_device(&pin->vdev);
}

static struct mdev_driver pin_driver = {
	.device_api = VFIO_DEVICE_API_PCI_STRING,
	.max_instances = 64,
	.probe = probe_mdev,
	.remove = remove_mdev,
	.driver = {
		.name = "mdev_pin",
		.owner = THIS_MODULE,
		.mod_name = KBUILD_MODNAME,
	},
};

static struct class pin_class = {
	.name = "mdev_pin",
	.owner = THIS_MODULE,
};

static struct device *parent_dev;
static struct mdev_parent parent;

static int __init pin_init(void)
{
	int ret;

	ret = class_register(&pin_class);
	if (ret)
		return ret;
	parent_dev = device_create(&pin_class, NULL, MKDEV(0, 0), NULL,
				   "mdev_pin");
	if (IS_ERR(parent_dev)) {
		ret = PTR_ERR(parent_dev);
		goto err_class;
	}
	ret = mdev_register_driver(&pin_driver);
	if (ret)
		goto err_device;
	ret = mdev_register_parent(&parent, parent_dev, &pin_driver, types,
				   ARRAY_SIZE(types));
	if (ret)
		goto err_driver;
	return 0;

err_driver:
	mdev_unregister_driver(&pin_driver);
err_device:
	device_unregister(parent_dev);
err_class:
	class_unregister(&pin_class);
	return ret;
}

static void __exit pin_exit(void)
{
	mdev_unregister_parent(&parent);
	mdev_unregister_driver(&pin_driver);
	device_unregister(parent_dev);
	class_unregister(&pin_class);
}

module_init(pin_init);
module_exit(pin_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Mediated device that pins pages on command");
