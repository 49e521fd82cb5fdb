#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
identifier cmd, ret;
@@
 vfio_device_fops_unl_ioctl(..., unsigned int cmd, ...)
 {
 	...
+	ret = vfio_cdev_refused_ioctl(cmd);
+	if (ret)
+		return ret;
 	ret = vfio_device_pm_runtime_get(...);
 	...
 }
