// SPDX-License-Identifier: GPL-2.0-only
/* PCI functions as sysfs shows them, see pci.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pci.h"
#include "text.h"
#include "vfio.h"

#define PCI_BUS "/sys/bus/pci"

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

/* Functions in a folder of sysfs that @wanted picks, in order. */
static int find_in(const char *folder, struct pci_address *found,
		   unsigned int room,
		   bool (*wanted)(const char *address, const void *data),
		   const void *data)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned int nr = 0;

	if (!dir)
		return -errno;
	while (nr < room && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || strlen(name) >= sizeof(found->text) ||
		    !wanted(name, data))
			continue;
		strcpy(found[nr++].text, name);
	}
	closedir(dir);
	qsort(found, nr, sizeof(*found), by_text);
	return (int)nr;
}

struct kind {
	unsigned int vendor, device;
};

static bool is_of_kind(const char *address, const void *data)
{
	const struct kind *kind = data;

	return read_number(address, "vendor") == (int)kind->vendor &&
	       read_number(address, "device") == (int)kind->device;
}

static bool is_other(const char *address, const void *data)
{
	return strcmp(address, data);
}

static bool can_have_vfs(const char *address, const void *data)
{
	(void)data;
	return read_number(address, "sriov_totalvfs") > 0;
}

int pci_find(unsigned int vendor, unsigned int device,
	     struct pci_address *found, unsigned int room)
{
	struct kind kind = { vendor, device };

	return find_in(PCI_BUS "/devices", found, room, is_of_kind, &kind);
}

int pci_group_mates(const char *address, struct pci_address *found,
		    unsigned int room)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder),
		 PCI_BUS "/devices/%s/iommu_group/devices", address);
	return find_in(folder, found, room, is_other, address);
}

int pci_find_sriov(struct pci_address *found)
{
	int nr = find_in(PCI_BUS "/devices", found, 1, can_have_vfs, NULL);

	return nr > 0 ? 0 : -ENODEV;
}

int pci_write(const char *address, const char *attribute, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", address,
		 attribute);
	return text_write(path, text);
}

int pci_sriov_enable(const char *address, unsigned int nr)
{
	char text[16];
	int err;

	err = text_write("/sys/module/vfio_pci/parameters/enable_sriov", "Y");
	if (err)
		return err;
	/* In QEMU 7.2 a reset of the function takes its VFs away for good. */
	pci_write(address, "reset_method", "\n");
	snprintf(text, sizeof(text), "%u", nr);
	return pci_write(address, "sriov_numvfs", text);
}

int pci_sriov_vf(const char *address, unsigned int nr,
		 struct pci_address *found)
{
	char link[32];

	snprintf(link, sizeof(link), "virtfn%u", nr);
	return link_name(address, link, found->text, sizeof(found->text));
}

int pci_take_from_driver(const char *address)
{
	char driver[NAME_MAX + 1];
	int err;

	/* Empty, it lets any driver have the function that asks. */
	err = pci_write(address, "driver_override", "\n");
	if (err || link_name(address, "driver", driver, sizeof(driver)))
		return err;
	return pci_write(address, "driver/unbind", address);
}

int pci_group(const char *address)
{
	char name[NAME_MAX + 1];
	int err = link_name(address, "iommu_group", name, sizeof(name));

	return err ? err : atoi(name);
}

int pci_probe(const char *address)
{
	return text_write(PCI_BUS "/drivers_probe", address);
}

int pci_give_to_vfio(const char *address)
{
	char driver[NAME_MAX + 1];
	int err;

	err = link_name(address, "driver", driver, sizeof(driver));
	if (!err && !strcmp(driver, "vfio-pci"))
		return 0;

	if (pci_write(address, "driver_override", "vfio-pci"))
		return -ENODEV;
	if (!err) {
		err = pci_write(address, "driver/unbind", address);
		if (err)
			return err;
	}
	err = pci_probe(address);
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
