static inline int iommu_map_runs(struct iommu_domain *domain,
				 unsigned long iova,
				 const struct iommu_phys_run *runs,
				 unsigned int nr, int prot, gfp_t gfp,
				 size_t *mapped)
{
	*mapped = 0;
	return -ENODEV;
}
