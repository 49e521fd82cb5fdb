#spatch --smpl-spacing
// files: drivers/vfio/pci/vfio_pci.c drivers/vfio/pci/mlx5/main.c
// files: drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c
@@
identifier ops;
@@
 struct vfio_device_ops ops = {
 	.match = vfio_pci_core_match,
+	.match_token_uuid = vfio_pci_core_match_token_uuid,
 };
