/* Raise max_addr to @end. Other threads may raise and lower it concurrently. */
static inline void domain_raise_max_addr(struct dmar_domain *domain, u64 end)
{
	u64 old = READ_ONCE(domain->max_addr);

	while (old < end && !try_cmpxchg64(&domain->max_addr, &old, end))
		;
}
