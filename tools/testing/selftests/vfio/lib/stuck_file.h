/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file of which one page is never read: a process that needs it waits.
 *
 * A process serves it by the protocol of /dev/fuse. It answers every request
 * but the READ of that page.
 *
 * Rule: functions return 0 or -errno.
 */
#ifndef SELFTESTS_VFIO_STUCK_FILE_H
#define SELFTESTS_VFIO_STUCK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stuck_shared;

/* Ends the program as skipped if the kernel has no FUSE. */
void fuse_must_be_there(void);

#define NEEDS_FUSE						\
	static void __attribute__((constructor)) needs_fuse(void)	\
	{							\
		fuse_must_be_there();				\
	}

/**
 * struct stuck_file - the file, its filesystem and its server
 * @directory: where the filesystem is mounted, empty if it is not
 * @server: the process that serves it, or 0
 * @fd: the file, open for reading and writing, or -1
 * @shared: memory shared with the server
 */
struct stuck_file {
	char directory[32];
	pid_t server;
	int fd;
	struct stuck_shared *shared;
};

/*
 * Makes a file of so many pages. Call it before any other file is open that the
 * server must not keep open.
 */
int stuck_file_open(struct stuck_file *file, unsigned int pages,
		    unsigned int stuck);

/* Ends the server, so that all waiting calls fail, and the filesystem. */
void stuck_file_close(struct stuck_file *file);

/* Maps the whole file; NULL if that fails. */
char *stuck_file_map(const struct stuck_file *file, bool shared);

/* Waits for the READ of the page; -ETIMEDOUT after ten seconds. */
int stuck_file_wait(const struct stuck_file *file);

/* Lets the server answer for the page from now on. */
void stuck_file_go_on(const struct stuck_file *file);

#endif
