/**
 * struct iommu_device_info - properties of an I/O page table for a device
 * @addr_width: width in bits of the IOVAs that are translated for the device, 0
 *              if unknown
 * @pgsize_bitmap: bitmap of the page sizes of the I/O page table, where bit n
 *                 stands for 2^n bytes; 0 if unknown
 */
struct iommu_device_info {
	u32	addr_width;
	u64	pgsize_bitmap;
};
