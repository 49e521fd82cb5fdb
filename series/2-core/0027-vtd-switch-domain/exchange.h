/*
 * Write both words of a context entry, or the first two words of a PASID entry,
 * at once. The IOMMU reads these 128 bits in one access, so it never uses the
 * page table of one domain with the ID of the other. Needs cmpxchg16b, which
 * domain_can_switch() checks for.
 */
static inline void iommu_exchange_entry(struct intel_iommu *iommu,
					u64 *lo, u64 *hi, u64 new_lo,
					u64 new_hi)
{
	lockdep_assert_held(&iommu->lock);
#ifdef CONFIG_X86_64
	/*
	 * The entry does not change between the reads and the exchange: context
	 * entries change under the lock, and the core serialises the attaches
	 * and detaches that change the PASID entry of a device.
	 */
	WARN_ON(!cmpxchg_double(lo, hi, *lo, *hi, new_lo, new_hi));
#endif
	__iommu_flush_cache(iommu, lo, 2 * sizeof(*lo));
}
