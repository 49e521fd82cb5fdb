#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
identifier device;
@@
 __vfio_register_dev(struct vfio_device *device, ...)
 {
 	<...
-	device_add(&device->device)
+	vfio_cdev_device_add(device)
 	...>
 }
