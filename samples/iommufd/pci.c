// SPDX-License-Identifier: GPL-2.0-only
/* Access to PCI functions through sysfs. See pci.h. */
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

#define CLASS_BRIDGE	0x06

#define PCI_BUS "/sys/bus/pci"

static int read_number(const char *address, const char *attribute)
{
	char path[PATH_MAX], text[32];
	ssize_t nr_read;
	int fd;

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", address,
		 attribute);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	nr_read = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (nr_read <= 0)
		return -EIO;
	text[nr_read] = 0;
	return (int)strtoul(text, NULL, 0);
}

/* Read the last path component of a symbolic link's target. */
static int link_name(const char *address, const char *link, char *name,
		     size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *last;
	ssize_t nr_read;
	int length;

	snprintf(path, sizeof(path), PCI_BUS "/devices/%s/%s", address, link);
	nr_read = readlink(path, target, sizeof(target) - 1);
	if (nr_read < 0)
		return -errno;
	target[nr_read] = 0;
	last = strrchr(target, '/');
	length = snprintf(name, size, "%s", last ? last + 1 : target);
	return length < (int)size ? 0 : -ENAMETOOLONG;
}

/*
 * Insert an address into a sorted array of @nr addresses. If the array already
 * has @max of them, drop the highest one, which may be the new one. Return the
 * new number of addresses.
 */
static unsigned int insert_sorted(struct pci_address *found, unsigned int nr,
				  unsigned int max, const char *address)
{
	unsigned int at = nr;

	while (at && strcmp(found[at - 1].text, address) > 0)
		at--;
	if (at == max)
		return nr;
	if (nr == max)
		nr--;
	memmove(&found[at + 1], &found[at], (nr - at) * sizeof(*found));
	strcpy(found[at].text, address);
	return nr + 1;
}

/*
 * Find the functions in the sysfs directory @path for which @match returns
 * true: those with the lowest addresses, at most @max, sorted by address.
 * Return their number, or -errno.
 */
static int find_functions(const char *path, struct pci_address *found,
			  unsigned int max,
			  bool (*match)(const char *address, const void *data),
			  const void *data)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned int nr = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || strlen(name) >= sizeof(found->text) ||
		    !match(name, data))
			continue;
		nr = insert_sorted(found, nr, max, name);
	}
	closedir(dir);
	return (int)nr;
}

struct pci_id {
	unsigned int vendor, device;
};

static bool match_pci_id(const char *address, const void *data)
{
	const struct pci_id *pci_id = data;

	return read_number(address, "vendor") == (int)pci_id->vendor &&
	       read_number(address, "device") == (int)pci_id->device;
}

/* Match all functions except bridges and the function at address @data. */
static bool match_other(const char *address, const void *data)
{
	return strcmp(address, data) &&
	       read_number(address, "class") >> 16 != CLASS_BRIDGE;
}

static bool bound_to_vfio(const char *address)
{
	char driver[NAME_MAX + 1];

	return !link_name(address, "driver", driver, sizeof(driver)) &&
	       !strcmp(driver, "vfio-pci");
}

static bool match_free_sriov(const char *address, const void *data)
{
	char driver[NAME_MAX + 1];

	(void)data;
	return read_number(address, "sriov_totalvfs") > 0 &&
	       (bound_to_vfio(address) ||
		link_name(address, "driver", driver, sizeof(driver)));
}

int pci_find(unsigned int vendor, unsigned int device,
	     struct pci_address *found, unsigned int max)
{
	struct pci_id pci_id = { vendor, device };

	return find_functions(PCI_BUS "/devices", found, max, match_pci_id,
			      &pci_id);
}

int pci_group_siblings(const char *address, struct pci_address *found,
		       unsigned int max)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path),
		 PCI_BUS "/devices/%s/iommu_group/devices", address);
	return find_functions(path, found, max, match_other, address);
}

int pci_find_sriov(struct pci_address *found)
{
	int nr = find_functions(PCI_BUS "/devices", found, 1,
				match_free_sriov, NULL);

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
	/*
	 * Disable resets of the PF: in QEMU 7.2, a reset of the PF permanently
	 * removes its VFs.
	 */
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

int pci_unbind_driver(const char *address)
{
	char driver[NAME_MAX + 1];
	int err;

	/* Clear the override so that any matching driver can bind again. */
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

long long pci_msi_window(const char *address)
{
	unsigned long long start, last;
	long long found = -ENOENT;
	char path[PATH_MAX], type[32];
	FILE *file;

	snprintf(path, sizeof(path),
		 PCI_BUS "/devices/%s/iommu_group/reserved_regions", address);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (found < 0 &&
	       fscanf(file, "%llx %llx %31s", &start, &last, type) == 3)
		if (!strcmp(type, "msi"))
			found = (long long)start;
	fclose(file);
	return found;
}

int pci_probe(const char *address)
{
	return text_write(PCI_BUS "/drivers_probe", address);
}

int pci_bind_vfio(const char *address)
{
	char driver[NAME_MAX + 1];
	int err;

	if (bound_to_vfio(address))
		return 0;
	if (pci_write(address, "driver_override", "vfio-pci"))
		return -ENODEV;
	if (!link_name(address, "driver", driver, sizeof(driver))) {
		err = pci_write(address, "driver/unbind", address);
		if (err)
			return err;
	}
	err = pci_probe(address);
	if (err)
		return err;
	return bound_to_vfio(address) ? 0 : -ENODEV;
}

int pci_vfio_node(const char *address, char *path, size_t size)
{
	char device[PATH_MAX];

	snprintf(device, sizeof(device), PCI_BUS "/devices/%s", address);
	return vfio_node(device, path, size);
}
