#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c

@@
identifier group;
@@
 vfio_group_ioctl_unset_container(struct vfio_group *group)
 {
 	...
-	mutex_lock(&group->group_lock);
+	if (mutex_lock_killable(&group->group_lock))
+		return -EINTR;
 	...
 }

@@
identifier group, f;
@@
 vfio_group_ioctl_set_container(struct vfio_group *group, ...)
 {
 	...
 	if (!f.file) return -EBADF;
-	mutex_lock(&group->group_lock);
+	if (mutex_lock_killable(&group->group_lock)) {
+		fdput(f);
+		return -EINTR;
+	}
 	...
 }

@@
identifier group;
@@
 vfio_group_ioctl_get_status(struct vfio_group *group, ...)
 {
 	...
-	mutex_lock(&group->group_lock);
+	if (mutex_lock_killable(&group->group_lock))
+		return -EINTR;
 	...
 }

@@
identifier group;
@@
 vfio_group_fops_open(...)
 {
 	...
-	mutex_lock(&group->group_lock);
+	if (mutex_lock_killable(&group->group_lock))
+		return -EINTR;
 	...
 }

@@
identifier device, ret;
@@
 vfio_device_open(struct vfio_device *device)
 {
 	...
-	mutex_lock(&device->group->group_lock);
+	if (mutex_lock_killable(&device->group->group_lock))
+		return ERR_PTR(-EINTR);
 	ret = vfio_device_assign_container(device);
 	...
 }
