// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which command of /dev/iommu or of a vfio device failed with which errno.
 *
 * Rule: a test says how each of its calls has to end; so whatever errno a test
 * saw that passed, it looked for. Each is printed once for each test, as
 * "# errno: NUMBER ERRNO", for whoever compares them with what is documented.
 *
 * Linked with --wrap=ioctl: calls of ioctl() come here.
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

/* A test is a process of its own, so this is what one test saw. */
static bool seen[NUMBERS][ERRNOS];

static void note(unsigned int number, int err)
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
		note(_IOC_NR(request), err);
		errno = err;
	}
	return result;
}
