#spatch --smpl-spacing
// Make what device_cdev.c uses non-static. If a rule does not match, compiling
// fails.
// files: drivers/vfio/vfio_main.c
@@
type T;
identifier f = {vfio_device_put_registration,
		vfio_device_try_get_registration};
@@
-static
 T f(...) { ... }

@@
@@
-static const struct file_operations vfio_device_fops;

@@
@@
-static
 const struct file_operations vfio_device_fops = { ... };
