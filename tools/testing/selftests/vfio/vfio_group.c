// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that the two interfaces to a device, its group and its character device,
 * exclude each other, and that a group belongs to one iommufd at a time.
 *
 * While a group is open, its devices cannot be bound. While one of the devices
 * is bound, the group cannot be opened. Opening the character device without
 * binding it prevents neither. All bound devices of a group must be bound to
 * the same iommufd.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"

NEEDS_EDU(1)

FIXTURE(group)
{
	struct machine machine;
	const char *address;
	int number;
	int iommufd;
	int fd;
};

FIXTURE_SETUP(group)
{
	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->address = self->machine.singleton[0].text;
	self->number = pci_group(self->address);
	ASSERT_LE(0, self->number);
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(group)
{
	close(self->fd);
	close(self->iommufd);
}

static int bind_to(int fd, int iommufd)
{
	__u32 id;

	return vfio_bind(fd, iommufd, &id);
}

TEST_F(group, open_with_unbound_node)
{
	int group = legacy_open_group(self->number);

	EXPECT_LE(0, group);
	close(group);
}

TEST_F(group, bind_with_open_group_EBUSY)
{
	int group = legacy_open_group(self->number);

	ASSERT_LE(0, group);
	EXPECT_EQ(-EBUSY, bind_to(self->fd, self->iommufd));
	close(group);
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(group, open_with_bound_device_EBUSY)
{
	int group;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(-EBUSY, legacy_open_group(self->number));
	close(self->fd);
	group = legacy_open_group(self->number);
	EXPECT_LE(0, group);
	close(group);
	self->fd = -1;
}

TEST_F(group, open_after_failed_bind)
{
	int group;

	EXPECT_EQ(-EBADF, bind_to(self->fd, 1000));
	group = legacy_open_group(self->number);
	EXPECT_LE(0, group);
	close(group);
}

TEST_F(group, bind_group_device_file_EINVAL)
{
	struct legacy legacy;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EINVAL, bind_to(legacy.device, self->iommufd));
	EXPECT_EQ(-EBUSY, bind_to(self->fd, self->iommufd));
	legacy_close(&legacy);
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(group, attach_group_device_file)
{
	struct legacy legacy;
	__u32 pt_id = 1;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_GT(0, vfio_attach(legacy.device, &pt_id));
	EXPECT_GT(0, vfio_detach(legacy.device));
	legacy_close(&legacy);
}

TEST_F(group, other_groups_unaffected)
{
	struct legacy legacy;

	if (self->machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(0, legacy_open(&legacy, self->machine.singleton[1].text));
	legacy_close(&legacy);
}

TEST_F(group, open_until_last_device_unbound)
{
	const struct pci_address *siblings = self->machine.siblings;
	int number, first, second;

	if (!self->machine.has_siblings)
		SKIP(return, "needs two edu devices of one group");
	number = pci_group(siblings[0].text);
	first = vfio_open(siblings[0].text);
	second = vfio_open(siblings[1].text);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, bind_to(first, self->iommufd));
	EXPECT_EQ(-EBUSY, legacy_open_group(number));
	ASSERT_EQ(0, bind_to(second, self->iommufd));
	close(first);
	EXPECT_EQ(-EBUSY, legacy_open_group(number));
	close(second);
	first = legacy_open_group(number);
	EXPECT_LE(0, first);
	close(first);
}

TEST_F(group, bind_to_second_iommufd_EPERM)
{
	const struct pci_address *siblings = self->machine.siblings;
	int first, second, other;

	if (!self->machine.has_siblings)
		SKIP(return, "needs two edu devices of one group");
	other = iommu_open();
	first = vfio_open(siblings[0].text);
	second = vfio_open(siblings[1].text);
	ASSERT_LE(0, other);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, bind_to(first, self->iommufd));
	EXPECT_EQ(-EPERM, bind_to(second, other));
	EXPECT_EQ(0, bind_to(second, self->iommufd));

	/* An iommufd owns a group as long as a device of the group is bound. */
	close(first);
	first = vfio_open(siblings[0].text);
	ASSERT_LE(0, first);
	EXPECT_EQ(-EPERM, bind_to(first, other));
	close(second);
	EXPECT_EQ(0, bind_to(first, other));
	close(first);
	close(other);
}

TEST_HARNESS_MAIN
