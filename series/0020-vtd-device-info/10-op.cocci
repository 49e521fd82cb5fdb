// files: drivers/iommu/intel/iommu.c
// The op, and the one command line option that it needs to know.

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
