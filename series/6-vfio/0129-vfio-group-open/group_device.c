/* Open a device through its group. Only the first open reaches the driver. */
static int vfio_group_open_device(struct vfio_device *device)
{
	int rc = 0;

	mutex_lock(&device->dev_set->lock);
	if (!device->open_count++) {
		vfio_kvm_take(device, &device->group->kvm);
		if (device->ops->open_device)
			rc = device->ops->open_device(device);
		if (!rc)
			vfio_device_container_register(device);
	}
	if (rc) {
		device->open_count--;
		vfio_kvm_drop(device);
	}
	mutex_unlock(&device->dev_set->lock);
	return rc;
}

/* Undo vfio_group_open_device(). */
static void vfio_group_close_device(struct vfio_device *device)
{
	mutex_lock(&device->dev_set->lock);
	vfio_assert_device_open(device);
	if (device->open_count == 1) {
		if (device->ops->close_device)
			device->ops->close_device(device);
		vfio_device_container_unregister(device);
	}
	if (!--device->open_count)
		vfio_kvm_drop(device);
	mutex_unlock(&device->dev_set->lock);
}
