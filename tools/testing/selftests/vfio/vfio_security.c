// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test that DMA of a device is confined to the memory that its user has mapped,
 * regardless of the state in which a previous user left the device.
 *
 * From bind to close, a device reaches only mapped memory. After close, a
 * device with a group of its own reaches no memory. This holds even if a killed
 * process, or a driver before vfio, left the device with bus mastering enabled
 * and a transfer in progress. A device cannot be bound while a native kernel
 * driver or another user uses any device of its group.
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
#include "testbed.h"
#include "pci_testbed.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

/* Upper bound for the time until an edu device moves the data of a transfer */
#define TRANSFER_DELAY_US	(400 * 1000)

FIXTURE(security)
{
	struct testbed bed;
	struct edu raw;
	const char *address;
	int *ready;		/* Shared with a child, which sets it */
};

FIXTURE_SETUP(security)
{
	self->raw = (struct edu){ .fd = -1 };
	ASSERT_EQ(0, testbed_open(&self->bed));
	self->address = self->bed.machine.singleton[0].text;
	self->ready = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)self->ready);
}

FIXTURE_TEARDOWN(security)
{
	raw_stop(&self->raw);
	testbed_close(&self->bed);
	EXPECT_EQ(0, testbed_pinned(&self->bed));
}

/*
 * Return 1 if a write by the device to @iova does not change the memory, 0 if
 * it does, or -errno.
 */
static int write_is_blocked(struct testbed *bed, struct edu *edu, __u64 iova)
{
	int err;

	pattern_fill(bed->memory, TESTBED_LENGTH, 55);
	err = edu_store(edu, iova, 0, TRANSFER);
	return err ? err : pattern_is(bed->memory, TESTBED_LENGTH, 55);
}

/*
 * Return the physical address of @memory, or 0 if it is not known. Without an
 * IOMMU, DMA to this address would reach the memory.
 */
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
	struct testbed *bed = &self->bed;

	device_close(&bed->device);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	ASSERT_NE(0ull, physical(bed->memory));
	EXPECT_EQ(1, write_is_blocked(bed, &self->raw, physical(bed->memory)));
	ASSERT_EQ(0, testbed_map(bed));
	EXPECT_EQ(1, write_is_blocked(bed, &self->raw, TESTBED_IOVA));
}

TEST_F(security, bound_not_attached)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	EXPECT_EQ(1, write_is_blocked(bed, &bed->device.edu, TESTBED_IOVA));
	EXPECT_EQ(1, write_is_blocked(bed, &bed->device.edu,
				      physical(bed->memory)));
}

TEST_F(security, attached)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	EXPECT_EQ(1, device_is_blocked(bed, &bed->device,
				       TESTBED_IOVA + TESTBED_LENGTH,
				       bed->memory));
	EXPECT_EQ(1, write_is_blocked(bed, &bed->device.edu,
				      physical(bed->memory)));
}

TEST_F(security, detached)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	ASSERT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	ASSERT_EQ(0, vfio_detach(bed->device.fd));
	EXPECT_EQ(1, write_is_blocked(bed, &bed->device.edu, TESTBED_IOVA));
	EXPECT_EQ(1, write_is_blocked(bed, &bed->device.edu,
				      physical(bed->memory)));
}

TEST_F(security, closed)
{
	struct testbed *bed = &self->bed;

	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	ASSERT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	device_close(&bed->device);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	EXPECT_EQ(1, write_is_blocked(bed, &self->raw, TESTBED_IOVA));
	EXPECT_EQ(1, write_is_blocked(bed, &self->raw, physical(bed->memory)));
}

/* Have the device write to TESTBED_IOVA until the calling child is killed. */
static void keep_writing(const char *address, int *ready)
{
	struct testbed bed;

	memset(&bed, 0, sizeof(bed));
	bed.memory = new_memory(TESTBED_LENGTH);
	bed.bounce = new_memory(PAGE);
	bed.iommufd = iommu_open();
	if (bed.iommufd < 0 || ioas_alloc(bed.iommufd, &bed.ioas) ||
	    device_open(&bed.device, address, bed.iommufd) ||
	    testbed_map(&bed) || testbed_attach(&bed, &bed.device))
		_exit(1);
	for (;;) {
		if (edu_begin_store(&bed.device.edu, TESTBED_IOVA, 0, TRANSFER))
			_exit(1);
		__atomic_store_n(ready, 1, __ATOMIC_RELEASE);
		if (edu_wait(&bed.device.edu))
			_exit(1);
	}
}

TEST_F(security, killed_during_dma)
{
	struct testbed *bed = &self->bed;
	pid_t child;
	int tries;

	device_close(&bed->device);
	ASSERT_EQ(0, testbed_map(bed));
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

	/* The next user has other memory mapped at the same IOVA. */
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	pattern_fill(bed->memory, TESTBED_LENGTH, 56);
	bed->device.fd = vfio_open(self->address);
	ASSERT_LE(0, bed->device.fd);
	ASSERT_EQ(0, vfio_bind(bed->device.fd, bed->iommufd, &bed->device.id));
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	usleep(TRANSFER_DELAY_US);
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	EXPECT_TRUE(pattern_is(bed->memory, TESTBED_LENGTH, 56));
}

TEST_F(security, bus_mastering_left_on_before_bind)
{
	struct testbed *bed = &self->bed;

	device_close(&bed->device);
	ASSERT_EQ(0, testbed_map(bed));
	pattern_fill(bed->memory, TESTBED_LENGTH, 57);

	/* Start a transfer that is still in progress during bind and attach. */
	ASSERT_EQ(0, raw_start(&self->raw, self->address));
	ASSERT_EQ(0, edu_begin_store(&self->raw, TESTBED_IOVA, 0, TRANSFER));
	bed->device.fd = vfio_open(self->address);
	ASSERT_LE(0, bed->device.fd);
	ASSERT_EQ(0, vfio_bind(bed->device.fd, bed->iommufd, &bed->device.id));
	EXPECT_EQ(0, raw_command(self->address) & PCI_COMMAND_MASTER);
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	usleep(TRANSFER_DELAY_US);
	EXPECT_TRUE(pattern_is(bed->memory, TESTBED_LENGTH, 57));
}

TEST_F(security, same_iova_in_two_iommufds)
{
	struct testbed *bed = &self->bed, other;

	if (bed->machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	memset(&other, 0, sizeof(other));
	other.memory = new_memory(TESTBED_LENGTH);
	other.bounce = new_memory(PAGE);
	ASSERT_NE(NULL, other.memory);
	ASSERT_NE(NULL, other.bounce);
	other.iommufd = iommu_open();
	ASSERT_LE(0, other.iommufd);
	ASSERT_EQ(0, ioas_alloc(other.iommufd, &other.ioas));
	ASSERT_EQ(0, device_open(&other.device, bed->machine.singleton[1].text,
				 other.iommufd));
	ASSERT_EQ(0, testbed_map(bed));
	ASSERT_EQ(0, testbed_map(&other));
	ASSERT_EQ(0, testbed_attach(bed, &bed->device));
	ASSERT_EQ(0, testbed_attach(&other, &other.device));

	pattern_fill(other.memory, TESTBED_LENGTH, 58);
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
	EXPECT_TRUE(pattern_is(other.memory, TESTBED_LENGTH, 58));
	EXPECT_EQ(1, device_reaches(&other, &other.device, TESTBED_IOVA,
				    other.memory));

	/* Closing one iommufd must not affect mappings of the other. */
	testbed_close(&other);
	EXPECT_EQ(1,
		  device_reaches(bed, &bed->device, TESTBED_IOVA, bed->memory));
}

TEST_F(security, group_with_a_kernel_driver_EPERM)
{
	struct reset_bus bus;
	__u32 id;
	int fd;

	if (reset_bus_find(&bus))
		SKIP(return, "needs an edu and a virtio-rng on a bus below a bridge");
	ASSERT_EQ(0, pci_bind_vfio(bus.edu.text));
	ASSERT_EQ(0, reset_bus_sibling_to_virtio(&bus));
	fd = vfio_open(bus.edu.text);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, vfio_bind(fd, self->bed.iommufd, &id));

	/*
	 * Once virtio-pci is unbound from the sibling, the edu device can be
	 * bound to the iommufd. After that, virtio-pci cannot bind to the
	 * sibling until the edu device is closed.
	 */
	ASSERT_EQ(0, pci_unbind_driver(bus.sibling.text));
	ASSERT_EQ(0, vfio_bind(fd, self->bed.iommufd, &id));
	EXPECT_GT(0, reset_bus_sibling_to_virtio(&bus));
	close(fd);
	EXPECT_EQ(0, reset_bus_sibling_to_virtio(&bus));
}

TEST_F(security, bind_with_group_in_container_EBUSY)
{
	struct legacy legacy;

	device_close(&self->bed.device);
	ASSERT_EQ(0, legacy_open(&legacy, self->address));
	EXPECT_EQ(-EBUSY, device_open(&self->bed.device, self->address,
				      self->bed.iommufd));
	legacy_close(&legacy);
	EXPECT_EQ(0, device_open(&self->bed.device, self->address,
				 self->bed.iommufd));
}

TEST_HARNESS_MAIN
