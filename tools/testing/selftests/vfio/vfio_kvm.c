// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of device nodes, given to KVM's vfio device.
 *
 * Rule: KVM takes a node's file, bound or not, as it takes a group's. It holds
 * the file until it is told otherwise or is closed itself; and a device that is
 * bound through a file that KVM had then holds the virtual machine until it is
 * closed. KVM is told of a device whose DMA cannot be forced to be coherent. A
 * call of KVM that waits for a group can be killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "legacy.h"
#include "mdev_rig.h"
#include "rig.h"
#include "stuck_file.h"
#include "text.h"

#define TRACING		"/sys/kernel/debug/tracing"
#define MACHINES	"/sys/kernel/debug/kvm"

#define FILE_PAGES	8
#define STUCK		5u	/* page of the file */

NEEDS_EDU
NEEDS_FUSE
NEEDS_MDEV_PIN

static void __attribute__((constructor)) needs_kvm(void)
{
	if (!access("/dev/kvm", R_OK | W_OK))
		return;
	ksft_exit_skip("needs /dev/kvm\n");
}

FIXTURE(kvm)
{
	struct machine machine;
	const char *address;
	int system, vm, tracker;	/* /dev/kvm, the machine, its vfio device */
	int iommufd, fd;
};

FIXTURE_SETUP(kvm)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };

	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_lone);
	self->address = self->machine.lone[0].text;
	self->system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->system);
	self->vm = ioctl(self->system, KVM_CREATE_VM, 0);
	ASSERT_LE(0, self->vm);
	ASSERT_EQ(0, ioctl(self->vm, KVM_CREATE_DEVICE, &create));
	self->tracker = (int)create.fd;
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(kvm)
{
	close(self->fd);
	close(self->iommufd);
	close(self->tracker);
	close(self->vm);
	close(self->system);
}

static int tell(int tracker, __u64 what, int fd)
{
	__s32 value = fd;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = what,
		.addr = (uintptr_t)&value,
	};

	return ioctl(tracker, KVM_SET_DEVICE_ATTR, &attr) ? -errno : 0;
}

static int add(int tracker, int fd)
{
	return tell(tracker, KVM_DEV_VFIO_FILE_ADD, fd);
}

static int del(int tracker, int fd)
{
	return tell(tracker, KVM_DEV_VFIO_FILE_DEL, fd);
}

static int bind_to(int fd, int iommufd)
{
	__u32 id;

	return vfio_bind(fd, iommufd, &id);
}

/* Whether the virtual machine is still there; its files may be closed. */
static bool machine_is_there(int vm)
{
	char name[NAME_MAX + 1];
	DIR *machines = opendir(MACHINES);
	struct dirent *entry;
	bool found = false;

	if (!machines)
		return false;
	snprintf(name, sizeof(name), "%d-%d", getpid(), vm);
	while ((entry = readdir(machines)))
		found |= !strcmp(entry->d_name, name);
	closedir(machines);
	return found;
}

/* It ends a moment after its last file is closed. */
static bool machine_ends(int vm)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (!machine_is_there(vm))
			return true;
		usleep(10 * 1000);
	}
	return false;
}

TEST_F(kvm, names_of_groups_and_files_are_one)
{
	EXPECT_EQ(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_FILE);
	EXPECT_EQ(KVM_DEV_VFIO_GROUP_ADD, KVM_DEV_VFIO_FILE_ADD);
	EXPECT_EQ(KVM_DEV_VFIO_GROUP_DEL, KVM_DEV_VFIO_FILE_DEL);
}

TEST_F(kvm, inert_file)
{
	EXPECT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(-EEXIST, add(self->tracker, self->fd));
	EXPECT_EQ(0, del(self->tracker, self->fd));
	EXPECT_EQ(-ENOENT, del(self->tracker, self->fd));
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(kvm, bound_file)
{
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(-EEXIST, add(self->tracker, self->fd));
	EXPECT_EQ(0, del(self->tracker, self->fd));
	EXPECT_EQ(-ENOENT, del(self->tracker, self->fd));
}

TEST_F(kvm, files_that_are_not_fit)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), closed = dup(null);

	ASSERT_LE(0, null);
	ASSERT_LE(0, closed);
	close(closed);
	EXPECT_EQ(-EBADF, add(self->tracker, closed));
	EXPECT_EQ(-EINVAL, add(self->tracker, null));
	EXPECT_EQ(-EINVAL, add(self->tracker, self->iommufd));
	EXPECT_EQ(-EINVAL, add(self->tracker, self->vm));
	close(null);
}

TEST_F(kvm, groups_as_ever)
{
	struct legacy legacy;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EINVAL, add(self->tracker, legacy.device));
	EXPECT_EQ(-EINVAL, add(self->tracker, legacy.container));
	EXPECT_EQ(0, add(self->tracker, legacy.group));
	EXPECT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(0, del(self->tracker, legacy.group));
	legacy_close(&legacy);
}

TEST_F(kvm, holds_the_file)
{
	int second;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, add(self->tracker, self->fd));
	close(self->fd);
	self->fd = -1;

	/* So the device is bound still. */
	second = vfio_open(self->address);
	ASSERT_LE(0, second);
	EXPECT_EQ(-EINVAL, bind_to(second, self->iommufd));
	close(self->tracker);
	self->tracker = -1;
	EXPECT_EQ(0, bind_to(second, self->iommufd));
	close(second);
}

TEST_F(kvm, bound_device_holds_the_machine)
{
	ASSERT_TRUE(machine_is_there(self->vm));
	ASSERT_EQ(0, add(self->tracker, self->fd));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_FALSE(machine_ends(self->vm));
	close(self->fd);
	EXPECT_TRUE(machine_ends(self->vm));
	self->fd = -1;
	self->vm = -1;
}

TEST_F(kvm, inert_file_holds_no_machine)
{
	ASSERT_EQ(0, add(self->tracker, self->fd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_TRUE(machine_ends(self->vm));
	self->vm = -1;
	/* And does not look for the one that is gone. */
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(kvm, told_after_bind_holds_no_machine)
{
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, add(self->tracker, self->fd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_TRUE(machine_ends(self->vm));
	self->vm = -1;
}

TEST_F(kvm, machine_of_another_file_is_not_held)
{
	int other = vfio_open(self->address);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, add(self->tracker, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_TRUE(machine_ends(self->vm));
	self->vm = -1;
	close(other);
}

/* Two programs have the node open, each with a machine of its own. */
TEST_F(kvm, each_file_has_its_own_machine)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int other = vfio_open(self->address);
	int vm = ioctl(self->system, KVM_CREATE_VM, 0);

	ASSERT_LE(0, other);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, ioctl(vm, KVM_CREATE_DEVICE, &create));
	ASSERT_EQ(0, add(self->tracker, self->fd));
	ASSERT_EQ(0, add((int)create.fd, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_FALSE(machine_ends(self->vm));
	close((int)create.fd);
	close(vm);
	EXPECT_TRUE(machine_ends(vm));
	close(self->fd);
	EXPECT_TRUE(machine_ends(self->vm));
	self->fd = -1;
	self->vm = -1;
	close(other);
}

/* What KVM takes back for one file leaves the other's machine alone. */
TEST_F(kvm, machine_outlasts_that_of_another_file)
{
	int other = vfio_open(self->address);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, add(self->tracker, self->fd));
	ASSERT_EQ(0, add(self->tracker, other));
	ASSERT_EQ(0, del(self->tracker, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_FALSE(machine_ends(self->vm));
	close(self->fd);
	EXPECT_TRUE(machine_ends(self->vm));
	self->fd = -1;
	self->vm = -1;
	close(other);
}

TEST_F(kvm, refused_bind_holds_no_machine)
{
	ASSERT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(-EBADF, bind_to(self->fd, 1000));
	close(self->tracker);
	close(self->vm);
	self->tracker = -1;
	EXPECT_TRUE(machine_ends(self->vm));
	self->vm = -1;
}

/* A probe counts how often KVM is told of it, as nothing else shows it. */
static int probe_on(const char *name, const char *function)
{
	char text[128];
	int err;

	snprintf(text, sizeof(text), "p:%s %s\n", name, function);
	err = text_write(TRACING "/kprobe_events", text);
	if (err)
		return err;
	snprintf(text, sizeof(text), TRACING "/events/kprobes/%s/enable", name);
	return text_write(text, "1");
}

static void probe_off(const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), TRACING "/events/kprobes/%s/enable", name);
	text_write(text, "0");
	snprintf(text, sizeof(text), "-:%s\n", name);
	text_write(TRACING "/kprobe_events", text);
}

static long probe_hits(const char *name)
{
	FILE *profile = fopen(TRACING "/kprobe_profile", "r");
	char found[64];
	long hits, result = -ENOENT;

	if (!profile)
		return -errno;
	while (fscanf(profile, "%63s %ld %*d", found, &hits) == 2)
		if (!strcmp(found, name))
			result = hits;
	fclose(profile);
	return result;
}

TEST_F(kvm, is_told_of_dma_that_is_not_coherent)
{
	struct iommu_device_get_info info;
	long expected;
	__u32 id;

	if (access(TRACING "/kprobe_events", W_OK))
		SKIP(return, "needs CONFIG_KPROBE_EVENTS");
	ASSERT_EQ(0, vfio_bind(self->fd, self->iommufd, &id));
	ASSERT_EQ(0, iommu_device_info(self->iommufd, id, &info));
	expected = !(info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP);

	ASSERT_EQ(0, probe_on("told", "kvm_arch_register_noncoherent_dma"));
	ASSERT_EQ(0, probe_on("untold", "kvm_arch_unregister_noncoherent_dma"));
	EXPECT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(expected, probe_hits("told"));
	EXPECT_EQ(0, probe_hits("untold"));
	EXPECT_EQ(0, del(self->tracker, self->fd));
	EXPECT_EQ(expected, probe_hits("untold"));
	/* Before bind it is told the same. */
	close(self->fd);
	self->fd = vfio_open(self->address);
	EXPECT_EQ(0, add(self->tracker, self->fd));
	EXPECT_EQ(2 * expected, probe_hits("told"));
	EXPECT_EQ(0, del(self->tracker, self->fd));
	probe_off("told");
	probe_off("untold");
}

/* KVM, and a group that attaches and waits for a page that is never read. */
struct waiting {
	int tracker;
	int group;
	struct front front;
};

static long set_container(void *data)
{
	const struct waiting *waiting = data;

	return ioctl(waiting->group, VFIO_GROUP_SET_CONTAINER,
		     &waiting->front.legacy.container) ? -errno : 0;
}

static long add_group(void *data)
{
	const struct waiting *waiting = data;

	return add(waiting->tracker, waiting->group);
}

static long del_group(void *data)
{
	const struct waiting *waiting = data;

	return del(waiting->tracker, waiting->group);
}

TEST_F(kvm, killed_waiter_for_a_group)
{
	struct waiting waiting = { .tracker = self->tracker };
	struct call attach, waiter;
	struct mediated mediated;
	struct stuck_file file;

	ASSERT_EQ(0, stuck_file_open(&file, FILE_PAGES, STUCK));
	ASSERT_EQ(0, mediated_create(&mediated, "mdev_pin", "notified"));
	ASSERT_EQ(0, front_open_mediated(&waiting.front, true, &mediated));
	ASSERT_EQ(0, front_map(&waiting.front, stuck_file_map(&file, false),
			       FILE_PAGES * PAGE, RIG_IOVA, true));
	waiting.group = legacy_open_group(pci_group(self->address));
	ASSERT_LE(0, waiting.group);
	ASSERT_EQ(0, call_start(&attach, set_container, &waiting));
	ASSERT_EQ(0, stuck_file_wait(&file));

	ASSERT_EQ(0, call_start(&waiter, add_group, &waiting));
	EXPECT_EQ(0, call_sleeps(&waiter));
	EXPECT_LE(0, call_kill(&waiter));
	EXPECT_EQ(0, call_prompt(del_group, &waiting));
	EXPECT_EQ(0, call_sleeps(&attach));

	/* A call that could not be killed gets an error now. */
	stuck_file_close(&file);
	EXPECT_LE(0, call_kill(&attach));
	EXPECT_LE(0, call_kill(&waiter));
	close(waiting.group);
	front_close(&waiting.front);
	EXPECT_EQ(0, mediated_remove(&mediated));
}

TEST_HARNESS_MAIN
