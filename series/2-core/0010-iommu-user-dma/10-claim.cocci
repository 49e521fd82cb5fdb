// files: drivers/iommu/iommu.c
// Count the devices of a group that are attached for user space DMA.

@@
@@
struct iommu_group {
	...
	void *owner;
+	/* number of devices attached for user DMA, protected by mutex */
+	unsigned int user_attached;
};
