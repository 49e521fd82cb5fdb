/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test command, as used by the kselftests of iommufd in Linux 6.12 and its
 * stable releases.
 *
 * The test programs include the header of the kernel that they come from, so
 * the numbers and the layout here must be those of that header.
 */
#ifndef __IOMMUFD_TEST_ABI_H
#define __IOMMUFD_TEST_ABI_H

#include <linux/bits.h>
#include <linux/types.h>

enum test_op {
	TEST_OP_RESERVE = 1,
	TEST_OP_CREATE_DEVICE = 2,
	TEST_OP_CHECK_MAP = 3,
	TEST_OP_CHECK_PINS = 4,
	TEST_OP_CREATE_ACCESS = 5,
	TEST_OP_UNPIN = 6,
	TEST_OP_PIN = 7,
	TEST_OP_RW = 8,
	TEST_OP_LIMIT_MEMORY = 9,
	TEST_OP_MOVE_DEVICE = 10,
	TEST_OP_MOVE_ACCESS = 11,
	TEST_OP_CREATE_DEVICE_FLAGS = 12,
};

/* The domain of a mock device can translate these IOVAs and no others. */
#define TEST_APERTURE_START	0x1000000UL
#define TEST_APERTURE_LAST	0x7fffffffUL

/* Flags of a device. Only TEST_DEVICE_HUGE has an effect. */
#define TEST_DEVICE_NO_DIRTY	BIT(0)
#define TEST_DEVICE_HUGE	BIT(1)
#define TEST_DEVICE_PASID	BIT(2)

/* Flag of an access: it can pin pages. */
#define TEST_ACCESS_PINS	BIT(0)

/* Flags of a pin and of a copy */
#define TEST_PIN_WRITE		BIT(0)
#define TEST_RW_WRITE		BIT(0)
#define TEST_RW_SLOW		BIT(2)

/* Description of the IOMMU that IOMMU_GET_HW_INFO reports for mock devices */
#define TEST_HW_INFO_TYPE	0xfeedbeef
#define TEST_HW_INFO_REGISTER	0xdeadbeef

struct test_hw_info {
	__u32 flags;
	__u32 test_reg;
};

/**
 * struct test_command - argument of the test command
 * @size: sizeof(struct test_command)
 * @op: a value of &enum test_op
 * @id: ID of the object that @op applies to, or to which @op attaches the new
 *      device or access. If @op applies to an access, the file descriptor of
 *      the access
 * @reserved: ignored
 * @range: IOVAs for %TEST_OP_RESERVE
 * @device: results of %TEST_OP_CREATE_DEVICE and
 *          %TEST_OP_CREATE_DEVICE_FLAGS; flags of the latter
 * @pt_id: input of %TEST_OP_MOVE_DEVICE: ID of an IOAS or HWPT; output: ID of
 *         the HWPT
 * @memory: arguments of %TEST_OP_CHECK_MAP
 * @pins: arguments of %TEST_OP_CHECK_PINS
 * @access: result and flags of %TEST_OP_CREATE_ACCESS
 * @pin_id: ID of the pins that %TEST_OP_UNPIN releases
 * @pin: arguments and result of %TEST_OP_PIN
 * @rw: arguments of %TEST_OP_RW
 * @bytes: argument of %TEST_OP_LIMIT_MEMORY
 * @ioas_id: argument of %TEST_OP_MOVE_ACCESS
 * @room: makes the union as large as the largest argument in Linux 6.12
 * @last: ignored
 */
struct test_command {
	__u32 size;
	__u32 op;
	__u32 id;
	__u32 reserved;
	union {
		struct {
			__aligned_u64 start;
			__aligned_u64 length;
		} range;
		struct {
			__u32 out_id;
			__u32 out_hwpt_id;
			__u32 out_bound_id;
			__u32 flags;
		} device;
		__u32 pt_id;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uaddr;
		} memory;
		struct {
			__aligned_u64 length;
			__aligned_u64 uaddr;
			__u32 nr;
		} pins;
		struct {
			__u32 out_fd;
			__u32 flags;
		} access;
		__u32 pin_id;
		struct {
			__u32 flags;
			__u32 out_id;
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uaddr;
		} pin;
		struct {
			__aligned_u64 iova;
			__aligned_u64 length;
			__aligned_u64 uaddr;
			__u32 flags;
		} rw;
		__u32 bytes;
		__u32 ioas_id;
		__aligned_u64 room[6];
	};
	__u32 last;
};

#endif
