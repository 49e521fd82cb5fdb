static void vfio_group_leave_container(struct vfio_group *group)
{
	if (vfio_group_has_iommufd(group))
		vfio_group_unset_iommufd(group);
	else
		vfio_group_detach_container(group);
}
