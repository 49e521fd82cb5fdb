// files: drivers/iommu/intel/iommu.c
// Set the op, and make the command line option that it depends on non-static.

@@
identifier intel_iommu_ops, fn;
@@
struct iommu_ops intel_iommu_ops = {
	.capable = fn,
+	.device_info = intel_iommu_device_info,
};

@@
@@
-static int intel_iommu_superpage = 1;
+int intel_iommu_superpage = 1;
