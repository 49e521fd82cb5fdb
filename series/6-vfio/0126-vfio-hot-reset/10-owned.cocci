#spatch --smpl-spacing
// A device bound to an iommufd is reset without group files.
// files: drivers/vfio/pci/vfio_pci_core.c
@@
identifier vdev, groups;
statement S;
@@
 vfio_dev_in_groups(struct vfio_pci_core_device *vdev,
		    struct vfio_pci_group_info *groups)
 {
 	...
+	if (groups->ictx)
+		return vfio_pci_owned_by(vdev, groups->ictx);
 	for (...; ...; ...) S
 	...
 }

@@
identifier hdr;
expression minsz;
@@
 vfio_pci_ioctl_get_pci_hot_reset_info(...)
 {
 	...
 	if (hdr.argsz < minsz)
 		return -EINVAL;
+
+	if (vdev->vdev.iommufd_ctx)
+		return vfio_pci_owned_hot_reset_info(vdev, hdr.argsz, arg);
 	...
 }

@@
identifier hdr, info, files;
expression E;
@@
 vfio_pci_ioctl_pci_hot_reset(...)
 {
 	...
 	if (E || hdr.flags)
 		return -EINVAL;
+
+	if (vdev->vdev.iommufd_ctx)
+		return vfio_pci_owned_hot_reset(vdev, hdr.count);
 	...
 	info.files = files;
+	info.ictx = NULL;
 	...
 }
