#spatch --smpl-spacing
// files: drivers/vfio/container.c

@@
attribute name __rcu;
@@
 struct vfio_container {
 	struct kref kref;
+	/* The driver is only released while the list is empty. */
 	struct list_head group_list;
+	/* Protects the list and the driver. Dropped while memory is pinned. */
 	struct rw_semaphore group_lock;
 	...
 };

@@
identifier container, driver, ret;
expression E;
@@
 vfio_ioctl_set_iommu(struct vfio_container *container, ...)
 {
 	<...
+	/* There are no mappings yet, so this pins no memory. */
 	ret = __vfio_container_attach_groups(container, driver, E);
 	...>
 }

@@
identifier container, group, driver, ret;
@@
 vfio_container_attach_group(struct vfio_container *container,
 			     struct vfio_group *group)
 {
 	...
+	container->noiommu = (group->type == VFIO_NO_IOMMU);
+	list_add(&group->container_next, &container->group_list);
 	driver = container->iommu_driver;
+	up_write(&container->group_lock);
+
+	/* The driver may pin memory, for an unbounded time. */
 	if (driver) {
 		ret = driver->ops->attach_group(container->iommu_data,
 						group->iommu_group,
 						group->type);
 		if (ret) {
-			if (group->type == VFIO_IOMMU)
-				iommu_group_release_dma_owner(
-					group->iommu_group);
-			goto out_unlock_container;
+			down_write(&container->group_lock);
+			vfio_container_remove_group(container, group);
+			goto out_unlock_container;
 		}
 	}
 	group->container = container;
 	group->container_users = 1;
-	container->noiommu = (group->type == VFIO_NO_IOMMU);
-	list_add(&group->container_next, &container->group_list);
 	...
 	vfio_container_get(container);
+	return 0;
 out_unlock_container:
 	...
 }

@@
@@
+/* Remove a group that is not, or no longer, attached to the driver. */
+static void vfio_container_remove_group(struct vfio_container *container, struct vfio_group *group)
+{
+	struct vfio_container_iommu *iommu;
+
+	lockdep_assert_held_write(&container->group_lock);
+
+	if (group->type == VFIO_IOMMU)
+		iommu_group_release_dma_owner(group->iommu_group);
+	list_del(&group->container_next);
+	if (!list_empty(&container->group_list))
+		return;
+
+	/* Detaching the last group deprivileges a container, remove iommu */
+	iommu = rcu_replace_pointer(container->iommu, NULL, true);
+	container->iommu_driver = NULL;
+	container->iommu_data = NULL;
+	if (iommu)
+		vfio_container_iommu_put(iommu);
+}
+
 int vfio_container_attach_group(...)
 { ... }

@@
identifier group, container, driver;
@@
 vfio_group_detach_container(struct vfio_group *group)
 {
 	...
 	driver = container->iommu_driver;
-	if (driver)
+	if (driver) {
+		/* May wait for the driver to attach another group. */
+		up_write(&container->group_lock);
 		driver->ops->detach_group(container->iommu_data,
 					  group->iommu_group);
+		down_write(&container->group_lock);
+	}
-	if (group->type == VFIO_IOMMU)
-		iommu_group_release_dma_owner(group->iommu_group);
 	group->container = NULL;
 	group->container_users = 0;
-	list_del(&group->container_next);
-	if (driver && list_empty(&container->group_list)) {
-		struct vfio_container_iommu *iommu;
-
-		iommu = rcu_replace_pointer(container->iommu, NULL, true);
-		container->iommu_driver = NULL;
-		container->iommu_data = NULL;
-		vfio_container_iommu_put(iommu);
-	}
+	vfio_container_remove_group(container, group);
 	up_write(&container->group_lock);
 	...
 }
