/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Internal interfaces of mdev_pin. The pin table records the pins of a device,
 * a slot runs commands, and a notice is a call to the dma_unmap op.
 *
 * The driver calls vfio with no lock held except the lock of a slot.
 * vfio_pin_pages() and vfio_dma_rw() may block for an unbounded time, so a lock
 * that dma_unmap takes must not be held across these calls.
 */
#ifndef MDEV_PIN_DEVICE_H
#define MDEV_PIN_DEVICE_H

#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "mdev_pin.h"

/**
 * struct pin_table - record of the pins of a device
 * @entries: struct pin_entry, indexed by IOVA
 * @count: total number of pins
 * @calls: number of vfio calls in progress that @entries might not reflect yet
 * @idle: wait queue, woken when @calls drops to 0
 */
struct pin_table {
	struct xarray entries;
	unsigned int count;
	atomic_t calls;
	wait_queue_head_t idle;
};

/**
 * struct pin_slot - state of a slot, which runs one command at a time
 * @lock: held while a command runs or while its result or data is copied;
 *        nests outside of all locks of vfio
 * @result: result of the last command
 * @pages: array of MDEV_PIN_MAX_PAGES pages for vfio_pin_pages()
 * @page_info: description of each page in @pages
 * @window: data buffer of MDEV_PIN_WINDOW_SIZE bytes
 */
struct pin_slot {
	struct mutex lock;	/* Outside of all locks of vfio */
	struct mdev_pin_result result;
	struct page **pages;
	struct mdev_pin_page *page_info;
	void *window;
};

/**
 * struct pin_notices - completed notices and notices in progress
 * @lock: protects all members; innermost lock
 * @control: settings written by user space
 * @state: state to report, except for the number of pins
 * @active: number of notices in progress
 * @releases: number of MDEV_PIN_OP_RELEASE commands
 * @closing: the device is closed or being closed, so notices neither wait for a
 *           release nor pin
 * @changed: wait queue, woken when a notice ends, @releases changes or @closing
 *           is set
 */
struct pin_notices {
	spinlock_t lock;	/* Innermost */
	struct mdev_pin_control control;
	struct mdev_pin_state state;
	unsigned int active;
	unsigned int releases;
	bool closing;
	wait_queue_head_t changed;
};

/**
 * struct pin_device - a mediated device
 * @vdev: vfio device
 * @table: record of its pins
 * @notices: notices and settings
 * @slot: slots for commands
 */
struct pin_device {
	struct vfio_device vdev;
	struct pin_table table;
	struct pin_notices notices;
	struct pin_slot slot[MDEV_PIN_SLOTS];
};

static inline struct pin_device *to_pin_device(struct vfio_device *vdev)
{
	return container_of(vdev, struct pin_device, vdev);
}

void pin_table_init(struct pin_table *table);
void pin_table_destroy(struct pin_table *table);
int pin_table_add(struct pin_table *table, unsigned long iova,
		  struct page *page, u64 *identity);
bool pin_table_remove(struct pin_table *table, unsigned long iova);
bool pin_table_remove_first(struct pin_table *table, unsigned long first,
			    unsigned long last, unsigned long *iova);
unsigned int pin_table_count(struct pin_table *table);
int pin_table_copy(struct pin_table *table, unsigned long iova, void *data,
		   size_t length, bool write);
void pin_table_begin_call(struct pin_table *table);
void pin_table_end_call(struct pin_table *table);
void pin_table_wait(struct pin_table *table);

int slot_init(struct pin_slot *slot);
void slot_destroy(struct pin_slot *slot);
int slot_run(struct pin_device *pin, struct pin_slot *slot,
	     const struct mdev_pin_request *request);
int pin_one(struct pin_device *pin, unsigned long iova, u32 prot);
unsigned int pin_release(struct pin_device *pin, unsigned long first,
			 unsigned long last);

void notices_init(struct pin_notices *notices);
void notices_open(struct pin_device *pin);
void notices_close(struct pin_device *pin);
void notices_release(struct pin_device *pin);
void notices_control(struct pin_notices *notices,
		     struct mdev_pin_control *control, bool write);
void notices_state(struct pin_device *pin, struct mdev_pin_state *state);
void pin_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length);

#endif
