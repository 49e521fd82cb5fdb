/*
 * Get the order of the smallest naturally aligned block of pages that contains
 * a range. @pages is 0 if the number of pages has overflowed.
 */
static inline unsigned int iotlb_flush_order(unsigned long pfn,
					     unsigned long pages)
{
	unsigned int order = fls64(pfn ^ (pfn + pages - 1));

	if (!pages || order > BITS_PER_LONG_LONG - VTD_PAGE_SHIFT)
		return BITS_PER_LONG_LONG - VTD_PAGE_SHIFT;
	return order;
}
