/**
 * struct vfio_device_bind_iommufd - VFIO_DEVICE_BIND_IOMMUFD
 * @argsz: sizeof(struct vfio_device_bind_iommufd) or more. Without
 *         VFIO_DEVICE_BIND_FLAG_TOKEN the struct may end after @out_devid
 * @flags: VFIO_DEVICE_BIND_FLAG_TOKEN if a token is passed
 * @iommufd: file descriptor of /dev/iommu
 * @out_devid: set to the ID of the device in @iommufd
 * @token_uuid_ptr: user address of the 16 bytes of the token
 *
 * Bind a device that was opened as /dev/vfio/devices/vfioN to @iommufd, which
 * then owns the whole IOMMU group of the device. Before the bind, all other
 * operations on the file descriptor fail with EINVAL. After the bind, the file
 * descriptor supports the same operations as one from VFIO_GROUP_GET_DEVICE_FD.
 * DMA is blocked until a device of the group is attached. The device is unbound
 * when the file descriptor is closed.
 *
 * Users of a PF and of its VFs have to trust each other. If the PF is bound to
 * a vfio driver, they prove this trust by passing the same token. The token is
 * set by the user of the PF, either here while no VF is in use, or at any time
 * with VFIO_DEVICE_FEATURE_PCI_VF_TOKEN. Binding a VF requires the token, and
 * so does binding the PF while a VF is in use.
 *
 * EINVAL: invalid argument, the device is already bound, its DMA cannot be kept
 *         coherent, the file descriptor is not one of /dev/vfio/devices, or a
 *         token is passed for a device that does not support tokens
 * EBADF: @iommufd is not open
 * EBADFD: @iommufd is not a file descriptor of /dev/iommu
 * EBUSY: the group of the device is open as /dev/vfio/GROUP, the kernel has
 *        attached the group to another domain, or all IDs are in use
 * EPERM: the group is owned by another iommufd, a kernel driver uses one of its
 *        devices, or the interrupts of the group are not isolated
 * EACCES: the token is missing or wrong
 * ENODEV: the device is being removed from its vfio driver
 *
 * Documentation/userspace-api/iommufd.rst lists the other errnos. A bind that
 * fails has no effect, except that it may have reset the device and set
 * @out_devid.
 */
struct vfio_device_bind_iommufd {
	__u32	argsz;
	__u32	flags;
#define VFIO_DEVICE_BIND_FLAG_TOKEN	(1 << 0)
	__s32	iommufd;
	__u32	out_devid;
	__aligned_u64	token_uuid_ptr;
};

#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)

/**
 * struct vfio_device_attach_iommufd_pt - VFIO_DEVICE_ATTACH_IOMMUFD_PT
 * @argsz: sizeof(struct vfio_device_attach_iommufd_pt) or more
 * @flags: must be 0
 * @pt_id: input: ID of an address space or an I/O page table of the iommufd
 *         that the device is bound to; output: ID of the I/O page table that is
 *         used
 *
 * Attach the device: its DMA can access the memory that is mapped in the
 * address space. If the device is attached already, it is moved, together with
 * the other attached devices of its group. An emulated device, such as a
 * mediated device, can only be attached to an address space, and @pt_id is not
 * changed.
 *
 * EINVAL: invalid argument, the device is not bound, or it does not satisfy the
 *         requirements of the address space; or it is not attached yet, and
 *         another device of its group is attached to another I/O page table
 * EOPNOTSUPP: the IOMMU driver cannot move the device
 * ENOENT: there is no object with this ID
 * EFAULT: the struct is not accessible. If another thread unmaps it during the
 *         call, the device may be attached nevertheless
 *
 * Documentation/userspace-api/iommufd.rst lists the other errnos.
 */
struct vfio_device_attach_iommufd_pt {
	__u32	argsz;
	__u32	flags;
	__u32	pt_id;
};

#define VFIO_DEVICE_ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define VFIO_DEVICE_ATTACH_IOASID	VFIO_DEVICE_ATTACH_IOMMUFD_PT

/**
 * struct vfio_device_detach_iommufd_pt - VFIO_DEVICE_DETACH_IOMMUFD_PT
 * @argsz: sizeof(struct vfio_device_detach_iommufd_pt) or more
 * @flags: must be 0
 *
 * Detach the device: its DMA is blocked, unless another device of its group is
 * still attached. Also succeeds if the device is not attached.
 *
 * EINVAL: invalid argument, or the device is not bound
 */
struct vfio_device_detach_iommufd_pt {
	__u32	argsz;
	__u32	flags;
};

#define VFIO_DEVICE_DETACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)
#define VFIO_DEVICE_DETACH_IOASID	VFIO_DEVICE_DETACH_IOMMUFD_PT
