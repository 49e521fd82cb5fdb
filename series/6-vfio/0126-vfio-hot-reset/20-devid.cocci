#spatch --smpl-spacing
// files: include/uapi/linux/vfio.h
@@
typedef __u32;
@@
 struct vfio_pci_dependent_device {
-	__u32	group_id;
+	union {
+		__u32	group_id;
+		__u32	devid;
+	};
 	...
 };
