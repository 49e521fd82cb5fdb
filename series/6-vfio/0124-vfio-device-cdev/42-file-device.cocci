#spatch --smpl-spacing
// Let the file operations of the device fds of groups serve bound device files.
// files: drivers/vfio/vfio_main.c
@@
identifier filep;
identifier f = {vfio_device_fops_unl_ioctl, vfio_device_fops_read,
		vfio_device_fops_write, vfio_device_fops_mmap};
type T;
@@
 T f(struct file *filep, ...)
 {
 	<...
-	filep->private_data
+	vfio_cdev_file_device(filep)
 	...>
 }
