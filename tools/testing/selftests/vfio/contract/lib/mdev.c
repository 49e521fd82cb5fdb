// SPDX-License-Identifier: GPL-2.0-only
/* Mediated devices of the mdev_pin driver. See mdev.h. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "legacy.h"
#include "mdev.h"
#include "text.h"

#define TYPES "/sys/class/mdev_pin/mdev_pin/mdev_supported_types"
#define DEVICES "/sys/bus/mdev/devices"

static unsigned int created;

/*
 * Remove the device with this UUID, if there is one. A killed program may have
 * left it behind.
 */
static void remove_device(const char *uuid)
{
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s/remove", uuid);
	text_write(path, "1");
}

static int open_mdev_group(const char *uuid)
{
	char path[128], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group", uuid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		die("%s: %s", path, strerror(errno));
	target[length] = 0;
	return legacy_open_group(atoi(basename(target)));
}

void mdev_create(struct mdev *mdev, const char *type)
{
	char path[128];
	int ret;

	*mdev = (struct mdev){ .group = -1, .device = -1 };
	snprintf(mdev->uuid, sizeof(mdev->uuid),
		 "00000000-0000-4000-8000-%012x", ++created);
	remove_device(mdev->uuid);
	snprintf(path, sizeof(path), TYPES "/mdev_pin-%s/create", type);
	ret = text_write(path, mdev->uuid);
	if (ret)
		die("a device of mdev_pin, %s: %s", type, rc_text(ret));
	mdev->group = open_mdev_group(mdev->uuid);
	if (mdev->group < 0)
		die("the group of a mediated device: %s", rc_text(mdev->group));
}

void mdev_destroy(struct mdev *mdev)
{
	mdev_close(mdev);
	if (mdev->group >= 0)
		close(mdev->group);
	mdev->group = -1;
	remove_device(mdev->uuid);
}

void mdev_open(struct mdev *mdev)
{
	mdev->device = ioctl(mdev->group, VFIO_GROUP_GET_DEVICE_FD, mdev->uuid);
	if (mdev->device < 0)
		die("a mediated device's file: %s", strerror(errno));
}

void mdev_close(struct mdev *mdev)
{
	if (mdev->device >= 0)
		close(mdev->device);
	mdev->device = -1;
}

void mdev_join(struct mdev *mdev, const char *type, int container)
{
	long rc;

	mdev_create(mdev, type);
	rc = join(mdev->group, container);
	if (rc)
		die("join of a mediated device: %s", rc_text(rc));
	mdev_open(mdev);
}

int mdev_container(struct mdev *mdev, const char *type, unsigned long iommu)
{
	int container = new_container();
	long rc;

	mdev_create(mdev, type);
	rc = join(mdev->group, container);
	if (!rc)
		rc = set_iommu(container, iommu);
	if (rc)
		die("a container with a mediated device: %s", rc_text(rc));
	mdev_open(mdev);
	return container;
}

static off_t slot_of(const struct mdev *mdev)
{
	return MDEV_PIN_SLOT((off_t)mdev->slot);
}

static void get(const struct mdev *mdev, off_t offset, void *data,
		size_t length)
{
	ssize_t done = pread(mdev->device, data, length, offset);

	if (done != (ssize_t)length)
		die("registers at %#lx: %s", (long)offset,
		    done < 0 ? strerror(errno) : "short");
}

static void set(const struct mdev *mdev, off_t offset, const void *data,
		size_t length)
{
	ssize_t done = pwrite(mdev->device, data, length, offset);

	if (done != (ssize_t)length)
		die("registers at %#lx: %s", (long)offset,
		    done < 0 ? strerror(errno) : "short");
}

long mdev_run(const struct mdev *mdev, const struct mdev_pin_request *request)
{
	struct mdev_pin_result result;

	set(mdev, slot_of(mdev), request, sizeof(*request));
	get(mdev, slot_of(mdev), &result, sizeof(result));
	return result.rc;
}

long mdev_pin(const struct mdev *mdev, __u64 iova, int npage, __u32 prot)
{
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = iova,
		.npage = npage,
		.prot = prot,
	};

	return mdev_run(mdev, &request);
}

static long run_pages(const struct mdev *mdev, __u32 op, __u64 iova, int npage)
{
	const struct mdev_pin_request request = {
		.op = op,
		.iova = iova,
		.npage = npage,
	};

	return mdev_run(mdev, &request);
}

void mdev_unpin(const struct mdev *mdev, __u64 iova, int npage)
{
	run_pages(mdev, MDEV_PIN_OP_UNPIN, iova, npage);
}

long mdev_forget(const struct mdev *mdev, __u64 iova, int npage)
{
	return run_pages(mdev, MDEV_PIN_OP_FORGET, iova, npage);
}

void mdev_release(const struct mdev *mdev)
{
	run_pages(mdev, MDEV_PIN_OP_RELEASE, 0, 0);
}

static long fetch(const struct mdev *mdev, __u32 op, __u64 iova, void *data,
		  __u64 length)
{
	const struct mdev_pin_request request = {
		.op = op,
		.iova = iova,
		.length = length,
	};
	long rc = mdev_run(mdev, &request);

	get(mdev, slot_of(mdev) + MDEV_PIN_WINDOW, data, length);
	return rc;
}

static long store(const struct mdev *mdev, __u32 op, __u64 iova,
		  const void *data, __u64 length)
{
	const struct mdev_pin_request request = {
		.op = op,
		.iova = iova,
		.length = length,
	};

	set(mdev, slot_of(mdev) + MDEV_PIN_WINDOW, data, length);
	return mdev_run(mdev, &request);
}

long mdev_read(const struct mdev *mdev, __u64 iova, void *data, __u64 length)
{
	return fetch(mdev, MDEV_PIN_OP_READ, iova, data, length);
}

long mdev_write(const struct mdev *mdev, __u64 iova, const void *data,
		__u64 length)
{
	return store(mdev, MDEV_PIN_OP_WRITE, iova, data, length);
}

long mdev_peek(const struct mdev *mdev, __u64 iova, void *data, __u64 length)
{
	return fetch(mdev, MDEV_PIN_OP_PEEK, iova, data, length);
}

long mdev_poke(const struct mdev *mdev, __u64 iova, const void *data,
	       __u64 length)
{
	return store(mdev, MDEV_PIN_OP_POKE, iova, data, length);
}

void mdev_pages(const struct mdev *mdev, struct mdev_pin_page *pages,
		unsigned int nr)
{
	get(mdev, slot_of(mdev) + MDEV_PIN_PAGES, pages, nr * sizeof(*pages));
}

/* Identities of the pages that have a letter, in the order of the letters */
static __u64 seen[26];
static unsigned int nr_seen;

void mdev_reset_letters(void)
{
	nr_seen = 0;
}

static char letter_of(__u64 identity)
{
	unsigned int i;

	if (identity == MDEV_PIN_NO_PAGE)
		return '0';
	if (identity == MDEV_PIN_UNTOUCHED)
		return '-';
	for (i = 0; i < nr_seen; i++)
		if (seen[i] == identity)
			return 'a' + (char)i;
	if (nr_seen == 26)
		return '?';
	seen[nr_seen++] = identity;
	return 'a' + (char)i;
}

const char *mdev_pages_text(const struct mdev *mdev, unsigned int nr)
{
	struct mdev_pin_page pages[64];
	static char text[65];
	unsigned int i;

	mdev_pages(mdev, pages, nr);
	for (i = 0; i < nr; i++)
		text[i] = letter_of(pages[i].identity);
	text[nr] = 0;
	return text;
}

void mdev_state(const struct mdev *mdev, struct mdev_pin_state *state)
{
	get(mdev, MDEV_PIN_STATE, state, sizeof(*state));
}

void mdev_control(const struct mdev *mdev,
		  const struct mdev_pin_control *control)
{
	set(mdev, MDEV_PIN_CONTROL, control, sizeof(*control));
}

void mdev_wait_held(const struct mdev *mdev, unsigned int nr)
{
	struct mdev_pin_state state;
	int i;

	for (i = 0; i < 10000; i++) {
		mdev_state(mdev, &state);
		if (state.holding == nr)
			return;
		usleep(1000);
	}
	die("%u notices are held, not %u", state.holding, nr);
}

void record_pin(const char *rules, const char *name, const struct mdev *mdev,
		__u64 iova, int npage, __u32 prot)
{
	long rc = mdev_pin(mdev, iova, npage, prot);
	unsigned int shown = npage < 0 ? 1 : npage > 8 ? 8 : npage;

	record(rules, name, "%s charged %ld pinned %ld pages %s", rc_text(rc),
	       pages_charged(), pages_pinned(), mdev_pages_text(mdev, shown));
}

void record_unpin(const char *rules, const char *name, const struct mdev *mdev,
		  __u64 iova, int npage)
{
	struct mdev_pin_state state;

	mdev_unpin(mdev, iova, npage);
	mdev_state(mdev, &state);
	record(rules, name, "charged %ld pinned %ld held %u", pages_charged(),
	       pages_pinned(), state.pins);
}
