// SPDX-License-Identifier: GPL-2.0-only
/* Common setup for tests of mediated devices. See mdev_testbed.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mdev_testbed.h"
#include "../../kselftest.h"

void require_mdev_pin(void)
{
	if (!access("/sys/class/mdev_pin/mdev_pin", F_OK))
		return;
	ksft_exit_skip("needs the module mdev_pin\n");
}

int mdev_open(const struct mediated *device, int iommufd, int *fd, __u32 *id)
{
	int err;

	*fd = mediated_open(device);
	if (*fd < 0)
		return *fd;
	err = vfio_bind(*fd, iommufd, id);
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

int mdev_testbed_open(struct mdev_testbed *bed)
{
	int err;

	memset(bed, 0, sizeof(*bed));
	bed->fd = -1;
	bed->iommufd = -1;
	bed->pinned_before = counters_pinned();
	if (bed->pinned_before < 0)
		return (int)bed->pinned_before;
	bed->memory = new_memory(TESTBED_LENGTH);
	if (!bed->memory)
		return -ENOMEM;
	err = mediated_create(&bed->device, "mdev_pin", "notified");
	if (err)
		return err;
	bed->iommufd = iommu_open();
	if (bed->iommufd < 0)
		return bed->iommufd;
	err = ioas_alloc(bed->iommufd, &bed->ioas);
	if (err)
		return err;
	return mdev_open(&bed->device, bed->iommufd, &bed->fd, &bed->id);
}

void mdev_testbed_close(struct mdev_testbed *bed)
{
	if (bed->fd >= 0)
		close(bed->fd);
	if (bed->iommufd >= 0)
		close(bed->iommufd);
	bed->fd = -1;
	bed->iommufd = -1;
	mediated_remove(&bed->device);
}

int mdev_attach(const struct mdev_testbed *bed, int fd)
{
	__u32 pt_id = bed->ioas;

	return vfio_attach(fd, &pt_id);
}

int mdev_map(const struct mdev_testbed *bed, __u64 iova, unsigned int page,
	     unsigned int pages)
{
	return ioas_map(bed->iommufd, bed->ioas, bed->memory + page * PAGE,
			pages * PAGE, iova, IOAS_READ_WRITE);
}

long long mdev_unmap(const struct mdev_testbed *bed, __u64 iova, __u64 length)
{
	int err = ioas_unmap(bed->iommufd, bed->ioas, iova, &length);

	return err ? err : (long long)length;
}

long mdev_pinned(const struct mdev_testbed *bed)
{
	return counters_pinned() - bed->pinned_before;
}

int mdev_set_flags(int fd, __u32 flags)
{
	const struct mdev_pin_control control = { .flags = flags };

	return mediated_control(fd, &control);
}

int mdev_wait_held(int fd, unsigned int nr)
{
	struct mdev_pin_state state;
	int i, err;

	for (i = 0; i < 10000; i++) {
		err = mediated_state(fd, &state);
		if (err || state.holding == nr)
			return err;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

int mdev_notice(int fd, unsigned int n, struct mdev_pin_notice *notice)
{
	struct mdev_pin_state state;
	int err = mediated_state(fd, &state);

	if (err)
		return err;
	if (n >= state.notices || n >= MDEV_PIN_RING)
		return -ENOENT;
	*notice = state.ring[(state.notices - 1 - n) % MDEV_PIN_RING];
	return 0;
}

int mdev_forget(int fd, __u64 iova, int npage)
{
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_FORGET,
		.iova = iova,
		.npage = npage,
	};

	return mediated_run(fd, 0, &request);
}
