// files: drivers/iommu/virtio-iommu.c
// Count an endpoint once the virtio device has attached it.

@@
identifier domain, dev, vdev, vdomain, ret;
@@
viommu_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	...
-	if (vdev->vdomain)
-		vdev->vdomain->nr_endpoints--;
	...
	if (
-	    !vdomain->nr_endpoints
+	    vdomain->nr_endpoints == 1
	   ) {
		...
	}
-
-	vdomain->nr_endpoints++;
-	vdev->vdomain = vdomain;
	return 0;
}
