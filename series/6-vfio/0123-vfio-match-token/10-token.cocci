#spatch --smpl-spacing
// files: drivers/vfio/pci/vfio_pci_core.c
// Let the caller check a token without making it the token of a PF.
@@
typedef uuid_t;
identifier vdev, vf_token, uuid;
@@
 vfio_pci_validate_vf_token(struct vfio_pci_core_device *vdev, bool vf_token,
-				      uuid_t *uuid
+				      const uuid_t *uuid, bool set
 )
 { ... }

@@
symbol vf_token, set;
expression E1, E2;
@@
 if (
-    vf_token
+    vf_token && set
    )
 { uuid_copy(E1, E2); }

@@
expression E1, E2, E3;
@@
 vfio_pci_validate_vf_token(E1, E2, E3
+			   , true
			   )
