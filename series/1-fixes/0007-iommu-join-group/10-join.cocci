// files: drivers/iommu/iommu.c
// Attach a device that joins a group to the current domain of the group.

@@
identifier group, dev;
statement S;
@@
 iommu_group_add_device(struct iommu_group *group, struct device *dev)
 {
 	<...
	if (group->domain &&
-	    !iommu_is_attach_deferred(dev)
+	    !iommu_group_defers_attach(group, dev)
	   ) S
 	...>
 }

@@
identifier group, dev;
statement S;
@@
 iommu_probe_device(struct device *dev)
 {
 	<...
-	if (group->default_domain && !group->owner)
+	if (group->default_domain && group->domain == group->default_domain)
 		S
 	...>
 }
