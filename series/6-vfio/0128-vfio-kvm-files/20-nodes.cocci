#spatch --smpl-spacing
// files: drivers/vfio/vfio_main.c
@@
identifier file;
@@
 vfio_file_enforced_coherent(struct file *file)
 {
 	...
 	if (!vfio_file_is_group(file))
-		return true;
+		return vfio_cdev_enforced_coherent(file);
 	...
 }

@@
identifier file, kvm;
@@
 vfio_file_set_kvm(struct file *file, struct kvm *kvm)
 {
 	...
 	if (!vfio_file_is_group(file))
-		return;
+	{
+		vfio_cdev_set_kvm(file, kvm);
+		return;
+	}
 	...
 }
