// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test hotplug of a device in a group that is in use.
 *
 * A device that is added to a group owned by an iommufd reaches only the
 * address space that the group is attached to, or nothing if the group is not
 * attached. This holds even before vfio-pci binds to the device. The device can
 * be bound only to that iommufd. After a device is removed, ioctls on a file of
 * the device that was open but not bound return -ENODEV.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"
#include "pci_testbed.h"

#define NOT_MAPPED	0x50000000ull

EXPECTS_DMA_FAULTS

static void __attribute__((constructor)) needs_siblings(void)
{
	struct machine machine;

	if (!machine_find(&machine) && machine.has_siblings)
		return;
	ksft_exit_skip("needs two QEMU edu devices of one group\n");
}

FIXTURE(hotplug)
{
	struct testbed bed;
	const char *kept, *replugged;	/* Addresses */
	struct device device;		/* The sibling that is kept */
	struct edu raw;			/* The replugged device without vfio */
	int second;			/* File of the replugged device */
};

FIXTURE_SETUP(hotplug)
{
	self->device.fd = -1;
	self->second = -1;
	self->raw = (struct edu){ .fd = -1 };
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->kept = self->bed.machine.siblings[0].text;
	self->replugged = self->bed.machine.siblings[1].text;
	ASSERT_EQ(0,
		  device_open(&self->device, self->kept, self->bed.iommufd));
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
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
	EXPECT_EQ(0, rescan());
}

/*
 * Remove the device, rescan the bus to add it again, and open it as a raw
 * device. Return -ENODEV if the device does not join its group before a driver
 * probes it, as on Arm.
 */
static int replug_raw(struct edu *raw, const char *address)
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
	if (pci_group(address) == -ENOENT)
		return -ENODEV;
	if (pci_group(address) != group)
		return -EXDEV;
	return raw_start(raw, address);
}

/* device_reaches() for a raw device */
static int raw_reaches(struct testbed *bed, struct edu *raw, __u64 iova,
		       char *memory)
{
	struct device device = { .fd = -1, .edu = *raw };

	return device_reaches(bed, &device, iova, memory);
}

/* device_is_blocked() for a raw device */
static int raw_is_blocked(struct testbed *bed, struct edu *raw, __u64 iova,
			  char *memory)
{
	struct device device = { .fd = -1, .edu = *raw };

	return device_is_blocked(bed, &device, iova, memory);
}

/*
 * Return 1 if a write by the device does not reach the memory, 0 if it does, or
 * -errno. Unlike raw_is_blocked(), this works while the bounce page is not
 * mapped.
 */
static int raw_write_is_blocked(struct testbed *bed, struct edu *raw,
				__u64 iova)
{
	int err;

	pattern_fill(bed->memory, TESTBED_LENGTH, 77);
	err = edu_store(raw, iova, 0, TRANSFER);
	return err ? err : pattern_is(bed->memory, TESTBED_LENGTH, 77);
}

TEST_F(hotplug, add_to_attached_group)
{
	struct testbed *bed = &self->bed;
	int err;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &self->device));
	err = replug_raw(&self->raw, self->replugged);
	if (err == -ENODEV)
		SKIP(return, "the added device joins no group");
	ASSERT_EQ(0, err);
	EXPECT_EQ(1, raw_reaches(bed, &self->raw, TESTBED_IOVA, bed->memory));
	EXPECT_EQ(1, raw_is_blocked(bed, &self->raw, NOT_MAPPED, bed->memory));
	EXPECT_EQ(1, device_reaches(bed, &self->device, TESTBED_IOVA,
				    bed->memory));

	/* The added device gains and loses access together with its group. */
	ASSERT_EQ(0, vfio_detach(self->device.fd));
	EXPECT_EQ(1, raw_write_is_blocked(bed, &self->raw, TESTBED_IOVA));
	ASSERT_EQ(0, testbed_attach(bed, &self->device));
	EXPECT_EQ(1, raw_reaches(bed, &self->raw, TESTBED_IOVA, bed->memory));
	device_close(&self->device);
	EXPECT_EQ(1, raw_write_is_blocked(bed, &self->raw, TESTBED_IOVA));
}

TEST_F(hotplug, add_to_bound_group)
{
	struct testbed *bed = &self->bed;
	int err;

	ASSERT_EQ(0, testbed_map(bed));
	err = replug_raw(&self->raw, self->replugged);
	if (err == -ENODEV)
		SKIP(return, "the added device joins no group");
	ASSERT_EQ(0, err);
	EXPECT_EQ(1, raw_write_is_blocked(bed, &self->raw, TESTBED_IOVA));

	/* Attaching another group does not give the device access. */
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	EXPECT_EQ(1, raw_write_is_blocked(bed, &self->raw, TESTBED_IOVA));
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
}

TEST_F(hotplug, bind_added_device)
{
	struct testbed *bed = &self->bed;
	int other = iommu_open(), err;
	struct device second;
	__u32 elsewhere, id;

	ASSERT_LE(0, other);
	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &self->device));
	err = replug_raw(&self->raw, self->replugged);
	if (err == -ENODEV)
		SKIP(return, "the added device joins no group");
	ASSERT_EQ(0, err);
	raw_stop(&self->raw);
	ASSERT_EQ(0, pci_bind_vfio(self->replugged));
	self->second = vfio_open(self->replugged);
	ASSERT_LE(0, self->second);
	EXPECT_EQ(-EPERM, vfio_bind(self->second, other, &id));
	close(other);
	close(self->second);
	self->second = -1;

	ASSERT_EQ(0, device_open(&second, self->replugged, bed->iommufd));
	ASSERT_EQ(0, ioas_alloc(bed->iommufd, &elsewhere));
	EXPECT_EQ(-EINVAL, vfio_attach(second.fd, &elsewhere));
	ASSERT_EQ(0, testbed_attach(bed, &second));
	EXPECT_EQ(1, device_reaches(bed, &second, TESTBED_IOVA, bed->memory));

	/* The group stays attached when the first device is closed. */
	device_close(&self->device);
	EXPECT_EQ(1, device_reaches(bed, &second, TESTBED_IOVA, bed->memory));
	EXPECT_EQ(TESTBED_PAGES + 1, testbed_pinned(bed));
	device_close(&second);
}

TEST_F(hotplug, bind_second_device_of_attached_group)
{
	struct testbed *bed = &self->bed;
	struct device second;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &self->device));
	ASSERT_EQ(1, device_reaches(bed, &self->device, TESTBED_IOVA,
				    bed->memory));

	/* The second device itself is not attached, but its group is. */
	ASSERT_EQ(0, device_open(&second, self->replugged, bed->iommufd));
	EXPECT_EQ(1, device_reaches(bed, &second, TESTBED_IOVA, bed->memory));
	ASSERT_EQ(0, testbed_attach(bed, &second));
	ASSERT_EQ(0, vfio_detach(self->device.fd));
	EXPECT_EQ(1, device_reaches(bed, &self->device, TESTBED_IOVA,
				    bed->memory));
	ASSERT_EQ(0, vfio_detach(second.fd));
	EXPECT_EQ(0, testbed_pinned(bed));
	pattern_fill(bed->memory, TRANSFER, 78);
	ASSERT_EQ(0, edu_store(&second.edu, TESTBED_IOVA, 0, TRANSFER));
	ASSERT_EQ(0, edu_store(&self->device.edu, TESTBED_IOVA, 0, TRANSFER));
	EXPECT_TRUE(pattern_is(bed->memory, TRANSFER, 78));
	device_close(&second);
}

TEST_F(hotplug, inert_file_of_removed_device_ENODEV)
{
	__u32 id;

	self->second = vfio_open(self->replugged);
	ASSERT_LE(0, self->second);
	/* An inert file does not delay the removal. */
	ASSERT_EQ(0, pci_write(self->replugged, "remove", "1"));
	EXPECT_EQ(-ENODEV, vfio_bind(self->second, self->bed.iommufd, &id));
	id = self->bed.ioas;
	EXPECT_EQ(-ENODEV, vfio_attach(self->second, &id));
	EXPECT_EQ(-ENODEV, vfio_detach(self->second));

	/* After the rescan, only newly opened files reach the device. */
	ASSERT_EQ(0, rescan());
	ASSERT_EQ(0, pci_bind_vfio(self->replugged));
	EXPECT_EQ(-ENODEV, vfio_bind(self->second, self->bed.iommufd, &id));
	close(self->second);
	self->second = vfio_open(self->replugged);
	ASSERT_LE(0, self->second);
	EXPECT_EQ(0, vfio_bind(self->second, self->bed.iommufd, &id));
}

TEST_F(hotplug, open_group_with_added_device_EBUSY)
{
	int number = pci_group(self->replugged), err;

	err = replug_raw(&self->raw, self->replugged);
	if (err == -ENODEV)
		SKIP(return, "the added device joins no group");
	ASSERT_EQ(0, err);
	ASSERT_EQ(0, pci_bind_vfio(self->replugged));
	EXPECT_EQ(-EBUSY, legacy_open_group(number));
	device_close(&self->device);
	self->second = legacy_open_group(number);
	EXPECT_LE(0, self->second);
}

TEST_HARNESS_MAIN
