// SPDX-License-Identifier: GPL-2.0-only
/* Helpers for tests of bus resets and raw devices. See pci_testbed.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/pci_regs.h>

#include "pci_testbed.h"
#include "vfio.h"

#define MAX_EDU 16
#define ROOT_BUS "0000:00:"

/*
 * Offset of device_status in struct virtio_pci_common_cfg, which QEMU places at
 * the start of BAR 4
 */
#define STATE_BAR VFIO_PCI_BAR4_REGION_INDEX
#define STATE_OFFSET 20

int reset_bus_find(struct reset_bus *bus)
{
	struct pci_address edu[MAX_EDU];
	int nr, i;

	nr = pci_find(EDU_VENDOR, EDU_DEVICE, edu, MAX_EDU);
	for (i = 0; i < nr; i++) {
		if (!strncmp(edu[i].text, ROOT_BUS, strlen(ROOT_BUS)))
			continue;
		if (pci_group_siblings(edu[i].text, &bus->sibling, 1) != 1)
			continue;
		bus->edu = edu[i];
		return 0;
	}
	return -ENODEV;
}

int reset_bus_sibling_to_virtio(const struct reset_bus *bus)
{
	int err = pci_unbind_driver(bus->sibling.text);

	if (err)
		return err;
	return pci_write(bus->sibling.text, "subsystem/drivers/virtio-pci/bind",
			 bus->sibling.text);
}

static int find_state(int fd, off_t *where)
{
	struct vfio_region_info bar;
	int err = vfio_enable_dma(fd, true);

	if (!err)
		err = vfio_region(fd, STATE_BAR, &bar);
	if (!err)
		*where = (off_t)bar.offset + STATE_OFFSET;
	return err;
}

int sibling_get_state(int fd)
{
	off_t where;
	__u8 state;
	int err = find_state(fd, &where);

	if (err)
		return err;
	return pread(fd, &state, 1, where) == 1 ? state : -EIO;
}

int sibling_set_state(int fd, __u8 state)
{
	off_t where;
	int err = find_state(fd, &where);

	if (err)
		return err;
	return pwrite(fd, &state, 1, where) == 1 ? 0 : -EIO;
}

static int open_file(const char *address, const char *attribute)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", address,
		 attribute);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int raw_command(const char *address)
{
	int fd = open_file(address, "config"), result = -EIO;
	__u16 command;

	if (fd < 0)
		return fd;
	if (pread(fd, &command, 2, PCI_COMMAND) == 2)
		result = command;
	close(fd);
	return result;
}

static int set_command(const char *address, __u16 bits)
{
	int fd = open_file(address, "config"), err = 0;

	if (fd < 0)
		return fd;
	if (pwrite(fd, &bits, 2, PCI_COMMAND) != 2)
		err = -EIO;
	close(fd);
	return err;
}

int raw_start(struct edu *edu, const char *address)
{
	struct stat stat;
	void *registers;
	int err, fd;

	*edu = (struct edu){ .fd = -1 };
	err = set_command(address, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	if (err)
		return err;
	fd = open_file(address, "resource0");
	if (fd < 0)
		return fd;
	if (fstat(fd, &stat)) {
		close(fd);
		return -EIO;
	}
	registers = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, fd, 0);
	close(fd);
	if (registers == MAP_FAILED)
		return -ENXIO;
	edu->registers = registers;
	edu->size = (size_t)stat.st_size;
	return 0;
}

void raw_stop(struct edu *edu)
{
	edu_stop(edu);
}
