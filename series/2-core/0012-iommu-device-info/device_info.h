/**
 * struct iommu_device_info - properties of the IOMMU for a device
 * @coherent: DMA mapped with IOMMU_CACHE is coherent with CPU caches
 * @enforce_snoop: a domain can make all DMA of the device coherent, including
 *                 PCIe no-snoop transactions
 * @addr_width: width in bits of the IOVAs that are translated for the device, 0
 *              if unknown
 * @pgsize_bitmap: bitmap of the page sizes of the I/O page table, where bit n
 *                 stands for 2^n bytes; 0 if unknown
 * @vtd_cap: value of the VT-d capability register, 0 for other IOMMUs
 * @vtd_ecap: value of the VT-d extended capability register
 */
struct iommu_device_info {
	bool	coherent;
	bool	enforce_snoop;
	u32	addr_width;
	u64	pgsize_bitmap;
	u64	vtd_cap;
	u64	vtd_ecap;
};
