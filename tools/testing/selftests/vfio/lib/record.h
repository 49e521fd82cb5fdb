/* SPDX-License-Identifier: GPL-2.0-only */
/* Record the errnos with which calls fail. See record.c. */
#ifndef SELFTESTS_VFIO_RECORD_H
#define SELFTESTS_VFIO_RECORD_H

#include <stdbool.h>

extern bool record_nothing;

/*
 * Disable recording in a program that accepts more than one outcome of a call.
 * An errno in such a program is not necessarily an expected one.
 */
#define RECORDS_NO_ERRNO						\
	static void __attribute__((constructor)) records_no_errno(void)	\
	{							\
		record_nothing = true;				\
	}

/* ioctl() of the C library, and the wrapper that the linker replaces it with */
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);

#endif
