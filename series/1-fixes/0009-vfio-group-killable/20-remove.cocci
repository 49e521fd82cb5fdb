#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c

@@
identifier device, group;
@@
 vfio_device_remove_group(struct vfio_device *device)
 {
 	...
 	cdev_device_del(&group->cdev, &group->dev);
+	/* SET_CONTAINER may hold the group's lock for an unbounded time. */
+	mutex_unlock(&vfio.group_lock);
 	mutex_lock(&group->group_lock);
 	...
 	mutex_unlock(&group->group_lock);
-	mutex_unlock(&vfio.group_lock);
 	...
 }
