/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of mdev_pin, a mediated device that pins what it is told to.
 *
 * Vocabulary: the region is what pread() and pwrite() of the device file
 * reach. A slot is a place of the region for one command at a time; threads
 * use slots of their own. A notice is one call of the driver's dma_unmap op.
 * A pin is one page of one pin command, by the IOVA that was given for it.
 *
 * Rule: a command is one pwrite() of a whole struct mdev_pin_request; when it
 * returns, the command has ended, and its result is read at the same offset.
 * What is set in struct mdev_pin_control stays when the device is closed.
 * Numbers that differ from run to run (PFNs, addresses) are not shown.
 */
#ifndef MDEV_PIN_H
#define MDEV_PIN_H

#include <linux/types.h>

/* Offsets: struct mdev_pin_control, read or written as a whole */
#define MDEV_PIN_CONTROL	0x0
/* struct mdev_pin_state, to be read */
#define MDEV_PIN_STATE		0x1000
/* Slots: a request is written and a result read at its start */
#define MDEV_PIN_SLOTS		8
#define MDEV_PIN_SLOT(n)	(0x100000 + (n) * 0x40000)
/* In a slot: one struct mdev_pin_page a page of the last pin command */
#define MDEV_PIN_PAGES		0x10000
/* In a slot: the data of commands that move data */
#define MDEV_PIN_WINDOW		0x20000
#define MDEV_PIN_WINDOW_SIZE	0x10000

/* As many pages as a request may name; vfio takes fewer. */
#define MDEV_PIN_MAX_PAGES	1024

/**
 * enum mdev_pin_op - commands
 * @MDEV_PIN_OP_PIN: vfio_pin_pages() of npage pages from iova
 * @MDEV_PIN_OP_UNPIN: vfio_unpin_pages() of npage pages from iova
 * @MDEV_PIN_OP_READ: vfio_dma_rw(), length bytes at iova to the window
 * @MDEV_PIN_OP_WRITE: vfio_dma_rw(), length bytes of the window to iova
 * @MDEV_PIN_OP_PEEK: length bytes of the page pinned as iova to the window
 * @MDEV_PIN_OP_POKE: length bytes of the window to the page pinned as iova
 * @MDEV_PIN_OP_FORGET: the pins of npage pages from iova are gone without
 *                      this device having dropped them; the result counts them
 * @MDEV_PIN_OP_RELEASE: let the notices end that are held
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

/* Pass NULL for the array of pages, or for the data */
#define MDEV_PIN_NULL		0x1
/* Run the command in a kernel thread, which has no memory of its own */
#define MDEV_PIN_KTHREAD	0x2

/**
 * struct mdev_pin_request - a command
 * @op: enum mdev_pin_op
 * @flags: MDEV_PIN_NULL, MDEV_PIN_KTHREAD
 * @iova: where, any number
 * @length: bytes, at most MDEV_PIN_WINDOW_SIZE
 * @npage: pages, passed on as it is; at most MDEV_PIN_MAX_PAGES, may be less
 *         than 0 for a pin
 * @prot: passed on as it is; 1 is IOMMU_READ, 2 is IOMMU_WRITE
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
 * struct mdev_pin_result - what became of a slot's last command
 * @rc: what the function returned; 0 if it returns nothing
 */
struct mdev_pin_result {
	__s64 rc;
};

/* The call wrote NULL into this place of the array */
#define MDEV_PIN_NO_PAGE	0ull
/* The call did not write this place of the array */
#define MDEV_PIN_UNTOUCHED	(~0ull)

/* Page flags: PageReserved; the zero page; part of a larger page; has pins */
#define MDEV_PIN_PAGE_RESERVED	0x1
#define MDEV_PIN_PAGE_ZERO	0x2
#define MDEV_PIN_PAGE_COMPOUND	0x4
#define MDEV_PIN_PAGE_PINNED	0x8

/**
 * struct mdev_pin_page - one place of the array of pages
 * @identity: equal for equal pages, over all devices of this driver, as long
 *            as one of them holds a pin of the page; else MDEV_PIN_NO_PAGE or
 *            MDEV_PIN_UNTOUCHED
 * @flags: MDEV_PIN_PAGE_*
 * @reserved: 0
 */
struct mdev_pin_page {
	__u64 identity;
	__u32 flags;
	__u32 reserved;
};

/* In a notice, drop what this device has pinned in the range */
#define MDEV_PIN_NOTICE_UNPIN	0x1
/* In a notice, call vfio_unpin_pages() for the whole range, as vfio_ap does */
#define MDEV_PIN_NOTICE_BLIND	0x2
/* In a notice, read 8 bytes at the range's start by vfio_dma_rw() */
#define MDEV_PIN_NOTICE_READ	0x4
/* Pin a page in open_device(), or at the start of close_device() */
#define MDEV_PIN_AT_OPEN	0x8
#define MDEV_PIN_AT_CLOSE	0x10

/**
 * struct mdev_pin_control - how the device behaves of itself
 * @flags: MDEV_PIN_NOTICE_*, MDEV_PIN_AT_*; at first MDEV_PIN_NOTICE_UNPIN
 * @hold: in so many notices to come, wait for MDEV_PIN_OP_RELEASE before
 *        anything else (30 seconds at most)
 * @skip: in so many notices to come, drop no pin
 * @repin: in so many notices to come, at last pin the range's first page
 * @prot: of that pin, and of the pins at open and close
 * @reserved: 0
 * @iova: of the pins at open and close
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
 * struct mdev_pin_notice - one call of the dma_unmap op
 * @iova: its first argument
 * @length: its second argument
 * @sequence: number among the notices of all devices of the driver
 * @dropped: pins of this device that it dropped
 * @tgid: the calling process, as itself sees it
 * @tid: the calling thread
 * @read_rc: of MDEV_PIN_NOTICE_READ; 1 if it was not done
 * @repin_rc: of the pin of a range's first page; 0 if it was not done
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
 * struct mdev_pin_state - what the device has and what happened to it
 * @pins: pins that the device holds
 * @holding: notices that wait for MDEV_PIN_OP_RELEASE
 * @open_rc: of the pin in the last open_device(); 0 if it was not done
 * @close_rc: of the pin in the last close_device(); 0 if it was not done
 * @notices: notices that ended
 * @overlapped: those among them that began while another one of this device had
 *              not ended
 * @late: notices that ran while the device was being closed, or was closed
 * @ring: of notice n, counted from 0, at n % MDEV_PIN_RING
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
