#spatch --smpl-spacing
// Let vfio decide which files KVM accepts.
// files: virt/kvm/vfio.c
@@
type T;
@@
 T
-kvm_vfio_file_is_group
+kvm_vfio_file_is_valid
 (...) { ... }

@@
@@
-kvm_vfio_file_is_group
+kvm_vfio_file_is_valid
 (...)

@@
@@
-vfio_file_is_group
+vfio_file_is_valid
