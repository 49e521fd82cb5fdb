// SPDX-License-Identifier: GPL-2.0-only
/* What vfio refuses for the sake of others, see show_refusals.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ioas.h"
#include "pci.h"
#include "show_refusals.h"
#include "steps.h"
#include "vfio.h"

#define MAX_AFFECTED	8

static const __u8 token[16] = {
	0x4f, 0x1d, 0x6e, 0x07, 0x55, 0x2a, 0x4c, 0x91,
	0x8e, 0x3b, 0x60, 0xd2, 0x7a, 0xc4, 0x19, 0xb5,
};

static const __u8 guess[16] = { 0x4f };

/* One user has the physical function, another wants a virtual one. */
static void show_token(void)
{
	struct pci_address pf, vf;
	int ours, theirs, pf_file, vf_file;
	__u32 id;

	step_begins("bind a virtual function without its token");
	if (pci_find_sriov(&pf)) {
		step_skipped("needs a function with SR-IOV");
		return;
	}
	must_do(pci_give_to_vfio(pf.text), pf.text);
	must_do(pci_sriov_enable(pf.text, 1), "making a virtual function");
	must_do(pci_sriov_vf(pf.text, 0, &vf), "finding the virtual function");
	ours = must_do(iommu_open(), "/dev/iommu");
	theirs = must_do(iommu_open(), "/dev/iommu");
	pf_file = must_do(vfio_open(pf.text), "open");
	must_do(vfio_bind_with_token(pf_file, ours, token, &id),
		"VFIO_DEVICE_BIND_IOMMUFD of the physical function");
	vf_file = must_do(vfio_open(vf.text), "open");
	must(vfio_bind(vf_file, theirs, &id) == -EACCES,
	     "it was not refused");
	must(vfio_bind_with_token(vf_file, theirs, guess, &id) == -EACCES,
	     "a wrong token was not refused");
	step_ok("%s of %s: refused, and with a wrong one too", vf.text,
		pf.text);

	step_begins("bind it with the token that the other user set");
	must_do(vfio_bind_with_token(vf_file, theirs, token, &id),
		"VFIO_DEVICE_BIND_IOMMUFD");
	step_ok("device ID %u", id);

	close(vf_file);
	close(pf_file);
	close(theirs);
	close(ours);
	must_do(pci_sriov_enable(pf.text, 0), "ending the virtual function");
}

/* A device with one of another kind beside it. */
static const char *find_one_with_mate(char **addresses, unsigned int nr,
				      struct pci_address *mate)
{
	unsigned int i, j;

	for (i = 0; i < nr; i++) {
		bool like = false;

		if (pci_group_mates(addresses[i], mate, 1) != 1)
			continue;
		for (j = 0; j < nr; j++)
			like |= !strcmp(mate->text, addresses[j]);
		if (!like)
			return addresses[i];
	}
	return NULL;
}

/* How many affected devices are not ours to reset. */
static unsigned int foreign_devices(int fd)
{
	union {
		struct vfio_pci_hot_reset_info head;
		__u8 space[sizeof(struct vfio_pci_hot_reset_info) +
			   MAX_AFFECTED *
			   sizeof(struct vfio_pci_dependent_device)];
	} info;
	unsigned int i, foreign = 0;

	must_do(vfio_hot_reset_info(fd, &info.head, MAX_AFFECTED),
		"VFIO_DEVICE_GET_PCI_HOT_RESET_INFO");
	for (i = 0; i < info.head.count; i++)
		foreign += info.head.devices[i].devid ==
			   (__u32)VFIO_PCI_DEVID_NOT_OWNED;
	must(!foreign == !!(info.head.flags &
			    VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED),
	     "the flag does not say what the devices say");
	return foreign;
}

static void show_bus(char **addresses, unsigned int nr)
{
	struct pci_address mate;
	const char *address;
	int iommufd, file;
	__u32 id;

	step_begins("bind a device while a kernel driver has its neighbour");
	address = find_one_with_mate(addresses, nr, &mate);
	if (!address) {
		step_skipped("needs a device of another kind in its group");
		return;
	}
	iommufd = must_do(iommu_open(), "/dev/iommu");
	file = must_do(vfio_open(address), "open");
	must(vfio_bind(file, iommufd, &id) == -EPERM, "it was not refused");
	step_ok("%s beside %s: refused", address, mate.text);

	step_begins("reset their bus while nobody answers for the neighbour");
	must_do(pci_take_from_driver(mate.text), mate.text);
	must_do(vfio_bind(file, iommufd, &id), "VFIO_DEVICE_BIND_IOMMUFD");
	must(foreign_devices(file) == 1, "the neighbour counts as ours");
	must(vfio_hot_reset(file) == -EINVAL, "it was not refused");
	step_ok("refused");

	step_begins("reset the bus when all devices on it are ours");
	must_do(pci_give_to_vfio(mate.text), mate.text);
	must(!foreign_devices(file), "a device is not ours");
	must_do(vfio_hot_reset(file), "VFIO_DEVICE_PCI_HOT_RESET");
	step_ok("%s and %s are reset", address, mate.text);

	close(file);
	close(iommufd);
	must_do(pci_take_from_driver(mate.text), mate.text);
	must_do(pci_probe(mate.text), mate.text);
}

void show_refusals(char **addresses, unsigned int nr)
{
	show_token();
	show_bus(addresses, nr);
}
