// SPDX-License-Identifier: GPL-2.0-only
/* Mediated devices. See mediated.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mediated.h"
#include "text.h"
#include "vfio.h"

#define DEVICES "/sys/bus/mdev/devices"

static unsigned int created;

int mediated_create(struct mediated *device, const char *driver,
		    const char *type)
{
	char path[PATH_MAX];

	/* The PID keeps UUIDs of concurrent processes distinct. */
	snprintf(device->uuid, sizeof(device->uuid),
		 "00000000-0000-4000-9000-%06x%06x", getpid() & 0xffffff,
		 ++created & 0xffffff);
	snprintf(path, sizeof(path),
		 "/sys/class/%s/%s/mdev_supported_types/%s-%s/create", driver,
		 driver, driver, type);
	return text_write(path, device->uuid);
}

int mediated_remove(const struct mediated *device)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/remove", device->uuid);
	return text_write(path, "1");
}

int mediated_open(const struct mediated *device)
{
	char path[PATH_MAX], node[64];
	int err, fd;

	snprintf(path, sizeof(path), DEVICES "/%s", device->uuid);
	err = vfio_node(path, node, sizeof(node));
	if (err)
		return err;
	fd = open(node, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_region(int fd, off_t offset, void *data, size_t length)
{
	return pread(fd, data, length, offset) == (ssize_t)length ? 0 : -EIO;
}

static int write_region(int fd, off_t offset, const void *data, size_t length)
{
	return pwrite(fd, data, length, offset) == (ssize_t)length ? 0 : -EIO;
}

int mediated_run(int fd, unsigned int slot,
		 const struct mdev_pin_request *request)
{
	struct mdev_pin_result result;
	int err;

	err = write_region(fd, MDEV_PIN_SLOT(slot), request, sizeof(*request));
	if (!err)
		err = read_region(fd, MDEV_PIN_SLOT(slot), &result,
				  sizeof(result));
	return err ? err : (int)result.rc;
}

int mediated_pin(int fd, __u64 iova, int npage, __u32 prot)
{
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_PIN,
		.iova = iova,
		.npage = npage,
		.prot = prot,
	};

	return mediated_run(fd, 0, &request);
}

int mediated_unpin(int fd, __u64 iova, int npage)
{
	const struct mdev_pin_request request = {
		.op = MDEV_PIN_OP_UNPIN,
		.iova = iova,
		.npage = npage,
	};

	return mediated_run(fd, 0, &request);
}

static int run_and_read(int fd, __u32 op, __u64 iova, void *data, size_t length)
{
	const struct mdev_pin_request request = {
		.op = op,
		.iova = iova,
		.length = length,
	};
	int rc = mediated_run(fd, 0, &request);

	if (rc)
		return rc;
	return read_region(fd, MDEV_PIN_SLOT(0) + MDEV_PIN_WINDOW, data,
			   length);
}

static int write_and_run(int fd, __u32 op, __u64 iova, const void *data,
			 size_t length)
{
	const struct mdev_pin_request request = {
		.op = op,
		.iova = iova,
		.length = length,
	};
	int err;

	err = write_region(fd, MDEV_PIN_SLOT(0) + MDEV_PIN_WINDOW, data,
			   length);
	return err ? err : mediated_run(fd, 0, &request);
}

int mediated_read(int fd, __u64 iova, void *data, size_t length)
{
	return run_and_read(fd, MDEV_PIN_OP_READ, iova, data, length);
}

int mediated_write(int fd, __u64 iova, const void *data, size_t length)
{
	return write_and_run(fd, MDEV_PIN_OP_WRITE, iova, data, length);
}

int mediated_peek(int fd, __u64 iova, void *data, size_t length)
{
	return run_and_read(fd, MDEV_PIN_OP_PEEK, iova, data, length);
}

int mediated_poke(int fd, __u64 iova, const void *data, size_t length)
{
	return write_and_run(fd, MDEV_PIN_OP_POKE, iova, data, length);
}

int mediated_state(int fd, struct mdev_pin_state *state)
{
	return read_region(fd, MDEV_PIN_STATE, state, sizeof(*state));
}

int mediated_control(int fd, const struct mdev_pin_control *control)
{
	return write_region(fd, MDEV_PIN_CONTROL, control, sizeof(*control));
}
