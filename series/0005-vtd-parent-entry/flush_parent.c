/*
 * Flush an entry to memory before an entry below it is used, as the thread that
 * created it may not have flushed it yet. Setting DMA_PTE_FLUSHED itself needs
 * no flush.
 */
static void domain_flush_parent(struct dmar_domain *domain, struct dma_pte *pte)
{
	u64 val = READ_ONCE(pte->val);

	if (likely(val & DMA_PTE_FLUSHED))
		return;
	domain_flush_cache(domain, pte, sizeof(*pte));
	cmpxchg64(&pte->val, val, val | DMA_PTE_FLUSHED);
}
