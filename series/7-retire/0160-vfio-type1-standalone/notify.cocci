#spatch --smpl-spacing
// No IOMMU driver has the notify op any more.
// files: drivers/vfio/container.c
@@
identifier iommu, filep;
@@
 vfio_fops_release(struct inode *inode, struct file *filep)
 {
 	...
-	struct vfio_container_iommu *iommu = vfio_container_iommu_get(...);
-
-	if (iommu && iommu->driver->ops->notify)
-		iommu->driver->ops->notify(...);
-	if (iommu)
-		vfio_container_iommu_put(iommu);
 	...
 }
