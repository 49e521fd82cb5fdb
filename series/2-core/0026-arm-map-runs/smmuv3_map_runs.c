static int arm_smmu_map_runs(struct iommu_domain *domain, unsigned long iova,
			     const struct iommu_phys_run *runs, unsigned int nr,
			     size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct io_pgtable_ops *ops = to_smmu_domain(domain)->pgtbl_ops;

	if (!ops)
		return -ENODEV;
	return ops->map_runs(ops, iova, runs, nr, bytes, prot, gfp, mapped);
}
