// SPDX-License-Identifier: GPL-2.0-only
/*
 * Record the errnos with which ioctls of /dev/iommu and of vfio fail.
 *
 * Tests check the results of their calls, so the errnos in a test that passes
 * are expected. Each is printed once per process as "# errno: NUMBER ERRNO",
 * with the number of the ioctl. A script compares these lines with the
 * documented errnos.
 *
 * IOMMUFD_TYPE is also the type of vfio's ioctls. Their numbers do not overlap.
 *
 * Programs are linked with --wrap=ioctl, which redirects ioctl() to this file.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/iommufd.h>

#include "record.h"

#define NUMBERS		256
#define ERRNOS		256

bool record_nothing;

/* kselftest_harness.h forks a process per test, so each test starts afresh. */
static bool seen[NUMBERS][ERRNOS];

static void record_errno(unsigned int number, int err)
{
	if (record_nothing || err <= 0 || err >= ERRNOS || seen[number][err])
		return;
	seen[number][err] = true;
	dprintf(STDOUT_FILENO, "# errno: %#x %d\n", number, err);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	int result, err;
	void *argument;
	va_list list;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);

	result = __real_ioctl(fd, request, argument);
	if (result < 0 && _IOC_TYPE(request) == IOMMUFD_TYPE) {
		err = errno;
		record_errno(_IOC_NR(request), err);
		errno = err;
	}
	return result;
}
