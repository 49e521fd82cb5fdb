/*
 * Make sure that @pte, which refers to a table, is in memory before an entry of
 * that table is used: the thread that created @pte might not have flushed it
 * yet. Setting DMA_PTE_FLUSHED needs no flush, since hardware ignores the bit.
 */
static void domain_flush_parent(struct dmar_domain *domain, struct dma_pte *pte)
{
	u64 val = READ_ONCE(pte->val);

	if (likely(val & DMA_PTE_FLUSHED))
		return;
	domain_flush_cache(domain, pte, sizeof(*pte));
	cmpxchg64(&pte->val, val, val | DMA_PTE_FLUSHED);
}
