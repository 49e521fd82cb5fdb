#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
identifier f = {vfio_device_remove_group, vfio_group_ioctl_unset_container,
		vfio_group_ioctl_set_container, vfio_group_ioctl_get_status,
		vfio_group_fops_release};
identifier group;
@@
 f(...)
 {
 	<...
(
-	vfio_group_detach_container(group);
+	vfio_group_leave_container(group);
|
-	group->container
+	vfio_group_has_container(group)
)
 	...>
 }

@@
identifier container, group, f;
@@
 vfio_group_ioctl_set_container(...)
 {
 	...
 	container = vfio_container_from_file(f.file);
-	ret = -EINVAL;
-	if (container) {
-		ret = vfio_container_attach_group(container, group);
-		goto out_unlock;
-	}
+	if (container)
+		ret = vfio_container_attach_group(container, group);
+	else
+		ret = vfio_group_set_iommufd(group, f.file);
 	...
 }
