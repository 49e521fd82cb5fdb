#spatch --smpl-spacing
// files: drivers/vfio/container.c

@@
identifier container;
@@
 vfio_container_ioctl_check_extension(struct vfio_container *container, ...)
 {
 	...
-	down_read(&container->group_lock);
+	if (down_read_killable(&container->group_lock))
+		return -EINTR;
 	...
 }

@@
identifier container;
@@
 vfio_ioctl_set_iommu(struct vfio_container *container, ...)
 {
 	...
-	down_write(&container->group_lock);
+	if (down_write_killable(&container->group_lock))
+		return -EINTR;
 	...
 }

@@
identifier container;
@@
 vfio_container_attach_group(struct vfio_container *container, ...)
 {
 	...
-	down_write(&container->group_lock);
+	if (down_write_killable(&container->group_lock))
+		return -EINTR;
 	...
 }
