#spatch --smpl-spacing
// files: drivers/vfio/pci/vfio_pci_core.c
// The token is only read, or copied if it becomes the token of a PF.
@@
typedef uuid_t;
identifier vdev, vf_token, uuid;
@@
 vfio_pci_validate_vf_token(struct vfio_pci_core_device *vdev, bool vf_token,
-				      uuid_t *uuid
+				      const uuid_t *uuid
 )
 { ... }
