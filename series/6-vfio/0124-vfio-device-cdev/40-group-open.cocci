#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
expression group;
@@
 vfio_group_fops_open(...)
 {
 	<...
 	if (
-	    group->opened_file
+	    group->opened_file || group->cdev_users
 	   )
 	{ ... }
 	...>
 }
