// files: drivers/iommu/iommu.c

@@
identifier group, new_domain, ret;
@@
__iommu_group_set_core_domain(struct iommu_group *group)
{
	struct iommu_domain *new_domain;
-	int ret;
	...
-	ret = __iommu_group_set_domain(group, new_domain);
-	WARN(ret, ...);
+	if (group->domain != new_domain)
+		__iommu_group_leave_domain(group, group->domain, new_domain);
}

@@
identifier group, domain, ret, old_domain;
@@
__iommu_attach_group(struct iommu_domain *domain, struct iommu_group *group)
{
	...
-	if (ret == 0) {
-		group->domain = domain;
-	} else {
-		struct iommu_domain *old_domain = group->domain;
-		group->domain = NULL;
-		WARN(...);
-	}
+	if (ret)
+		__iommu_group_leave_domain(group, domain, group->domain);
+	else
+		group->domain = domain;
	...
}

@@
identifier group, new_domain, ret;
@@
__iommu_group_set_domain(struct iommu_group *group,
			 struct iommu_domain *new_domain)
{
	...
	ret = __iommu_group_for_each_dev(group, new_domain, ...);
	if (ret)
-		return ret;
+	{
+		__iommu_group_leave_domain(group, new_domain, group->domain);
+		return ret;
+	}
	...
}

@@
identifier group, ret;
@@
iommu_group_release_dma_owner(struct iommu_group *group)
{
-	int ret;
	...
-	ret = __iommu_group_set_domain(group, group->default_domain);
-	WARN(ret, ...);
+	__iommu_group_set_core_domain(group);
	...
}
