// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the notices that unmaps send: which devices receive them, for which
 * ranges, in which order and thread, and which calls work during a notice.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mdev.h"

static char *memory;
static int container;
static struct mdev first, second, plain;

/* Number of old notices of each device, which record_notices() skips */
static __u64 seen_first, seen_second, seen_plain;

static void must_map(__u64 iova, unsigned int page, unsigned int pages)
{
	long rc = map(container, iova, memory + page * PAGE, pages * PAGE,
		      READ_WRITE);

	if (rc)
		die("map: %s", rc_text(rc));
}

static void must_pin(const struct mdev *mdev, __u64 iova, int npage)
{
	long rc = mdev_pin(mdev, iova, npage, PIN_BOTH);

	if (rc != npage)
		die("pin: %s", rc_text(rc));
}

static void set_control(const struct mdev *mdev, __u32 flags, __u32 hold,
			__u32 skip, __u32 repin)
{
	const struct mdev_pin_control control = {
		.flags = flags,
		.hold = hold,
		.skip = skip,
		.repin = repin,
		.prot = PIN_BOTH,
	};

	mdev_control(mdev, &control);
}

/*
 * Record the number of new notices, the number of pins that are left, and each
 * new notice.
 */
static void record_notices(const char *rules, const char *name,
			   const struct mdev *mdev, __u64 *seen)
{
	struct mdev_pin_state state;
	const struct mdev_pin_notice *notice;
	char line[64];
	__u64 i, start = *seen;

	mdev_state(mdev, &state);
	record(rules, name, "%llu notices, %u held",
	       state.notices - start, state.pins);
	for (i = start; i < state.notices; i++) {
		notice = &state.ring[i % MDEV_PIN_RING];
		snprintf(line, sizeof(line), "%s.%llu", name, i - start);
		record(rules, line, "%#llx size %#llx dropped %u repin %s",
		       notice->iova, notice->length, notice->dropped,
		       rc_text(notice->repin_rc));
	}
	*seen = state.notices;
}

static void record_both(const char *rules, const char *name)
{
	char line[48];

	snprintf(line, sizeof(line), "%s.first", name);
	record_notices(rules, line, &first, &seen_first);
	snprintf(line, sizeof(line), "%s.second", name);
	record_notices(rules, line, &second, &seen_second);
}

static const struct mdev_pin_notice *last_notice(const struct mdev *mdev,
						 struct mdev_pin_state *state)
{
	mdev_state(mdev, state);
	if (!state->notices)
		die("there was no notice");
	return &state->ring[(state->notices - 1) % MDEV_PIN_RING];
}

static void bounds(void)
{
	record_set_prefix("bounds");
	must_map(IOVA, 0, 4);
	must_map(IOVA + 4 * PAGE, 4, 4);
	must_map(IOVA + 16 * PAGE, 8, 2);
	record_unmap("T1-92", "none_pinned", container, IOVA + 16 * PAGE,
		     2 * PAGE, 0);
	record_both("T1-92,T1-158", "none_pinned");

	must_map(IOVA + 16 * PAGE, 8, 2);
	must_pin(&first, IOVA + PAGE, 1);
	record_unmap("T1-86,T1-92", "bisecting", container, IOVA, 2 * PAGE, 0);
	record_both("T1-86,T1-92", "bisecting");
	record_unmap("T1-92", "other", container, IOVA + 16 * PAGE, 2 * PAGE,
		     0);
	record_both("T1-92", "other");
	record_unmap("T1-92", "one_of_two", container, IOVA - PAGE, 32 * PAGE,
		     0);
	record_both("T1-92,T1-158", "one_of_two");
	record_pages("T1-92", "one_of_two.pages");

	must_map(IOVA, 0, 4);
	must_map(IOVA + 4 * PAGE, 4, 4);
	must_pin(&first, IOVA, 8);
	must_pin(&second, IOVA + 6 * PAGE, 1);
	record_unmap("T1-89,T1-92", "all", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
	record_both("T1-89,T1-92,T1-158", "all");
	record_pages("T1-92", "all.pages");

	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	must_pin(&first, IOVA, 1);
	must_pin(&first, IOVA + 100, 1);
	record_unmap("T1-92,T1-146", "counted", container, IOVA, PAGE, 0);
	record_both("T1-92,T1-146", "counted");
	record_pages("T1-92,T1-146", "counted.pages");
}

static void notified_devices(void)
{
	struct mdev_pin_state one, two;
	const struct mdev_pin_notice *notice;
	struct mdev *pinner = &plain;
	__u64 older, newer;

	record_set_prefix("notified");
	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	set_control(&first, MDEV_PIN_NOTICE_UNPIN | MDEV_PIN_NOTICE_READ, 0, 0,
		    0);
	record_unmap("T1-157", "unmap", container, IOVA, PAGE, 0);
	older = last_notice(&first, &one)->sequence;
	newer = last_notice(&second, &two)->sequence;
	record_yes("T1-156", "newest_first", newer < older);
	notice = last_notice(&first, &one);
	record_yes("T1-157", "in_own_process", notice->tgid == getpid());
	record_yes("T1-157", "in_own_thread", notice->tid == gettid());
	record_rc("T1-157", "reads", notice->read_rc);
	seen_first = one.notices;
	seen_second = two.notices;

	mdev_close(&first);
	mdev_open(&first);
	set_control(&first, MDEV_PIN_NOTICE_UNPIN, 0, 0, 0);
	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	record_unmap("T1-156", "reopened", container, IOVA, PAGE, 0);
	older = last_notice(&first, &one)->sequence;
	newer = last_notice(&second, &two)->sequence;
	record_yes("T1-156", "reopened_first", older < newer);
	seen_first = one.notices;
	seen_second = two.notices;

	/*
	 * A notified driver unpins pages that another device has pinned. With
	 * an iommufd, a driver without a dma_unmap op cannot pin, so the second
	 * device pins the pages itself.
	 */
	if (for_iommufd())
		pinner = &second;
	must_map(IOVA, 0, 2);
	must_pin(pinner, IOVA, 2);
	set_control(&second, MDEV_PIN_NOTICE_UNPIN_RANGE, 0, 0, 0);
	record_unmap("T1-149,T1-158", "range", container, IOVA, 2 * PAGE, 0);
	set_control(&second, MDEV_PIN_NOTICE_UNPIN, 0, 0, 0);
	record_both("T1-148,T1-158", "range");
	record_notices("T1-156,T1-158", "range.plain", &plain, &seen_plain);
	record_rc("T1-149", "pinner_forgets", mdev_forget(pinner, IOVA, 2));
	record_pages("T1-149", "range.pages");

	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	mdev_close(&second);
	record_unmap("T1-156", "second_closed", container, IOVA, PAGE, 0);
	mdev_open(&second);
	record_both("T1-156", "second_closed");
}

static void rounds(void)
{
	record_set_prefix("rounds");
	must_map(IOVA, 0, 2);
	must_pin(&first, IOVA, 2);
	set_control(&first, MDEV_PIN_NOTICE_UNPIN, 0, 3, 0);
	record_unmap("T1-94,T1-151", "slow", container, IOVA, 2 * PAGE, 0);
	record_both("T1-94,T1-151", "slow");

	must_map(IOVA, 0, 2);
	must_pin(&first, IOVA, 2);
	set_control(&first, MDEV_PIN_NOTICE_UNPIN, 0, 10, 0);
	record_unmap("T1-94", "slowest", container, IOVA, 2 * PAGE, 0);
	record_both("T1-94", "slowest");

	must_map(IOVA, 0, 2);
	must_map(IOVA + 2 * PAGE, 2, 2);
	must_pin(&first, IOVA, 4);
	set_control(&first, MDEV_PIN_NOTICE_UNPIN, 0, 0, 2);
	record_unmap("T1-151,T1-157", "repin", container, IOVA, 4 * PAGE, 0);
	record_both("T1-151,T1-157", "repin");
	record_pages("T1-151", "repin.pages");
}

struct unmapper {
	pthread_t thread;
	__u64 iova, size, done;
	bool bitmap;
	long rc;
};

static void *unmapper_main(void *arg)
{
	struct unmapper *unmapper = arg;
	__u64 bits;

	if (unmapper->bitmap)
		unmapper->rc = unmap_bitmap(container, unmapper->iova,
					    unmapper->size, &bits,
					    sizeof(bits), &unmapper->done);
	else
		unmapper->rc = unmap(container, unmapper->iova, unmapper->size,
				     0, &unmapper->done);
	return NULL;
}

/*
 * Start an unmap in a thread, and wait until its first notice is held in the
 * driver. end_unmap() lets that notice return.
 */
static void begin_unmap(struct unmapper *unmapper, __u64 iova, __u64 size,
			bool bitmap)
{
	*unmapper = (struct unmapper){
		.iova = iova,
		.size = size,
		.bitmap = bitmap,
	};
	set_control(&first, MDEV_PIN_NOTICE_UNPIN, 1, 0, 0);
	if (pthread_create(&unmapper->thread, NULL, unmapper_main, unmapper))
		die("pthread_create");
	mdev_wait_held(&first, 1);
}

static void end_unmap(struct unmapper *unmapper, const char *rules,
		      const char *name)
{
	mdev_release(&first);
	pthread_join(unmapper->thread, NULL);
	record(rules, name, "%s size %#llx", rc_text(unmapper->rc),
	       unmapper->done);
	record_both(rules, name);
	record_pages(rules, "pages");
}

static long dirty(__u32 flags)
{
	struct vfio_iommu_type1_dirty_bitmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
	};

	return ioctl(container, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
}

static void must_start_tracking(void)
{
	if (dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START))
		die("start of dirty tracking");
}

static void calls_during_notice(void)
{
	struct unmapper unmapper;
	char data[8];

	record_set_prefix("window");
	must_map(IOVA, 0, 2);
	must_map(IOVA + 16 * PAGE, 2, 1);
	must_pin(&first, IOVA, 1);
	begin_unmap(&unmapper, IOVA, 2 * PAGE, false);
	/* With an iommufd, this map would wait for the unmap. */
	if (!for_iommufd())
		record_rc("T1-165", "map_over",
			  map(container, IOVA, memory, PAGE, READ_WRITE));
	record_rc("T1-165", "map", map(container, IOVA + 32 * PAGE, memory,
				       PAGE, READ_WRITE));
	record_unmap("T1-165", "unmap", container, IOVA + 16 * PAGE, PAGE, 0);
	record("T1-165", "avail", "%u", avail(container));
	record_rc("T1-165", "dirty_start",
		  dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	record_rc("T1-165", "dirty_stop",
		  dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	record_pin("T1-151,T1-165", "pin", &second, IOVA + PAGE, 1, PIN_BOTH);
	record_unpin("T1-165", "unpin", &second, IOVA + PAGE, 1);
	record_rc("T1-165", "read", mdev_read(&plain, IOVA, data, 8));
	end_unmap(&unmapper, "T1-92,T1-165", "end");
	record_unmap("T1-165", "rest", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);

	record_set_prefix("pin_in_window");
	must_map(IOVA, 0, 2);
	must_pin(&first, IOVA, 1);
	begin_unmap(&unmapper, IOVA, 2 * PAGE, false);
	record_pin("T1-151", "pin", &second, IOVA + PAGE, 1, PIN_BOTH);
	end_unmap(&unmapper, "T1-94,T1-151", "end");

	record_set_prefix("map_in_window");
	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	begin_unmap(&unmapper, IOVA, 4 * PAGE, false);
	must_map(IOVA + 2 * PAGE, 2, 2);
	end_unmap(&unmapper, "T1-93", "end");
	record("T1-93", "avail", "%u", avail(container));

	/*
	 * The mapping that is created during the notice extends beyond the
	 * range of the unmap. Kernels differ in the size that the unmap
	 * returns, but not in the notice.
	 */
	record_set_prefix("bug.bisect_in_window");
	must_map(IOVA, 0, 1);
	must_map(IOVA + PAGE, 1, 1);
	must_pin(&first, IOVA + PAGE, 1);
	begin_unmap(&unmapper, IOVA, 4 * PAGE, false);
	must_map(IOVA + 3 * PAGE, 3, 2);
	end_unmap(&unmapper, "T1-93", "end");
	record_unmap("T1-93", "rest", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);

	/*
	 * The mapping that is created during the notice extends across the
	 * start of the range, and dirty pages are requested. Kernels differ in
	 * the result, but the second mapping of the range stays.
	 */
	record_set_prefix("bug.bisect_bitmap");
	must_start_tracking();
	must_map(IOVA + PAGE, 0, 1);
	must_map(IOVA + 2 * PAGE, 1, 1);
	must_pin(&first, IOVA + PAGE, 1);
	begin_unmap(&unmapper, IOVA, 4 * PAGE, true);
	must_map(IOVA - PAGE, 3, 2);
	end_unmap(&unmapper, "T1-93", "end");
	record_unmap("T1-93", "rest", container, 0, 0,
		     VFIO_DMA_UNMAP_FLAG_ALL);
	dirty(VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP);
}

static void group_during_notice(void)
{
	struct unmapper unmapper;
	struct mdev late;

	record_set_prefix("group_in_window");
	must_map(IOVA, 0, 1);
	must_pin(&first, IOVA, 1);
	mdev_create(&late, "plain");
	begin_unmap(&unmapper, IOVA, PAGE, false);
	record_rc("T1-165", "join", join(late.group, container));
	record_rc("T1-165", "leave", leave(late.group));
	end_unmap(&unmapper, "T1-165", "end");
	mdev_destroy(&late);
}

static void detach_without_notice(void)
{
	struct type1 real;
	long rc;

	record_set_prefix("detach");
	real.group = new_group(&devices()->singleton[0]);
	must_map(IOVA, 0, 4);
	must_pin(&first, IOVA, 1);
	rc = join(real.group, container);
	record_rc_pages("T1-68,T1-125", "join", rc);
	record_rc_pages("T1-68,T1-136", "leave", leave(real.group));
	record_both("T1-136", "leave");
	record_rc("T1-14", "leave_while_open", leave(first.group));
	mdev_close(&plain);
	mdev_close(&second);
	mdev_close(&first);
	record_pages("T1-136", "devices_closed");
	record_rc("T1-131,T1-136", "leave_first", leave(first.group));
	record_rc("T1-131", "leave_second", leave(second.group));
	record("T1-131", "avail", "%u", avail(container));
	record_rc("T1-131", "leave_last", leave(plain.group));
	close(real.group);
}

int main(void)
{
	memory = new_pages(16);
	container = mdev_container(&first, "notified", VFIO_TYPE1v2_IOMMU);
	mdev_join(&second, "notified", container);
	mdev_join(&plain, "plain", container);
	bounds();
	notified_devices();
	/*
	 * With an iommufd, an unmap notifies once and then waits for the
	 * driver, so rounds() does not apply.
	 */
	if (!for_iommufd())
		rounds();
	calls_during_notice();
	group_during_notice();
	detach_without_notice();
	mdev_destroy(&plain);
	mdev_destroy(&second);
	mdev_destroy(&first);
	return 0;
}
