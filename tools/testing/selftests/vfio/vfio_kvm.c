// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test KVM_DEV_VFIO_FILE of KVM's vfio device with files of device nodes.
 *
 * KVM accepts the file of a device node, bound or not, as well as the file of a
 * group. KVM holds a reference to an added file until the file is deleted from
 * KVM's vfio device or that device is closed. If a device is bound through a
 * file that KVM already holds, the device keeps the virtual machine alive until
 * the device is closed. KVM registers noncoherent DMA if DMA of a device cannot
 * be forced to be coherent. The registration also lasts while the removal of
 * the device waits for its file to be closed. A KVM ioctl that waits for a
 * group is killable.
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
#include <sys/wait.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "../kselftest_harness.h"
#include "call.h"
#include "front.h"
#include "legacy.h"
#include "mdev_testbed.h"
#include "testbed.h"
#include "stuck_file.h"
#include "text.h"

#define TRACING		"/sys/kernel/debug/tracing"
#define EVENTS		"vfio_kvm"	/* group of the kprobe events */
#define KVM_DEBUGFS	"/sys/kernel/debug/kvm"

#define FILE_PAGES	8
#define STUCK		5u	/* Index of the stuck page in the file */

NEEDS_EDU(1)
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
	int kvm, vm, kvm_vfio;	/* /dev/kvm, the VM, its vfio device */
	int iommufd, fd;
};

FIXTURE_SETUP(kvm)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };

	ASSERT_EQ(0, machine_find(&self->machine));
	ASSERT_LE(1u, self->machine.nr_singletons);
	self->address = self->machine.singleton[0].text;
	self->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->kvm);
	self->vm = ioctl(self->kvm, KVM_CREATE_VM, 0);
	ASSERT_LE(0, self->vm);
	ASSERT_EQ(0, ioctl(self->vm, KVM_CREATE_DEVICE, &create));
	self->kvm_vfio = (int)create.fd;
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	self->fd = vfio_open(self->address);
	ASSERT_LE(0, self->fd);
}

/*
 * Count the calls of @function with a kprobe. KVM has no interface that reports
 * whether it has registered noncoherent DMA.
 */
static int probe_on(const char *name, const char *function)
{
	char text[128];
	int err;

	snprintf(text, sizeof(text), "p:" EVENTS "/%s %s\n", name, function);
	err = text_write(TRACING "/kprobe_events", text);
	if (err)
		return err;
	snprintf(text, sizeof(text), TRACING "/events/" EVENTS "/%s/enable", name);
	return text_write(text, "1");
}

static void probe_off(const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), TRACING "/events/" EVENTS "/%s/enable", name);
	text_write(text, "0");
	snprintf(text, sizeof(text), "-:" EVENTS "/%s\n", name);
	text_write(TRACING "/kprobe_events", text);
}

FIXTURE_TEARDOWN(kvm)
{
	/* Remove the probes of tests that count calls. */
	probe_off("reg");
	probe_off("unreg");
	close(self->fd);
	close(self->iommufd);
	close(self->kvm_vfio);
	close(self->vm);
	close(self->kvm);
}

static int set_file(int kvm_vfio, __u64 attribute, int fd)
{
	__s32 value = fd;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = attribute,
		.addr = (uintptr_t)&value,
	};

	return ioctl(kvm_vfio, KVM_SET_DEVICE_ATTR, &attr) ? -errno : 0;
}

static int add(int kvm_vfio, int fd)
{
	return set_file(kvm_vfio, KVM_DEV_VFIO_FILE_ADD, fd);
}

static int del(int kvm_vfio, int fd)
{
	return set_file(kvm_vfio, KVM_DEV_VFIO_FILE_DEL, fd);
}

static int bind_to(int fd, int iommufd)
{
	__u32 id;

	return vfio_bind(fd, iommufd, &id);
}

/*
 * Look up the virtual machine in debugfs, where it can be found even after its
 * file is closed.
 */
static bool vm_exists(int vm)
{
	char name[NAME_MAX + 1];
	DIR *directory = opendir(KVM_DEBUGFS);
	struct dirent *entry;
	bool found = false;

	if (!directory)
		return false;
	snprintf(name, sizeof(name), "%d-%d", getpid(), vm);
	while ((entry = readdir(directory)))
		found |= !strcmp(entry->d_name, name);
	closedir(directory);
	return found;
}

/*
 * Return whether the virtual machine is freed within five seconds. This happens
 * shortly after the last reference to it is dropped.
 */
static bool vm_is_freed(int vm)
{
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (!vm_exists(vm))
			return true;
		usleep(10 * 1000);
	}
	return false;
}

TEST_F(kvm, group_attributes_are_aliases)
{
	EXPECT_EQ(KVM_DEV_VFIO_GROUP, KVM_DEV_VFIO_FILE);
	EXPECT_EQ(KVM_DEV_VFIO_GROUP_ADD, KVM_DEV_VFIO_FILE_ADD);
	EXPECT_EQ(KVM_DEV_VFIO_GROUP_DEL, KVM_DEV_VFIO_FILE_DEL);
}

TEST_F(kvm, inert_file)
{
	EXPECT_EQ(0, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(-EEXIST, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(0, del(self->kvm_vfio, self->fd));
	EXPECT_EQ(-ENOENT, del(self->kvm_vfio, self->fd));
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(kvm, bound_file)
{
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	EXPECT_EQ(0, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(-EEXIST, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(0, del(self->kvm_vfio, self->fd));
	EXPECT_EQ(-ENOENT, del(self->kvm_vfio, self->fd));
}

TEST_F(kvm, invalid_files)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), closed = dup(null);

	ASSERT_LE(0, null);
	ASSERT_LE(0, closed);
	close(closed);
	EXPECT_EQ(-EBADF, add(self->kvm_vfio, closed));
	EXPECT_EQ(-EINVAL, add(self->kvm_vfio, null));
	EXPECT_EQ(-EINVAL, add(self->kvm_vfio, self->iommufd));
	EXPECT_EQ(-EINVAL, add(self->kvm_vfio, self->vm));
	close(null);
}

TEST_F(kvm, group_files)
{
	struct legacy legacy;

	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EINVAL, add(self->kvm_vfio, legacy.device));
	EXPECT_EQ(-EINVAL, add(self->kvm_vfio, legacy.container));
	EXPECT_EQ(0, add(self->kvm_vfio, legacy.group));
	EXPECT_EQ(0, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(0, del(self->kvm_vfio, legacy.group));
	legacy_close(&legacy);
}

TEST_F(kvm, holds_the_file)
{
	int second;

	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	close(self->fd);
	self->fd = -1;

	/* KVM's reference to the file keeps the device bound. */
	second = vfio_open(self->address);
	ASSERT_LE(0, second);
	EXPECT_EQ(-EINVAL, bind_to(second, self->iommufd));
	close(self->kvm_vfio);
	self->kvm_vfio = -1;
	EXPECT_EQ(0, bind_to(second, self->iommufd));
	close(second);
}

TEST_F(kvm, bound_device_holds_vm)
{
	ASSERT_TRUE(vm_exists(self->vm));
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_FALSE(vm_is_freed(self->vm));
	close(self->fd);
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->fd = -1;
	self->vm = -1;
}

TEST_F(kvm, inert_file_does_not_hold_vm)
{
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->vm = -1;
	/* A later bind does not use the virtual machine that was freed. */
	EXPECT_EQ(0, bind_to(self->fd, self->iommufd));
}

TEST_F(kvm, add_after_bind_does_not_hold_vm)
{
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->vm = -1;
}

TEST_F(kvm, other_file_does_not_hold_vm)
{
	int other = vfio_open(self->address);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, add(self->kvm_vfio, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->vm = -1;
	close(other);
}

/*
 * If two files of one device node are added to different virtual machines, a
 * bind holds only the machine to which its file was added.
 */
TEST_F(kvm, bind_holds_vm_of_its_file)
{
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int other = vfio_open(self->address);
	int vm = ioctl(self->kvm, KVM_CREATE_VM, 0);

	ASSERT_LE(0, other);
	ASSERT_LE(0, vm);
	ASSERT_EQ(0, ioctl(vm, KVM_CREATE_DEVICE, &create));
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	ASSERT_EQ(0, add((int)create.fd, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_FALSE(vm_is_freed(self->vm));
	close((int)create.fd);
	close(vm);
	EXPECT_TRUE(vm_is_freed(vm));
	close(self->fd);
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->fd = -1;
	self->vm = -1;
	close(other);
}

/*
 * Deleting one file from KVM does not end the association of another file of
 * the same device node with the virtual machine.
 */
TEST_F(kvm, delete_of_other_file_keeps_vm)
{
	int other = vfio_open(self->address);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	ASSERT_EQ(0, add(self->kvm_vfio, other));
	ASSERT_EQ(0, del(self->kvm_vfio, other));
	ASSERT_EQ(0, bind_to(self->fd, self->iommufd));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_FALSE(vm_is_freed(self->vm));
	close(self->fd);
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->fd = -1;
	self->vm = -1;
	close(other);
}

TEST_F(kvm, failed_bind_does_not_hold_vm)
{
	ASSERT_EQ(0, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(-EBADF, bind_to(self->fd, 1000));
	close(self->kvm_vfio);
	close(self->vm);
	self->kvm_vfio = -1;
	EXPECT_TRUE(vm_is_freed(self->vm));
	self->vm = -1;
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

/*
 * Bind the device, start counting the calls that register and unregister
 * noncoherent DMA, and add the file to KVM. Return the number of registrations
 * that KVM should make for the device.
 */
static long add_counted(struct __test_metadata *_metadata, int kvm_vfio,
			int fd, int iommufd)
{
	struct iommu_device_get_info info;
	__u32 id;

	ASSERT_EQ(0, vfio_bind(fd, iommufd, &id));
	ASSERT_EQ(0, iommu_device_info(iommufd, id, &info));
	ASSERT_EQ(0, probe_on("reg", "kvm_arch_register_noncoherent_dma"));
	EXPECT_EQ(0, probe_on("unreg", "kvm_arch_unregister_noncoherent_dma"));
	EXPECT_EQ(0, add(kvm_vfio, fd));
	return !(info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP);
}

TEST_F(kvm, noncoherent_dma)
{
	long expected;

	if (access(TRACING "/kprobe_events", W_OK))
		SKIP(return, "needs CONFIG_KPROBE_EVENTS");
	expected = add_counted(_metadata, self->kvm_vfio, self->fd,
			       self->iommufd);
	EXPECT_EQ(expected, probe_hits("reg"));
	EXPECT_EQ(0, probe_hits("unreg"));
	EXPECT_EQ(0, del(self->kvm_vfio, self->fd));
	EXPECT_EQ(expected, probe_hits("unreg"));
	/* Adding a file that is not bound has the same effect. */
	close(self->fd);
	self->fd = vfio_open(self->address);
	EXPECT_EQ(0, add(self->kvm_vfio, self->fd));
	EXPECT_EQ(2 * expected, probe_hits("reg"));
	EXPECT_EQ(0, del(self->kvm_vfio, self->fd));
}

/*
 * Unbind the device from its driver in a child process, which exits with status
 * 0 on success. The child closes its copies of the files that keep the device
 * bound.
 */
static pid_t start_unbind(const char *address, int fd, int kvm_vfio)
{
	pid_t child = fork();

	if (child)
		return child;
	close(fd);
	close(kvm_vfio);
	_exit(pci_unbind_driver(address) ? 1 : 0);
}

/*
 * While the removal of a device waits for its bound file to be closed, the
 * device can still perform DMA. Whenever a file is added or deleted, KVM checks
 * for each file that it holds whether DMA is coherent. During the removal, such
 * a check must not make KVM unregister noncoherent DMA.
 */
TEST_F(kvm, noncoherent_dma_until_removed_device_is_closed)
{
	int other = vfio_open(self->address), tries, status;
	long expected;
	pid_t child;

	if (access(TRACING "/kprobe_events", W_OK))
		SKIP(return, "needs CONFIG_KPROBE_EVENTS");
	ASSERT_LE(0, other);
	expected = add_counted(_metadata, self->kvm_vfio, self->fd,
			       self->iommufd);
	child = start_unbind(self->address, self->fd, self->kvm_vfio);
	ASSERT_LT(0, child);
	/* The removal begins by making every further bind fail with -ENODEV. */
	for (tries = 0; tries < 500; tries++) {
		if (bind_to(other, self->iommufd) == -ENODEV)
			break;
		usleep(10 * 1000);
	}
	EXPECT_GT(500, tries);

	EXPECT_EQ(0, add(self->kvm_vfio, other));
	EXPECT_EQ(0, del(self->kvm_vfio, other));
	EXPECT_EQ(expected, probe_hits("reg"));
	EXPECT_EQ(0, probe_hits("unreg"));
	EXPECT_EQ(0, waitpid(child, &status, WNOHANG));
	EXPECT_EQ(0, del(self->kvm_vfio, self->fd));
	EXPECT_EQ(expected, probe_hits("unreg"));

	close(self->fd);
	self->fd = -1;
	close(other);
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, pci_bind_vfio(self->address));
}

/**
 * struct waiting - state of a test in which the attach of a group blocks
 * @kvm_vfio: vfio device of KVM
 * @group: group file
 * @front: container to which the group is being added
 */
struct waiting {
	int kvm_vfio;
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

	return add(waiting->kvm_vfio, waiting->group);
}

static long del_group(void *data)
{
	const struct waiting *waiting = data;

	return del(waiting->kvm_vfio, waiting->group);
}

TEST_F(kvm, killed_waiter_for_a_group)
{
	struct waiting waiting = { .kvm_vfio = self->kvm_vfio };
	struct call attach, waiter;
	struct mediated mediated;
	struct stuck_file file;

	ASSERT_EQ(0, stuck_file_open(&file, FILE_PAGES, STUCK));
	ASSERT_EQ(0, mediated_create(&mediated, "mdev_pin", "notified"));
	ASSERT_EQ(0, front_open_mediated(&waiting.front, true, &mediated));
	ASSERT_EQ(0, front_map(&waiting.front, stuck_file_map(&file, false),
			       FILE_PAGES * PAGE, TESTBED_IOVA, true));
	waiting.group = legacy_open_group(pci_group(self->address));
	ASSERT_LE(0, waiting.group);
	ASSERT_EQ(0, call_start(&attach, set_container, &waiting));
	ASSERT_EQ(0, stuck_file_wait(&file));

	/*
	 * KVM first adds the file, and then checks whether DMA of the group is
	 * coherent. Only the check waits for the group and is ended by the
	 * kill, so the file remains added and can be deleted.
	 */
	ASSERT_EQ(0, call_start(&waiter, add_group, &waiting));
	EXPECT_EQ(0, call_sleeps(&waiter));
	EXPECT_LE(0, call_kill(&waiter));
	EXPECT_EQ(0, call_timed(del_group, &waiting));
	EXPECT_EQ(0, call_sleeps(&attach));

	/* Fail the page fault of any call that still blocks. */
	stuck_file_close(&file);
	EXPECT_LE(0, call_kill(&attach));
	EXPECT_LE(0, call_kill(&waiter));
	close(waiting.group);
	front_close(&waiting.front);
	EXPECT_EQ(0, mediated_remove(&mediated));
}

TEST_HARNESS_MAIN
