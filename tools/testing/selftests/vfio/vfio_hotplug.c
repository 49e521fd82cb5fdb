// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that come to a group, and leave it, while it is in use.
 *
 * Rule: a device that joins a group that belongs to a /dev/iommu reaches what
 * the group's devices are attached to, or nothing, before anybody binds it; it
 * can then be bound where the others are. A device that left is gone for those
 * who have its file open and did not bind it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "rig.h"
#include "pci_rig.h"

#define NOT_MAPPED	0x50000000ull

EXPECTS_DMA_FAULTS

static void __attribute__((constructor)) needs_pair(void)
{
	struct machine machine;

	if (!machine_find(&machine) && machine.has_pair)
		return;
	ksft_exit_skip("needs two QEMU edu devices of one group\n");
}

FIXTURE(hotplug)
{
	struct rig rig;
	const char *stays, *leaves;
	struct device device;		/* the one that stays */
	struct edu raw;			/* the one that comes, without vfio */
	int second;			/* its file */
};

FIXTURE_SETUP(hotplug)
{
	self->device.fd = -1;
	self->second = -1;
	self->raw = (struct edu){ .fd = -1 };
	ASSERT_EQ(0, rig_open(&self->rig));
	self->stays = self->rig.machine.pair[0].text;
	self->leaves = self->rig.machine.pair[1].text;
	ASSERT_EQ(0, device_open(&self->device, self->stays,
				 self->rig.iommufd));
}

static int rescan(void)
{
	return pci_write("..", "rescan", "1");
}

FIXTURE_TEARDOWN(hotplug)
{
	raw_stop(&self->raw);
	close(self->second);
	device_close(&self->device);
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
	EXPECT_EQ(0, rescan());
}

/* Takes the device out and puts it back, and begins to drive it without vfio. */
static int comes_back(struct edu *raw, const char *address)
{
	int group = pci_group(address), err;

	if (group < 0)
		return group;
	err = pci_write(address, "remove", "1");
	if (err)
		return err;
	if (pci_group(address) >= 0)
		return -EBUSY;
	err = rescan();
	if (err)
		return err;
	if (pci_group(address) != group)
		return -EXDEV;
	return raw_start(raw, address);
}

/* As device_reaches(), of the newcomer. */
static int newcomer_reaches(struct rig *rig, struct edu *raw, __u64 iova,
			    char *memory)
{
	struct device device = { .fd = -1, .edu = *raw };

	return device_reaches(rig, &device, iova, memory);
}

static int newcomer_is_blocked(struct rig *rig, struct edu *raw, __u64 iova,
			       char *memory)
{
	struct device device = { .fd = -1, .edu = *raw };

	return device_is_blocked(rig, &device, iova, memory);
}

/* For when there is no bounce: does what it writes leave the memory alone? */
static int newcomer_writes_nothing(struct rig *rig, struct edu *raw,
				   __u64 iova)
{
	int err;

	pattern_fill(rig->memory, RIG_LENGTH, 77);
	err = edu_store(raw, iova, 0, TRANSFER);
	return err ? err : pattern_is(rig->memory, RIG_LENGTH, 77);
}

TEST_F(hotplug, newcomer_to_an_attached_group)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &self->device));
	ASSERT_EQ(0, comes_back(&self->raw, self->leaves));
	EXPECT_EQ(1, newcomer_reaches(rig, &self->raw, RIG_IOVA, rig->memory));
	EXPECT_EQ(1, newcomer_is_blocked(rig, &self->raw, NOT_MAPPED,
					 rig->memory));
	EXPECT_EQ(1, device_reaches(rig, &self->device, RIG_IOVA, rig->memory));

	/* It goes the way of the group. */
	ASSERT_EQ(0, vfio_detach(self->device.fd));
	EXPECT_EQ(1, newcomer_writes_nothing(rig, &self->raw, RIG_IOVA));
	ASSERT_EQ(0, rig_attach(rig, &self->device));
	EXPECT_EQ(1, newcomer_reaches(rig, &self->raw, RIG_IOVA, rig->memory));
	device_close(&self->device);
	EXPECT_EQ(1, newcomer_writes_nothing(rig, &self->raw, RIG_IOVA));
}

TEST_F(hotplug, newcomer_to_a_bound_group_is_blocked)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, comes_back(&self->raw, self->leaves));
	EXPECT_EQ(1, newcomer_writes_nothing(rig, &self->raw, RIG_IOVA));

	/* Also a mapping of the same address that another group reaches. */
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	EXPECT_EQ(1, newcomer_writes_nothing(rig, &self->raw, RIG_IOVA));
	EXPECT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
}

TEST_F(hotplug, newcomer_is_bound_where_the_others_are)
{
	struct rig *rig = &self->rig;
	int other = iommu_open();
	struct device second;
	__u32 elsewhere, id;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &self->device));
	ASSERT_EQ(0, comes_back(&self->raw, self->leaves));
	raw_stop(&self->raw);
	ASSERT_EQ(0, pci_give_to_vfio(self->leaves));
	self->second = vfio_open(self->leaves);
	ASSERT_LE(0, self->second);
	EXPECT_EQ(-EPERM, vfio_bind(self->second, other, &id));
	close(other);
	close(self->second);
	self->second = -1;

	ASSERT_EQ(0, device_open(&second, self->leaves, rig->iommufd));
	ASSERT_EQ(0, ioas_alloc(rig->iommufd, &elsewhere));
	EXPECT_EQ(-EINVAL, vfio_attach(second.fd, &elsewhere));
	ASSERT_EQ(0, rig_attach(rig, &second));
	EXPECT_EQ(1, device_reaches(rig, &second, RIG_IOVA, rig->memory));

	/* The first one leaves; the group stays with the second. */
	device_close(&self->device);
	EXPECT_EQ(1, device_reaches(rig, &second, RIG_IOVA, rig->memory));
	EXPECT_EQ(RIG_PAGES + 1, rig_pinned(rig));
	device_close(&second);
}

TEST_F(hotplug, second_device_is_bound_late)
{
	struct rig *rig = &self->rig;
	struct device second;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &self->device));
	ASSERT_EQ(1, device_reaches(rig, &self->device, RIG_IOVA, rig->memory));

	/* Bound and not attached, its group is attached all the same. */
	ASSERT_EQ(0, device_open(&second, self->leaves, rig->iommufd));
	EXPECT_EQ(1, device_reaches(rig, &second, RIG_IOVA, rig->memory));
	ASSERT_EQ(0, rig_attach(rig, &second));
	ASSERT_EQ(0, vfio_detach(self->device.fd));
	EXPECT_EQ(1, device_reaches(rig, &self->device, RIG_IOVA, rig->memory));
	ASSERT_EQ(0, vfio_detach(second.fd));
	EXPECT_EQ(0, rig_pinned(rig));
	pattern_fill(rig->memory, TRANSFER, 78);
	ASSERT_EQ(0, edu_store(&second.edu, RIG_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&self->device.edu, RIG_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(rig->memory, TRANSFER, 78));
	device_close(&second);
}

TEST_F(hotplug, inert_file_of_what_left_ENODEV)
{
	__u32 id;

	self->second = vfio_open(self->leaves);
	ASSERT_LE(0, self->second);
	/* It keeps nobody waiting. */
	ASSERT_EQ(0, pci_write(self->leaves, "remove", "1"));
	EXPECT_EQ(-ENODEV, vfio_bind(self->second, self->rig.iommufd, &id));
	id = self->rig.ioas;
	EXPECT_EQ(-ENODEV, vfio_attach(self->second, &id));
	EXPECT_EQ(-ENODEV, vfio_detach(self->second));

	/* What comes is another device, with a file of its own. */
	ASSERT_EQ(0, rescan());
	ASSERT_EQ(0, pci_give_to_vfio(self->leaves));
	EXPECT_EQ(-ENODEV, vfio_bind(self->second, self->rig.iommufd, &id));
	close(self->second);
	self->second = vfio_open(self->leaves);
	ASSERT_LE(0, self->second);
	EXPECT_EQ(0, vfio_bind(self->second, self->rig.iommufd, &id));
}

TEST_F(hotplug, newcomer_is_not_a_way_around_the_exclusion)
{
	int number = pci_group(self->leaves);

	ASSERT_EQ(0, comes_back(&self->raw, self->leaves));
	ASSERT_EQ(0, pci_give_to_vfio(self->leaves));
	EXPECT_EQ(-EBUSY, legacy_open_group(number));
	device_close(&self->device);
	self->second = legacy_open_group(number);
	EXPECT_LE(0, self->second);
}

TEST_HARNESS_MAIN
