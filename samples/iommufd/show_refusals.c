// SPDX-License-Identifier: GPL-2.0-only
/* Requests that vfio rejects to protect other users. See show_refusals.h. */
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

static const __u8 wrong_token[16] = { 0x4f };

/*
 * Bind the physical and the virtual function to different iommufds, as two
 * users would.
 */
static void show_token(void)
{
	struct pci_address pf, vf;
	int pf_iommufd, vf_iommufd, pf_fd, vf_fd;
	__u32 id;

	step_begin("bind a virtual function without its token");
	if (pci_find_sriov(&pf)) {
		step_skipped("needs a function with SR-IOV and no driver");
		return;
	}
	check_call(pci_bind_vfio(pf.text), pf.text);
	check_call(pci_sriov_enable(pf.text, 1), "enabling SR-IOV");
	check_call(pci_sriov_vf(pf.text, 0, &vf),
		   "finding the virtual function");
	pf_iommufd = check_call(iommu_open(), "/dev/iommu");
	vf_iommufd = check_call(iommu_open(), "/dev/iommu");
	pf_fd = check_call(vfio_open(pf.text), "open");
	check_call(vfio_bind_with_token(pf_fd, pf_iommufd, token, &id),
		   "VFIO_DEVICE_BIND_IOMMUFD of the physical function");
	vf_fd = check_call(vfio_open(vf.text), "open");
	check(vfio_bind(vf_fd, vf_iommufd, &id) == -EACCES,
	      "bind without token did not fail with EACCES");
	check(vfio_bind_with_token(vf_fd, vf_iommufd, wrong_token,
				   &id) == -EACCES,
	      "bind with a wrong token did not fail with EACCES");
	step_ok("%s of %s: rejected, also with a wrong token", vf.text,
		pf.text);

	step_begin("bind it with the token of the physical function");
	check_call(vfio_bind_with_token(vf_fd, vf_iommufd, token, &id),
		   "VFIO_DEVICE_BIND_IOMMUFD");
	step_ok("device ID %u", id);

	close(vf_fd);
	close(pf_fd);
	close(vf_iommufd);
	close(pf_iommufd);
	check_call(pci_sriov_enable(pf.text, 0), "disabling SR-IOV");
}

static bool in_list(char **addresses, unsigned int nr, const char *address)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(addresses[i], address))
			return true;
	return false;
}

/*
 * Return a device of @addresses that shares its group with a device not in
 * @addresses, and set @neighbor to the address of the other device. Return NULL
 * if there is none.
 */
static const char *find_device_with_neighbor(char **addresses, unsigned int nr,
					     struct pci_address *neighbor)
{
	struct pci_address siblings[MAX_AFFECTED];
	unsigned int i;
	int j, nr_siblings;

	for (i = 0; i < nr; i++) {
		nr_siblings = pci_group_siblings(addresses[i], siblings,
						 MAX_AFFECTED);
		for (j = 0; j < nr_siblings; j++) {
			if (in_list(addresses, nr, siblings[j].text))
				continue;
			*neighbor = siblings[j];
			return addresses[i];
		}
	}
	return NULL;
}

/*
 * Count the devices that a bus reset of the device @fd affects, but that the
 * iommufd of this device does not own.
 */
static unsigned int count_foreign_devices(int fd)
{
	union {
		struct vfio_pci_hot_reset_info head;
		__u8 space[sizeof(struct vfio_pci_hot_reset_info) +
			   MAX_AFFECTED *
			   sizeof(struct vfio_pci_dependent_device)];
	} info;
	unsigned int i, nr_foreign = 0;

	check_call(vfio_hot_reset_info(fd, &info.head, MAX_AFFECTED),
		   "VFIO_DEVICE_GET_PCI_HOT_RESET_INFO");
	for (i = 0; i < info.head.count; i++)
		nr_foreign += info.head.devices[i].devid ==
			   (__u32)VFIO_PCI_DEVID_NOT_OWNED;
	check(!nr_foreign == !!(info.head.flags &
			    VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED),
	      "DEV_ID_OWNED flag does not match the list of devices");
	return nr_foreign;
}

static void show_bus_reset(char **addresses, unsigned int nr)
{
	struct pci_address neighbor;
	const char *address;
	int iommufd, fd;
	__u32 id;

	step_begin("bind a device while a kernel driver uses its group");
	address = find_device_with_neighbor(addresses, nr, &neighbor);
	if (!address) {
		step_skipped("needs a group with a device that is not listed");
		return;
	}
	iommufd = check_call(iommu_open(), "/dev/iommu");
	fd = check_call(vfio_open(address), "open");
	check(vfio_bind(fd, iommufd, &id) == -EPERM,
	      "bind did not fail with EPERM");
	step_ok("%s, which shares a group with %s: rejected", address,
		neighbor.text);

	step_begin("reset the bus while another device is not owned");
	check_call(pci_unbind_driver(neighbor.text), neighbor.text);
	check_call(vfio_bind(fd, iommufd, &id), "VFIO_DEVICE_BIND_IOMMUFD");
	check(count_foreign_devices(fd) == 1,
	      "the device without a driver is reported as owned");
	check(vfio_hot_reset(fd) == -EINVAL,
	      "the reset did not fail with EINVAL");
	step_ok("rejected");

	step_begin("reset the bus when all devices on it are owned");
	check_call(pci_bind_vfio(neighbor.text), neighbor.text);
	check(!count_foreign_devices(fd), "a device is reported as not owned");
	check_call(vfio_hot_reset(fd), "VFIO_DEVICE_PCI_HOT_RESET");
	step_ok("%s and %s are reset", address, neighbor.text);

	close(fd);
	close(iommufd);
	check_call(pci_unbind_driver(neighbor.text), neighbor.text);
	check_call(pci_probe(neighbor.text), neighbor.text);
}

void show_refusals(char **addresses, unsigned int nr)
{
	show_token();
	show_bus_reset(addresses, nr);
}
