#spatch --smpl-spacing
// Drivers of mediated devices register their devices as emulated.
// files: drivers/gpu/drm/i915/gvt/kvmgt.c drivers/s390/cio/vfio_ccw_ops.c
// files: samples/vfio-mdev/mtty.c samples/vfio-mdev/mdpy.c
// files: samples/vfio-mdev/mbochs.c samples/vfio-mdev/pin/main.c
@emulated@
@@
 vfio_register_emulated_iommu_dev(...)

@depends on emulated@
identifier ops;
expression E;
@@
 struct vfio_device_ops ops = {
 	.write = E,
+	.bind_iommufd	= vfio_iommufd_emulated_bind,
+	.unbind_iommufd	= vfio_iommufd_emulated_unbind,
+	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,
+	.detach_ioas	= vfio_iommufd_emulated_detach_ioas,
 };
