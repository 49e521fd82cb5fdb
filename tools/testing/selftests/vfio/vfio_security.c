// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a device cannot reach, whatever state its last user left it in.
 *
 * Rule: from bind to close a device reaches the memory that its user mapped or
 * none, and after close none of it. That a device was set to do DMA, by a
 * program that died or by whoever had it before vfio, changes nothing. Nobody
 * has a device of a group that a kernel driver, or another user, is in.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <linux/pci_regs.h>

#include "../kselftest_harness.h"
#include "legacy.h"
#include "rig.h"
#include "pci_rig.h"

NEEDS_EDU
EXPECTS_DMA_FAULTS

/* Longer than an edu takes to begin a transfer that it was told to do. */
#define TRANSFER_DELAY_US	(400 * 1000)

FIXTURE(security)
{
	struct rig rig;
	struct edu raw;
	const char *address;
	int *ready;		/* a child's word */
};

FIXTURE_SETUP(security)
{
	self->raw = (struct edu){ .fd = -1 };
	ASSERT_EQ(0, rig_open(&self->rig));
	self->address = self->rig.machine.lone[0].text;
	self->ready = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->ready);
}

FIXTURE_TEARDOWN(security)
{
	raw_stop(&self->raw);
	rig_close(&self->rig);
	EXPECT_EQ(0, rig_pinned(&self->rig));
}

/* Does a write of the device, driven by anyone, leave the memory alone? */
static int writes_nothing(struct rig *rig, struct edu *edu, __u64 iova)
{
	int err;

	pattern_fill(rig->memory, RIG_LENGTH, 55);
	err = edu_store(edu, iova, 0, TRANSFER);
	return err ? err : pattern_is(rig->memory, RIG_LENGTH, 55);
}

/* Where the memory is for one who is behind no IOMMU. */
static __u64 physical(const void *memory)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	__u64 entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)memory / PAGE * 8)) != 8)
		entry = 0;
	close(fd);
	return (entry & ((1ull << 55) - 1)) * PAGE;
}

TEST_F(security, before_bind)
{
	struct rig *rig = &self->rig;

	device_close(&rig->device);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	ASSERT_NE(0ull, physical(rig->memory));
	EXPECT_EQ(1, writes_nothing(rig, &self->raw, physical(rig->memory)));
	ASSERT_EQ(0, rig_map(rig));
	EXPECT_EQ(1, writes_nothing(rig, &self->raw, RIG_IOVA));
}

TEST_F(security, bound_not_attached)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	EXPECT_EQ(1, writes_nothing(rig, &rig->device.edu, RIG_IOVA));
	EXPECT_EQ(1, writes_nothing(rig, &rig->device.edu,
				    physical(rig->memory)));
}

TEST_F(security, attached_reaches_what_is_mapped_and_nothing_else)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	EXPECT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
	EXPECT_EQ(1, device_is_blocked(rig, &rig->device,
				       RIG_IOVA + RIG_LENGTH, rig->memory));
	EXPECT_EQ(1, writes_nothing(rig, &rig->device.edu,
				    physical(rig->memory)));
}

TEST_F(security, detached)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	ASSERT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
	ASSERT_EQ(0, vfio_detach(rig->device.fd));
	EXPECT_EQ(1, writes_nothing(rig, &rig->device.edu, RIG_IOVA));
	EXPECT_EQ(1, writes_nothing(rig, &rig->device.edu,
				    physical(rig->memory)));
}

TEST_F(security, closed)
{
	struct rig *rig = &self->rig;

	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	ASSERT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
	device_close(&rig->device);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	EXPECT_EQ(1, writes_nothing(rig, &self->raw, RIG_IOVA));
	EXPECT_EQ(1, writes_nothing(rig, &self->raw, physical(rig->memory)));
}

/* A user who has the device write to RIG_IOVA, again and again. */
static void keep_writing(const char *address, int *ready)
{
	struct rig rig;

	memset(&rig, 0, sizeof(rig));
	rig.memory = new_memory(RIG_LENGTH);
	rig.bounce = new_memory(PAGE);
	rig.iommufd = iommu_open();
	if (rig.iommufd < 0 || ioas_alloc(rig.iommufd, &rig.ioas) ||
	    device_open(&rig.device, address, rig.iommufd) || rig_map(&rig) ||
	    rig_attach(&rig, &rig.device))
		_exit(1);
	for (;;) {
		if (edu_begin_store(&rig.device.edu, RIG_IOVA, 0, TRANSFER))
			_exit(1);
		__atomic_store_n(ready, 1, __ATOMIC_RELEASE);
		if (edu_wait(&rig.device.edu))
			_exit(1);
	}
}

TEST_F(security, killed_while_the_device_writes)
{
	struct rig *rig = &self->rig;
	pid_t child;
	int tries;

	device_close(&rig->device);
	ASSERT_EQ(0, rig_map(rig));
	child = fork();
	ASSERT_LE(0, child);
	if (!child)
		keep_writing(self->address, self->ready);
	for (tries = 0; tries < 2000; tries++) {
		if (__atomic_load_n(self->ready, __ATOMIC_ACQUIRE))
			break;
		usleep(10 * 1000);
	}
	ASSERT_EQ(1, *self->ready);
	EXPECT_NE(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, kill(child, SIGKILL));
	ASSERT_EQ(child, waitpid(child, NULL, 0));

	/* The next user maps other memory where the first one's was. */
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	pattern_fill(rig->memory, RIG_LENGTH, 56);
	rig->device.fd = vfio_open(self->address);
	ASSERT_LE(0, rig->device.fd);
	ASSERT_EQ(0, vfio_bind(rig->device.fd, rig->iommufd, &rig->device.id));
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	usleep(TRANSFER_DELAY_US);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	EXPECT_TRUE(pattern_is(rig->memory, RIG_LENGTH, 56));
}

TEST_F(security, bus_mastering_left_on_before_bind)
{
	struct rig *rig = &self->rig;

	device_close(&rig->device);
	ASSERT_EQ(0, rig_map(rig));
	pattern_fill(rig->memory, RIG_LENGTH, 57);

	/* It writes, and will go on to, while its user binds and attaches it. */
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	ASSERT_EQ(0, edu_begin_store(&self->raw, RIG_IOVA, 0, TRANSFER));
	rig->device.fd = vfio_open(self->address);
	ASSERT_LE(0, rig->device.fd);
	ASSERT_EQ(0, vfio_bind(rig->device.fd, rig->iommufd, &rig->device.id));
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	usleep(TRANSFER_DELAY_US);
	EXPECT_TRUE(pattern_is(rig->memory, RIG_LENGTH, 57));
}

TEST_F(security, two_iommufds_with_one_iova)
{
	struct rig *rig = &self->rig, other;

	if (rig->machine.nr_lone < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	memset(&other, 0, sizeof(other));
	other.memory = new_memory(RIG_LENGTH);
	other.bounce = new_memory(PAGE);
	ASSERT_NE(NULL, other.memory);
	ASSERT_NE(NULL, other.bounce);
	other.iommufd = iommu_open();
	ASSERT_LE(0, other.iommufd);
	ASSERT_EQ(0, ioas_alloc(other.iommufd, &other.ioas));
	ASSERT_EQ(0, device_open(&other.device, rig->machine.lone[1].text,
				 other.iommufd));
	ASSERT_EQ(0, rig_map(rig));
	ASSERT_EQ(0, rig_map(&other));
	ASSERT_EQ(0, rig_attach(rig, &rig->device));
	ASSERT_EQ(0, rig_attach(&other, &other.device));

	pattern_fill(other.memory, RIG_LENGTH, 58);
	EXPECT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
	EXPECT_TRUE(pattern_is(other.memory, RIG_LENGTH, 58));
	EXPECT_EQ(1, device_reaches(&other, &other.device, RIG_IOVA,
				    other.memory));

	/* One of them goes; the other's stays what it was. */
	rig_close(&other);
	EXPECT_EQ(1, device_reaches(rig, &rig->device, RIG_IOVA, rig->memory));
}

TEST_F(security, group_with_a_kernel_driver_EPERM)
{
	struct reset_bus bus;
	__u32 id;
	int fd;

	if (reset_bus_find(&bus))
		SKIP(return, "needs an edu with a sibling");
	ASSERT_EQ(0, pci_give_to_vfio(bus.edu.text));
	ASSERT_EQ(0, reset_bus_sibling_to_virtio(&bus));
	fd = vfio_open(bus.edu.text);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, vfio_bind(fd, self->rig.iommufd, &id));

	/* Without that driver it can be bound, and then no driver comes. */
	ASSERT_EQ(0, pci_take_from_driver(bus.sibling.text));
	ASSERT_EQ(0, vfio_bind(fd, self->rig.iommufd, &id));
	EXPECT_GT(0, reset_bus_sibling_to_virtio(&bus));
	close(fd);
	EXPECT_EQ(0, reset_bus_sibling_to_virtio(&bus));
}

TEST_F(security, group_of_a_container_is_not_to_be_had)
{
	struct legacy legacy;

	device_close(&self->rig.device);
	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EBUSY, device_open(&self->rig.device, self->address,
				      self->rig.iommufd));
	legacy_close(&legacy);
	EXPECT_EQ(0, device_open(&self->rig.device, self->address,
				 self->rig.iommufd));
}

TEST_HARNESS_MAIN
