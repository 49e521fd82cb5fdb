#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
@@
 vfio_cleanup(...)
 {
 	...
+	vfio_cdev_cleanup();
 	unregister_chrdev_region(...);
 	...
 }
