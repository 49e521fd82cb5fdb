// SPDX-License-Identifier: GPL-2.0-only
/*
 * Execute the commands that user space writes to slots. Of the commands, only
 * PIN, UNPIN, READ and WRITE call vfio. pin_one() and pin_release() call it
 * without a slot.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "device.h"

/* Marks elements of the page array that vfio has not written */
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
	slot->page_info = kvcalloc(MDEV_PIN_MAX_PAGES, sizeof(*slot->page_info),
				   GFP_KERNEL);
	slot->window = kvzalloc(MDEV_PIN_WINDOW_SIZE, GFP_KERNEL);
	return slot->pages && slot->page_info && slot->window ? 0 : -ENOMEM;
}

void slot_destroy(struct pin_slot *slot)
{
	kvfree(slot->pages);
	kvfree(slot->page_info);
	kvfree(slot->window);
}

static u32 get_page_flags(struct page *page)
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

/*
 * Record all pages of a successful pin. If out of memory, unpin them and return
 * -ENOMEM.
 */
static int record_pages(struct pin_device *pin, struct pin_slot *slot,
			unsigned long iova, long nr)
{
	long i;
	int ret;

	for (i = 0; i < nr; i++) {
		ret = pin_table_add(&pin->table, iova + i * PAGE_SIZE,
				    slot->pages[i],
				    &slot->page_info[i].identity);
		if (ret)
			goto undo;
		slot->page_info[i].flags = get_page_flags(slot->pages[i]);
	}
	return 0;
undo:
	while (i--)
		pin_table_remove(&pin->table, iova + i * PAGE_SIZE);
	vfio_unpin_pages(&pin->vdev, iova, nr);
	return ret;
}

static long run_pin(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	bool no_buffer = request->flags & MDEV_PIN_NULL;
	struct pin_slot *slot = command->slot;
	struct pin_table *table = &command->pin->table;
	long rc, i;
	int ret;

	for (i = 0; i < MDEV_PIN_MAX_PAGES; i++)
		slot->pages[i] = UNTOUCHED;
	memset(slot->page_info, 0,
	       MDEV_PIN_MAX_PAGES * sizeof(*slot->page_info));

	pin_table_begin_call(table);
	rc = vfio_pin_pages(&command->pin->vdev, request->iova, request->npage,
			    request->prot, no_buffer ? NULL : slot->pages);
	if (rc > 0 && rc <= MDEV_PIN_MAX_PAGES) {
		ret = record_pages(command->pin, slot, request->iova, rc);
		if (ret)
			rc = ret;
	}
	pin_table_end_call(table);

	for (i = max(rc, 0L); i < MDEV_PIN_MAX_PAGES; i++)
		if (slot->pages[i])
			slot->page_info[i].identity = MDEV_PIN_UNTOUCHED;
	return rc;
}

static long run_unpin(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	struct pin_table *table = &command->pin->table;
	long i;

	pin_table_begin_call(table);
	for (i = 0; i < request->npage; i++)
		pin_table_remove(table, request->iova + i * PAGE_SIZE);
	vfio_unpin_pages(&command->pin->vdev, request->iova, request->npage);
	pin_table_end_call(table);
	return 0;
}

static long run_forget(struct command *command)
{
	const struct mdev_pin_request *request = command->request;
	long i, forgotten = 0;

	for (i = 0; i < request->npage; i++)
		forgotten += pin_table_remove(&command->pin->table,
				       request->iova + i * PAGE_SIZE);
	return forgotten;
}

static long run_rw(struct command *command, bool write)
{
	const struct mdev_pin_request *request = command->request;
	bool no_buffer = request->flags & MDEV_PIN_NULL;

	return vfio_dma_rw(&command->pin->vdev, request->iova,
			   no_buffer ? NULL : command->slot->window,
			   request->length, write);
}

static void run_command(struct work_struct *work)
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
		command->rc = pin_table_copy(&command->pin->table,
					     request->iova,
					     command->slot->window,
					     request->length,
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

/*
 * Run a command and store its result in the slot. Returns 0, or -EINVAL if the
 * request is invalid.
 */
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

	INIT_WORK_ONSTACK(&command.work, run_command);
	if (request->flags & MDEV_PIN_KTHREAD) {
		queue_work(system_unbound_wq, &command.work);
		flush_work(&command.work);
	} else {
		run_command(&command.work);
	}
	destroy_work_on_stack(&command.work);
	slot->result.rc = command.rc;
	return 0;
}

/* Pin one page without a slot. Returns 1, or -errno. */
int pin_one(struct pin_device *pin, unsigned long iova, u32 prot)
{
	struct page *page = NULL;
	u64 identity;
	int rc, ret;

	pin_table_begin_call(&pin->table);
	rc = vfio_pin_pages(&pin->vdev, iova, 1, prot, &page);
	if (rc == 1) {
		ret = pin_table_add(&pin->table, iova, page, &identity);
		if (ret) {
			vfio_unpin_pages(&pin->vdev, iova, 1);
			rc = ret;
		}
	}
	pin_table_end_call(&pin->table);
	return rc;
}

/*
 * Release all pins of the device in [@first, @last]. Returns the number of pins
 * released.
 */
unsigned int pin_release(struct pin_device *pin, unsigned long first,
			 unsigned long last)
{
	unsigned int dropped = 0;
	unsigned long iova;

	while (pin_table_remove_first(&pin->table, first, last, &iova)) {
		vfio_unpin_pages(&pin->vdev, iova, 1);
		dropped++;
	}
	return dropped;
}
