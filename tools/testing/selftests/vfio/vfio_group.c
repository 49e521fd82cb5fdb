// SPDX-License-Identifier: GPL-2.0-only
/*
 * The two ways to a device, by its group and by its own node, and whom a group
 * may belong to.
 *
 * Rule: a group in use one way cannot be used the other way, and all devices
 * of a group belong to one /dev/iommu or to none. Opening a node is not use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "rig.h"

NEEDS_EDU

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
	ASSERT_LE(1u, self->machine.nr_lone);
	self->address = self->machine.lone[0].text;
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

TEST_F(group, opens_while_a_node_is_open_and_not_bound)
{
	int group = legacy_open_group(self->number);

	EXPECT_LE(0, group);
	close(group);
}

TEST_F(group, open_refuses_bind_EBUSY)
{
	int group = legacy_open_group(self->number);

	ASSERT_LE(0, group);
	EXPECT_EQ(-EBUSY, bind_to(self->fd, self->iommufd));
	close(group);
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(group, bound_device_refuses_open_EBUSY)
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

TEST_F(group, failed_bind_excludes_nobody)
{
	int group;

	EXPECT_EQ(-EBADF, bind_to(self->fd, 1000));
	group = legacy_open_group(self->number);
	EXPECT_LE(0, group);
	close(group);
}

TEST_F(group, device_file_of_a_group_refuses_bind_EINVAL)
{
	struct legacy legacy;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EINVAL, bind_to(legacy.device, self->iommufd));
	EXPECT_EQ(-EBUSY, bind_to(self->fd, self->iommufd));
	legacy_close(&legacy);
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(group, device_file_of_a_group_refuses_attach)
{
	struct legacy legacy;
	__u32 pt_id = 1;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_GT(0, vfio_attach(legacy.device, &pt_id));
	EXPECT_GT(0, vfio_detach(legacy.device));
	legacy_close(&legacy);
}

TEST_F(group, other_groups_are_not_concerned)
{
	struct legacy legacy;

	if (self->machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(0, legacy_open(&legacy, self->machine.lone[1].text));
	legacy_close(&legacy);
}

TEST_F(group, one_bound_device_refuses_the_open_of_all)
{
	const struct pci_address *pair = self->machine.pair;
	int number, first, second;

	if (!self->machine.has_pair)
		SKIP(return, "needs two edu devices of one group");
	number = pci_group(pair[0].text);
	first = vfio_open(pair[0].text);
	second = vfio_open(pair[1].text);
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

TEST_F(group, devices_of_one_group_in_one_iommufd)
{
	const struct pci_address *pair = self->machine.pair;
	int first, second, other;

	if (!self->machine.has_pair)
		SKIP(return, "needs two edu devices of one group");
	other = iommu_open();
	first = vfio_open(pair[0].text);
	second = vfio_open(pair[1].text);
	ASSERT_LE(0, other);
	ASSERT_LE(0, first);
	ASSERT_LE(0, second);
	ASSERT_EQ(0, bind_to(first, self->iommufd));
	EXPECT_EQ(-EPERM, bind_to(second, other));
	EXPECT_EQ(0, bind_to(second, self->iommufd));

	/* With one of them left the group is still that iommufd's. */
	close(first);
	first = vfio_open(pair[0].text);
	ASSERT_LE(0, first);
	EXPECT_EQ(-EPERM, bind_to(first, other));
	close(second);
	EXPECT_EQ(0, bind_to(first, other));
	close(first);
	close(other);
}

TEST_HARNESS_MAIN
