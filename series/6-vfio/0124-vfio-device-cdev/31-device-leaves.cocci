#spatch --smpl-spacing
// Prevent further binds before waiting for users.
// files: drivers/vfio/vfio_main.c
@@
identifier device;
@@
 vfio_unregister_group_dev(struct vfio_device *device)
 {
 	...
+	vfio_cdev_revoke(device);
 	vfio_device_put_registration(device);
 	...
 }
