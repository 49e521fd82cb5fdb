// SPDX-License-Identifier: GPL-2.0-only
/* Read kernel counters of memory. See counters.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE	/* for cpu_set_t */
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "counters.h"

/*
 * The kernel adds up the counters of all CPUs every second, unless
 * vm.stat_interval is changed. The work may start up to a second late.
 */
#define UPDATE_MS	3000
#define SLICE_MS	20

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

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_on(int cpu, long duration_ms)
{
	long end = now_ms() + duration_ms;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	while (now_ms() < end)
		;
}

/*
 * Keep each CPU busy in turn until the kernel has updated the counters. An idle
 * CPU postpones the update.
 */
static void wait_for_update(void)
{
	long end = now_ms() + UPDATE_MS;
	cpu_set_t all;
	int cpu;

	if (sched_getaffinity(0, sizeof(all), &all))
		return;
	do {
		for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &all))
				run_on(cpu, SLICE_MS);
	} while (now_ms() < end);
	sched_setaffinity(0, sizeof(all), &all);
}

static int refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char unused[8];
	int err = 0;

	if (fd < 0 && errno == EACCES) {
		wait_for_update();
		return 0;
	}
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
