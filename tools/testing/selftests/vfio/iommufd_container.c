// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test an iommufd as the container of vfio groups.
 *
 * The ioctls of a container apply to the container IOAS of the iommufd. A
 * device that is opened through a group is attached to that IOAS from the first
 * open to the last close.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vfio.h>

#include "../iommufd/calls.h"
#include "../kselftest_harness.h"
#include "legacy.h"
#include "testbed.h"
#include "user.h"
#include "workers.h"

NEEDS_EDU(1)
EXPECTS_DMA_FAULTS

#define OTHER_IOVA	0x20000000ull

/**
 * struct opened - an edu device, open through its group
 * @group: file of the group
 * @fd: file of the device
 * @edu: registers of the device
 */
struct opened {
	int group;
	int fd;
	struct edu edu;
};

FIXTURE(container)
{
	struct machine machine;
	struct opened first;
	long pinned_before;
	int iommufd;
	char *memory;
};

static int result(int rc)
{
	return rc < 0 ? -errno : rc;
}

static int set_container(int group, int fd)
{
	return result(ioctl(group, VFIO_GROUP_SET_CONTAINER, &fd));
}

static int unset_container(int group)
{
	return result(ioctl(group, VFIO_GROUP_UNSET_CONTAINER));
}

static int set_iommu(int fd, unsigned long type)
{
	return result(ioctl(fd, VFIO_SET_IOMMU, type));
}

static int extension(int fd, unsigned long which)
{
	return result(ioctl(fd, VFIO_CHECK_EXTENSION, which));
}

static int container_ioas(int fd, __u16 op, __u32 *id)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.ioas_id = *id,
		.op = op,
	};
	int err = iommu_call(fd, IOMMU_VFIO_IOAS, &arg);

	*id = arg.ioas_id;
	return err;
}

static int map(int fd, const void *memory, size_t length, __u64 iova)
{
	struct legacy legacy = { .container = fd };

	return legacy_map(&legacy, memory, length, iova, true);
}

/* Unmap a range. Returns the number of bytes unmapped, or -errno. */
static long long unmap_flags(int fd, __u64 iova, __u64 length, __u32 flags)
{
	struct vfio_iommu_type1_dma_unmap arg = {
		.argsz = sizeof(arg),
		.flags = flags,
		.iova = iova,
		.size = length,
	};
	int err = result(ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &arg));

	return err ? err : (long long)arg.size;
}

static long long unmap(int fd, __u64 iova, __u64 length)
{
	return unmap_flags(fd, iova, length, 0);
}

/* Give the mapping of TESTBED_LENGTH bytes at TESTBED_IOVA a user address. */
static int set_user_address(int fd, const void *memory)
{
	struct vfio_iommu_type1_dma_map arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DMA_MAP_FLAG_VADDR,
		.vaddr = (__u64)(unsigned long)memory,
		.iova = TESTBED_IOVA,
		.size = TESTBED_LENGTH,
	};

	return result(ioctl(fd, VFIO_IOMMU_MAP_DMA, &arg));
}

static int get_device(int group, const char *address)
{
	return result(ioctl(group, VFIO_GROUP_GET_DEVICE_FD, address));
}

static int device_start(struct opened *opened, const char *address)
{
	opened->fd = get_device(opened->group, address);
	return opened->fd < 0 ? opened->fd :
				edu_start(&opened->edu, opened->fd);
}

static void device_stop(struct opened *opened)
{
	edu_stop(&opened->edu);
	close(opened->fd);
	opened->fd = -1;
}

/*
 * Copy TRANSFER bytes by DMA from the page at @iova to the next page. Returns 1
 * if all data arrived, 0 if not, or -errno.
 */
static int copies(struct opened *opened, char *memory, __u64 iova, __u32 seed)
{
	int err;

	pattern_fill(memory, TRANSFER, seed);
	memset(memory + PAGE, 0, TRANSFER);
	err = edu_load(&opened->edu, iova, 0, TRANSFER);
	if (!err)
		err = edu_store(&opened->edu, iova + PAGE, 0, TRANSFER);
	return err ? err : pattern_is(memory + PAGE, TRANSFER, seed);
}

FIXTURE_SETUP(container)
{
	self->first.fd = -1;
	self->pinned_before = counters_pinned();
	ASSERT_LE(0, self->pinned_before);
	ASSERT_EQ(0, machine_find(&self->machine));
	self->memory = new_memory(TESTBED_LENGTH);
	ASSERT_NE(NULL, self->memory);
	self->iommufd = iommu_open();
	ASSERT_LE(0, self->iommufd);
	self->first.group =
		legacy_open_group(pci_group(self->machine.singleton[0].text));
	ASSERT_LE(0, self->first.group);
}

FIXTURE_TEARDOWN(container)
{
	if (self->first.fd >= 0)
		device_stop(&self->first);
	if (self->first.group >= 0)
		close(self->first.group);
	if (self->iommufd >= 0)
		close(self->iommufd);
	EXPECT_EQ(self->pinned_before, counters_pinned());
}

static long pinned(long before)
{
	return counters_pinned() - before;
}

/*
 * Memory that is mapped before a device is opened is pinned when the device is
 * opened, and unpinned when the last file of the device is closed.
 */
TEST_F(container, open_attaches_device)
{
	const char *address = self->machine.singleton[0].text;
	int again;

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, set_iommu(self->iommufd, VFIO_TYPE1v2_IOMMU));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	EXPECT_EQ(0, pinned(self->pinned_before));
	ASSERT_EQ(0, device_start(&self->first, address));
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 1));

	again = get_device(self->first.group, address);
	ASSERT_LE(0, again);
	device_stop(&self->first);
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
	self->first.fd = again;
	ASSERT_EQ(0, edu_start(&self->first.edu, again));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 2));
	device_stop(&self->first);
	EXPECT_EQ(0, pinned(self->pinned_before));
	/* The mapping remains for the next open. */
	ASSERT_EQ(0, device_start(&self->first, address));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 3));
}

/*
 * A device can neither access memory that has been unmapped nor write to memory
 * that is mapped only for reading.
 */
TEST_F(container, unmap_blocks_dma)
{
	struct legacy legacy = { .container = self->iommufd };

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	EXPECT_EQ(-EEXIST, map(self->iommufd, self->memory, PAGE,
			       TESTBED_IOVA + PAGE));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 1));
	EXPECT_EQ((long long)TESTBED_LENGTH,
		  unmap(self->iommufd, TESTBED_IOVA, TESTBED_LENGTH));
	EXPECT_EQ(0, pinned(self->pinned_before));
	EXPECT_EQ(0, copies(&self->first, self->memory, TESTBED_IOVA, 2));
	ASSERT_EQ(0, legacy_map(&legacy, self->memory, TESTBED_LENGTH,
				TESTBED_IOVA, false));
	EXPECT_EQ(0, copies(&self->first, self->memory, TESTBED_IOVA, 3));
}

/*
 * The container IOAS can also be used by its ID. Each interface can unmap what
 * the other one has mapped.
 */
TEST_F(container, shares_mappings_with_ioas)
{
	__u64 length = PAGE;
	__u32 ioas = 0;

	EXPECT_EQ(-ENODEV,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	EXPECT_LT(0u, ioas);
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, ioas_map(self->iommufd, ioas, self->memory, 2 * PAGE,
			      TESTBED_IOVA, IOAS_READ | IOAS_WRITE));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 1));
	EXPECT_EQ((long long)(2 * PAGE),
		  unmap(self->iommufd, TESTBED_IOVA, 2 * PAGE));
	ASSERT_EQ(0, map(self->iommufd, self->memory, PAGE, OTHER_IOVA));
	EXPECT_EQ(0, ioas_unmap(self->iommufd, ioas, OTHER_IOVA, &length));
	EXPECT_EQ(PAGE, length);
	/* The IOAS can be destroyed once no device is attached to it. */
	EXPECT_EQ(-EBUSY, iommu_destroy(self->iommufd, ioas));
	device_stop(&self->first);
	EXPECT_EQ(0, iommu_destroy(self->iommufd, ioas));
	EXPECT_EQ(-ENODEV,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	EXPECT_EQ(-ENODEV, get_device(self->first.group,
				      self->machine.singleton[0].text));
}

/* An IOAS that user space selects becomes the container IOAS. */
TEST_F(container, select_ioas)
{
	struct iommu_vfio_ioas arg = {
		.size = sizeof(arg),
		.op = IOMMU_VFIO_IOAS_CLEAR,
	};
	__u32 ioas, found = 0, none = 0;

	ASSERT_EQ(0, ioas_alloc(self->iommufd, &ioas));
	EXPECT_EQ(-ENOENT,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_SET, &none));
	ASSERT_EQ(0, container_ioas(self->iommufd, IOMMU_VFIO_IOAS_SET, &ioas));
	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &found));
	EXPECT_EQ(ioas, found);
	ASSERT_EQ(0, ioas_map(self->iommufd, ioas, self->memory, 2 * PAGE,
			      TESTBED_IOVA, IOAS_READ | IOAS_WRITE));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 1));

	ASSERT_EQ(0,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_CLEAR, &none));
	EXPECT_EQ(-ENODEV,
		  container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &found));
	EXPECT_EQ(-ENODEV, map(self->iommufd, self->memory, PAGE, OTHER_IOVA));
	/* The device stays attached. */
	EXPECT_EQ(1, copies(&self->first, self->memory, TESTBED_IOVA, 2));
	EXPECT_EQ(-EOPNOTSUPP, container_ioas(self->iommufd, 3, &found));
	arg.__reserved = 1;
	EXPECT_EQ(-EOPNOTSUPP,
		  iommu_call(self->iommufd, IOMMU_VFIO_IOAS, &arg));
}

/*
 * Without a container IOAS, only VFIO_GET_API_VERSION and VFIO_CHECK_EXTENSION
 * succeed.
 */
TEST_F(container, ioctls_without_ioas)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	EXPECT_EQ(VFIO_API_VERSION,
		  result(ioctl(self->iommufd, VFIO_GET_API_VERSION)));
	EXPECT_EQ(1, extension(self->iommufd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(1, extension(self->iommufd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(1, extension(self->iommufd, VFIO_UNMAP_ALL));
	EXPECT_EQ(0, extension(self->iommufd, VFIO_TYPE1_NESTING_IOMMU));
	EXPECT_EQ(0, extension(self->iommufd, VFIO_NOIOMMU_IOMMU));
	EXPECT_EQ(0, extension(self->iommufd, VFIO_UPDATE_VADDR));
	EXPECT_EQ(0, extension(self->iommufd, VFIO_DMA_CC_IOMMU));
	EXPECT_EQ(-ENODEV, set_iommu(self->iommufd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-ENODEV,
		  map(self->iommufd, self->memory, PAGE, TESTBED_IOVA));
	EXPECT_EQ(-ENODEV, unmap(self->iommufd, TESTBED_IOVA, PAGE));
	EXPECT_EQ(-ENODEV,
		  result(ioctl(self->iommufd, VFIO_IOMMU_GET_INFO, &info)));
	EXPECT_EQ(-ENODEV,
		  result(ioctl(self->iommufd, VFIO_IOMMU_DIRTY_PAGES, &dirty)));
	EXPECT_EQ(-ENOTTY,
		  result(ioctl(self->iommufd, VFIO_IOMMU_ENABLE, NULL)));
}

/*
 * An invalid address or argsz is reported even if there is no container IOAS,
 * and so are invalid flags of MAP_DMA and UNMAP_DMA.
 */
TEST_F(container, invalid_arguments_without_ioas)
{
	static const struct {
		unsigned long request;
		__u32 size;
		bool flags;
	} calls[] = {
		{ VFIO_IOMMU_GET_INFO, 16, false },
		{ VFIO_IOMMU_MAP_DMA, 32, true },
		{ VFIO_IOMMU_UNMAP_DMA, 24, true },
		{ VFIO_IOMMU_DIRTY_PAGES, 8, false },
	};
	__u32 arg[64];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		EXPECT_EQ(-EFAULT, result(ioctl(self->iommufd,
						calls[i].request, NULL)));
		memset(arg, 0, sizeof(arg));
		arg[0] = calls[i].size - 1;
		EXPECT_EQ(-EINVAL, result(ioctl(self->iommufd,
						calls[i].request, arg)));
		arg[0] = calls[i].size;
		arg[1] = 1u << 31;
		EXPECT_EQ(calls[i].flags ? -EINVAL : -ENODEV,
			  result(ioctl(self->iommufd, calls[i].request, arg)));
	}
}

/* With a container IOAS, the version of type1 can be set repeatedly. */
TEST_F(container, versions)
{
	int fd = self->iommufd;

	ASSERT_EQ(0, set_container(self->first.group, fd));
	EXPECT_EQ(-EINVAL, set_iommu(fd, VFIO_TYPE1_NESTING_IOMMU));
	EXPECT_EQ(-EINVAL, set_iommu(fd, VFIO_SPAPR_TCE_IOMMU));
	EXPECT_EQ(1, extension(fd, VFIO_UPDATE_VADDR));
	EXPECT_EQ(1, extension(fd, VFIO_DMA_CC_IOMMU));

	ASSERT_EQ(0, map(fd, self->memory, 2 * PAGE, TESTBED_IOVA));
	/* In version 2, the default, an unmap must not cut a mapping. */
	EXPECT_EQ(-EINVAL, unmap(fd, TESTBED_IOVA, PAGE));
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(0, unmap(fd, TESTBED_IOVA + PAGE, PAGE));
	EXPECT_EQ((long long)(2 * PAGE), unmap(fd, TESTBED_IOVA, PAGE));
	ASSERT_EQ(0, map(fd, self->memory, 2 * PAGE, TESTBED_IOVA));
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, unmap(fd, TESTBED_IOVA, PAGE));
	EXPECT_EQ((long long)(2 * PAGE),
		  unmap_flags(fd, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
}

/* Return whether the IOMMU enforces coherent DMA of a device, or -errno. */
static int enforces_snoop(int iommufd, const char *address)
{
	struct iommu_device_get_info info;
	struct device device;
	int err;

	err = device_open(&device, address, iommufd);
	if (err)
		return err;
	err = iommu_device_info(iommufd, device.id, &info);
	device_close(&device);
	return err ? err : !!(info.flags & IOMMU_DEVICE_INFO_ENFORCE_SNOOP);
}

/* DMA_CC is reported if coherent DMA is enforced for all open devices. */
TEST_F(container, coherency)
{
	const char *address = self->machine.singleton[0].text;
	int coherent;

	close(self->first.group);
	coherent = enforces_snoop(self->iommufd, address);
	ASSERT_LE(0, coherent);
	self->first.group = legacy_open_group(pci_group(address));
	ASSERT_LE(0, self->first.group);
	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	EXPECT_EQ(1, extension(self->iommufd, VFIO_DMA_CC_IOMMU));
	ASSERT_EQ(0, device_start(&self->first, address));
	EXPECT_EQ(coherent, extension(self->iommufd, VFIO_DMA_CC_IOMMU));
	device_stop(&self->first);
	EXPECT_EQ(1, extension(self->iommufd, VFIO_DMA_CC_IOMMU));
}

/* Pinned memory is limited unless the process has CAP_IPC_LOCK. */
TEST_F(container, limit_of_locked_memory)
{
	const struct rlimit limit = { TESTBED_LENGTH, TESTBED_LENGTH };

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 OTHER_IOVA));
	EXPECT_EQ((long long)TESTBED_LENGTH * 2,
		  unmap_flags(self->iommufd, 0, 0, VFIO_DMA_UNMAP_FLAG_ALL));
	ASSERT_EQ(0, user_drop_ipc_lock());
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	EXPECT_EQ(-ENOMEM, map(self->iommufd, self->memory, TESTBED_LENGTH,
			       OTHER_IOVA));
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
}

/* A group has one container, which it keeps while a device is open. */
TEST_F(container, groups)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	const char *address = self->machine.singleton[0].text;
	int other = iommu_open(), file = open("/dev/null", O_RDWR);

	ASSERT_LE(0, other);
	EXPECT_EQ(-EINVAL, set_container(self->first.group, file));
	EXPECT_EQ(-EBADF, set_container(self->first.group, -1));
	EXPECT_EQ(-EINVAL, unset_container(self->first.group));
	EXPECT_EQ(-EINVAL, get_device(self->first.group, address));
	ASSERT_EQ(0, ioctl(self->first.group, VFIO_GROUP_GET_STATUS, &status));
	EXPECT_EQ((__u32)VFIO_GROUP_FLAGS_VIABLE, status.flags);

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	EXPECT_EQ(-EINVAL, set_container(self->first.group, other));
	ASSERT_EQ(0, ioctl(self->first.group, VFIO_GROUP_GET_STATUS, &status));
	EXPECT_EQ((__u32)(VFIO_GROUP_FLAGS_VIABLE |
			  VFIO_GROUP_FLAGS_CONTAINER_SET), status.flags);
	ASSERT_EQ(0, device_start(&self->first, address));
	EXPECT_EQ(-EBUSY, unset_container(self->first.group));
	device_stop(&self->first);
	EXPECT_EQ(0, unset_container(self->first.group));

	ASSERT_EQ(0, set_container(self->first.group, other));
	close(other);
	/* The group keeps the iommufd alive. */
	ASSERT_EQ(0, device_start(&self->first, address));
	close(file);
}

/* Devices of two groups share the container IOAS. */
TEST_F(container, second_group)
{
	const char *address = self->machine.singleton[1].text;
	struct opened second;

	if (self->machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	second.group = legacy_open_group(pci_group(address));
	ASSERT_LE(0, second.group);
	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, set_container(second.group, self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	ASSERT_EQ(0, device_start(&second, address));
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
	EXPECT_EQ(1, copies(&second, self->memory, TESTBED_IOVA, 1));
	device_stop(&self->first);
	EXPECT_EQ(1, copies(&second, self->memory, TESTBED_IOVA, 2));
	device_stop(&second);
	close(second.group);
	EXPECT_EQ(0, pinned(self->pinned_before));
}

/* Two devices of a group are opened and attached one by one. */
TEST_F(container, siblings)
{
	const struct pci_address *address = self->machine.siblings;
	struct opened one, two;

	if (!self->machine.has_siblings)
		SKIP(return, "needs two edu devices in one group");
	one.group = legacy_open_group(pci_group(address[0].text));
	two.group = one.group;
	ASSERT_LE(0, one.group);
	ASSERT_EQ(0, set_container(one.group, self->iommufd));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	ASSERT_EQ(0, device_start(&one, address[0].text));
	ASSERT_EQ(0, device_start(&two, address[1].text));
	EXPECT_EQ(1, copies(&one, self->memory, TESTBED_IOVA, 1));
	EXPECT_EQ(1, copies(&two, self->memory, TESTBED_IOVA, 2));
	device_stop(&one);
	EXPECT_EQ(-EBUSY, unset_container(two.group));
	EXPECT_EQ(1, copies(&two, self->memory, TESTBED_IOVA, 3));
	device_stop(&two);
	EXPECT_EQ(0, unset_container(two.group));
	close(two.group);
}

/* A device cannot be opened while a mapping conflicts with the device. */
TEST_F(container, open_with_conflicting_mapping)
{
	const char *address = self->machine.singleton[0].text;

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, map(self->iommufd, self->memory, PAGE, MSI_START));
	EXPECT_EQ(-EADDRINUSE, get_device(self->first.group, address));
	EXPECT_EQ(0, pinned(self->pinned_before));
	EXPECT_EQ((long long)PAGE, unmap(self->iommufd, MSI_START, PAGE));
	ASSERT_EQ(0, device_start(&self->first, address));
	EXPECT_EQ(-EINVAL, map(self->iommufd, self->memory, PAGE, MSI_START));
	device_stop(&self->first);
	EXPECT_EQ(0, unset_container(self->first.group));
}

/**
 * struct query - argument of VFIO_IOMMU_DIRTY_PAGES with its data
 * @head: flags
 * @range: range and bitmap
 */
struct query {
	struct vfio_iommu_type1_dirty_bitmap head;
	struct vfio_iommu_type1_dirty_bitmap_get range;
};

static int dirty(int fd, __u32 flags, __u64 *bits)
{
	struct query query = {
		.head.argsz = sizeof(query),
		.head.flags = flags,
		.range.iova = TESTBED_IOVA,
		.range.size = TESTBED_LENGTH,
		.range.bitmap.pgsize = PAGE,
		.range.bitmap.size = sizeof(*bits),
		.range.bitmap.data = bits,
	};

	return result(ioctl(fd, VFIO_IOMMU_DIRTY_PAGES, &query));
}

/*
 * All pages are reported as dirty while a device is attached, and once more
 * after the detach, because the device may have written to any of the pages.
 */
TEST_F(container, dirty_pages)
{
	const __u64 all = (1ull << TESTBED_PAGES) - 1;
	int fd = self->iommufd;
	__u64 bits = ~0ull;

	ASSERT_EQ(0, set_container(self->first.group, fd));
	ASSERT_EQ(0, map(fd, self->memory, TESTBED_LENGTH, TESTBED_IOVA));
	EXPECT_EQ(-EINVAL, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP,
				 &bits));
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_START, &bits));
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &bits));
	EXPECT_EQ(0ull, bits);
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &bits));
	EXPECT_EQ(all, bits);
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &bits));
	EXPECT_EQ(all, bits);
	device_stop(&self->first);
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &bits));
	EXPECT_EQ(all, bits);
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, &bits));
	EXPECT_EQ(0ull, bits);
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP, &bits));
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(-EACCES, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_START, &bits));
}

/*
 * An unmap in version 1 may remove a mapping that extends beyond the range. The
 * bitmap of the range has no room for the dirty pages of such a mapping, so an
 * unmap with a bitmap is possible only in version 2.
 */
TEST_F(container, unmap_with_bitmap_in_version_1)
{
	__u64 bits[] = { ~0ull, ~0ull, ~0ull, ~0ull };
	const __u64 length = ARRAY_SIZE(bits) * 64 * PAGE;
	char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = self->iommufd;
	struct {
		struct vfio_iommu_type1_dma_unmap head;
		struct vfio_bitmap bitmap;
	} arg = {
		.head.argsz = sizeof(arg),
		.head.flags = VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP,
		.head.iova = TESTBED_IOVA,
		.head.size = 64 * PAGE,
		.bitmap.pgsize = PAGE,
		.bitmap.size = sizeof(bits[0]),
		.bitmap.data = bits,
	};

	ASSERT_NE(MAP_FAILED, memory);
	ASSERT_EQ(0, set_container(self->first.group, fd));
	ASSERT_EQ(0, map(fd, memory, length, TESTBED_IOVA));
	ASSERT_EQ(0, dirty(fd, VFIO_IOMMU_DIRTY_PAGES_FLAG_START, bits));
	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1_IOMMU));
	EXPECT_EQ(-EINVAL, result(ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &arg)));
	EXPECT_EQ(~0ull, bits[0]);
	EXPECT_EQ(~0ull, bits[1]);
	EXPECT_EQ(-EEXIST, map(fd, memory, PAGE, TESTBED_IOVA));

	ASSERT_EQ(0, set_iommu(fd, VFIO_TYPE1v2_IOMMU));
	EXPECT_EQ(-EINVAL, result(ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &arg)));
	arg.head.size = length;
	arg.bitmap.size = sizeof(bits);
	ASSERT_EQ(0, result(ioctl(fd, VFIO_IOMMU_UNMAP_DMA, &arg)));
	EXPECT_EQ(length, arg.head.size);
	EXPECT_EQ(0ull, bits[0]);
	munmap(memory, length);
}

/* The user addresses of mappings can be replaced while a device uses them. */
TEST_F(container, update_user_addresses)
{
	char *moved;

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	EXPECT_EQ((long long)TESTBED_LENGTH,
		  unmap_flags(self->iommufd, TESTBED_IOVA, TESTBED_LENGTH,
			      VFIO_DMA_UNMAP_FLAG_VADDR));
	moved = mmap(NULL, TESTBED_LENGTH, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, moved);
	ASSERT_EQ(moved, mremap(self->memory, TESTBED_LENGTH, TESTBED_LENGTH,
				MREMAP_MAYMOVE | MREMAP_FIXED, moved));
	EXPECT_EQ(0, set_user_address(self->iommufd, moved));
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
	EXPECT_EQ(1, copies(&self->first, moved, TESTBED_IOVA, 1));
	EXPECT_EQ(-EINVAL, set_user_address(self->iommufd, moved));
}

/*
 * While a mapping has no user address, it cannot be copied, and attaching the
 * first device to its IOAS fails.
 */
TEST_F(container, mapping_without_user_address_EBUSY)
{
	struct device device;
	__u32 ioas = 0, other, attached;

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	ASSERT_EQ(0, ioas_alloc(self->iommufd, &other));
	ASSERT_EQ(0, map(self->iommufd, self->memory, TESTBED_LENGTH,
			 TESTBED_IOVA));
	EXPECT_EQ((long long)TESTBED_LENGTH,
		  unmap_flags(self->iommufd, TESTBED_IOVA, TESTBED_LENGTH,
			      VFIO_DMA_UNMAP_FLAG_VADDR));
	/* The device cannot be bound while the file of its group is open. */
	close(self->first.group);
	self->first.group = -1;

	EXPECT_EQ(-EBUSY,
		  ioas_copy(self->iommufd, ioas, TESTBED_IOVA, other,
			    OTHER_IOVA, PAGE, IOAS_READ));
	EXPECT_EQ(0ll, ioas_unmap_all(self->iommufd, other));
	ASSERT_EQ(0, device_open(&device, self->machine.singleton[0].text,
				 self->iommufd));
	attached = ioas;
	EXPECT_EQ(-EBUSY, vfio_attach(device.fd, &attached));
	EXPECT_EQ(0, pinned(self->pinned_before));

	ASSERT_EQ(0, set_user_address(self->iommufd, self->memory));
	EXPECT_EQ(0, vfio_attach(device.fd, &attached));
	EXPECT_EQ(TESTBED_PAGES, pinned(self->pinned_before));
	EXPECT_EQ(0, ioas_copy(self->iommufd, ioas, TESTBED_IOVA, other,
			       OTHER_IOVA, PAGE, IOAS_READ));
	device_close(&device);
}

/*
 * The user address at which registers of a device are mapped can be passed to
 * MAP of the container, but not to IOMMU_IOAS_MAP. Registers are not pinned.
 */
TEST_F(container, map_registers)
{
	__u32 ioas = 0;
	void *bar;

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	bar = self->first.edu.registers;
	EXPECT_EQ(0, map(self->iommufd, bar, PAGE, TESTBED_IOVA));
	EXPECT_EQ(0, pinned(self->pinned_before));
	EXPECT_EQ((long long)PAGE, unmap(self->iommufd, TESTBED_IOVA, PAGE));
	ASSERT_EQ(0, container_ioas(self->iommufd, IOMMU_VFIO_IOAS_GET, &ioas));
	EXPECT_EQ(-EFAULT, ioas_map(self->iommufd, ioas, bar, PAGE,
				    TESTBED_IOVA, IOAS_READ | IOAS_WRITE));
}

/**
 * struct info - result of VFIO_IOMMU_GET_INFO
 * @head: fixed part of the result
 * @room: room for capabilities
 */
struct info {
	struct vfio_iommu_type1_info head;
	char room[512];
};

/* Return the last usable IOVA of the first range, or 0 without a range. */
static __u64 first_range_end(int fd)
{
	struct info info = { .head.argsz = sizeof(info) };
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_info_cap_header *header;
	__u32 at;

	if (ioctl(fd, VFIO_IOMMU_GET_INFO, &info))
		return 0;
	for (at = info.head.cap_offset; at; at = header->next) {
		header = (void *)((char *)&info + at);
		cap = (void *)header;
		if (header->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return cap->iova_ranges[0].end;
	}
	return 0;
}

/* GET_INFO reports the IOVAs that all open devices can use. */
TEST_F(container, usable_iovas)
{
	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	EXPECT_EQ(~0ull, first_range_end(self->iommufd));
	ASSERT_EQ(0, device_start(&self->first,
				  self->machine.singleton[0].text));
	EXPECT_EQ(MSI_START - 1, first_range_end(self->iommufd));
	device_stop(&self->first);
	EXPECT_EQ(~0ull, first_range_end(self->iommufd));
}

/* The death of a process leaves nothing pinned. */
TEST_F(container, killed_process)
{
	pid_t child = fork();

	ASSERT_LE(0, child);
	if (!child) {
		if (set_container(self->first.group, self->iommufd) ||
		    device_start(&self->first,
				 self->machine.singleton[0].text) ||
		    map(self->iommufd, self->memory, TESTBED_LENGTH,
			TESTBED_IOVA))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close(self->first.group);
	close(self->iommufd);
	self->first.group = -1;
	self->iommufd = -1;
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	EXPECT_EQ(0, pinned(self->pinned_before));
	self->first.group =
		legacy_open_group(pci_group(self->machine.singleton[0].text));
	EXPECT_LE(0, self->first.group);
}

/**
 * struct race - state shared by the threads of a race
 * @iommufd: the iommufd
 * @group: file of the group of a device, with the iommufd as its container
 * @address: address of the device
 * @memory: TESTBED_LENGTH bytes
 */
struct race {
	int iommufd;
	int group;
	const char *address;
	char *memory;
};

/* The open may fail because the container IOAS has just been destroyed. */
static int open_and_close(struct worker *worker)
{
	const struct race *race = worker->shared;
	int fd = get_device(race->group, race->address);

	if (fd < 0)
		return fd == -ENODEV || fd == -ENOENT ? 0 : fd;
	return close(fd) ? -errno : 0;
}

/* The container IOAS may be replaced between the map and the unmap. */
static int map_and_unmap(struct worker *worker)
{
	const struct race *race = worker->shared;
	__u64 iova = TESTBED_IOVA + worker->index * TESTBED_LENGTH;
	long long bytes;
	int err;

	err = map(race->iommufd, race->memory, TESTBED_LENGTH, iova);
	if (err)
		return err == -ENODEV ? 0 : err;
	bytes = unmap(race->iommufd, iova, TESTBED_LENGTH);
	return bytes < 0 && bytes != -ENODEV ? (int)bytes : 0;
}

/* Replace the container IOAS, and destroy the old one when it is not in use. */
static int replace_ioas(struct worker *worker)
{
	const struct race *race = worker->shared;
	__u32 old = 0, new;
	int err;

	err = container_ioas(race->iommufd, IOMMU_VFIO_IOAS_GET, &old);
	if (!err)
		err = ioas_alloc(race->iommufd, &new);
	if (!err)
		err = container_ioas(race->iommufd, IOMMU_VFIO_IOAS_SET, &new);
	if (err)
		return err;
	do
		err = iommu_destroy(race->iommufd, old);
	while (err == -EBUSY);
	return err;
}

/*
 * Opens of a device race with each other, with maps, and with the destruction
 * of the IOAS that the device is to be attached to.
 */
TEST_F_TIMEOUT(container, opens_race_with_changes_of_ioas, 4000)
{
	struct workers workers = {};
	struct race race = {
		.iommufd = self->iommufd,
		.group = self->first.group,
		.address = self->machine.singleton[0].text,
		.memory = self->memory,
	};

	ASSERT_EQ(0, set_container(self->first.group, self->iommufd));
	workers_start(&workers, open_and_close, &race, NULL);
	workers_start(&workers, open_and_close, &race, NULL);
	workers_start(&workers, map_and_unmap, &race, NULL);
	workers_start(&workers, replace_ioas, &race, NULL);
	sleep(stress_seconds());
	EXPECT_EQ(0, workers_stop(&workers));
	EXPECT_EQ(0, unset_container(self->first.group));
	EXPECT_EQ(0, pinned(self->pinned_before));
}

#define NEW_IOMMUFDS	500

/**
 * struct entry - a group that enters new iommufds, together with another group
 * @iommufd: the iommufd that both groups enter next, or -1 to end
 * @group: the group
 * @both: barrier for the threads of both groups and the test
 * @err: -errno of the last entry, or 0
 * @thread: thread that adds the group
 */
struct entry {
	int iommufd;
	int group;
	pthread_barrier_t *both;
	int err;
	pthread_t thread;
};

/* Enter an iommufd and use its container IOAS. */
static int enter(const struct entry *entry)
{
	__u32 id = 0, nr = 0;
	__u64 alignment;
	int err;

	err = set_container(entry->group, entry->iommufd);
	if (!err)
		err = container_ioas(entry->iommufd, IOMMU_VFIO_IOAS_GET, &id);
	if (!err)
		err = ioas_ranges(entry->iommufd, id, NULL, &nr, &alignment);
	return err == -EMSGSIZE ? 0 : err;
}

static void *enter_all(void *argument)
{
	struct entry *entry = argument;

	for (;;) {
		pthread_barrier_wait(entry->both);
		if (entry->iommufd < 0)
			return NULL;
		entry->err = enter(entry);
		pthread_barrier_wait(entry->both);
	}
}

/*
 * If two groups enter a new iommufd at the same time, both can use the
 * container IOAS that one of them creates.
 */
TEST_F_TIMEOUT(container, groups_race_to_create_ioas, 600)
{
	pthread_barrier_t both;
	struct entry entry[] = {
		{ .group = self->first.group, .both = &both },
		{ .both = &both },
	};
	int i, fd;

	if (self->machine.nr_singletons < 2)
		SKIP(return, "needs two edu devices with groups of their own");
	entry[1].group =
		legacy_open_group(pci_group(self->machine.singleton[1].text));
	ASSERT_LE(0, entry[1].group);
	pthread_barrier_init(&both, NULL, 3);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&entry[i].thread, NULL, enter_all,
					    &entry[i]));
	for (i = 0; i < NEW_IOMMUFDS && !entry[0].err && !entry[1].err; i++) {
		fd = iommu_open();
		EXPECT_LE(0, fd);
		if (fd < 0)
			break;
		entry[0].iommufd = fd;
		entry[1].iommufd = fd;
		pthread_barrier_wait(&both);
		pthread_barrier_wait(&both);
		unset_container(entry[0].group);
		unset_container(entry[1].group);
		close(fd);
	}
	EXPECT_EQ(0, entry[0].err);
	EXPECT_EQ(0, entry[1].err);
	EXPECT_EQ(NEW_IOMMUFDS, i);
	entry[0].iommufd = -1;
	entry[1].iommufd = -1;
	pthread_barrier_wait(&both);
	for (i = 0; i < 2; i++)
		pthread_join(entry[i].thread, NULL);
	pthread_barrier_destroy(&both);
	close(entry[1].group);
}

TEST_HARNESS_MAIN
