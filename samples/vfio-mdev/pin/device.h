/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inside of mdev_pin. The book says which pins a device holds, a slot runs
 * commands, notices are the calls of the dma_unmap op.
 *
 * Rule: no lock of this driver but a slot's is held while vfio is called, for
 * a notice may come under locks of vfio that the called function takes.
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
 * struct pin_book - the pins of a device
 * @entries: struct pin_entry by the IOVA as it was given
 * @count: pins in all
 * @moving: calls of vfio that the book does not show yet
 * @settled: woken when @moving becomes 0
 */
struct pin_book {
	struct xarray entries;
	unsigned int count;
	atomic_t moving;
	wait_queue_head_t settled;
};

/**
 * struct pin_slot - place for one command at a time
 * @lock: held while a command runs or its result or data are copied
 * @result: of the last command
 * @pages: MDEV_PIN_MAX_PAGES pointers to be filled by vfio
 * @facts: MDEV_PIN_MAX_PAGES of them, about @pages
 * @window: MDEV_PIN_WINDOW_SIZE bytes
 *
 * Lock order: @lock, then what vfio takes.
 */
struct pin_slot {
	struct mutex lock;	/* before all locks of vfio */
	struct mdev_pin_result result;
	struct page **pages;
	struct mdev_pin_page *facts;
	void *window;
};

/**
 * struct pin_notices - notices, ended and going on
 * @lock: of all here, innermost
 * @control: what user space wants of the device
 * @state: all but the number of pins
 * @active: notices going on
 * @releases: how often held notices were released
 * @closing: no notice waits or pins any more
 * @changed: woken when one of the last three changes
 */
struct pin_notices {
	spinlock_t lock;	/* innermost */
	struct mdev_pin_control control;
	struct mdev_pin_state state;
	unsigned int active;
	unsigned int releases;
	bool closing;
	wait_queue_head_t changed;
};

/**
 * struct pin_device - a mediated device
 * @vdev: what vfio knows of it
 * @book: its pins
 * @notices: its notices
 * @slot: its slots
 */
struct pin_device {
	struct vfio_device vdev;
	struct pin_book book;
	struct pin_notices notices;
	struct pin_slot slot[MDEV_PIN_SLOTS];
};

static inline struct pin_device *to_pin_device(struct vfio_device *vdev)
{
	return container_of(vdev, struct pin_device, vdev);
}

void book_init(struct pin_book *book);
void book_destroy(struct pin_book *book);
int book_add(struct pin_book *book, unsigned long iova, struct page *page,
	     u64 *identity);
bool book_take(struct pin_book *book, unsigned long iova);
bool book_take_first(struct pin_book *book, unsigned long first,
		     unsigned long last, unsigned long *iova);
unsigned int book_count(struct pin_book *book);
int book_copy(struct pin_book *book, unsigned long iova, void *data,
	      size_t length, bool write);
void book_move(struct pin_book *book);
void book_moved(struct pin_book *book);
void book_wait(struct pin_book *book);

int slot_init(struct pin_slot *slot);
void slot_destroy(struct pin_slot *slot);
int slot_run(struct pin_device *pin, struct pin_slot *slot,
	     const struct mdev_pin_request *request);
int pin_one(struct pin_device *pin, unsigned long iova, u32 prot);
unsigned int pin_drop(struct pin_device *pin, unsigned long first,
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
