// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reset of a bus by one who has devices of it.
 *
 * Rule: by a device node, it is allowed if the caller's /dev/iommu owns all
 * devices of the bus; those that are not open count with their group. By a
 * group it is allowed if the files of all groups are shown, as ever.
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
#include "rig.h"
#include "pci_rig.h"

#define FLAG_DEVID	((__u32)VFIO_PCI_HOT_RESET_FLAG_DEV_ID)
#define FLAG_OWNED	((__u32)VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED)
#define NOT_OWNED	((__u32)VFIO_PCI_DEVID_NOT_OWNED)
#define ROOM		4

static void __attribute__((constructor)) needs_reset_bus(void)
{
	struct reset_bus bus;

	if (!reset_bus_find(&bus))
		return;
	ksft_exit_skip("needs an edu and a sibling below a bridge\n");
}

/* The argument of the query, with room at its end. */
union reset_info {
	struct vfio_pci_hot_reset_info head;
	char space[sizeof(struct vfio_pci_hot_reset_info) +
		   ROOM * sizeof(struct vfio_pci_dependent_device)];
};

/* The argument of the reset, with one file. */
union reset_call {
	struct vfio_pci_hot_reset head;
	char space[sizeof(struct vfio_pci_hot_reset) + 2 * sizeof(__s32)];
};

FIXTURE(reset)
{
	struct reset_bus bus;
	struct rig rig;
	struct device edu;
	int sibling;
};

FIXTURE_SETUP(reset)
{
	self->edu.fd = -1;
	self->sibling = -1;
	ASSERT_EQ(0, reset_bus_find(&self->bus));
	ASSERT_EQ(0, pci_give_to_vfio(self->bus.edu.text));
	ASSERT_EQ(0, pci_take_from_driver(self->bus.sibling.text));
	ASSERT_EQ(0, rig_open(&self->rig));
	ASSERT_EQ(0, device_open(&self->edu, self->bus.edu.text,
				 self->rig.iommufd));
}

FIXTURE_TEARDOWN(reset)
{
	close(self->sibling);
	device_close(&self->edu);
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, reset_bus_sibling_to_virtio(&self->bus));
}

static int call(int fd, unsigned long request, void *argument)
{
	return ioctl(fd, request, argument) < 0 ? -errno : 0;
}

/* What the query says of a function; the test fails if it says nothing. */
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

TEST_F(reset, on_the_root_bus_ENODEV)
{
	union reset_info info;

	EXPECT_EQ(-ENODEV, vfio_hot_reset_info(self->rig.device.fd, &info.head,
					       ROOM));
	EXPECT_EQ(-ENODEV, vfio_hot_reset(self->rig.device.fd));
}

TEST_F(reset, sibling_without_vfio_driver_EINVAL)
{
	union reset_info info;
	__u32 id;

	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head, ROOM));
	EXPECT_EQ(FLAG_DEVID, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.edu, &id));
	EXPECT_EQ(self->edu.id, id);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ(NOT_OWNED, id);
	EXPECT_EQ(-EINVAL, vfio_hot_reset(self->edu.fd));
}

TEST_F(reset, sibling_that_is_not_open_is_owned)
{
	union reset_info info;
	__u32 id;

	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head, ROOM));
	EXPECT_EQ(FLAG_DEVID | FLAG_OWNED, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)VFIO_PCI_DEVID_OWNED, id);

	/* Open is not bound. */
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head, ROOM));
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)VFIO_PCI_DEVID_OWNED, id);
	EXPECT_EQ(0, vfio_hot_reset(self->edu.fd));
}

TEST_F(reset, resets_both_devices)
{
	union reset_info info;
	__u32 id, sibling_id;

	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0, vfio_bind(self->sibling, self->rig.iommufd, &sibling_id));
	ASSERT_EQ(0, vfio_hot_reset_info(self->edu.fd, &info.head, ROOM));
	EXPECT_EQ(FLAG_DEVID | FLAG_OWNED, info.head.flags);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.edu, &id));
	EXPECT_EQ(self->edu.id, id);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ(sibling_id, id);

	/* The edu has no state that a reset changes; the sibling has. */
	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	ASSERT_EQ(1, sibling_get_state(self->sibling));
	ASSERT_EQ(0, vfio_hot_reset(self->edu.fd));
	EXPECT_EQ(0, sibling_get_state(self->sibling));

	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	ASSERT_EQ(0, vfio_hot_reset(self->sibling));
	EXPECT_EQ(0, sibling_get_state(self->sibling));
}

TEST_F(reset, refused_one_resets_nothing)
{
	union reset_call reset = { .head = { .argsz = sizeof(reset) } };

	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
	self->sibling = vfio_open(self->bus.sibling.text);
	ASSERT_LE(0, self->sibling);
	ASSERT_EQ(0, vfio_bind(self->sibling, self->rig.iommufd,
			       &(__u32){ 0 }));
	ASSERT_EQ(0, sibling_set_state(self->sibling, 1));
	reset.head.count = 1;
	reset.head.group_fds[0] = self->rig.iommufd;
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

TEST_F(reset, mappings_outlive_it)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &self->edu));
	ASSERT_EQ(1, device_reaches(rig, &self->edu, RIG_IOVA, rig->memory));
	ASSERT_EQ(0, vfio_hot_reset(self->edu.fd));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(rig));
	EXPECT_EQ(1, device_reaches(rig, &self->edu, RIG_IOVA, rig->memory));
}

TEST_F(reset, query_without_room_ENOSPC)
{
	union reset_info info;

	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
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

	/* Room that is promised and not there. */
	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)memory);
	ASSERT_EQ(0, munmap(memory + PAGE, PAGE));
	EXPECT_EQ(-EFAULT, vfio_hot_reset_info(self->edu.fd,
					       (void *)(memory + PAGE -
							sizeof(info.head)),
					       ROOM));
	/* All the room that can be promised is not allocated. */
	info.head.argsz = ~0u;
	EXPECT_EQ(0, call(self->edu.fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
			  &info));
	EXPECT_EQ(2u, info.head.count);
}

TEST_F(reset, by_the_group_as_ever)
{
	union reset_call reset = { .head = { .argsz = sizeof(reset) } };
	int group = pci_group(self->bus.edu.text);
	union reset_info info;
	struct legacy legacy;
	__u32 id;

	device_close(&self->edu);
	ASSERT_EQ(0, pci_give_to_vfio(self->bus.sibling.text));
	ASSERT_EQ(0, legacy_open(&legacy, self->bus.edu.text));
	ASSERT_EQ(0, vfio_hot_reset_info(legacy.device, &info.head, ROOM));
	EXPECT_EQ(0u, info.head.flags);
	ASSERT_EQ(2u, info.head.count);
	ASSERT_EQ(0, find_id(&info.head, &self->bus.sibling, &id));
	EXPECT_EQ((__u32)group, id);

	/* Without a file, and with a node's in place of a group's. */
	EXPECT_EQ(-EINVAL, vfio_hot_reset(legacy.device));
	reset.head.count = 1;
	reset.head.group_fds[0] = self->rig.device.fd;
	EXPECT_EQ(-EINVAL, call(legacy.device, VFIO_DEVICE_PCI_HOT_RESET,
				&reset));
	reset.head.group_fds[0] = legacy.group;
	EXPECT_EQ(0, call(legacy.device, VFIO_DEVICE_PCI_HOT_RESET, &reset));
	legacy_close(&legacy);
}

TEST_HARNESS_MAIN
