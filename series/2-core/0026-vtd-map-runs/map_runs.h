void domain_flush_cache(struct dmar_domain *domain, void *addr, int size);
struct dma_pte *pfn_to_dma_pte(struct dmar_domain *domain, unsigned long pfn,
			       int *target_level, gfp_t gfp);
void domain_unmap(struct dmar_domain *domain, unsigned long start_pfn,
		  unsigned long last_pfn, struct list_head *freelist);
int intel_iommu_map_runs(struct iommu_domain *domain, unsigned long iova,
			 const struct iommu_phys_run *runs, unsigned int nr,
			 size_t bytes, int prot, gfp_t gfp, size_t *mapped);
