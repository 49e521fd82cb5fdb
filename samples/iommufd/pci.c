// SPDX-License-Identifier: GPL-2.0-only
/* PCI functions as sysfs shows them, see pci.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci.h"
#include "vfio.h"

#define PCI_BUS "/sys/bus/pci"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t done;
	int err = 0;

	if (fd < 0)
		return -errno;
	done = write(fd, text, strlen(text));
	if (done < 0)
		err = -errno;
	close(fd);
	return err;
}

static int read_number(const char *address, const char *attribute)
{
	char path[PATH_MAX], text[32];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", address,
		 attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (got <= 0)
		return -EIO;
	text[got] = 0;
	return (int)strtoul(text, NULL, 0);
}

/* The last component of what a function's symbolic link points to. */
static int link_name(const char *address, const char *link, char *name,
		     size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t got;
	int length;

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", address, link);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return -errno;
	target[got] = 0;
	last = strrchr(target, '/');
	length = snprintf(name, size, "%s", last ? last + 1 : target);
	return length < (int)size ? 0 : -ENAMETOOLONG;
}

static int by_text(const void *a, const void *b)
{
	const struct pci_address *first = a, *second = b;

	return strcmp(first->text, second->text);
}

int pci_find(unsigned int vendor, unsigned int device,
	     struct pci_address *found, unsigned int room)
{
	DIR *dir = opendir(PCI_BUS "/devices");
	struct dirent *entry;
	unsigned int nr = 0;

	if (!dir)
		return -errno;
	while (nr < room && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || strlen(name) >= sizeof(found->text))
			continue;
		if (read_number(name, "vendor") != (int)vendor ||
		    read_number(name, "device") != (int)device)
			continue;
		strcpy(found[nr++].text, name);
	}
	closedir(dir);
	qsort(found, nr, sizeof(*found), by_text);
	return (int)nr;
}

int pci_group(const char *address)
{
	char name[NAME_MAX + 1];
	int err = link_name(address, "iommu_group", name, sizeof(name));

	return err ? err : atoi(name);
}

int pci_give_to_vfio(const char *address)
{
	char driver[NAME_MAX + 1], path[PATH_MAX];
	int err;

	err = link_name(address, "driver", driver, sizeof(driver));
	if (!err && !strcmp(driver, "vfio-pci"))
		return 0;

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/driver_override",
		 address);
	if (write_text(path, "vfio-pci"))
		return -ENODEV;
	if (!err) {
		snprintf(path, sizeof(path), PCI_BUS "/devices/%s/driver/unbind",
			 address);
		err = write_text(path, address);
		if (err)
			return err;
	}
	err = write_text(PCI_BUS "/drivers_probe", address);
	if (err)
		return err;
	if (link_name(address, "driver", driver, sizeof(driver)) ||
	    strcmp(driver, "vfio-pci"))
		return -ENODEV;
	return 0;
}

int pci_vfio_node(const char *address, char *path, size_t size)
{
	char device[PATH_MAX];

	snprintf(device, sizeof(device), PCI_BUS "/devices/%s", address);
	return vfio_node(device, path, size);
}
