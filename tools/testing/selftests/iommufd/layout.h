/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Expected command numbers, flags, struct sizes and field offsets of the uAPI
 * of /dev/iommu and of vfio device files.
 *
 * All values are literals and must never be derived from the uAPI header, or
 * the check would compare the header with itself. Commands that exist in Linux
 * 6.6 or later use the upstream values. The table is the same for 32-bit and
 * 64-bit programs because no struct has implicit padding.
 *
 * This file has no include guard. A test defines the macros below and then
 * includes the file inside an array initializer, possibly more than once.
 *
 *	NUMBER(name, value)			command or flag
 *	ALIAS(name, value)			name used by the first proposal
 *	SIZE(struct, bytes)			size of a struct
 *	FIELD(struct, field, offset, bytes)	offset and size of a field
 */

NUMBER(IOMMU_DESTROY, 0x3b80),
NUMBER(IOMMU_IOAS_ALLOC, 0x3b81),
NUMBER(IOMMU_IOAS_ALLOW_IOVAS, 0x3b82),
NUMBER(IOMMU_IOAS_COPY, 0x3b83),
NUMBER(IOMMU_IOAS_IOVA_RANGES, 0x3b84),
NUMBER(IOMMU_IOAS_MAP, 0x3b85),
NUMBER(IOMMU_IOAS_UNMAP, 0x3b86),
NUMBER(IOMMU_OPTION, 0x3b87),
NUMBER(IOMMU_VFIO_IOAS, 0x3b88),
NUMBER(IOMMU_HWPT_ALLOC, 0x3b89),
NUMBER(IOMMU_GET_HW_INFO, 0x3b8a),
NUMBER(IOMMU_DEVICE_GET_INFO, 0x3ba0),
NUMBER(IOMMU_CHECK_EXTENSION, 0x3ba1),
NUMBER(IOMMU_IOASID_ALLOC, 0x3ba2),
NUMBER(IOMMU_DEVICE_SET_COOKIE, 0x3ba3),

NUMBER(VFIO_DEVICE_BIND_IOMMUFD, 0x3b76),
NUMBER(VFIO_DEVICE_ATTACH_IOMMUFD_PT, 0x3b77),
NUMBER(VFIO_DEVICE_DETACH_IOMMUFD_PT, 0x3b78),

ALIAS(IOMMU_IOASID_FREE, 0x3b80),
ALIAS(IOMMU_MAP_DMA, 0x3b85),
ALIAS(IOMMU_UNMAP_DMA, 0x3b86),

ALIAS(VFIO_DEVICE_ATTACH_IOASID, 0x3b77),
ALIAS(VFIO_DEVICE_DETACH_IOASID, 0x3b78),

NUMBER(IOMMU_IOAS_MAP_FIXED_IOVA, 1),
NUMBER(IOMMU_IOAS_MAP_WRITEABLE, 2),
NUMBER(IOMMU_IOAS_MAP_READABLE, 4),
NUMBER(IOMMU_OPTION_RLIMIT_MODE, 0),
NUMBER(IOMMU_OPTION_HUGE_PAGES, 1),
NUMBER(IOMMU_OPTION_OP_SET, 0),
NUMBER(IOMMU_OPTION_OP_GET, 1),
NUMBER(IOMMU_VFIO_IOAS_GET, 0),
NUMBER(IOMMU_VFIO_IOAS_SET, 1),
NUMBER(IOMMU_VFIO_IOAS_CLEAR, 2),
NUMBER(IOMMU_HWPT_ALLOC_NEST_PARENT, 1),
NUMBER(IOMMU_HWPT_ALLOC_DIRTY_TRACKING, 2),
NUMBER(IOMMU_HWPT_FAULT_ID_VALID, 4),
NUMBER(IOMMU_HWPT_DATA_NONE, 0),
NUMBER(IOMMU_HWPT_DATA_VTD_S1, 1),
NUMBER(IOMMU_HW_INFO_TYPE_NONE, 0),
NUMBER(IOMMU_HW_INFO_TYPE_INTEL_VTD, 1),
NUMBER(IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17, 1),
NUMBER(IOMMU_HW_CAP_DIRTY_TRACKING, 1),
NUMBER(IOMMU_DEVICE_INFO_COHERENT, 1),
NUMBER(IOMMU_DEVICE_INFO_ENFORCE_SNOOP, 2),
NUMBER(IOMMU_DEVICE_INFO_PGSIZES, 4),
NUMBER(IOMMU_DEVICE_INFO_ADDR_WIDTH, 8),
NUMBER(IOMMU_IOASID_ENFORCE_SNOOP, 1),

ALIAS(EXT_MAP_TYPE1V2, 1),
ALIAS(EXT_DMA_NO_SNOOP, 2),

SIZE(iommu_destroy, 8),
SIZE(iommu_ioas_alloc, 12),
SIZE(iommu_iova_range, 16),
SIZE(iommu_ioas_iova_ranges, 32),
SIZE(iommu_ioas_map, 40),
SIZE(iommu_ioas_unmap, 24),
SIZE(iommu_ioas_allow_iovas, 24),
SIZE(iommu_ioas_copy, 40),
SIZE(iommu_option, 24),
SIZE(iommu_vfio_ioas, 12),
SIZE(iommu_hwpt_alloc, 48),
SIZE(iommu_hw_info_vtd, 24),
SIZE(iommu_hw_info, 40),
SIZE(iommu_device_get_info, 32),
SIZE(iommu_check_extension, 12),
SIZE(iommu_ioasid_alloc, 16),
SIZE(iommu_device_set_cookie, 16),
SIZE(vfio_device_bind_iommufd, 24),
SIZE(vfio_device_attach_iommufd_pt, 12),
SIZE(vfio_device_detach_iommufd_pt, 8),
SIZE(vfio_pci_dependent_device, 8),
SIZE(vfio_pci_hot_reset_info, 12),

FIELD(iommu_destroy, size, 0, 4),
FIELD(iommu_destroy, id, 4, 4),

FIELD(iommu_ioas_alloc, size, 0, 4),
FIELD(iommu_ioas_alloc, flags, 4, 4),
FIELD(iommu_ioas_alloc, out_ioas_id, 8, 4),

FIELD(iommu_iova_range, start, 0, 8),
FIELD(iommu_iova_range, last, 8, 8),

FIELD(iommu_ioas_iova_ranges, size, 0, 4),
FIELD(iommu_ioas_iova_ranges, ioas_id, 4, 4),
FIELD(iommu_ioas_iova_ranges, num_iovas, 8, 4),
FIELD(iommu_ioas_iova_ranges, __reserved, 12, 4),
FIELD(iommu_ioas_iova_ranges, allowed_iovas, 16, 8),
FIELD(iommu_ioas_iova_ranges, out_iova_alignment, 24, 8),

FIELD(iommu_ioas_map, size, 0, 4),
FIELD(iommu_ioas_map, flags, 4, 4),
FIELD(iommu_ioas_map, ioas_id, 8, 4),
FIELD(iommu_ioas_map, __reserved, 12, 4),
FIELD(iommu_ioas_map, user_va, 16, 8),
FIELD(iommu_ioas_map, length, 24, 8),
FIELD(iommu_ioas_map, iova, 32, 8),

FIELD(iommu_ioas_unmap, size, 0, 4),
FIELD(iommu_ioas_unmap, ioas_id, 4, 4),
FIELD(iommu_ioas_unmap, iova, 8, 8),
FIELD(iommu_ioas_unmap, length, 16, 8),

FIELD(iommu_ioas_allow_iovas, size, 0, 4),
FIELD(iommu_ioas_allow_iovas, ioas_id, 4, 4),
FIELD(iommu_ioas_allow_iovas, num_iovas, 8, 4),
FIELD(iommu_ioas_allow_iovas, __reserved, 12, 4),
FIELD(iommu_ioas_allow_iovas, allowed_iovas, 16, 8),

FIELD(iommu_ioas_copy, size, 0, 4),
FIELD(iommu_ioas_copy, flags, 4, 4),
FIELD(iommu_ioas_copy, dst_ioas_id, 8, 4),
FIELD(iommu_ioas_copy, src_ioas_id, 12, 4),
FIELD(iommu_ioas_copy, length, 16, 8),
FIELD(iommu_ioas_copy, dst_iova, 24, 8),
FIELD(iommu_ioas_copy, src_iova, 32, 8),

FIELD(iommu_option, size, 0, 4),
FIELD(iommu_option, option_id, 4, 4),
FIELD(iommu_option, op, 8, 2),
FIELD(iommu_option, __reserved, 10, 2),
FIELD(iommu_option, object_id, 12, 4),
FIELD(iommu_option, val64, 16, 8),

FIELD(iommu_vfio_ioas, size, 0, 4),
FIELD(iommu_vfio_ioas, ioas_id, 4, 4),
FIELD(iommu_vfio_ioas, op, 8, 2),
FIELD(iommu_vfio_ioas, __reserved, 10, 2),

FIELD(iommu_hwpt_alloc, size, 0, 4),
FIELD(iommu_hwpt_alloc, flags, 4, 4),
FIELD(iommu_hwpt_alloc, dev_id, 8, 4),
FIELD(iommu_hwpt_alloc, pt_id, 12, 4),
FIELD(iommu_hwpt_alloc, out_hwpt_id, 16, 4),
FIELD(iommu_hwpt_alloc, __reserved, 20, 4),
FIELD(iommu_hwpt_alloc, data_type, 24, 4),
FIELD(iommu_hwpt_alloc, data_len, 28, 4),
FIELD(iommu_hwpt_alloc, data_uptr, 32, 8),
FIELD(iommu_hwpt_alloc, fault_id, 40, 4),
FIELD(iommu_hwpt_alloc, __reserved2, 44, 4),

FIELD(iommu_hw_info_vtd, flags, 0, 4),
FIELD(iommu_hw_info_vtd, __reserved, 4, 4),
FIELD(iommu_hw_info_vtd, cap_reg, 8, 8),
FIELD(iommu_hw_info_vtd, ecap_reg, 16, 8),

FIELD(iommu_hw_info, size, 0, 4),
FIELD(iommu_hw_info, flags, 4, 4),
FIELD(iommu_hw_info, dev_id, 8, 4),
FIELD(iommu_hw_info, data_len, 12, 4),
FIELD(iommu_hw_info, data_uptr, 16, 8),
FIELD(iommu_hw_info, out_data_type, 24, 4),
FIELD(iommu_hw_info, __reserved, 28, 4),
FIELD(iommu_hw_info, out_capabilities, 32, 8),

FIELD(iommu_device_get_info, size, 0, 4),
FIELD(iommu_device_get_info, flags, 4, 4),
FIELD(iommu_device_get_info, dev_id, 8, 4),
FIELD(iommu_device_get_info, addr_width, 12, 4),
FIELD(iommu_device_get_info, dev_cookie, 16, 8),
FIELD(iommu_device_get_info, pgsize_bitmap, 24, 8),

FIELD(iommu_check_extension, size, 0, 4),
FIELD(iommu_check_extension, extension, 4, 4),
FIELD(iommu_check_extension, out_value, 8, 4),

FIELD(iommu_ioasid_alloc, size, 0, 4),
FIELD(iommu_ioasid_alloc, flags, 4, 4),
FIELD(iommu_ioasid_alloc, addr_width, 8, 4),
FIELD(iommu_ioasid_alloc, out_ioasid, 12, 4),

FIELD(iommu_device_set_cookie, size, 0, 4),
FIELD(iommu_device_set_cookie, dev_id, 4, 4),
FIELD(iommu_device_set_cookie, cookie, 8, 8),

FIELD(vfio_device_bind_iommufd, argsz, 0, 4),
FIELD(vfio_device_bind_iommufd, flags, 4, 4),
FIELD(vfio_device_bind_iommufd, iommufd, 8, 4),
FIELD(vfio_device_bind_iommufd, out_devid, 12, 4),
FIELD(vfio_device_bind_iommufd, token_uuid_ptr, 16, 8),

FIELD(vfio_device_attach_iommufd_pt, argsz, 0, 4),
FIELD(vfio_device_attach_iommufd_pt, flags, 4, 4),
FIELD(vfio_device_attach_iommufd_pt, pt_id, 8, 4),

FIELD(vfio_device_detach_iommufd_pt, argsz, 0, 4),
FIELD(vfio_device_detach_iommufd_pt, flags, 4, 4),

FIELD(vfio_pci_dependent_device, group_id, 0, 4),
FIELD(vfio_pci_dependent_device, devid, 0, 4),
FIELD(vfio_pci_dependent_device, segment, 4, 2),
FIELD(vfio_pci_dependent_device, bus, 6, 1),
FIELD(vfio_pci_dependent_device, devfn, 7, 1),

FIELD(vfio_pci_hot_reset_info, argsz, 0, 4),
FIELD(vfio_pci_hot_reset_info, flags, 4, 4),
FIELD(vfio_pci_hot_reset_info, count, 8, 4),
