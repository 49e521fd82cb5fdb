/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Read and write small text files such as those of sysfs.
 */
#ifndef SAMPLES_IOMMUFD_TEXT_H
#define SAMPLES_IOMMUFD_TEXT_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Write @text to a file without truncating the file. Returns 0 or -errno. */
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

/*
 * Read up to @size - 1 bytes of a file and terminate them with a null byte.
 * Returns 0 or -errno.
 */
static inline int text_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0)
		err = -errno;
	else
		text[length] = 0;
	close(fd);
	return err;
}

/*
 * Read the content of a file into @before, then write @text to the file.
 * Returns 0 or -errno.
 */
static inline int text_exchange(const char *path, const char *text,
				char *before, size_t size)
{
	int err = text_read(path, before, size);

	return err ? err : text_write(path, text);
}

#endif
