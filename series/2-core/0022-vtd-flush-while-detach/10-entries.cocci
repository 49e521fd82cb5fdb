#spatch --smpl-spacing
// files: drivers/iommu/intel/iommu.c
// Protect walks over the units of a domain by RCU.

@@
struct dmar_domain *domain;
identifier info, i;
iterator name xa_for_each;
statement S;
@@
+domain_begin_flush();
 xa_for_each(&domain->iommu_array, i, info) S
+domain_end_flush();

@@
identifier info;
@@
domain_detach_iommu(...)
{
	<...
-	kfree(info);
+	kfree_rcu(info, rcu);
	...>
}
