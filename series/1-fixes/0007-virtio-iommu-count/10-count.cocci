// files: drivers/iommu/virtio-iommu.c

@@
identifier domain, dev, vdev;
@@
viommu_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	...
-	if (vdev->vdomain)
-		vdev->vdomain->nr_endpoints--;
	...
}
