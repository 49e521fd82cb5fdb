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

// A device that joins a claimed group must not keep its previous domain.
@@
identifier group, dev;
statement S;
@@
iommu_group_add_device(struct iommu_group *group, struct device *dev)
{
	<...
	if (group->domain &&
-	    !iommu_is_attach_deferred(dev)
+	    (group->owner || !iommu_is_attach_deferred(dev))
	   ) S
	...>
}
