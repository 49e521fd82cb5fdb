#spatch --smpl-spacing
// files: drivers/iommu/intel/iommu.h

@@
@@
struct iommu_domain_info {
	...
+	struct rcu_head rcu;		/* for concurrent flushes */
};

@@
identifier info;
@@
domain_id_iommu(...)
{
	...
-	return info->did;
+	return info ? info->did : 0;
}
