#spatch --smpl-spacing
// files: drivers/iommu/intel/iommu.c
// Protect walks over the units of a domain by RCU.

@@
struct dmar_domain *domain;
identifier info, i;
iterator name xa_for_each;
statement S;
@@
+rcu_read_lock();
 xa_for_each(&domain->iommu_array, i, info) S
+rcu_read_unlock();

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
