/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * User API of /dev/iommu.
 *
 * An IOAS is an I/O address space: it maps I/O virtual addresses (IOVAs) to the
 * memory of a process. An HWPT is an I/O page table that translates the IOVAs
 * of an IOAS for devices. Every object belongs to the open file through which
 * it was created, and has an ID larger than 0 in that file. Intervals are
 * closed: they include both @start and @last.
 *
 * Commands below 0xa0, their structs and their flags are those of Linux 6.12
 * and later and must not be extended here. Commands that only exist in this
 * kernel are numbered from 0xa0.
 */
#ifndef _UAPI_IOMMUFD_H
#define _UAPI_IOMMUFD_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define IOMMUFD_TYPE (';')

/**
 * DOC: How commands take their arguments
 *
 * The argument of every ioctl is the address of the struct that is defined for
 * the command. The first member of the struct is @size, which the caller sets
 * to the sizeof() of the struct that it was compiled with. If the kernel's
 * struct is longer, the missing bytes are taken to be zero. If it is shorter,
 * the bytes beyond its end must be zero (E2BIG). Old programs thus run on new
 * kernels, and new programs that set no new field run on old kernels.
 *
 * These errnos are not specific to one command:
 *
 * ========== ==============================================================
 * ENOTTY     the command number is unknown
 * EINVAL     the struct is shorter than in the first version of the command, or
 *            the value of a field is not valid
 * E2BIG      a byte beyond the end of the kernel's struct is not zero, or
 *            @size is larger than a page
 * EOPNOTSUPP a flag or the value of a field is not supported, or memory does
 *            not permit longterm pins
 * EFAULT     the struct, or memory that it points to, is not accessible
 * ENOENT     no object of the required type has this ID, or nothing is
 *            mapped
 * EOVERFLOW  the address plus the length exceeds the range of addresses
 * EBUSY      the object is in use
 * ENOMEM     out of memory, or RLIMIT_MEMLOCK is exceeded
 * ========== ==============================================================
 *
 * A command that fails changes nothing unless its description says otherwise.
 * Documentation/userspace-api/iommufd.rst lists the errnos of each command.
 */
enum {
	/* Objects of any type */
	IOMMUFD_CMD_BASE = 0x80,
	IOMMUFD_CMD_DESTROY = 0x80,
	/* I/O address spaces */
	IOMMUFD_CMD_IOAS_ALLOC = 0x81,
	IOMMUFD_CMD_IOAS_ALLOW_IOVAS = 0x82,
	IOMMUFD_CMD_IOAS_COPY = 0x83,
	IOMMUFD_CMD_IOAS_IOVA_RANGES = 0x84,
	IOMMUFD_CMD_IOAS_MAP = 0x85,
	IOMMUFD_CMD_IOAS_UNMAP = 0x86,
	IOMMUFD_CMD_OPTION = 0x87,
	/* Use as a VFIO container */
	IOMMUFD_CMD_VFIO_IOAS = 0x88,
	/* I/O page tables and devices */
	IOMMUFD_CMD_HWPT_ALLOC = 0x89,
	IOMMUFD_CMD_GET_HW_INFO = 0x8a,
	/* Commands that only exist in this kernel */
	IOMMUFD_CMD_OWN_BASE = 0xa0,
	IOMMUFD_CMD_DEVICE_GET_INFO = 0xa0,
	IOMMUFD_CMD_CHECK_EXTENSION = 0xa1,
	IOMMUFD_CMD_IOASID_ALLOC = 0xa2,
	IOMMUFD_CMD_DEVICE_SET_COOKIE = 0xa3,
};

/**
 * struct iommu_destroy - argument of IOMMU_DESTROY
 * @size: sizeof(struct iommu_destroy)
 * @id: ID of the object to destroy
 *
 * Destroy an IOAS, or an HWPT that was created by IOMMU_HWPT_ALLOC. The command
 * fails with EBUSY for a bound device, which is destroyed when it is unbound,
 * and for an HWPT that an attach created, which is destroyed when its last
 * device is detached. It also fails with EBUSY for any other HWPT with a device
 * attached, and for an IOAS that has an HWPT, has a mediated device attached,
 * or is in use by an ioctl that may pin memory, such as IOMMU_IOAS_MAP.
 */
struct iommu_destroy {
	__u32 size;
	__u32 id;
};

#define IOMMU_DESTROY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY)

/**
 * struct iommu_ioas_alloc - argument of IOMMU_IOAS_ALLOC
 * @size: sizeof(struct iommu_ioas_alloc)
 * @flags: must be 0
 * @out_ioas_id: set to the ID of the new IOAS
 *
 * Allocate an empty I/O address space. Unlike IOMMU_IOASID_ALLOC, this command
 * sets no requirements that devices have to satisfy.
 */
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOC)

/**
 * struct iommu_iova_range - closed interval of IOVAs
 * @start: first IOVA
 * @last: last IOVA
 */
struct iommu_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct iommu_ioas_allow_iovas - argument of IOMMU_IOAS_ALLOW_IOVAS
 * @size: sizeof(struct iommu_ioas_allow_iovas)
 * @ioas_id: ID of the IOAS
 * @num_iovas: number of elements in @allowed_iovas. More than 65536 elements
 *             fail with ENOMEM
 * @__reserved: must be 0
 * @allowed_iovas: user address of an array of struct iommu_iova_range. The
 *                 ranges may be in any order, must be longer than one byte, and
 *                 must not overlap
 *
 * Set the IOVAs that must remain usable. The list replaces the previous one,
 * and an empty list removes all restrictions. Attaching a device fails with
 * EADDRINUSE if the device reserves an allowed IOVA, or if its IOMMU cannot
 * address one. The command fails with EADDRINUSE if either applies to a device
 * that is attached already. When the kernel chooses an IOVA, it chooses an
 * allowed one. Mappings at a fixed IOVA are not restricted by the list.
 *
 * A program that knows which IOVAs it will map can allow these IOVAs before it
 * attaches devices. It then need not check the usable ranges after each attach.
 */
struct iommu_ioas_allow_iovas {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
};

#define IOMMU_IOAS_ALLOW_IOVAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOW_IOVAS)

/**
 * struct iommu_ioas_iova_ranges - argument of IOMMU_IOAS_IOVA_RANGES
 * @size: sizeof(struct iommu_ioas_iova_ranges)
 * @ioas_id: ID of the IOAS
 * @num_iovas: input: number of elements that @allowed_iovas has room for;
 *             output: number of ranges that exist
 * @__reserved: must be 0
 * @allowed_iovas: user address of an array of struct iommu_iova_range
 * @out_iova_alignment: set to the required alignment of IOVAs, user addresses
 *                      and lengths, a power of two, in bytes
 *
 * Return the IOVAs that may be mapped: those that all attached devices and
 * their IOMMUs can address, except for regions that the platform or a device
 * reserves, such as interrupt windows. An attach may remove ranges and a detach
 * may add ranges, so the result is only valid until the next attach or detach.
 * Existing mappings do not affect the result.
 *
 * If the array is too small, as many ranges as fit are written, @num_iovas and
 * @out_iova_alignment are set as on success, and the command fails with
 * EMSGSIZE.
 */
struct iommu_ioas_iova_ranges {
	__u32 size;
	__u32 ioas_id;
	__u32 num_iovas;
	__u32 __reserved;
	__aligned_u64 allowed_iovas;
	__aligned_u64 out_iova_alignment;
};

#define IOMMU_IOAS_IOVA_RANGES _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_IOVA_RANGES)

/**
 * enum iommufd_ioas_map_flags - flags of IOMMU_IOAS_MAP and IOMMU_IOAS_COPY
 * @IOMMU_IOAS_MAP_FIXED_IOVA: map at the given IOVA. Without this flag the
 *                             kernel chooses the IOVA, if possible aligned so
 *                             that large pages can be used, and returns it
 * @IOMMU_IOAS_MAP_WRITEABLE: devices may write to the memory
 * @IOMMU_IOAS_MAP_READABLE: devices may read the memory
 */
enum iommufd_ioas_map_flags {
	IOMMU_IOAS_MAP_FIXED_IOVA = 1 << 0,
	IOMMU_IOAS_MAP_WRITEABLE = 1 << 1,
	IOMMU_IOAS_MAP_READABLE = 1 << 2,
};

/**
 * struct iommu_ioas_map - argument of IOMMU_IOAS_MAP
 * @size: sizeof(struct iommu_ioas_map)
 * @flags: combination of enum iommufd_ioas_map_flags with at least one of
 *         READABLE and WRITEABLE
 * @ioas_id: ID of the IOAS
 * @__reserved: must be 0
 * @user_va: user address of the first byte, a multiple of the alignment that
 *           IOMMU_IOAS_IOVA_RANGES returns, which is 1 while no device is
 *           attached and IOMMU_OPTION_HUGE_PAGES is 1
 * @length: length in bytes, not 0, a multiple of the same alignment
 * @iova: IOVA to map the first byte at, a multiple of the same alignment.
 *        Without FIXED_IOVA it is set to the IOVA that the kernel chose, and
 *        the value on input has no effect, except that U64_MAX fails with
 *        EOVERFLOW
 *
 * Map memory of the calling process at [@iova, @iova + @length - 1] for all
 * devices of the IOAS, including those that are attached later. The memory is
 * pinned as long as a device can access it by DMA, and is charged unless the
 * caller has CAP_IPC_LOCK. The command fails with EEXIST if a part of the
 * interval is already mapped, and with ENOSPC if the kernel cannot find a free
 * interval.
 */
struct iommu_ioas_map {
	__u32 size;
	__u32 flags;
	__u32 ioas_id;
	__u32 __reserved;
	__aligned_u64 user_va;
	__aligned_u64 length;
	__aligned_u64 iova;
};

#define IOMMU_IOAS_MAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_MAP)

/**
 * struct iommu_ioas_copy - argument of IOMMU_IOAS_COPY
 * @size: sizeof(struct iommu_ioas_copy)
 * @flags: combination of enum iommufd_ioas_map_flags, as for IOMMU_IOAS_MAP
 * @dst_ioas_id: ID of the IOAS to map the memory in
 * @src_ioas_id: ID of the IOAS that already maps the memory; may be the same as
 *               @dst_ioas_id
 * @length: as @length of struct iommu_ioas_map
 * @dst_iova: as @iova of struct iommu_ioas_map
 * @src_iova: IOVA of the memory in @src_ioas_id. The user address of the memory
 *            must be a multiple of the alignment of @dst_ioas_id
 *
 * Map the memory that @src_ioas_id maps at [@src_iova, @src_iova + @length - 1]
 * at another IOVA or in another IOAS as well. The source may be a mapping, a
 * part of a mapping, or several adjacent mappings. The pages are pinned once,
 * and charged at most once, to the process that created the original mapping or
 * to the user of that process. Otherwise the new mapping is independent of the
 * original: each has to be removed by IOMMU_IOAS_UNMAP. The command fails with
 * EPERM if @flags contains WRITEABLE and the original mapping is not WRITEABLE.
 */
struct iommu_ioas_copy {
	__u32 size;
	__u32 flags;
	__u32 dst_ioas_id;
	__u32 src_ioas_id;
	__aligned_u64 length;
	__aligned_u64 dst_iova;
	__aligned_u64 src_iova;
};

#define IOMMU_IOAS_COPY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_COPY)

/**
 * struct iommu_ioas_unmap - argument of IOMMU_IOAS_UNMAP
 * @size: sizeof(struct iommu_ioas_unmap)
 * @ioas_id: ID of the IOAS
 * @iova: first IOVA of the interval
 * @length: input: length of the interval in bytes; output: number of bytes
 *          unmapped
 *
 * Remove all mappings inside the interval. Mappings are not split: if a mapping
 * extends beyond the interval, the command fails with ENOENT. It also fails
 * with ENOENT if nothing is mapped in the interval. As an exception, @iova 0
 * with @length U64_MAX removes all mappings and succeeds even if there are
 * none.
 *
 * When the command returns, no device can access memory through the unmapped
 * IOVAs. Other mappings of the same memory are not affected. If the command
 * fails, nothing has been unmapped, unless the struct became inaccessible
 * during the command (EFAULT).
 */
struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};

#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_UNMAP)

/**
 * enum iommufd_option - options of IOMMU_OPTION
 * @IOMMU_OPTION_RLIMIT_MODE: how pinned memory is charged. 0 (default): to the
 *                            user, with one total for all processes of the
 *                            user. 1: to the process, in addition to its locked
 *                            memory, as for a vfio type1 container. @object_id
 *                            must be 0. Setting the option requires
 *                            CAP_SYS_RESOURCE (EPERM), and fails with EBUSY if
 *                            the file has any object
 * @IOMMU_OPTION_HUGE_PAGES: size of I/O pages in the IOAS @object_id. 1
 *                           (default): as large as the memory, the IOVA and the
 *                           IOMMU allow. 0: the size of a CPU page, or the
 *                           smallest page size of the IOMMU if that is larger.
 *                           Changing the option from 1 to 0 fails with EINVAL
 *                           while memory is mapped for a physical device, and
 *                           with EADDRINUSE if a mapping is not page aligned
 */
enum iommufd_option {
	IOMMU_OPTION_RLIMIT_MODE = 0,
	IOMMU_OPTION_HUGE_PAGES = 1,
};

/**
 * enum iommufd_option_ops - operations of IOMMU_OPTION
 * @IOMMU_OPTION_OP_SET: set the option to @val64
 * @IOMMU_OPTION_OP_GET: return the value of the option in @val64
 */
enum iommufd_option_ops {
	IOMMU_OPTION_OP_SET = 0,
	IOMMU_OPTION_OP_GET = 1,
};

/**
 * struct iommu_option - argument of IOMMU_OPTION
 * @size: sizeof(struct iommu_option)
 * @option_id: one of enum iommufd_option
 * @op: one of enum iommufd_option_ops
 * @__reserved: must be 0
 * @object_id: ID of the object that the option applies to; 0 for the file
 * @val64: value of the option
 */
struct iommu_option {
	__u32 size;
	__u32 option_id;
	__u16 op;
	__u16 __reserved;
	__u32 object_id;
	__aligned_u64 val64;
};

#define IOMMU_OPTION _IO(IOMMUFD_TYPE, IOMMUFD_CMD_OPTION)

/**
 * enum iommufd_vfio_ioas_op - operations of IOMMU_VFIO_IOAS
 * @IOMMU_VFIO_IOAS_GET: return the ID of the container IOAS in @ioas_id
 * @IOMMU_VFIO_IOAS_SET: make the IOAS @ioas_id the container IOAS
 * @IOMMU_VFIO_IOAS_CLEAR: select no IOAS. The IOAS selected before is not
 *                         destroyed
 */
enum iommufd_vfio_ioas_op {
	IOMMU_VFIO_IOAS_GET = 0,
	IOMMU_VFIO_IOAS_SET = 1,
	IOMMU_VFIO_IOAS_CLEAR = 2,
};

/**
 * struct iommu_vfio_ioas - argument of IOMMU_VFIO_IOAS
 * @size: sizeof(struct iommu_vfio_ioas)
 * @ioas_id: input for IOMMU_VFIO_IOAS_SET, output for IOMMU_VFIO_IOAS_GET
 * @op: one of enum iommufd_vfio_ioas_op
 * @__reserved: must be 0
 *
 * An open file can be passed to VFIO_GROUP_SET_CONTAINER and then be used like
 * a VFIO container. The ioctls of the container apply to one IOAS, the
 * container IOAS. VFIO_GROUP_SET_CONTAINER creates it if none is selected.
 * IOMMU_VFIO_IOAS_GET fails with ENODEV if there is none.
 *
 * Selecting another IOAS does not move devices: those that are attached stay
 * attached to their IOAS, and devices that are opened later through a group are
 * attached to the new container IOAS.
 */
struct iommu_vfio_ioas {
	__u32 size;
	__u32 ioas_id;
	__u16 op;
	__u16 __reserved;
};

#define IOMMU_VFIO_IOAS _IO(IOMMUFD_TYPE, IOMMUFD_CMD_VFIO_IOAS)

/**
 * enum iommufd_hwpt_alloc_flags - flags of IOMMU_HWPT_ALLOC
 * @IOMMU_HWPT_ALLOC_NEST_PARENT: not supported (EOPNOTSUPP)
 * @IOMMU_HWPT_ALLOC_DIRTY_TRACKING: not supported (EOPNOTSUPP)
 * @IOMMU_HWPT_FAULT_ID_VALID: not supported (EOPNOTSUPP)
 */
enum iommufd_hwpt_alloc_flags {
	IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0,
	IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1,
	IOMMU_HWPT_FAULT_ID_VALID = 1 << 2,
};

/**
 * enum iommu_hwpt_data_type - format of an I/O page table
 * @IOMMU_HWPT_DATA_NONE: chosen by the kernel
 * @IOMMU_HWPT_DATA_VTD_S1: VT-d first-level table in user memory; not supported
 *                          (EOPNOTSUPP)
 */
enum iommu_hwpt_data_type {
	IOMMU_HWPT_DATA_NONE = 0,
	IOMMU_HWPT_DATA_VTD_S1 = 1,
};

/**
 * struct iommu_hwpt_alloc - argument of IOMMU_HWPT_ALLOC
 * @size: sizeof(struct iommu_hwpt_alloc)
 * @flags: must be 0
 * @dev_id: ID of the bound device that the HWPT is allocated for
 * @pt_id: ID of the IOAS that the HWPT translates
 * @out_hwpt_id: set to the ID of the new HWPT
 * @__reserved: must be 0
 * @data_type: must be IOMMU_HWPT_DATA_NONE
 * @data_len: must be 0
 * @data_uptr: ignored
 * @fault_id: ignored
 * @__reserved2: must be 0
 *
 * Allocate an additional I/O page table for an IOAS. The device @dev_id, and
 * other devices that are compatible with the HWPT, can be attached to it. While
 * a device is attached, the HWPT translates all mappings of the IOAS, including
 * later ones. IOMMU_DESTROY frees the HWPT, and fails while a device is
 * attached.
 *
 * Attaching a device to an IOAS selects or allocates an HWPT automatically.
 * This command is only needed to control which devices share an I/O page table.
 */
struct iommu_hwpt_alloc {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 pt_id;
	__u32 out_hwpt_id;
	__u32 __reserved;
	__u32 data_type;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 fault_id;
	__u32 __reserved2;
};

#define IOMMU_HWPT_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_HWPT_ALLOC)

/**
 * enum iommufd_hw_info_flags - flags of IOMMU_GET_HW_INFO
 * @IOMMU_HW_INFO_FLAG_INPUT_TYPE: @in_data_type selects the type of the
 *                                 information
 */
enum iommufd_hw_info_flags {
	IOMMU_HW_INFO_FLAG_INPUT_TYPE = 1 << 0,
};

/**
 * enum iommu_hw_info_type - types of hardware information
 * @IOMMU_HW_INFO_TYPE_NONE: output: no information available
 * @IOMMU_HW_INFO_TYPE_DEFAULT: input: the type that the IOMMU has
 * @IOMMU_HW_INFO_TYPE_INTEL_VTD: Intel VT-d, struct iommu_hw_info_vtd
 */
enum iommu_hw_info_type {
	IOMMU_HW_INFO_TYPE_NONE = 0,
	IOMMU_HW_INFO_TYPE_DEFAULT = 0,
	IOMMU_HW_INFO_TYPE_INTEL_VTD = 1,
};

/**
 * enum iommu_hw_info_vtd_flags - flags of struct iommu_hw_info_vtd
 * @IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17: read-only mappings must not be used
 *         in the parent of a nested page table. Never set, since nesting is not
 *         supported
 */
enum iommu_hw_info_vtd_flags {
	IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 = 1 << 0,
};

/**
 * struct iommu_hw_info_vtd - registers of an Intel VT-d unit
 * @flags: combination of enum iommu_hw_info_vtd_flags
 * @__reserved: set to 0
 * @cap_reg: value of the capability register
 * @ecap_reg: value of the extended capability register
 */
struct iommu_hw_info_vtd {
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 cap_reg;
	__aligned_u64 ecap_reg;
};

/**
 * enum iommufd_hw_capabilities - capabilities of an IOMMU
 * @IOMMU_HW_CAP_DIRTY_TRACKING: the IOMMU records which pages were written to.
 *                               Never set, since dirty tracking is not
 *                               supported
 */
enum iommufd_hw_capabilities {
	IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0,
};

/**
 * struct iommu_hw_info - argument of IOMMU_GET_HW_INFO
 * @size: sizeof(struct iommu_hw_info)
 * @flags: combination of enum iommufd_hw_info_flags
 * @dev_id: ID of the bound device
 * @data_len: input: length of the buffer in bytes; output: length of the
 *            available information
 * @data_uptr: user address of the buffer
 * @in_data_type: type of the information to return, one of enum
 *                iommu_hw_info_type; ignored unless @flags contains
 *                IOMMU_HW_INFO_FLAG_INPUT_TYPE
 * @out_data_type: set to the type of the information, one of enum
 *                 iommu_hw_info_type
 * @__reserved: must be 0
 * @out_capabilities: set to a combination of enum iommufd_hw_capabilities
 *
 * Return register values of the IOMMU of a device, for programs that emulate an
 * IOMMU. If the buffer is too short, the information is truncated. If the
 * buffer is longer than the information, the rest of the buffer is zeroed.
 */
struct iommu_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len;
	__aligned_u64 data_uptr;
	union {
		__u32 in_data_type;
		__u32 out_data_type;
	};
	__u32 __reserved;
	__aligned_u64 out_capabilities;
};

#define IOMMU_GET_HW_INFO _IO(IOMMUFD_TYPE, IOMMUFD_CMD_GET_HW_INFO)

/**
 * enum iommufd_device_info_flags - output flags of IOMMU_DEVICE_GET_INFO
 * @IOMMU_DEVICE_INFO_COHERENT: ordinary DMA of the device is coherent with CPU
 *                              caches
 * @IOMMU_DEVICE_INFO_ENFORCE_SNOOP: the IOMMU can make all DMA of the device
 *         coherent, including PCIe no-snoop transactions
 * @IOMMU_DEVICE_INFO_PGSIZES: @pgsize_bitmap is valid
 * @IOMMU_DEVICE_INFO_ADDR_WIDTH: @addr_width is valid
 */
enum iommufd_device_info_flags {
	IOMMU_DEVICE_INFO_COHERENT = 1 << 0,
	IOMMU_DEVICE_INFO_ENFORCE_SNOOP = 1 << 1,
	IOMMU_DEVICE_INFO_PGSIZES = 1 << 2,
	IOMMU_DEVICE_INFO_ADDR_WIDTH = 1 << 3,
};

/**
 * struct iommu_device_get_info - argument of IOMMU_DEVICE_GET_INFO
 * @size: sizeof(struct iommu_device_get_info)
 * @flags: ignored on input, set to a combination of enum
 *         iommufd_device_info_flags
 * @dev_id: ID of the bound device, as returned by the bind
 * @addr_width: set to the width in bits of the IOVAs that the IOMMU translates
 *              for the device, 0 if unknown
 * @dev_cookie: set to the cookie of the device, see IOMMU_DEVICE_SET_COOKIE
 * @pgsize_bitmap: set to a bitmap of the page sizes of the I/O page table,
 *                 where bit n stands for 2^n bytes; 0 if unknown
 *
 * Return properties of a device that a program may need before it attaches the
 * device. IOMMU_IOAS_IOVA_RANGES returns the IOVAs that are usable after the
 * attach.
 */
struct iommu_device_get_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 addr_width;
	__aligned_u64 dev_cookie;
	__aligned_u64 pgsize_bitmap;
};

#define IOMMU_DEVICE_GET_INFO _IO(IOMMUFD_TYPE, IOMMUFD_CMD_DEVICE_GET_INFO)

/**
 * enum iommufd_extension - extensions that IOMMU_CHECK_EXTENSION queries
 * @IOMMU_EXT_MAP_TYPE1V2: IOMMU_IOAS_MAP of anonymous, shared or file memory at
 *                         a fixed IOVA, and IOMMU_IOAS_UNMAP of whole mappings,
 *                         as for a vfio type1v2 container
 * @IOMMU_EXT_DMA_NO_SNOOP: attach of a device to an IOAS without
 *                          IOMMU_IOASID_ENFORCE_SNOOP, even if no-snoop DMA of
 *                          the device cannot be made coherent
 * @IOMMU_EXT_ENFORCE_SNOOP: IOMMU_IOASID_ALLOC with IOMMU_IOASID_ENFORCE_SNOOP
 * @IOMMU_EXT_ADDR_WIDTH: IOMMU_IOASID_ALLOC with an addr_width
 * @IOMMU_EXT_MAP_BEFORE_ATTACH: IOMMU_IOAS_MAP while no device is attached
 * @IOMMU_EXT_MAP_ANY_IOVA: IOMMU_IOAS_MAP without IOMMU_IOAS_MAP_FIXED_IOVA
 * @IOMMU_EXT_MAP_PFNMAP: IOMMU_IOAS_MAP of memory without struct page, such as
 *                        a device BAR; not supported by this kernel
 *
 * An operation that is supported by the kernel may still fail for other
 * reasons, such as a device that is not capable of it.
 */
enum iommufd_extension {
	IOMMU_EXT_MAP_TYPE1V2 = 1,
	IOMMU_EXT_DMA_NO_SNOOP = 2,
	IOMMU_EXT_ENFORCE_SNOOP = 3,
	IOMMU_EXT_ADDR_WIDTH = 4,
	IOMMU_EXT_MAP_BEFORE_ATTACH = 5,
	IOMMU_EXT_MAP_ANY_IOVA = 6,
	IOMMU_EXT_MAP_PFNMAP = 7,
};

/**
 * struct iommu_check_extension - argument of IOMMU_CHECK_EXTENSION
 * @size: sizeof(struct iommu_check_extension)
 * @extension: one of enum iommufd_extension, or any other number
 * @out_value: set to 1 if the extension is supported, else to 0
 *
 * An unknown extension is not an error: it is reported as not supported.
 */
struct iommu_check_extension {
	__u32 size;
	__u32 extension;
	__u32 out_value;
};

#define IOMMU_CHECK_EXTENSION _IO(IOMMUFD_TYPE, IOMMUFD_CMD_CHECK_EXTENSION)

/**
 * enum iommufd_ioasid_alloc_flags - flags of IOMMU_IOASID_ALLOC
 * @IOMMU_IOASID_ENFORCE_SNOOP: make all DMA coherent. Only devices for which
 *                              the IOMMU can do so, and mediated devices, can
 *                              be attached
 */
enum iommufd_ioasid_alloc_flags {
	IOMMU_IOASID_ENFORCE_SNOOP = 1 << 0,
};

/**
 * struct iommu_ioasid_alloc - argument of IOMMU_IOASID_ALLOC
 * @size: sizeof(struct iommu_ioasid_alloc)
 * @flags: combination of enum iommufd_ioasid_alloc_flags
 * @addr_width: required width of IOVAs in bits, at most 64; 0 for any
 * @out_ioasid: set to the ID of the new IOAS
 *
 * Allocate an IOAS like IOMMU_IOAS_ALLOC, but with requirements: attaching a
 * device that does not satisfy them fails with EINVAL. A device satisfies
 * @addr_width if its IOMMU translates addresses of at least this width. A
 * mediated device has no IOMMU and satisfies all requirements.
 */
struct iommu_ioasid_alloc {
	__u32 size;
	__u32 flags;
	__u32 addr_width;
	__u32 out_ioasid;
};

#define IOMMU_IOASID_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOASID_ALLOC)

/**
 * struct iommu_device_set_cookie - argument of IOMMU_DEVICE_SET_COOKIE
 * @size: sizeof(struct iommu_device_set_cookie)
 * @dev_id: ID of the bound device
 * @cookie: any number
 *
 * Set a number by which the program identifies a bound device. The kernel
 * returns the cookie in IOMMU_DEVICE_GET_INFO, but does not use it otherwise.
 * The cookie need not be unique, and is 0 until it is set.
 */
struct iommu_device_set_cookie {
	__u32 size;
	__u32 dev_id;
	__aligned_u64 cookie;
};

#define IOMMU_DEVICE_SET_COOKIE \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_DEVICE_SET_COOKIE)

/*
 * Names that the first proposal of /dev/iommu (2021) used for commands and
 * extensions. Only the names are provided: the numbers and arguments are those
 * of the definitions above.
 */
#define IOMMU_IOASID_FREE	IOMMU_DESTROY
#define IOMMU_MAP_DMA		IOMMU_IOAS_MAP
#define IOMMU_UNMAP_DMA		IOMMU_IOAS_UNMAP
#define EXT_MAP_TYPE1V2		IOMMU_EXT_MAP_TYPE1V2
#define EXT_DMA_NO_SNOOP	IOMMU_EXT_DMA_NO_SNOOP

#endif
