#ifdef CONFIG_VFIO_DEVICE_CDEV
int vfio_iommufd_physical_bind(struct vfio_device *vdev,
			       struct iommufd_ctx *ictx, u32 *out_device_id);
void vfio_iommufd_physical_unbind(struct vfio_device *vdev);
int vfio_iommufd_physical_attach_ioas(struct vfio_device *vdev, u32 *pt_id);
void vfio_iommufd_physical_detach_ioas(struct vfio_device *vdev);
#else
#define vfio_iommufd_physical_bind NULL
#define vfio_iommufd_physical_unbind NULL
#define vfio_iommufd_physical_attach_ioas NULL
#define vfio_iommufd_physical_detach_ioas NULL
#endif
