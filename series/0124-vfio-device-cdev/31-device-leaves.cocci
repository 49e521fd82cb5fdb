#spatch --smpl-spacing
// Before the wait for users: a file that binds now would only prolong it.
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
