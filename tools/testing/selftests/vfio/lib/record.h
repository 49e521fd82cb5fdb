/* SPDX-License-Identifier: GPL-2.0-only */
/* Recording of errnos, see record.c. */
#ifndef SELFTESTS_VFIO_RECORD_H
#define SELFTESTS_VFIO_RECORD_H

#include <stdbool.h>

extern bool record_nothing;

/* For a program whose calls may end in one of several ways. */
#define RECORDS_NO_ERRNO						\
	static void __attribute__((constructor)) records_no_errno(void)	\
	{							\
		record_nothing = true;				\
	}

/* The C library's, and what the linker puts in its place. */
int __real_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, ...);

#endif
