// SPDX-License-Identifier: GPL-2.0-only
/* Read kernel counters of memory. See counters.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"

/*
 * Find the line of @path that starts with @name and @separator, and return the
 * number that follows them. Return -ENOENT if there is no such line, or another
 * -errno.
 */
static long read_value(const char *path, const char *name, char separator)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	char line[256];
	long value = -ENOENT;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) || line[length] != separator)
			continue;
		if (sscanf(line + length + 1, "%ld", &value) != 1)
			value = -EIO;
		break;
	}
	fclose(file);
	return value;
}

static int refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char unused[8];
	int err = 0;

	if (fd < 0)
		return -errno;
	if (read(fd, unused, sizeof(unused)) < 0)
		err = -errno;
	close(fd);
	return err;
}

long counters_pinned(void)
{
	long acquired, released;
	int err = refresh_vmstat();

	if (err)
		return err;
	acquired = read_value("/proc/vmstat", "nr_foll_pin_acquired", ' ');
	released = read_value("/proc/vmstat", "nr_foll_pin_released", ' ');
	if (acquired < 0)
		return acquired;
	if (released < 0)
		return released;
	return acquired - released;
}

long counters_of_self(const char *name)
{
	return read_value("/proc/self/status", name, ':');
}

long counters_of_system(const char *name)
{
	int err = refresh_vmstat();

	return err ? err : read_value("/proc/meminfo", name, ':');
}
