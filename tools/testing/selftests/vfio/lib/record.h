/* SPDX-License-Identifier: GPL-2.0-only */
/* Recording of the errnos that calls fail with, see record.c. */
#ifndef SELFTESTS_VFIO_RECORD_H
#define SELFTESTS_VFIO_RECORD_H

#include <stdbool.h>

extern bool record_nothing;

/*
 * For a program that accepts more than one outcome of a call: do not record
 * the errnos that it sees.
 */
#define RECORDS_NO_ERRNO						\
	static void __attribute__((constructor)) records_no_errno(void)	\
	{							\
		record_nothing = true;				\
	}

/* ioctl() of the C library, and the wrapper that the linker calls instead */
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);

#endif
