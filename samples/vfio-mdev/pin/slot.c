// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: one call of vfio each, and what it returned.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "device.h"

/* What no call of vfio puts into an array of pages */
#define UNTOUCHED	((struct page *)ERR_PTR(-ENODATA))

struct command {
	struct work_struct work;
	struct pin_device *pin;
	struct pin_slot *slot;
	const struct mdev_pin_request *request;
	long rc;
};

int slot_init(struct pin_slot *slot)
{
	mutex_init(&slot->lock);
	slot->pages = kvcalloc(MDEV_PIN_MAX_PAGES, sizeof(*slot->pages),
			       GFP_KERNEL);
	slot->facts = kvcalloc(MDEV_PIN_MAX_PAGES, sizeof(*slot->facts),
			       GFP_KERNEL);
	slot->window = kvzalloc(MDEV_PIN_WINDOW_SIZE, GFP_KERNEL);
	return slot->pages && slot->facts && slot->window ? 0 : -ENOMEM;
}

void slot_destroy(struct pin_slot *slot)
{
	kvfree(slot->pages);
	kvfree(slot->facts);
	kvfree(slot->window);
}

static u32 page_facts(struct page *page)
{
	u32 flags = 0;

	if (PageReserved(page))
		flags |= MDEV_PIN_PAGE_RESERVED;
	if (page == ZERO_PAGE(0))
		flags |= MDEV_PIN_PAGE_ZERO;
	if (PageCompound(page))
		flags |= MDEV_PIN_PAGE_COMPOUND;
	if (page_maybe_dma_pinned(page))
		flags |= MDEV_PIN_PAGE_PINNED;
	return flags;
}

/* Enter the pages of a pin that was done, all or, without memory, none. */
static int enter_pages(struct pin_device *pin, struct pin_slot *slot,
		       unsigned long iova, long nr)
{
	long i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = book_add(&pin->book, iova + i * PAGE_SIZE, slot->pages[i],
			       &slot->facts[i].identity);
		if (ret)
			goto undo;
		slot->facts[i].flags = page_facts(slot->pages[i]);
	}
	return 0;
undo:
	while (i--)
		book_take(&pin->book, iova + i * PAGE_SIZE);
	vfio_unpin_pages(&pin->vdev, iova, nr);
	return ret;
}

static long run_pin(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	bool none = request->flags & MDEV_PIN_NULL;
	struct pin_slot *slot = command->slot;
	struct pin_book *book = &command->pin->book;
	long rc, i;
	int ret;

	for (i = 0; i < MDEV_PIN_MAX_PAGES; i++)
		slot->pages[i] = UNTOUCHED;
	memset(slot->facts, 0, MDEV_PIN_MAX_PAGES * sizeof(*slot->facts));

	book_move(book);
	rc = vfio_pin_pages(&command->pin->vdev, request->iova, request->npage,
			    request->prot, none ? NULL : slot->pages);
	if (rc > 0 && rc <= MDEV_PIN_MAX_PAGES) {
		ret = enter_pages(command->pin, slot, request->iova, rc);
		if (ret)
			rc = ret;
	}
	book_moved(book);

	for (i = max(rc, 0L); i < MDEV_PIN_MAX_PAGES; i++)
		if (slot->pages[i])
			slot->facts[i].identity = MDEV_PIN_UNTOUCHED;
	return rc;
}

static long run_unpin(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	struct pin_book *book = &command->pin->book;
	long i;

	book_move(book);
	for (i = 0; i < request->npage; i++)
		book_take(book, request->iova + i * PAGE_SIZE);
	vfio_unpin_pages(&command->pin->vdev, request->iova, request->npage);
	book_moved(book);
	return 0;
}

static long run_forget(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	long i, forgotten = 0;

	for (i = 0; i < request->npage; i++)
		forgotten += book_take(&command->pin->book,
				       request->iova + i * PAGE_SIZE);
	return forgotten;
}

static long run_rw(struct command *command, bool write)
{
	const struct mdev_pin_request *request = command->request;
	bool none = request->flags & MDEV_PIN_NULL;

	return vfio_dma_rw(&command->pin->vdev, request->iova,
			   none ? NULL : command->slot->window,
			   request->length, write);
}

static void run(struct work_struct *work)
{
	struct command *command = container_of(work, struct command, work);
	const struct mdev_pin_request *request = command->request;

	switch (request->op) {
	case MDEV_PIN_OP_PIN:
		command->rc = run_pin(command);
		break;
	case MDEV_PIN_OP_UNPIN:
		command->rc = run_unpin(command);
		break;
	case MDEV_PIN_OP_READ:
	case MDEV_PIN_OP_WRITE:
		command->rc = run_rw(command, request->op == MDEV_PIN_OP_WRITE);
		break;
	case MDEV_PIN_OP_PEEK:
	case MDEV_PIN_OP_POKE:
		command->rc = book_copy(&command->pin->book, request->iova,
					command->slot->window, request->length,
					request->op == MDEV_PIN_OP_POKE);
		break;
	case MDEV_PIN_OP_FORGET:
		command->rc = run_forget(command);
		break;
	case MDEV_PIN_OP_RELEASE:
		notices_release(command->pin);
		break;
	}
}

/* Run a command to its end; -EINVAL if it is none. */
int slot_run(struct pin_device *pin, struct pin_slot *slot,
	     const struct mdev_pin_request *request)
{
	struct command command = {
		.pin = pin,
		.slot = slot,
		.request = request,
	};

	lockdep_assert_held(&slot->lock);
	if (request->op > MDEV_PIN_OP_RELEASE ||
	    request->flags & ~(MDEV_PIN_NULL | MDEV_PIN_KTHREAD) ||
	    request->length > MDEV_PIN_WINDOW_SIZE ||
	    request->npage > MDEV_PIN_MAX_PAGES)
		return -EINVAL;

	INIT_WORK_ONSTACK(&command.work, run);
	if (request->flags & MDEV_PIN_KTHREAD) {
		queue_work(system_unbound_wq, &command.work);
		flush_work(&command.work);
	} else {
		run(&command.work);
	}
	destroy_work_on_stack(&command.work);
	slot->result.rc = command.rc;
	return 0;
}

/* Pin a page without a slot; 1 or what vfio_pin_pages() returned. */
int pin_one(struct pin_device *pin, unsigned long iova, u32 prot)
{
	struct page *page = NULL;
	u64 identity;
	int rc, ret;

	book_move(&pin->book);
	rc = vfio_pin_pages(&pin->vdev, iova, 1, prot, &page);
	if (rc == 1) {
		ret = book_add(&pin->book, iova, page, &identity);
		if (ret) {
			vfio_unpin_pages(&pin->vdev, iova, 1);
			rc = ret;
		}
	}
	book_moved(&pin->book);
	return rc;
}

/* Unpin all that the device has pinned in an interval; how many pins. */
unsigned int pin_drop(struct pin_device *pin, unsigned long first,
		      unsigned long last)
{
	unsigned int dropped = 0;
	unsigned long iova;

	while (book_take_first(&pin->book, first, last, &iova)) {
		vfio_unpin_pages(&pin->vdev, iova, 1);
		dropped++;
	}
	return dropped;
}
