/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are told something by a word, as those of sysfs.
 */
#ifndef SAMPLES_IOMMUFD_TEXT_H
#define SAMPLES_IOMMUFD_TEXT_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Returns 0 or -errno. */
static inline int text_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

#endif
