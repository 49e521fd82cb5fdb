// files: drivers/iommu/intel/iommu.c
// The tests move a device that is on no bus.

@@
typedef bool;
@@
-static bool domain_can_switch(struct dmar_domain *domain,
-			      struct device_domain_info *info)
+bool domain_can_switch(struct dmar_domain *domain,
+		       struct device_domain_info *info)
{
	...
}

@@
@@
-static int domain_switch_device(struct dmar_domain *domain,
-				struct device_domain_info *info)
+int domain_switch_device(struct dmar_domain *domain,
+			 struct device_domain_info *info)
{
	...
}
