/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file with one page that cannot be read, so that page faults on this stuck
 * page block.
 *
 * A child process serves the file through /dev/fuse. It answers all requests
 * immediately, except the READ of the stuck page, which it answers only after
 * stuck_file_release().
 *
 * Functions return 0 or -errno unless noted otherwise.
 */
#ifndef SELFTESTS_VFIO_STUCK_FILE_H
#define SELFTESTS_VFIO_STUCK_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct stuck_shared;

/* Skip the whole program if the kernel does not support FUSE. */
void require_fuse(void);

#define NEEDS_FUSE						\
	static void __attribute__((constructor)) needs_fuse(void)	\
	{							\
		require_fuse();					\
	}

/**
 * struct stuck_file - the file, its filesystem and its server
 * @directory: mount point of the filesystem, or empty
 * @server: process ID of the server, or 0
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
 * Create a file of @pages pages, of which page @stuck cannot be read. The
 * server inherits all open files and keeps them open, so call this before other
 * files are opened. On error, stuck_file_close() has to be called as well.
 */
int stuck_file_open(struct stuck_file *file, unsigned int pages,
		    unsigned int stuck);

/* Kill the server, so that all blocked page faults fail, and unmount. */
void stuck_file_close(struct stuck_file *file);

/*
 * Map the whole file, either shared and read-only, or private and writable.
 * Return NULL on failure.
 */
char *stuck_file_map(const struct stuck_file *file, bool shared);

/*
 * Wait until the server has received at least one READ of the stuck page.
 * Return 0, or -ETIMEDOUT after ten seconds.
 */
int stuck_file_wait(const struct stuck_file *file);

/* Let the server answer the pending READ of the stuck page and later ones. */
void stuck_file_release(const struct stuck_file *file);

#endif
