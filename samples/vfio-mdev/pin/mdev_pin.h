/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User interface of mdev_pin, a mediated device that pins pages on command.
 *
 * User space accesses the region of the device with pread() and pwrite() of the
 * device file. The region has several slots, each of which executes one command
 * at a time. Threads must use different slots to run commands in parallel.
 *
 * To run a command, write a whole struct mdev_pin_request to a slot with one
 * pwrite(). When pwrite() returns, the command is complete and its result can
 * be read at the same offset. The settings in struct mdev_pin_control survive a
 * close of the device.
 *
 * A notice is one call to the driver's dma_unmap op. A pin is one page of one
 * call to vfio_pin_pages(), and is identified by the IOVA of the page.
 *
 * No output depends on PFNs or kernel addresses, which differ between runs.
 */
#ifndef MDEV_PIN_H
#define MDEV_PIN_H

#include <linux/types.h>

/* Offset of struct mdev_pin_control, which is written as a whole */
#define MDEV_PIN_CONTROL	0x0
/* Offset of struct mdev_pin_state, which is read-only */
#define MDEV_PIN_STATE		0x1000
/*
 * Number of slots, and offset of slot n, at which requests are written and
 * results are read
 */
#define MDEV_PIN_SLOTS		8
#define MDEV_PIN_SLOT(n)	(0x100000 + (n) * 0x40000)
/* Offset in a slot: one struct mdev_pin_page for each page of the last pin */
#define MDEV_PIN_PAGES		0x10000
/* Offset in a slot: data buffer for commands that copy data */
#define MDEV_PIN_WINDOW		0x20000
#define MDEV_PIN_WINDOW_SIZE	0x10000

/*
 * Maximum number of pages of a request. With 4 KiB pages, this is more than
 * vfio permits in a call
 */
#define MDEV_PIN_MAX_PAGES	1024

/**
 * enum mdev_pin_op - commands
 * @MDEV_PIN_OP_PIN: call vfio_pin_pages() for npage pages at iova
 * @MDEV_PIN_OP_UNPIN: call vfio_unpin_pages() for npage pages at iova
 * @MDEV_PIN_OP_READ: call vfio_dma_rw() to copy length bytes from iova to the
 *                    window
 * @MDEV_PIN_OP_WRITE: call vfio_dma_rw() to copy length bytes from the window
 *                     to iova
 * @MDEV_PIN_OP_PEEK: copy length bytes from the page pinned at iova to the
 *                    window, without calling vfio
 * @MDEV_PIN_OP_POKE: copy length bytes from the window to the page pinned at
 *                    iova, without calling vfio
 * @MDEV_PIN_OP_FORGET: remove a pin of each of npage pages at iova from the
 *                      record of the device, without unpinning the pages;
 *                      returns the number of pins removed
 * @MDEV_PIN_OP_RELEASE: let all held notices continue
 */
enum mdev_pin_op {
	MDEV_PIN_OP_PIN,
	MDEV_PIN_OP_UNPIN,
	MDEV_PIN_OP_READ,
	MDEV_PIN_OP_WRITE,
	MDEV_PIN_OP_PEEK,
	MDEV_PIN_OP_POKE,
	MDEV_PIN_OP_FORGET,
	MDEV_PIN_OP_RELEASE,
};

/* Pass NULL as the array of pages or as the data buffer */
#define MDEV_PIN_NULL		0x1
/* Run the command in a kernel thread, which has no mm */
#define MDEV_PIN_KTHREAD	0x2

/**
 * struct mdev_pin_request - a command
 * @op: enum mdev_pin_op
 * @flags: MDEV_PIN_NULL, MDEV_PIN_KTHREAD
 * @iova: IOVA, not checked by the driver
 * @length: number of bytes, at most MDEV_PIN_WINDOW_SIZE
 * @npage: number of pages, at most MDEV_PIN_MAX_PAGES; may be negative, to test
 *         the checks in vfio
 * @prot: IOMMU_READ (1) and IOMMU_WRITE (2), not checked by the driver
 */
struct mdev_pin_request {
	__u32 op;
	__u32 flags;
	__u64 iova;
	__u64 length;
	__s32 npage;
	__u32 prot;
};

/**
 * struct mdev_pin_result - result of the last command of a slot
 * @rc: return value of vfio_pin_pages() or vfio_dma_rw(), or -ENOMEM if pinned
 *      pages could not be recorded; number of pins removed for
 *      MDEV_PIN_OP_FORGET; 0 for MDEV_PIN_OP_UNPIN and MDEV_PIN_OP_RELEASE. For
 *      MDEV_PIN_OP_PEEK and MDEV_PIN_OP_POKE, 0, -ENOENT if no page is pinned
 *      at the IOVA, or -EINVAL if the data extends beyond the end of the page
 */
struct mdev_pin_result {
	__s64 rc;
};

/* Identity of an element in which vfio_pin_pages() stored NULL */
#define MDEV_PIN_NO_PAGE	0ull
/*
 * Identity of an element that vfio_pin_pages() did not write, or in which it
 * left a page when it failed
 */
#define MDEV_PIN_UNTOUCHED	(~0ull)

/*
 * Flags of a page: PageReserved(), the zero page, PageCompound(),
 * page_maybe_dma_pinned()
 */
#define MDEV_PIN_PAGE_RESERVED	0x1
#define MDEV_PIN_PAGE_ZERO	0x2
#define MDEV_PIN_PAGE_COMPOUND	0x4
#define MDEV_PIN_PAGE_PINNED	0x8

/**
 * struct mdev_pin_page - one element of the array of pages
 * @identity: number of the page, the same for all devices of this driver as
 *            long as one of them has the page pinned; MDEV_PIN_NO_PAGE or
 *            MDEV_PIN_UNTOUCHED if there is no page
 * @flags: MDEV_PIN_PAGE_*
 * @reserved: 0
 */
struct mdev_pin_page {
	__u64 identity;
	__u32 flags;
	__u32 reserved;
};

/* On a notice, unpin the pages that this device has pinned in the range */
#define MDEV_PIN_NOTICE_UNPIN	0x1
/* On a notice, call vfio_unpin_pages() for the whole range, pinned or not */
#define MDEV_PIN_NOTICE_UNPIN_RANGE 0x2
/* On a notice, read 8 bytes at the start of the range with vfio_dma_rw() */
#define MDEV_PIN_NOTICE_READ	0x4
/*
 * Pin a page in open_device(), or in close_device() before it unpins all pages
 */
#define MDEV_PIN_AT_OPEN	0x8
#define MDEV_PIN_AT_CLOSE	0x10

/**
 * struct mdev_pin_control - how the device reacts to notices, open and close
 * @flags: MDEV_PIN_NOTICE_* and MDEV_PIN_AT_*; MDEV_PIN_NOTICE_UNPIN by default
 * @hold: number of upcoming notices that first wait for MDEV_PIN_OP_RELEASE or
 *        the close of the device, for 30 seconds at most
 * @skip: number of upcoming notices that do not unpin
 * @repin: number of upcoming notices that pin the first page of the range
 *         before they return
 * @prot: protection of the pins by @repin and of the pins at open and close
 * @reserved: 0
 * @iova: IOVA of the pins at open and close
 */
struct mdev_pin_control {
	__u32 flags;
	__u32 hold;
	__u32 skip;
	__u32 repin;
	__u32 prot;
	__u32 reserved;
	__u64 iova;
};

/**
 * struct mdev_pin_notice - one call to the dma_unmap op
 * @iova: first argument, start of the range
 * @length: second argument, size of the range in bytes
 * @sequence: sequence number across all devices of the driver
 * @dropped: number of pins that the device released
 * @tgid: process ID of the caller in its own namespace
 * @tid: thread ID of the caller in its own namespace
 * @read_rc: result of MDEV_PIN_NOTICE_READ; 1 if the flag is not set
 * @repin_rc: result of the pin of the first page; 0 if it was not requested
 * @reserved: 0
 */
struct mdev_pin_notice {
	__u64 iova;
	__u64 length;
	__u64 sequence;
	__u32 dropped;
	__s32 tgid;
	__s32 tid;
	__s32 read_rc;
	__s32 repin_rc;
	__u32 reserved;
};

#define MDEV_PIN_RING		32

/**
 * struct mdev_pin_state - state of the device
 * @pins: number of pins of the device
 * @holding: number of notices that wait for MDEV_PIN_OP_RELEASE
 * @open_rc: result of the pin in the last open_device(); 0 if not requested
 * @close_rc: result of the pin in the last close_device(); 0 if not requested
 * @notices: number of completed notices
 * @overlapped: number of notices that started while another notice of this
 *              device was in progress
 * @late: number of notices that ran while the device was being closed or was
 *        closed
 * @ring: the last notices; notice n, counted from 0, is at n % MDEV_PIN_RING
 */
struct mdev_pin_state {
	__u32 pins;
	__u32 holding;
	__s32 open_rc;
	__s32 close_rc;
	__u64 notices;
	__u64 overlapped;
	__u64 late;
	struct mdev_pin_notice ring[MDEV_PIN_RING];
};

#endif
