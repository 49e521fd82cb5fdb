// SPDX-License-Identifier: GPL-2.0-only
/* Find DMA faults that an Intel IOMMU reports. See faultlog.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "faultlog.h"

#define TRIES		200
#define PAUSE_US	10000

int faultlog_open(void)
{
	int fd;

	if (access("/sys/class/iommu/dmar0", F_OK))
		return -ENODEV;
	fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/* A message has the PCI address without its domain, as in "[00:03.0]". */
static bool line_matches(const char *line, const char *address, bool store,
			 __u64 iova)
{
	const char *bus = strchr(address, ':');
	unsigned long long page;
	const char *fault;
	char device[32];

	if (!strstr(line, "DMAR"))
		return false;
	if (!strstr(line, store ? "DMA Write" : "DMA Read"))
		return false;
	snprintf(device, sizeof(device), "[%s]", bus ? bus + 1 : address);
	if (!strstr(line, device))
		return false;
	fault = strstr(line, "fault addr ");
	if (!fault || sscanf(fault, "fault addr %llx", &page) != 1)
		return false;
	return page >> 12 == iova >> 12;
}

bool faultlog_has(int fd, const char *address, bool store, __u64 iova)
{
	unsigned int try = 0;
	char line[1024];
	ssize_t nr_read;

	while (try < TRIES) {
		nr_read = read(fd, line, sizeof(line) - 1);
		if (nr_read > 0) {
			line[nr_read] = 0;
			if (line_matches(line, address, store, iova))
				return true;
			continue;
		}
		/* EPIPE means that records were overwritten. Read the rest. */
		if (nr_read < 0 && errno == EPIPE)
			continue;
		try++;
		usleep(PAUSE_US);
	}
	return false;
}
