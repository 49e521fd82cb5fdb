/* Find the entry of an I/O page of @size bytes that is mapped at @iova. */
static arm_lpae_iopte *arm_lpae_find(struct arm_lpae_io_pgtable *data,
				     unsigned long iova, size_t size, int *lvl)
{
	arm_lpae_iopte *ptep = data->pgd;

	*lvl = data->start_level;
	for (;;) {
		ptep += ARM_LPAE_LVL_IDX(iova, *lvl, data);
		if (size == ARM_LPAE_BLOCK_SIZE(*lvl, data))
			return ptep;
		ptep = iopte_deref(READ_ONCE(*ptep), data);
		++*lvl;
	}
}

/*
 * Map I/O pages of one size until the table ends, the runs end, or another size
 * is needed. A larger I/O page can only follow the end of a table, so all of a
 * run that fits into the table is mapped with this size.
 */
static int arm_lpae_map_stretch(struct arm_lpae_io_pgtable *data,
				struct run_cursor *at, arm_lpae_iopte prot,
				gfp_t gfp)
{
	const unsigned long pgsizes = data->iop.cfg.pgsize_bitmap;
	const size_t size = run_cursor_pgsize(at, pgsizes);
	const unsigned long first = at->iova;
	arm_lpae_iopte *ptep;
	int lvl, rc, nr, max;

	/* Allocate the tables and map the first I/O page. */
	rc = __arm_lpae_map(data, first, at->phys, size, 1, prot,
			    data->start_level, data->pgd, gfp, NULL);
	if (rc)
		return rc;
	run_cursor_advance(at, size);
	if (!at->left)
		return 0;

	ptep = arm_lpae_find(data, first, size, &lvl) + 1;
	max = arm_lpae_max_entries(ARM_LPAE_LVL_IDX(first, lvl, data), data) - 1;
	while (at->left && max && run_cursor_pgsize(at, pgsizes) == size) {
		nr = min_t(size_t, at->left >> __ffs(size), max);
		rc = arm_lpae_init_pte(data, at->iova, at->phys, prot, lvl, nr,
				       ptep);
		if (rc)
			return rc;
		ptep += nr;
		max -= nr;
		run_cursor_advance(at, nr * size);
	}
	return 0;
}

/* The core has validated the arguments, except for the width of addresses. */
static int arm_lpae_map_runs(struct io_pgtable_ops *ops, unsigned long iova,
			     const struct iommu_phys_run *runs, unsigned int nr,
			     size_t bytes, int iommu_prot, gfp_t gfp,
			     size_t *mapped)
{
	struct arm_lpae_io_pgtable *data = io_pgtable_ops_to_data(ops);
	struct run_cursor at = { .run = runs, .end = runs + nr, .iova = iova };
	struct io_pgtable_cfg *cfg = &data->iop.cfg;
	long high = (s64)iova >> cfg->ias;
	phys_addr_t all = 0;
	arm_lpae_iopte prot;
	unsigned int i;
	int rc = 0;

	for (i = 0; i != nr; i++)
		if (runs[i].bytes)
			all |= runs[i].phys | (runs[i].phys + runs[i].bytes - 1);
	if ((s64)(iova + bytes - 1) >> cfg->ias != high)
		return -ERANGE;
	if (cfg->quirks & IO_PGTABLE_QUIRK_ARM_TTBR1)
		high = ~high;
	if (high || all >> cfg->oas)
		return -ERANGE;
	if (!(iommu_prot & (IOMMU_READ | IOMMU_WRITE)))
		return -EINVAL;

	prot = arm_lpae_prot_to_pte(data, iommu_prot);
	run_cursor_load(&at);
	while (!rc && at.left)
		rc = arm_lpae_map_stretch(data, &at, prot, gfp);
	/* A device may use the IOVAs as soon as the call returns. */
	wmb();
	*mapped += at.iova - iova;
	return rc;
}
