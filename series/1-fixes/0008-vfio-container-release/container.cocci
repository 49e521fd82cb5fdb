#spatch --smpl-spacing
// files: drivers/vfio/container.c

@@
attribute name __rcu;
@@
 struct vfio_container {
 	...
 	void *iommu_data;
+	/* Copy of both members above for ioctls, which take no group_lock. */
+	struct vfio_container_iommu __rcu *iommu;
 	...
 };

@@
identifier container, driver, data, arg, ret;
@@
 vfio_ioctl_set_iommu(struct vfio_container *container, unsigned long arg)
 {
 	<...
-	void *data;
+	struct vfio_container_iommu *iommu;
 	...
-	data = driver->ops->open(arg);
-	if (IS_ERR(data)) {
-		ret = PTR_ERR(data);
+	iommu = vfio_container_iommu_open(driver, arg);
+	if (IS_ERR(iommu)) {
+		ret = PTR_ERR(iommu);
 		...
 	}
-	ret = __vfio_container_attach_groups(container, driver, data);
+	ret = __vfio_container_attach_groups(container, driver, iommu->data);
 	if (ret) {
-		driver->ops->release(data);
-		module_put(driver->ops->owner);
+		vfio_container_iommu_put(iommu);
 		continue;
 	}
-	container->iommu_driver = driver;
-	container->iommu_data = data;
+	container->iommu_data = iommu->data;
+	/* Pairs with the acquire in vfio_device_assign_container(). */
+	smp_store_release(&container->iommu_driver, driver);
+	rcu_assign_pointer(container->iommu, iommu);
 	break;
 	...>
 }

@@
identifier container, driver, data, ret, cmd, arg;
@@
 vfio_fops_unl_ioctl(..., unsigned int cmd, unsigned long arg)
 {
 	<...
(
-	struct vfio_iommu_driver *driver;
+	struct vfio_container_iommu *iommu;
|
-	void *data;
|
-	driver = container->iommu_driver;
-	data = container->iommu_data;
-	if (driver)
-		ret = driver->ops->ioctl(data, cmd, arg);
+	iommu = vfio_container_iommu_get(&container->iommu);
+	if (iommu) {
+		ret = iommu->driver->ops->ioctl(iommu->data, cmd, arg);
+		vfio_container_iommu_put(iommu);
+	}
)
 	...>
 }

@@
identifier container, driver;
@@
 vfio_fops_release(...)
 {
 	...
-	struct vfio_iommu_driver *driver = container->iommu_driver;
+	struct vfio_container_iommu *iommu = vfio_container_iommu_get(&container->iommu);
-	if (driver && driver->ops->notify)
-		driver->ops->notify(container->iommu_data,
-				    VFIO_IOMMU_CONTAINER_CLOSE);
+	if (iommu && iommu->driver->ops->notify)
+		iommu->driver->ops->notify(iommu->data, VFIO_IOMMU_CONTAINER_CLOSE);
+	if (iommu)
+		vfio_container_iommu_put(iommu);
 	...
 }

@@
identifier group, container, driver;
@@
 vfio_group_detach_container(struct vfio_group *group)
 {
 	...
 	if (driver && list_empty(&container->group_list)) {
-		driver->ops->release(container->iommu_data);
-		module_put(driver->ops->owner);
+		struct vfio_container_iommu *iommu;
+
+		iommu = rcu_replace_pointer(container->iommu, NULL, true);
 		container->iommu_driver = NULL;
 		container->iommu_data = NULL;
+		vfio_container_iommu_put(iommu);
 	}
 	...
 }

@@
identifier device, group;
expression E;
@@
 vfio_device_assign_container(struct vfio_device *device)
 {
 	...
-	if (!group->container || !group->container->iommu_driver || E)
-		return -EINVAL;
+	if (!group->container || E)
+		return -EINVAL;
+
+	/* Pairs with the release in vfio_ioctl_set_iommu(). */
+	if (!smp_load_acquire(&group->container->iommu_driver))
+		return -EINVAL;
 	...
 }
