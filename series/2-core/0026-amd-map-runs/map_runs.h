u64 *v1_alloc_pte(struct protection_domain *domain, unsigned long address,
		  unsigned long page_size, u64 **pte_page, gfp_t gfp,
		  bool *updated);
void v1_clear_pte(u64 *pte, u64 pteval, struct list_head *freelist);
int amd_iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
		       const struct iommu_phys_run *runs, unsigned int nr,
		       size_t bytes, int prot, gfp_t gfp, size_t *mapped);
