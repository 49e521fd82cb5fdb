static int arm_smmu_map_runs(struct iommu_domain *domain, unsigned long iova,
			     const struct iommu_phys_run *runs, unsigned int nr,
			     size_t bytes, int prot, gfp_t gfp, size_t *mapped)
{
	struct io_pgtable_ops *ops = to_smmu_domain(domain)->pgtbl_ops;
	struct arm_smmu_device *smmu = to_smmu_domain(domain)->smmu;
	int rc;

	if (!ops)
		return -ENODEV;
	/* ARM_V7S has no such op. */
	if (!ops->map_runs)
		return -EOPNOTSUPP;

	arm_smmu_rpm_get(smmu);
	rc = ops->map_runs(ops, iova, runs, nr, bytes, prot, gfp, mapped);
	arm_smmu_rpm_put(smmu);
	return rc;
}
