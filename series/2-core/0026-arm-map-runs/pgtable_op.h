	int (*map_runs)(struct io_pgtable_ops *ops, unsigned long iova,
			const struct iommu_phys_run *runs, unsigned int nr,
			size_t bytes, int prot, gfp_t gfp, size_t *mapped);
