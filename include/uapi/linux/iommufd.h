/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What a program says to /dev/iommu.
 *
 * Vocabulary: an IOAS is an I/O address space, a map from I/O virtual
 * addresses (IOVAs) to the memory of a process. An HWPT is an I/O page table
 * that shows an IOAS to hardware. Every object a program makes in one open file
 * has an ID in that file, a number above 0. Intervals are closed: @start and
 * @last both belong to them.
 *
 * Rule: the numbers below 0xa0, their structs and their flag words are those
 * of Linux 6.6 and later and are never extended here. What exists in this
 * kernel only is numbered from 0xa0.
 */
#ifndef _UAPI_IOMMUFD_H
#define _UAPI_IOMMUFD_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define IOMMUFD_TYPE (';')

/**
 * DOC: How a command is passed
 *
 * The argument of every ioctl is the address of the struct named after it,
 * whose first word the caller sets to sizeof() of the struct it was compiled
 * with. A kernel that knows a longer struct takes the missing end as zeros; a
 * kernel that knows a shorter one accepts the call as long as the bytes it
 * does not know are zeros. So old programs run on new kernels and the reverse.
 *
 * Whatever the command, these results mean the same:
 *
 * ========== ==============================================================
 * ENOTTY     there is no command of this number
 * EINVAL     @size ends before the last field of the command's first
 *            version, or a field holds a value that is never right
 * E2BIG      a byte after the end of the struct known here is not zero, or
 *            @size is larger than a page
 * EOPNOTSUPP a flag, or a value reserved for one, is not known here
 * EFAULT     the struct, or memory it points to, is not accessible
 * ENOENT     no object of the right kind has this ID, or nothing is mapped
 * EOVERFLOW  address plus length goes beyond what addresses can express
 * EBUSY      something else still uses the object
 * ENOMEM     no memory, or more locked memory than RLIMIT_MEMLOCK allows
 * ========== ==============================================================
 *
 * A call that fails changed nothing, unless its own text says otherwise. What
 * each command answers besides is in Documentation/userspace-api/iommufd.rst.
 */
enum {
	/* any object */
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
	/* I/O page tables and devices */
	IOMMUFD_CMD_HWPT_ALLOC = 0x89,
	IOMMUFD_CMD_GET_HW_INFO = 0x8a,
	/* this kernel's own */
	IOMMUFD_CMD_OWN_BASE = 0xa0,
	IOMMUFD_CMD_DEVICE_GET_INFO = 0xa0,
	IOMMUFD_CMD_CHECK_EXTENSION = 0xa1,
	IOMMUFD_CMD_IOASID_ALLOC = 0xa2,
	IOMMUFD_CMD_DEVICE_SET_COOKIE = 0xa3,
};

/**
 * struct iommu_destroy - argument of IOMMU_DESTROY
 * @size: sizeof(struct iommu_destroy)
 * @id: which object
 *
 * Ends an object that the program made. What the kernel made on its own, such
 * as a bound device or the page table made by an attach, goes away by the call
 * that undoes its making; for those, for an IOAS with an HWPT, with an emulated
 * device attached or with a call that is mapping or copying memory in it, and for
 * an HWPT with a device attached, the result is EBUSY.
 */
struct iommu_destroy {
	__u32 size;
	__u32 id;
};

#define IOMMU_DESTROY _IO(IOMMUFD_TYPE, IOMMUFD_CMD_DESTROY)

/**
 * struct iommu_ioas_alloc - argument of IOMMU_IOAS_ALLOC
 * @size: sizeof(struct iommu_ioas_alloc)
 * @flags: 0
 * @out_ioas_id: set to the ID of the new IOAS
 *
 * Makes an empty I/O address space that any bound device may attach to.
 */
struct iommu_ioas_alloc {
	__u32 size;
	__u32 flags;
	__u32 out_ioas_id;
};

#define IOMMU_IOAS_ALLOC _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_ALLOC)

/**
 * struct iommu_iova_range - one closed interval of IOVAs
 * @start: its first byte
 * @last: its last byte
 */
struct iommu_iova_range {
	__aligned_u64 start;
	__aligned_u64 last;
};

/**
 * struct iommu_ioas_allow_iovas - argument of IOMMU_IOAS_ALLOW_IOVAS
 * @size: sizeof(struct iommu_ioas_allow_iovas)
 * @ioas_id: which IOAS
 * @num_iovas: elements of @allowed_iovas
 * @__reserved: 0
 * @allowed_iovas: user address of an array of struct iommu_iova_range, in any
 *                 order, each longer than one byte, none overlapping another
 *
 * Says which IOVAs must stay usable; the list replaces the one before, and an
 * empty one says nothing. No device attaches any more that would take one of
 * them away (EADDRINUSE), and what is taken away already cannot be allowed
 * (EADDRINUSE). An IOVA that the kernel chooses is an allowed one; those that
 * the program chooses need not be.
 *
 * A program that knows where it will map says so before it attaches devices,
 * and need not look at IOMMU_IOAS_IOVA_RANGES again.
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
 * @ioas_id: which IOAS
 * @num_iovas: in: how many elements @allowed_iovas has room for; out: how many
 *             ranges there are
 * @__reserved: 0
 * @allowed_iovas: user address of an array of struct iommu_iova_range
 * @out_iova_alignment: set to the number of bytes, a power of two, that both
 *                      ends of a mapping must be a multiple of
 *
 * Tells which IOVAs may be mapped: what all attached devices and their IOMMUs
 * can address, less what platform and devices keep for themselves (interrupt
 * windows, for one). An attach may take ranges away and a detach may bring
 * them back, so ask again after either. What is mapped at the time plays no
 * part.
 *
 * With too little room the array is filled as far as it goes, @num_iovas and
 * @out_iova_alignment are set as on success, and the result is EMSGSIZE.
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
 * @IOMMU_IOAS_MAP_FIXED_IOVA: the mapping goes to the IOVA given, and there
 *                             only. Without it the kernel chooses an IOVA, one
 *                             that lets large pages stay large, and tells it
 * @IOMMU_IOAS_MAP_WRITEABLE: devices may write the memory
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
 * @flags: of enum iommufd_ioas_map_flags, READABLE or WRITEABLE among them
 * @ioas_id: which IOAS
 * @__reserved: 0
 * @user_va: first byte of the caller's memory
 * @length: bytes, not 0
 * @iova: where devices shall see that first byte; without FIXED_IOVA it is not
 *        read and set to what the kernel chose
 *
 * Lets every device of the IOAS, those attached now and those that attach
 * later, reach the memory at [@iova, @iova + @length - 1]. The memory stays in
 * place and is charged to the user for as long as a device can reach it. No
 * part of the interval may be mapped already (EEXIST); where the kernel cannot
 * find a free one the result is ENOSPC.
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
 * @flags: of enum iommufd_ioas_map_flags, as for IOMMU_IOAS_MAP
 * @dst_ioas_id: the IOAS to map in
 * @src_ioas_id: the IOAS where the memory is mapped already; may be the same
 * @length: bytes, not 0
 * @dst_iova: as @iova of IOMMU_IOAS_MAP
 * @src_iova: where the memory is mapped in @src_ioas_id
 *
 * Maps what [@src_iova, @src_iova + @length - 1] maps: a mapping, a part of
 * one, or several side by side. Pages are pinned and charged once, to whom they
 * were charged; the two mappings are independent otherwise, each ends by an
 * IOMMU_IOAS_UNMAP of its own. To write to memory that was mapped without
 * WRITEABLE is refused (EPERM).
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
 * @ioas_id: which IOAS
 * @iova: first byte of the interval
 * @length: in: bytes of the interval; out: how many of them were mapped
 *
 * Ends every mapping inside the interval. A mapping goes as a whole or not at
 * all: one that reaches out of the interval makes the call fail with ENOENT
 * and nothing changes. ENOENT too when nothing is mapped there. @iova 0 with
 * @length U64_MAX ends all mappings, and succeeds if there are none.
 *
 * When the call returns no device can reach the memory any more. @length is
 * set, as far as the mappings got, when the call fails on its way too.
 */
struct iommu_ioas_unmap {
	__u32 size;
	__u32 ioas_id;
	__aligned_u64 iova;
	__aligned_u64 length;
};

#define IOMMU_IOAS_UNMAP _IO(IOMMUFD_TYPE, IOMMUFD_CMD_IOAS_UNMAP)

/**
 * enum iommufd_option - what IOMMU_OPTION sets and tells
 * @IOMMU_OPTION_RLIMIT_MODE: whom pinned memory is charged to. 0, the default:
 *                            the user, for all processes together. 1: the
 *                            process, together with what it has locked, as a
 *                            vfio type1 container does. @object_id is 0. Set
 *                            by a process with CAP_SYS_RESOURCE (EPERM), while
 *                            the file has no object (EBUSY)
 * @IOMMU_OPTION_HUGE_PAGES: @object_id is an IOAS. 1, the default: its I/O
 *                           pages are as large as the memory allows. 0: they
 *                           are as small as can be; set before anything is
 *                           mapped for a device (EINVAL)
 */
enum iommufd_option {
	IOMMU_OPTION_RLIMIT_MODE = 0,
	IOMMU_OPTION_HUGE_PAGES = 1,
};

/**
 * enum iommufd_option_ops - what to do with an option
 * @IOMMU_OPTION_OP_SET: set it to @val64
 * @IOMMU_OPTION_OP_GET: set @val64 to it
 */
enum iommufd_option_ops {
	IOMMU_OPTION_OP_SET = 0,
	IOMMU_OPTION_OP_GET = 1,
};

/**
 * struct iommu_option - argument of IOMMU_OPTION
 * @size: sizeof(struct iommu_option)
 * @option_id: of enum iommufd_option
 * @op: of enum iommufd_option_ops
 * @__reserved: 0
 * @object_id: what it is an option of; 0 for the file
 * @val64: the value
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
 * enum iommufd_hwpt_alloc_flags - flags of IOMMU_HWPT_ALLOC
 * @IOMMU_HWPT_ALLOC_NEST_PARENT: not offered here (EOPNOTSUPP)
 * @IOMMU_HWPT_ALLOC_DIRTY_TRACKING: not offered here (EOPNOTSUPP)
 * @IOMMU_HWPT_FAULT_ID_VALID: not offered here (EOPNOTSUPP)
 */
enum iommufd_hwpt_alloc_flags {
	IOMMU_HWPT_ALLOC_NEST_PARENT = 1 << 0,
	IOMMU_HWPT_ALLOC_DIRTY_TRACKING = 1 << 1,
	IOMMU_HWPT_FAULT_ID_VALID = 1 << 2,
};

/**
 * enum iommu_hwpt_data_type - whose format an I/O page table has
 * @IOMMU_HWPT_DATA_NONE: the kernel's choice
 * @IOMMU_HWPT_DATA_VTD_S1: VT-d's first level, written by the program; not
 *                          offered here (EOPNOTSUPP)
 */
enum iommu_hwpt_data_type {
	IOMMU_HWPT_DATA_NONE = 0,
	IOMMU_HWPT_DATA_VTD_S1 = 1,
};

/**
 * struct iommu_hwpt_alloc - argument of IOMMU_HWPT_ALLOC
 * @size: sizeof(struct iommu_hwpt_alloc)
 * @flags: 0
 * @dev_id: the bound device it is made for
 * @pt_id: the IOAS it shows
 * @out_hwpt_id: set to the ID of the new HWPT
 * @__reserved: 0
 * @data_type: IOMMU_HWPT_DATA_NONE
 * @data_len: 0
 * @data_uptr: not read
 * @fault_id: not read
 * @__reserved2: 0
 *
 * Makes one more I/O page table of an IOAS, to attach the device to, and others
 * that are like it. It shows what is mapped in the IOAS, now and later, as long
 * as devices are attached to it. IOMMU_DESTROY ends it when none is.
 *
 * Who attaches a device to an IOAS is given a page table by the kernel, and does
 * not need this: it is for programs that want to say which devices share one.
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
 * enum iommu_hw_info_type - whose registers IOMMU_GET_HW_INFO tells
 * @IOMMU_HW_INFO_TYPE_NONE: none
 * @IOMMU_HW_INFO_TYPE_INTEL_VTD: Intel's VT-d, struct iommu_hw_info_vtd
 */
enum iommu_hw_info_type {
	IOMMU_HW_INFO_TYPE_NONE = 0,
	IOMMU_HW_INFO_TYPE_INTEL_VTD = 1,
};

/**
 * enum iommu_hw_info_vtd_flags - flags of struct iommu_hw_info_vtd
 * @IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17: a read-only mapping must not be used
 *                                         below a nested page table. Not set
 *                                         here, where page tables do not nest
 */
enum iommu_hw_info_vtd_flags {
	IOMMU_HW_INFO_VTD_ERRATA_772415_SPR17 = 1 << 0,
};

/**
 * struct iommu_hw_info_vtd - registers of Intel's VT-d
 * @flags: of enum iommu_hw_info_vtd_flags
 * @__reserved: 0
 * @cap_reg: the capability register
 * @ecap_reg: the extended capability register
 */
struct iommu_hw_info_vtd {
	__u32 flags;
	__u32 __reserved;
	__aligned_u64 cap_reg;
	__aligned_u64 ecap_reg;
};

/**
 * enum iommufd_hw_capabilities - what an IOMMU can do beyond translating
 * @IOMMU_HW_CAP_DIRTY_TRACKING: mark the I/O pages that were written to. Not
 *                               set here
 */
enum iommufd_hw_capabilities {
	IOMMU_HW_CAP_DIRTY_TRACKING = 1 << 0,
};

/**
 * struct iommu_hw_info - argument of IOMMU_GET_HW_INFO
 * @size: sizeof(struct iommu_hw_info)
 * @flags: 0
 * @dev_id: a bound device
 * @data_len: in: bytes of the buffer; out: bytes that are known
 * @data_uptr: user address of the buffer
 * @out_data_type: set to what is in the buffer, of enum iommu_hw_info_type
 * @__reserved: 0
 * @out_capabilities: set to a combination of enum iommufd_hw_capabilities
 *
 * Tells the registers of the IOMMU behind a device, for programs that emulate
 * one. A buffer that is shorter than what is known is filled as far as it goes;
 * the end of a longer one is set to zeros.
 */
struct iommu_hw_info {
	__u32 size;
	__u32 flags;
	__u32 dev_id;
	__u32 data_len;
	__aligned_u64 data_uptr;
	__u32 out_data_type;
	__u32 __reserved;
	__aligned_u64 out_capabilities;
};

#define IOMMU_GET_HW_INFO _IO(IOMMUFD_TYPE, IOMMUFD_CMD_GET_HW_INFO)

/**
 * enum iommufd_device_info_flags - what IOMMU_DEVICE_GET_INFO found
 * @IOMMU_DEVICE_INFO_COHERENT: plain DMA of the device is coherent with the
 *                              CPU caches
 * @IOMMU_DEVICE_INFO_ENFORCE_SNOOP: the IOMMU can make all DMA of the device
 *                                   coherent, also what asks not to be
 *                                   (PCIe No Snoop)
 * @IOMMU_DEVICE_INFO_PGSIZES: @pgsize_bitmap of the reply is valid
 * @IOMMU_DEVICE_INFO_ADDR_WIDTH: @addr_width of the reply is valid
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
 * @flags: set to a combination of enum iommufd_device_info_flags; not read
 * @dev_id: which bound device: the ID that binding it returned
 * @addr_width: set to the width in bits of the IOVAs that the IOMMU
 *              translates for the device (its input addresses), 0 if unknown
 * @dev_cookie: set to the program's own name of the device, see
 *              IOMMU_DEVICE_SET_COOKIE
 * @pgsize_bitmap: set to the page sizes of the I/O page table, in bytes, one
 *                 bit each; 0 if unknown
 *
 * What is worth knowing before the device is attached. Which IOVAs an IOAS
 * really has is for IOMMU_IOAS_IOVA_RANGES to say.
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
 * enum iommufd_extension - what IOMMU_CHECK_EXTENSION can be asked
 * @IOMMU_EXT_MAP_TYPE1V2: IOMMU_IOAS_MAP of anonymous, shared or file memory
 *                         at a fixed IOVA, and IOMMU_IOAS_UNMAP of whole
 *                         mappings: what a vfio type1v2 container offers
 * @IOMMU_EXT_DMA_NO_SNOOP: attaching a device whose no-snoop DMA cannot be
 *                          made coherent, to an IOAS made without
 *                          IOMMU_IOASID_ENFORCE_SNOOP
 * @IOMMU_EXT_ENFORCE_SNOOP: IOMMU_IOASID_ALLOC with
 *                           IOMMU_IOASID_ENFORCE_SNOOP
 * @IOMMU_EXT_ADDR_WIDTH: IOMMU_IOASID_ALLOC with an addr_width
 * @IOMMU_EXT_MAP_BEFORE_ATTACH: IOMMU_IOAS_MAP while no device is attached
 * @IOMMU_EXT_MAP_ANY_IOVA: IOMMU_IOAS_MAP without IOMMU_IOAS_MAP_FIXED_IOVA
 * @IOMMU_EXT_MAP_PFNMAP: IOMMU_IOAS_MAP of memory without struct pages, such
 *                        as a device's BAR
 *
 * Each stands for one attempt. Where the answer is not 0, that attempt does
 * not fail because the kernel cannot do it; it may still fail for any other
 * reason, the device's own abilities among them.
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
 * @extension: of enum iommufd_extension, or any number
 * @out_value: set to 1 if supported, 0 if not or if the number is not known
 *
 * Never fails because of the number asked.
 */
struct iommu_check_extension {
	__u32 size;
	__u32 extension;
	__u32 out_value;
};

#define IOMMU_CHECK_EXTENSION _IO(IOMMUFD_TYPE, IOMMUFD_CMD_CHECK_EXTENSION)

/**
 * enum iommufd_ioasid_alloc_flags - flags of IOMMU_IOASID_ALLOC
 * @IOMMU_IOASID_ENFORCE_SNOOP: only devices whose DMA the IOMMU can force to
 *                              be coherent attach, and theirs is
 */
enum iommufd_ioasid_alloc_flags {
	IOMMU_IOASID_ENFORCE_SNOOP = 1 << 0,
};

/**
 * struct iommu_ioasid_alloc - argument of IOMMU_IOASID_ALLOC
 * @size: sizeof(struct iommu_ioasid_alloc)
 * @flags: of enum iommufd_ioasid_alloc_flags
 * @addr_width: bits of IOVA that the program wants, at most 64; 0 for any
 * @out_ioasid: set to the ID of the new IOAS
 *
 * IOMMU_IOAS_ALLOC with conditions: a device that does not meet them cannot
 * attach (EINVAL). A device meets @addr_width if its IOMMU translates
 * addresses of that width or wider. The object is an IOAS like any other.
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
 * @dev_id: which bound device
 * @cookie: any number
 *
 * Gives a bound device a name that means something to the program. The kernel
 * returns it together with the ID wherever it reports on the device, and uses
 * it for nothing: it need not be unique and no command takes it as input. 0
 * until set.
 */
struct iommu_device_set_cookie {
	__u32 size;
	__u32 dev_id;
	__aligned_u64 cookie;
};

#define IOMMU_DEVICE_SET_COOKIE \
	_IO(IOMMUFD_TYPE, IOMMUFD_CMD_DEVICE_SET_COOKIE)

/* The names of the first proposal of /dev/iommu (2021). */
#define IOMMU_IOASID_FREE	IOMMU_DESTROY
#define IOMMU_MAP_DMA		IOMMU_IOAS_MAP
#define IOMMU_UNMAP_DMA		IOMMU_IOAS_UNMAP
#define EXT_MAP_TYPE1V2		IOMMU_EXT_MAP_TYPE1V2
#define EXT_DMA_NO_SNOOP	IOMMU_EXT_DMA_NO_SNOOP

#endif
