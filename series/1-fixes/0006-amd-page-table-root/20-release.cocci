// files: drivers/iommu/amd/amd_iommu.h
// Publish a root only after its entries, which increase_address_space() wrote.

@@
identifier domain, root;
@@
amd_iommu_domain_set_pt_root(struct protection_domain *domain, u64 root)
{
-	atomic64_set(&domain->iop.pt_root, root);
+	atomic64_set_release(&domain->iop.pt_root, root);
	...
}
