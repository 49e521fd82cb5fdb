#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
@@
 vfio_init(...)
 {
 	...
 	ret = alloc_chrdev_region(&vfio.group_devt, ...);
 	if (ret)
 		goto err_alloc_chrdev;
+	ret = vfio_cdev_init(vfio.device_class);
+	if (ret)
+		goto err_cdev;
 	...
 	return 0;
+
+err_cdev:
+	unregister_chrdev_region(vfio.group_devt, MINORMASK + 1);
 	...
 }
