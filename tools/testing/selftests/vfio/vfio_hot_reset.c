// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test VFIO_DEVICE_PCI_HOT_RESET, and VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, which
 * reports the devices that a reset affects.
 *
 * Through a device node, a reset is allowed if the iommufd that the device is
 * bound to owns all affected devices. An iommufd owns the devices that are
 * bound to it, and the other devices of their groups that have a vfio driver.
 * Through a group, a reset is allowed if the caller passes the files of all
 * affected groups.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"
#include "pci_testbed.h"

#define FLAG_DEVID	((__u32)VFIO_PCI_HOT_RESET_FLAG_DEV_ID)
#define FLAG_OWNED	((__u32)VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED)
#define NOT_OWNED	((__u32)VFIO_PCI_DEVID_NOT_OWNED)
#define MAX_DEVICES		4

static void __attribute__((constructor)) needs_reset_bus(void)
{
	struct reset_bus bus;

	if (!reset_bus_find(&bus))
		return;
	ksft_exit_skip("needs an edu and a virtio-rng on a bus below a bridge\n");
}

/* Argument of GET_PCI_HOT_RESET_INFO, with space for MAX_DEVICES results */
union reset_info {
	struct vfio_pci_hot_reset_info head;
	char space[sizeof(struct vfio_pci_hot_reset_info) +
		   MAX_DEVICES * sizeof(struct vfio_pci_dependent_device)];
};

/* Argument of the reset, with space for group files */
union reset_call {
	struct vfio_pci_hot_reset head;
	char space[sizeof(struct vfio_pci_hot_reset) + 2 * sizeof(__s32)];
};

FIXTURE(reset)
{
	struct reset_bus bus;
	struct testbed bed;
	struct device edu;
	int sibling;
};

FIXTURE_SETUP(reset)
{
	self->edu.fd = -1;
	self->sibling = -1;
	ASSERT_EQ(0, reset_bus_find(&self->bus));
	ASSERT_EQ(0, pci_bind_vfio(self->bus.edu.text));
	ASSERT_EQ(0, pci_unbind_driver(self->bus.sibling.text));
	ASSERT_EQ(0, testbed_open(&self->bed));
	ASSERT_EQ(0, device_open(&self->edu, self->bus.edu.text,
				 self->bed.iommufd));
}

FIXTURE_TEARDOWN(reset)
{
	close(self->sibling);
	device_close(&self->edu);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, reset_bus_sibling_to_virtio(&self->bus));
}

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/*
 * Find the ID that GET_PCI_HOT_RESET_INFO reports for a device. Return -ENOENT
 * if the device is not listed.
 */
static int find_id(const struct vfio_pci_hot_reset_info *info,
		   const struct pci_address *address, __u32 *id)
{
	unsigned int segment, bus, slot, function, i;

	if (sscanf(address->text, "%x:%x:%x.%x", &segment, &bus, &slot,
		   &function) != 4)
		return -EINVAL;
	for (i = 0; i < info->count; i++) {
		if (info->devices[i].segment != segment ||
		    info->devices[i].bus != bus ||
		    info->devices[i].devfn != (slot << 3 | function))
			continue;
		*id = info->devices[i].devid;
		return 0;
	}
	return -ENOENT;
}

TEST_F(reset, root_bus_ENODEV)
{
	union reset_info info;

	EXPECT_EQ(-ENODEV, vfio_hot_reset_info(self->bed.device.fd, &info.head,
					       MAX_DEVICES));
	EXPECT_EQ(-ENODEV, vfio_hot_reset(self->bed.device.fd));
}

TEST_F(reset, sibling_without_vfio_driver_EINVAL)
{
	union reset_info info;
	__u32 id;

	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head,
					 MAX_DEVICES));
	EXPECT_EQ(FLAG_DEVID, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.edu, &id));
	EXPECT_EQ(self->edu.id, id);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ(NOT_OWNED, id);
	EXPECT_EQ(-EINVAL, vfio_hot_reset(self->edu.fd));
}

TEST_F(reset, unopened_sibling_is_owned)
{
	union reset_info info;
	__u32 id;

	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head,
					 MAX_DEVICES));
	EXPECT_EQ(FLAG_DEVID | FLAG_OWNED, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)VFIO_PCI_DEVID_OWNED, id);

	/* An open file that is not bound does not change the ownership. */
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head,
					 MAX_DEVICES));
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)VFIO_PCI_DEVID_OWNED, id);
	EXPECT_EQ(0, vfio_hot_reset(self->edu.fd));
}

TEST_F(reset, resets_both_devices)
{
	union reset_info info;
	__u32 id, sibling_id;

	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0, vfio_bind(self->sibling, self->bed.iommufd, &sibling_id));
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head,
					 MAX_DEVICES));
	EXPECT_EQ(FLAG_DEVID | FLAG_OWNED, info.head.flags);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.edu, &id));
	EXPECT_EQ(self->edu.id, id);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ(sibling_id, id);

	/* Only the sibling has state that shows a reset. */
	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	ASSERT_EQ(1, sibling_get_state(self->sibling));
	ASSERT_EQ(0, vfio_hot_reset(self->edu.fd));
	EXPECT_EQ(0, sibling_get_state(self->sibling));

	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	ASSERT_EQ(0, vfio_hot_reset(self->sibling));
	EXPECT_EQ(0, sibling_get_state(self->sibling));
}

TEST_F(reset, failed_reset_keeps_state)
{
	union reset_call reset = { .head = { .argsz = sizeof(reset) } };

	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0,
		  vfio_bind(self->sibling, self->bed.iommufd, &(__u32){ 0 }));
	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	reset.head.count = 1;
	reset.head.group_fds[0] = self->bed.iommufd;
	EXPECT_EQ(-EINVAL, call(self->edu.fd, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	reset.head.group_fds[0] = self->edu.fd;
	EXPECT_EQ(-EINVAL, call(self->edu.fd, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	reset.head.count = 0;
	reset.head.flags = 1;
	EXPECT_EQ(-EINVAL, call(self->edu.fd, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	reset.head.flags = 0;
	reset.head.argsz = sizeof(reset.head) - 1;
	EXPECT_EQ(-EINVAL, call(self->edu.fd, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	EXPECT_EQ(-EFAULT, call(self->edu.fd, VFIO_DEVICE_PCI_HOT_RESET, NULL));
	EXPECT_EQ(1, sibling_get_state(self->sibling));
}

TEST_F(reset, mappings_survive_reset)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &self->edu));
	ASSERT_EQ(1,
		  device_reaches(bed, &self->edu, TESTBED_IOVA, bed->memory));
	ASSERT_EQ(0, vfio_hot_reset(self->edu.fd));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(bed));
	EXPECT_EQ(1,
		  device_reaches(bed, &self->edu, TESTBED_IOVA, bed->memory));
}

TEST_F(reset, query_short_buffer_ENOSPC)
{
	union reset_info info;

	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	memset(&info, 0x5a, sizeof(info));
	EXPECT_EQ(-ENOSPC, vfio_hot_reset_info(self->edu.fd, &info.head, 0));
	EXPECT_EQ(2u, info.head.count);
	EXPECT_EQ(FLAG_DEVID | FLAG_OWNED, info.head.flags);
	memset(&info, 0x5a, sizeof(info));
	EXPECT_EQ(-ENOSPC, vfio_hot_reset_info(self->edu.fd, &info.head, 1));
	EXPECT_EQ(2u, info.head.count);
	EXPECT_EQ(0x5a5a5a5au, info.head.devices[0].devid);
	EXPECT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head, 2));
	EXPECT_EQ(0x5a5a5a5au, info.head.devices[2].devid);
}

TEST_F(reset, query_arguments)
{
	union reset_info info = {
		.head = { .argsz = sizeof(info.head) - 1 },
	};
	char *memory;

	EXPECT_EQ(-EINVAL, call(self->edu.fd,
				VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &info));
	EXPECT_EQ(-EFAULT, call(self->edu.fd,
				VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, NULL));

	/* The accessible part of the buffer is shorter than argsz. */
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	ASSERT_EQ(0, munmap(memory + PAGE, PAGE));
	EXPECT_EQ(-EFAULT, vfio_hot_reset_info(self->edu.fd,
					       (void *)(memory + PAGE -
							sizeof(info.head)),
					       MAX_DEVICES));
	/* A huge argsz must not make the kernel allocate that much memory. */
	info.head.argsz = ~0u;
	EXPECT_EQ(0, call(self->edu.fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
			  &info));
	EXPECT_EQ(2u, info.head.count);
}

TEST_F(reset, reset_through_group)
{
	union reset_call reset = { .head = { .argsz = sizeof(reset) } };
	int group = pci_group(self->bus.edu.text);
	union reset_info info;
	struct legacy legacy;
	__u32 id;

	device_close(&self->edu);
	ASSERT_EQ(0, pci_bind_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, legacy_open(&legacy, self->bus.edu.text));
	ASSERT_EQ(0, vfio_hot_reset_info(legacy.device, &info.head,
					 MAX_DEVICES));
	EXPECT_EQ(0u, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)group, id);

	/*
	 * A reset fails if the caller passes no group file, or a device file
	 * instead of the group file.
	 */
	EXPECT_EQ(-EINVAL, vfio_hot_reset(legacy.device));
	reset.head.count = 1;
	reset.head.group_fds[0] = self->bed.device.fd;
	EXPECT_EQ(-EINVAL, call(legacy.device, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	reset.head.group_fds[0] = legacy.group;
	EXPECT_EQ(0, call(legacy.device, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	legacy_close(&legacy);
}

TEST_HARNESS_MAIN
