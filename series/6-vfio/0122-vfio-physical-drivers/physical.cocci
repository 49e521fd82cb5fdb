#spatch --smpl-spacing
// Physical drivers register their devices as members of IOMMU groups.
// files: drivers/vfio/pci/vfio_pci.c drivers/vfio/pci/mlx5/main.c
// files: drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c
// files: drivers/vfio/platform/vfio_platform.c drivers/vfio/platform/vfio_amba.c
// files: drivers/vfio/fsl-mc/vfio_fsl_mc.c
@physical@
@@
(
 vfio_register_group_dev(...)
|
 vfio_pci_core_register_device(...)
)

@depends on physical@
identifier ops;
expression E;
@@
 struct vfio_device_ops ops = {
 	.mmap = E,
+	.bind_iommufd	= vfio_iommufd_physical_bind,
+	.unbind_iommufd	= vfio_iommufd_physical_unbind,
+	.attach_ioas	= vfio_iommufd_physical_attach_ioas,
+	.detach_ioas	= vfio_iommufd_physical_detach_ioas,
 };
