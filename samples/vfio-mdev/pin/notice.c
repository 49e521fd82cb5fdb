// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma_unmap op: how the device reacts to the removal of a mapping.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "device.h"

/*
 * Time limit of a held notice, below the default timeout of the hung task
 * detector
 */
#define HOLD_JIFFIES	(30 * HZ)

static atomic64_t last_sequence;

void notices_init(struct pin_notices *notices)
{
	spin_lock_init(&notices->lock);
	init_waitqueue_head(&notices->changed);
	notices->control.flags = MDEV_PIN_NOTICE_UNPIN;
	notices->control.prot = IOMMU_READ;
	notices->closing = true;
}

void notices_control(struct pin_notices *notices,
		     struct mdev_pin_control *control, bool write)
{
	spin_lock(&notices->lock);
	if (write)
		notices->control = *control;
	else
		*control = notices->control;
	spin_unlock(&notices->lock);
}

void notices_state(struct pin_device *pin, struct mdev_pin_state *state)
{
	unsigned int pins = pin_table_count(&pin->table);

	spin_lock(&pin->notices.lock);
	*state = pin->notices.state;
	spin_unlock(&pin->notices.lock);
	state->pins = pins;
}

void notices_release(struct pin_device *pin)
{
	struct pin_notices *notices = &pin->notices;

	spin_lock(&notices->lock);
	notices->releases++;
	spin_unlock(&notices->lock);
	wake_up_all(&notices->changed);
}

/* Called by open_device(). Pins a page if MDEV_PIN_AT_OPEN is set. */
void notices_open(struct pin_device *pin)
{
	struct pin_notices *notices = &pin->notices;
	struct mdev_pin_control control;
	int rc = 0;

	notices_control(notices, &control, false);
	if (control.flags & MDEV_PIN_AT_OPEN)
		rc = pin_one(pin, control.iova, control.prot);
	spin_lock(&notices->lock);
	notices->state.open_rc = rc;
	notices->closing = false;
	spin_unlock(&notices->lock);
}

/*
 * Called by close_device(). Waits until no notice is in progress, pins a page
 * if MDEV_PIN_AT_CLOSE is set, and then unpins all pages.
 */
void notices_close(struct pin_device *pin)
{
	struct pin_notices *notices = &pin->notices;
	struct mdev_pin_control control;
	int rc = 0;

	spin_lock(&notices->lock);
	notices->closing = true;
	notices->state.late += notices->active;
	control = notices->control;
	spin_unlock(&notices->lock);
	wake_up_all(&notices->changed);
	wait_event(notices->changed, !READ_ONCE(notices->active));

	if (control.flags & MDEV_PIN_AT_CLOSE)
		rc = pin_one(pin, control.iova, control.prot);
	pin_release(pin, 0, ULONG_MAX);
	spin_lock(&notices->lock);
	notices->state.close_rc = rc;
	spin_unlock(&notices->lock);
}

static void wait_for_release(struct pin_notices *notices)
{
	unsigned int releases;

	spin_lock(&notices->lock);
	notices->state.holding++;
	releases = notices->releases;
	spin_unlock(&notices->lock);

	wait_event_killable_timeout(notices->changed,
				    READ_ONCE(notices->releases) != releases ||
				    READ_ONCE(notices->closing), HOLD_JIFFIES);

	spin_lock(&notices->lock);
	notices->state.holding--;
	spin_unlock(&notices->lock);
}

/*
 * Call vfio_unpin_pages() for the whole range, including pages that this device
 * has not pinned. Returns the number of pins removed from the table, at most
 * one per page.
 */
static unsigned int unpin_range(struct pin_device *pin, u64 iova, u64 length)
{
	u64 npages = length >> PAGE_SHIFT, i, nr;
	unsigned int dropped = 0;

	for (; npages; npages -= nr, iova += nr * PAGE_SIZE) {
		nr = min_t(u64, npages, VFIO_PIN_PAGES_MAX_ENTRIES);
		for (i = 0; i < nr; i++)
			dropped += pin_table_remove(&pin->table,
						    iova + i * PAGE_SIZE);
		vfio_unpin_pages(&pin->vdev, iova, nr);
	}
	return dropped;
}

static bool consume(u32 *count)
{
	if (!*count)
		return false;
	(*count)--;
	return true;
}

static void handle_notice(struct pin_device *pin,
			  const struct mdev_pin_control *once,
			  struct mdev_pin_notice *notice)
{
	u64 iova = notice->iova, length = notice->length, data;

	if (once->hold)
		wait_for_release(&pin->notices);
	pin_table_wait(&pin->table);
	if (!once->skip && once->flags & MDEV_PIN_NOTICE_UNPIN)
		notice->dropped += pin_release(pin, iova, iova + length - 1);
	if (!once->skip && once->flags & MDEV_PIN_NOTICE_UNPIN_RANGE)
		notice->dropped += unpin_range(pin, iova, length);
	if (once->flags & MDEV_PIN_NOTICE_READ)
		notice->read_rc = vfio_dma_rw(&pin->vdev, iova, &data,
					      sizeof(data), false);
	if (once->repin && !READ_ONCE(pin->notices.closing))
		notice->repin_rc = pin_one(pin, iova, once->prot);
}

void pin_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct pin_device *pin = to_pin_device(vdev);
	struct pin_notices *notices = &pin->notices;
	struct mdev_pin_control *control = &notices->control;
	struct mdev_pin_control once;
	struct mdev_pin_notice notice = {
		.iova = iova,
		.length = length,
		.sequence = atomic64_inc_return(&last_sequence),
		.tgid = task_tgid_vnr(current),
		.tid = task_pid_vnr(current),
		.read_rc = 1,
	};

	spin_lock(&notices->lock);
	if (notices->active++)
		notices->state.overlapped++;
	if (notices->closing)
		notices->state.late++;
	once = *control;
	once.hold = consume(&control->hold);
	once.skip = consume(&control->skip);
	once.repin = consume(&control->repin);
	spin_unlock(&notices->lock);

	handle_notice(pin, &once, &notice);

	spin_lock(&notices->lock);
	notices->state.ring[notices->state.notices++ % MDEV_PIN_RING] = notice;
	notices->active--;
	spin_unlock(&notices->lock);
	wake_up_all(&notices->changed);
}
