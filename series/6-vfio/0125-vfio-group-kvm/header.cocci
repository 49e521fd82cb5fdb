#spatch --smpl-spacing
// files: drivers/vfio/vfio.h

@@
@@
 struct vfio_group {
 	...
-	struct kvm *kvm;
 	...
 };
