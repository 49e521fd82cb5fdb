/**
 * struct iommu_phys_run - range of physically contiguous memory
 * @phys: physical address of the first byte
 * @bytes: length in bytes
 */
struct iommu_phys_run {
	phys_addr_t phys;
	size_t bytes;
};
