// files: drivers/iommu/iommu.c
// DMA of a group by user space: claims per device, and attaches that count.

@@
@@
struct iommu_group {
	...
	void *owner;
+	/* devices attached by iommu_device_attach_user_dma(), under mutex */
+	unsigned int user_attached;
};

// A joining device must not keep what it could reach before it joined.
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
