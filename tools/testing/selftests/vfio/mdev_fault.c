// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bind and attach a mediated device, and pin pages through it, with fault
 * injection: make the n-th allocation or user copy fail, for each n.
 *
 * A call that hits the fault either returns -ENOMEM or -EFAULT and changes
 * nothing, or succeeds regardless. A call without a fault succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>

#include "../kselftest_harness.h"
#include "mdev_testbed.h"
#include "text.h"
#include "../kselftest.h"

#define IOVA TESTBED_IOVA
#define DEBUGFS	"/sys/kernel/debug/"
#define MAX_FAULTS	200

/*
 * Settings during the tests: allocations that may sleep and allocations of a
 * single page can fail as well, without a log message.
 */
static struct setting {
	const char *path;
	const char *text;
	char before[16];
} settings[] = {
	{ .path = DEBUGFS "failslab/ignore-gfp-wait", .text = "N" },
	{ .path = DEBUGFS "failslab/verbose", .text = "0" },
	{ .path = DEBUGFS "fail_page_alloc/ignore-gfp-wait", .text = "N" },
	{ .path = DEBUGFS "fail_page_alloc/min-order", .text = "0" },
	{ .path = DEBUGFS "fail_page_alloc/verbose", .text = "0" },
	{ .path = DEBUGFS "fail_usercopy/verbose", .text = "0" },
};

NEEDS_MDEV_PIN

static void __attribute__((constructor)) needs_fault_injection(void)
{
	if (access("/proc/self/fail-nth", W_OK) ||
	    access(DEBUGFS "failslab", F_OK))
		ksft_exit_skip("needs CONFIG_FAULT_INJECTION and debugfs\n");
}

FIXTURE(fault)
{
	struct mdev_testbed bed;
	int nth;
};

static int read_setting(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, text, size) < 0)
		err = -errno;
	close(fd);
	return err;
}

FIXTURE_SETUP(fault)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(settings); i++) {
		/* Skip kinds of faults that the kernel does not support. */
		if (access(settings[i].path, F_OK))
			continue;
		ASSERT_EQ(0, read_setting(settings[i].path, settings[i].before,
					  sizeof(settings[i].before) - 1));
		ASSERT_EQ(0, text_write(settings[i].path, settings[i].text));
	}
	ASSERT_EQ(0, mdev_testbed_open(&self->bed));
	self->nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->nth);
}

FIXTURE_TEARDOWN(fault)
{
	unsigned int i;

	close(self->nth);
	mdev_testbed_close(&self->bed);
	EXPECT_EQ(0, mdev_pinned(&self->bed));
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].before[0])
			text_write(settings[i].path, settings[i].before);
}

/*
 * Make the @n-th of the next allocations and user copies of this thread fail.
 */
static void arm_fault(int nth, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(nth, text, strlen(text), 0) < 0)
		abort();
}

/*
 * Disarm fault injection and return whether the fault was injected. If it was
 * not, the pread() or pwrite() here may hit it, so repeat the pwrite() until it
 * succeeds.
 */
static bool disarm_fault(int nth)
{
	char text[16] = "";
	bool fired;

	fired = pread(nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
	while (pwrite(nth, "0", 1, 0) < 0)
		;
	return fired;
}

static bool is_injected_error(int rc)
{
	return rc == -ENOMEM || rc == -EFAULT;
}

TEST_F(fault, bind)
{
	bool fired = true;
	int rc, n, fd;
	__u32 id;

	close(self->bed.fd);
	self->bed.fd = -1;
	fd = mediated_open(&self->bed.device);
	ASSERT_LE(0, fd);
	for (n = 1; fired && n < MAX_FAULTS; n++) {
		arm_fault(self->nth, n);
		rc = vfio_bind(fd, self->bed.iommufd, &id);
		fired = disarm_fault(self->nth);
		if (!rc && fired) {
			close(fd);
			fd = mediated_open(&self->bed.device);
			ASSERT_LE(0, fd);
		} else if (fired) {
			EXPECT_TRUE(is_injected_error(rc))
				TH_LOG("returned %d at fault %d", rc, n);
			EXPECT_EQ(-EINVAL, mdev_attach(&self->bed, fd));
		}
	}
	EXPECT_LT(3, n);
	EXPECT_EQ(false, fired);
	EXPECT_EQ(0, rc);
	EXPECT_EQ(0, mdev_attach(&self->bed, fd));
	close(fd);
}

/* A failed attach leaves the device detached. */
TEST_F(fault, attach)
{
	bool fired = true;
	int rc, n;

	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 1));
	for (n = 1; fired && n < MAX_FAULTS; n++) {
		arm_fault(self->nth, n);
		rc = mdev_attach(&self->bed, self->bed.fd);
		fired = disarm_fault(self->nth);
		if (!fired)
			break;
		if (rc) {
			EXPECT_TRUE(is_injected_error(rc))
				TH_LOG("returned %d at fault %d", rc, n);
			EXPECT_EQ(-ENOENT, mediated_pin(self->bed.fd, IOVA, 1,
							PIN_READ));
		}
		EXPECT_EQ(0, vfio_detach(self->bed.fd));
	}
	EXPECT_LT(2, n);
	EXPECT_EQ(0, rc);
	EXPECT_EQ(1, mediated_pin(self->bed.fd, IOVA, 1, PIN_READ));
	EXPECT_EQ(0, vfio_detach(self->bed.fd));
	EXPECT_EQ(0, iommu_destroy(self->bed.iommufd, self->bed.ioas));
}

/* A pin is all-or-nothing, even if the driver fails after vfio has pinned. */
TEST_F(fault, pin)
{
	bool fired = true;
	long held;
	int rc, n;

	ASSERT_EQ(0, mdev_attach(&self->bed, self->bed.fd));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA, 0, 2));
	ASSERT_EQ(0, mdev_map(&self->bed, IOVA + 2 * PAGE, 2, 2));
	held = -1;
	for (n = 1; fired && n < MAX_FAULTS; n++) {
		arm_fault(self->nth, n);
		rc = mediated_pin(self->bed.fd, IOVA, 4, PIN_BOTH);
		fired = disarm_fault(self->nth);
		held = mdev_pinned(&self->bed);
		if (!fired)
			break;
		/*
		 * -EIO means that the fault hit the pwrite() of the command or
		 * the pread() of its result.
		 */
		if (rc == -EIO) {
			EXPECT_TRUE(!held || held == 4);
		} else if (rc != 4) {
			EXPECT_TRUE(is_injected_error(rc))
				TH_LOG("returned %d at fault %d", rc, n);
			EXPECT_EQ(0, held);
		}
		EXPECT_EQ(0, mediated_unpin(self->bed.fd, IOVA, 4));
		EXPECT_EQ(0, mdev_pinned(&self->bed));
	}
	EXPECT_LT(5, n);
	EXPECT_EQ(4, rc);
	EXPECT_EQ(4, held);
	EXPECT_EQ(BYTES(4), mdev_unmap(&self->bed, 0, -1));
	EXPECT_EQ(0, mdev_pinned(&self->bed));
}

TEST_HARNESS_MAIN
